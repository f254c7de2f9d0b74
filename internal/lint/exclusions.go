package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// FileName is the name of an exclusion file.
const FileName = ".scaffold-lint.yaml"

// FileNames returns FileName and a name that is mistaken for it.
func FileNames() []string { return []string{FileName, ".scaffold-lint.yml"} }

// ParseExclusions reads an exclusion file. Known lists the names of all rules.
func ParseExclusions(name string, src []byte, known []string) ([]Exclusion, error) {
	doc, err := yamldoc.Parse(name, src, "exclusions:")
	if err != nil {
		return nil, err
	}
	var file struct {
		Exclusions []Exclusion `yaml:"exclusions"`
	}
	doc.Decode(&file)
	for i := range file.Exclusions {
		e := &file.Exclusions[i]
		at := fmt.Sprintf("exclusions[%d]", i)
		e.file = name
		e.line, _ = doc.Place(at, 0)
		if !slices.Contains(known, e.Rule) {
			doc.Problemf(at+".rule", "unknown rule %q%s", e.Rule, diagnostic.DidYouMean(e.Rule, known))
		}
		if strings.TrimSpace(e.Reason) == "" {
			doc.Problemf(at, "missing reason; write one sentence that says why the rule does not apply")
		}
		if _, err := path.Match(e.File, ""); err != nil {
			doc.Problemf(at+".file", "invalid pattern %q: missing ]; write a path, with * for any text except a slash", e.File)
		}
	}
	return file.Exclusions, doc.Err()
}
