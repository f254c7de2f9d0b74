package sbom

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// sums are the sums of go.sum by path and version. A binary that was built from vendor/ has none.
type sums map[string]string

func (s sums) of(m *debug.Module) string {
	if m.Sum != "" {
		return m.Sum
	}
	return s[m.Path+" "+m.Version]
}

// readSums reads go.sum. Modules of the binary that are not in it are errors, except directories.
func readSums(tree fs.FS, modules []*debug.Module) (sums, error) {
	text, err := userfile.ReadFS(tree, "go.sum", userfile.LargeLimit)
	if err != nil {
		return nil, err
	}
	known := sums{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			known[fields[0]+" "+fields[1]] = fields[2]
		}
	}
	var problems []error
	for _, m := range modules {
		code := linked(m)
		if known.of(code) == "" && (m.Replace == nil || code != m) {
			problems = append(problems, fmt.Errorf("%s %s is in the binary but not in go.sum; build the binary again", code.Path, code.Version))
		}
	}
	return known, errors.Join(problems...)
}
