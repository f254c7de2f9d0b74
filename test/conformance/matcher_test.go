package conformance

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"
	amlabels "github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// TestMatchersAreReadAsByAlertmanager parses random combinations of parts of matchers
// with Alertmanager and with our parser: both reject the same texts, and the same alerts
// match.
func TestMatchersAreReadAsByAlertmanager(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"a", "b", "team", `"team"`, "täm", "=", "!=", "=~", "!~", "=", "=~", `"x"`, `"x,y"`, "x", "x|y", ".*", `"x\"y"`, `\`, `\n`, `\\`,
		`"`, ",", ",", " ", "{", "}", "~", "!", "(", `"a b"`, "😀", "1", "'",
	}
	parse := compat.FallbackMatchersParser(promslog.NewNopLogger())
	rnd := rand.New(rand.NewPCG(1, 2))
	accepted, rejected := 0, 0
	for range 40_000 {
		var b strings.Builder
		switch rnd.IntN(3) { // most fully random texts are invalid
		case 0:
			b.WriteString(pieces[rnd.IntN(3)] + pieces[5+rnd.IntN(6)] + pieces[11+rnd.IntN(10)])
		case 1:
			b.WriteString(pieces[rnd.IntN(5)] + pieces[5+rnd.IntN(6)])
		}
		for range rnd.IntN(6) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		text := b.String()
		want, theirs := parse(text, "test")
		got, ours := routingOf(t, text)
		if (theirs == nil) != (ours == nil) {
			t.Fatalf("%q: Alertmanager returns %v, our parser %v", text, theirs, ours)
		}
		if ours != nil {
			rejected++
			continue
		}
		accepted++
		compareMatches(t, text, want, got)
	}
	t.Logf("both accept %d texts and reject %d", accepted, rejected)
	if accepted < 5000 || rejected < 5000 {
		t.Errorf("%d texts accepted and %d rejected, want at least 5000 of each", accepted, rejected)
	}
}

// routingOf parses a file whose only child route has the matcher.
func routingOf(t *testing.T, text string) (*rulesim.Routing, error) {
	t.Helper()
	src, err := json.Marshal(map[string]any{"route": map[string]any{
		"receiver": "misses", "routes": []any{map[string]any{"receiver": "matches", "matchers": []string{text}}},
	}})
	must(t, err)
	return rulesim.ParseRouting(src)
}

func compareMatches(t *testing.T, text string, want amlabels.Matchers, got *rulesim.Routing) {
	t.Helper()
	for _, name := range []string{"a", "b", "team", "täm"} {
		for _, value := range []string{"x", "y", "x,y", `x"y`, `\`, "a b", "x\ny", `x\n`, "a"} {
			matches := want.Matches(model.LabelSet{model.LabelName(name): model.LabelValue(value)})
			sent := got.Notifications([]rulesim.Firing{{Labels: labels.FromStrings(name, value), FiredAt: time.Unix(0, 0)}}, time.Unix(30, 0))
			if len(sent) != 1 || (sent[0].Receiver == "matches") != matches {
				t.Fatalf("%q with %s=%q: Alertmanager matches: %v, our routing sends %v", text, name, value, matches, sent)
			}
		}
	}
}
