package archtest

import (
	"go/ast"
	"strings"
	"testing"
)

// Files that a user names may be devices, FIFOs or links to secrets; package
// userfile is the one place that reads them. What else is read is listed with the
// reason.
func TestUserFilesAreReadInOnePlace(t *testing.T) {
	t.Parallel()
	reads := map[string]bool{
		"os.ReadFile": true, "os.Open": true, "os.OpenFile": true, "io.ReadAll": true, "fs.ReadFile": true, "root.ReadFile": true, "root.Open": true,
	}
	allowed := map[string]string{
		"templates/":                            "reads embedded files",
		"internal/source/userfile/userfile.go":  "reads them",
		"internal/testkit/archtest/":            "tests",
		"internal/testkit/golden/":              "tests",
		"internal/record/":                      "reads this repository",
		"internal/testkit/release/":             "reads this repository",
		"internal/image/ociimage/image.go":      "reads a binary that scaffold built",
		"internal/promsim/metricstore/fetch.go": "reads a bounded response",
		"internal/push/delivery.go":             "reads a bounded response",
		"internal/project/ask.go":               "copies a program that the go tool built",
		"internal/verify/drive.go":              "reads a bounded response",
		"internal/workspace/apply.go":           "opens directories, to sync them",
		"internal/workspace/build.go":           "opens directories, to sync them",
	}
	for _, s := range sources(t) {
		path := strings.TrimPrefix(s.path, "../../../")
		if !strings.HasPrefix(path, "internal/") && !strings.HasPrefix(path, "slo/") && !strings.HasPrefix(path, "templates/") && !strings.HasPrefix(path, "cmd/") {
			continue
		}
		excused := false
		for prefix := range allowed {
			excused = excused || strings.HasPrefix(path, prefix)
		}
		if excused {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			called, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			on := ""
			switch x := called.X.(type) {
			case *ast.Ident:
				on = x.Name
			case *ast.SelectorExpr: // a field, such as w.root
				on = x.Sel.Name
			}
			if reads[on+"."+called.Sel.Name] {
				t.Errorf("%s: %s.%s; read files with package userfile", s.at(n), on, called.Sel.Name)
			}
			return true
		})
	}
}
