package templates_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates"
)

// checker type-checks services with the export data of their dependencies: this takes seconds
// for hundreds of services, building them takes minutes. It is not safe for concurrent use.
type checker struct {
	t        *testing.T
	fset     *token.FileSet
	imported types.Importer
}

// newChecker lists the packages of the runtime and the dependencies of examples/orders: services import no others.
func newChecker(t *testing.T) checker {
	t.Helper()
	exports := map[string]string{}
	for _, dir := range []string{"../runtime", "../examples/orders"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "./...")
		if dir != "../runtime" {
			cmd.Args = slices.Insert(cmd.Args, 2, "-test")
		}
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, &stderr)
		}
		for line := range strings.Lines(string(out)) {
			if name, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && !strings.Contains(name, " ") {
				exports[name] = file
			}
		}
	}
	fset := token.NewFileSet()
	return checker{t, fset, importer.ForCompiler(fset, "gc", func(name string) (io.ReadCloser, error) {
		if exports[name] == "" {
			return nil, fmt.Errorf("neither the runtime nor examples/orders depends on %s", name)
		}
		return os.Open(exports[name])
	})}
}

// parse returns the Go files of a service by package.
func (c checker) parse(module string, tree templates.Tree) map[string][]*ast.File {
	c.t.Helper()
	packages := map[string][]*ast.File{}
	for _, f := range tree {
		if !strings.HasSuffix(f.Path, ".go") {
			continue
		}
		file, err := parser.ParseFile(c.fset, f.Path, f.Data, parser.SkipObjectResolution)
		if err != nil {
			c.t.Fatal(err)
		}
		// An external test package is a separate package.
		name := path.Join(module, path.Dir(f.Path))
		if strings.HasSuffix(file.Name.Name, "_test") {
			name += "_test"
		}
		packages[name] = append(packages[name], file)
	}
	return packages
}

// errors type-checks every package and returns all errors.
func (c checker) errors(packages map[string][]*ast.File) []error {
	var errs []error
	done := map[string]*types.Package{}
	var check func(name string) (*types.Package, error)
	config := types.Config{
		Error:    func(err error) { errs = append(errs, err) },
		Importer: importerFunc(func(name string) (*types.Package, error) { return check(name) }),
	}
	check = func(name string) (*types.Package, error) {
		if p := done[name]; p != nil {
			return p, nil
		}
		files := packages[name]
		if files == nil {
			return c.imported.Import(name)
		}
		done[name], _ = config.Check(name, c.fset, files, nil) // config.Error collects the errors
		return done[name], nil
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		if _, err := check(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

type importerFunc func(string) (*types.Package, error)

func (f importerFunc) Import(name string) (*types.Package, error) { return f(name) }
