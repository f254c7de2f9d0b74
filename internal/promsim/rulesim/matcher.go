package rulesim

import (
	"fmt"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
)

// parseMatchers parses the matchers of an Alertmanager file as Alertmanager does without feature flags: with
// the older grammar, or with the newer one if the older does not accept the text, for example a quoted name.
func parseMatchers(texts []string) (matchers, error) {
	var out matchers
	for _, text := range texts {
		ms, err := labels.ParseMatchers(text)
		if err != nil {
			if ms, err = parse.Matchers(text); err != nil {
				return nil, fmt.Errorf(`matcher %s: %w; write it as name="value", with =, !=, =~ or !~`, text, err)
			}
		}
		out = append(out, ms...)
	}
	return out, nil
}
