package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// FileName is the name of a file of exclusions.
const FileName = ".scaffold-lint.yaml"

// FileNames are the name of a file of exclusions, and one that is mistaken for it.
func FileNames() []string { return []string{FileName, ".scaffold-lint.yml"} }

// ParseExclusions reads a file of exclusions. Known are the rules that there are.
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
			doc.Problemf(at+".rule", "there is no rule %q%s", e.Rule, diagnostic.DidYouMean(e.Rule, known))
		}
		if strings.TrimSpace(e.Reason) == "" {
			doc.Problemf(at, "the exclusion has no reason; write in one sentence why the rule does not apply")
		}
		if _, err := path.Match(e.File, ""); err != nil {
			doc.Problemf(at+".file", "%q is not a pattern: a [ has no ]; write a path, or * for any text but a slash", e.File)
		}
	}
	return file.Exclusions, doc.Err()
}
