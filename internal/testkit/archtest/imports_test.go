package archtest

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

const (
	root    = "github.com/observability-first/scaffold"
	runtime = root + "/runtime"
	top     = "../../.." // of the repository
)

// pkg is a package with the imports of its files, except tests.
type pkg struct {
	ImportPath string
	Imports    []string
}

// packages returns the packages of all modules. It parses files, since go list would download the
// dependencies of the modules below test.
func packages(t *testing.T) []pkg {
	t.Helper()
	imports := map[string][]string{}
	for _, s := range sources(t, "examples") {
		path := importPath(t, filepath.Dir(s.path))
		imports[path] = append(imports[path], s.imports(t)...) // a package without imports counts, too
	}
	var all []pkg
	for path, imported := range imports {
		all = append(all, pkg{path, imported})
	}
	return all
}

// imports returns the import paths of a file.
func (s source) imports(t *testing.T) (paths []string) {
	t.Helper()
	for _, spec := range s.file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// importPath returns the import path of a directory, by the nearest go.mod.
func importPath(t *testing.T, dir string) string {
	t.Helper()
	for below, at := "", dir; ; below, at = path.Join(filepath.Base(at), below), filepath.Dir(at) {
		src, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil {
			return path.Join(modfile.ModulePath(src), below)
		}
		if at == top {
			t.Fatalf("%s is in no module", dir)
		}
	}
}

// within reports whether a package is the path or below it.
func within(pkg, path string) bool { return pkg == path || strings.HasPrefix(pkg, path+"/") }

// layers returns the layers of packages, the lowest first. A package may import packages of lower
// layers and those below the same path. The longest matching path counts.
func layers() [][]string {
	return [][]string{
		{runtime + "/semconv", runtime + "/declared"},
		{runtime},
		{root + "/internal/source"},
		{root + "/internal/report", root + "/internal/push", root + "/internal/image", root + "/internal/merge"},
		{root + "/slo"},
		{root + "/dashboards"},
		{root + "/templates/component"},
		{root + "/templates/components", root + "/templates/patterns"},
		{root + "/templates/spec"},
		{root + "/templates"},
		{root + "/internal/promsim", root + "/internal/workspace", root + "/internal/record"},
		{root + "/internal/project"},
		{root + "/internal/lint"},
		{root + "/internal/verify"},
		{root + "/internal/cli"},
		{root + "/cmd/scaffold"},
		{root + "/internal/testkit", root + "/test", root + "/examples"},
	}
}

// layerOf returns the layer of a package and the matching path, or -1.
func layerOf(path string) (layer int, longest string) {
	layer = -1
	for i, paths := range layers() {
		for _, p := range paths {
			if within(path, p) && len(p) > len(longest) {
				layer, longest = i, p
			}
		}
	}
	return layer, longest
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, p := range packages(t) {
		from, area := layerOf(p.ImportPath)
		if from < 0 {
			t.Errorf("%s has no layer; add it to layers", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if !within(imported, root) {
				continue
			}
			checked++
			to, other := layerOf(imported)
			if to > from || to == from && other != area {
				t.Errorf("%s imports %s, which is not in a lower layer", p.ImportPath, imported)
			}
		}
	}
	if checked < 400 {
		t.Errorf("only %d imports were checked", checked)
	}
}

// importRule forbids packages from a path on to import a package, except some.
type importRule struct {
	from, to, why string
	except        []string
}

// forbidden returns imports that layers allow but that are forbidden.
func forbidden() []importRule {
	return []importRule{
		{from: root + "/slo", to: "net/http", why: "compilers are pure"},
		{from: root + "/slo", to: "os", why: "compilers are pure"},
		{from: root + "/dashboards", to: "net/http", why: "compilers are pure; internal/push/grafana pushes"},
		{from: root + "/dashboards", to: "os", why: "compilers are pure"},
		{from: root + "/templates", to: "net/http", why: "compilers are pure", except: []string{root + "/templates/component/httpdouble"}},
		{from: root + "/templates", to: "os", why: "compilers are pure"},
		{from: runtime, to: root + "/slo", why: "a service never drags the generator along"},
		{from: runtime, to: root + "/templates", why: "a service never drags the generator along"},
		{from: runtime + "/semconv", to: runtime + "/telemetry", why: "names import nothing"},
	}
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, rule := range forbidden() {
			if !within(p.ImportPath, rule.from) || slices.Contains(rule.except, p.ImportPath) {
				continue
			}
			for _, imported := range p.Imports {
				if imported == rule.to || strings.Contains(rule.to, ".") && within(imported, rule.to) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imported, rule.why)
				}
			}
		}
	}
}

// Leaf packages of the runtime import only common packages, so that each can be used alone.
func TestRuntimeLeavesAreIndependent(t *testing.T) {
	t.Parallel()
	common := []string{"semconv", "declared", "config", "apierror", "telemetry"}
	for _, p := range packages(t) {
		leaf, isLeaf := strings.CutPrefix(p.ImportPath, runtime+"/")
		if !isLeaf || leaf == "servicetest" || strings.HasPrefix(leaf, "postgres/") {
			continue
		}
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, runtime+"/")
			if imported == runtime {
				t.Errorf("%s imports the root", p.ImportPath)
			}
			if !ours {
				continue
			}
			allowed := strings.HasPrefix(leaf, other+"/") // a command of the leaf
			for _, c := range common {
				allowed = allowed || other == c
			}
			if !allowed {
				t.Errorf("%s imports the leaf %s", p.ImportPath, imported)
			}
		}
	}
}

// Only test/conformance may import all of Prometheus, which depends on the SDKs of many clouds.
func TestCommandHasNoHeavyDependencies(t *testing.T) {
	t.Parallel()
	const upstream = "github.com/prometheus/prometheus/"
	packages := strings.Fields(goList(t, "../../..", "-deps", "-test", "./..."))
	if !slices.Contains(packages, upstream+"promql") {
		t.Error("promql is not a dependency, so nothing was checked")
	}
	for _, heavy := range []string{"tsdb", "rules", "config", "scrape", "web/api/v1", "promql/promqltest", "discovery", "notifier"} {
		if slices.Contains(packages, upstream+heavy) {
			t.Errorf("%s%s is a dependency; only test/conformance may import it", upstream, heavy)
		}
	}
	const alertmanager = "github.com/prometheus/alertmanager/"
	for _, p := range packages {
		if strings.HasPrefix(p, alertmanager) && p != alertmanager+"pkg/labels" && p != alertmanager+"matcher/parse" {
			t.Errorf("%s is a dependency; only test/conformance may import it", p)
		}
	}
}

// runtimeModules is the maximum number of modules that services compile because of the runtime. If you
// raise it, write the reason in the commit message.
const runtimeModules = 61

func TestRuntimeHasFewDependencies(t *testing.T) {
	t.Parallel()
	out := goList(t, "../../../runtime", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./...")
	modules := slices.Compact(slices.Sorted(strings.FieldsSeq(out)))
	if len(modules) > runtimeModules {
		t.Errorf("the runtime compiles %d modules, more than %d:\n%s", len(modules), runtimeModules, strings.Join(modules, "\n"))
	}
	for _, m := range modules {
		for _, heavy := range []string{
			"github.com/prometheus/prometheus", "k8s.io/", "github.com/aws/", "github.com/Azure/", "cloud.google.com/",
			"github.com/nats-io/", "github.com/twmb/", "github.com/rabbitmq/", root + "/cmd",
		} {
			if strings.HasPrefix(m, heavy) {
				t.Errorf("the runtime compiles %s", m)
			}
		}
	}
	t.Logf("%d modules", len(modules))
}

// "make lint" and "make tidy" use the lists of modules in the Makefile. It finds examples itself.
func TestMakefileListsAllModules(t *testing.T) {
	t.Parallel()
	makefile := strings.Fields(readText(t, filepath.Join(top, "Makefile")))
	found := 0
	err := fs.WalkDir(os.DirFS(top), ".", func(file string, entry fs.DirEntry, err error) error {
		skipped := []string{"testdata", "node_modules", ".git", "demo"} // demo is what make demo generates
		if err == nil && entry.IsDir() && slices.Contains(skipped, entry.Name()) && file != "test/demo" {
			return fs.SkipDir
		}
		if err != nil || entry.Name() != "go.mod" {
			return err
		}
		found++
		dir := path.Dir(file)
		if !strings.HasPrefix(dir, "examples/") && !slices.Contains(makefile, dir) {
			t.Errorf("the Makefile does not list the module in %s; add it to a list of modules", dir)
		}
		return nil
	})
	if err != nil || found < 10 {
		t.Errorf("%d modules found: %v", found, err)
	}
}

// goList returns what go list prints in the directory.
func goList(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var failure strings.Builder
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir, cmd.Stderr = dir, &failure
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s in %s: %v\n%s", strings.Join(args, " "), dir, err, failure.String())
	}
	return string(out)
}
