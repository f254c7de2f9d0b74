package archtest

import (
	"go/ast"
	"strings"
	"testing"
)

// User files may be devices, FIFOs or links to secrets, so only package userfile reads them. Other reads
// are listed with the reason.
func TestOnlyPackageUserfileReadsUserFiles(t *testing.T) {
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
		"internal/workspace/lock.go":            "opens the directory, to lock it",
	}
	for _, s := range sources(t) {
		path := strings.TrimPrefix(s.path, "../../../")
		if !strings.HasPrefix(path, "internal/") && !strings.HasPrefix(path, "slo/") && !strings.HasPrefix(path, "templates/") && !strings.HasPrefix(path, "cmd/") {
			continue
		}
		isAllowed := false
		for prefix := range allowed {
			isAllowed = isAllowed || strings.HasPrefix(path, prefix)
		}
		if isAllowed {
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
