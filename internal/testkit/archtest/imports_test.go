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

// pkg is a package and what its files import, tests left out.
type pkg struct {
	ImportPath string
	Imports    []string
}

// packages are those of every module of the repository. They are parsed and not listed by the go
// command, which would download what the modules below test need.
func packages(t *testing.T) []pkg {
	t.Helper()
	imports := map[string][]string{}
	for _, s := range sources(t, "examples") {
		path := importPath(t, filepath.Dir(s.path))
		imports[path] = append(imports[path], s.imports(t)...) // none makes a package known, too
	}
	var all []pkg
	for path, imported := range imports {
		all = append(all, pkg{path, imported})
	}
	return all
}

// imports are the paths that a file imports.
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

// importPath is that of the package in a directory, by the nearest go.mod.
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

// within says whether the package is the path or lies below it.
func within(pkg, path string) bool { return pkg == path || strings.HasPrefix(pkg, path+"/") }

// floors hold every package of the repository, the lowest first. A package may import those of
// lower floors, and those below the same path. The longest path that a package is below counts.
func floors() [][]string {
	return [][]string{
		{runtime + "/semconv", runtime + "/declared"},
		{runtime},
		{root + "/internal/source"},
		{root + "/internal/report", root + "/internal/push", root + "/internal/image"},
		{root + "/slo"},
		{root + "/dashboards"},
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

// floorOf is the floor of a package and the path on it, or -1.
func floorOf(path string) (floor int, room string) {
	floor = -1
	for i, rooms := range floors() {
		for _, r := range rooms {
			if within(path, r) && len(r) > len(room) {
				floor, room = i, r
			}
		}
	}
	return floor, room
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, p := range packages(t) {
		from, room := floorOf(p.ImportPath)
		if from < 0 {
			t.Errorf("%s has no floor; add it to floors", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if !within(imported, root) {
				continue
			}
			checked++
			to, other := floorOf(imported)
			if to > from || to == from && other != room {
				t.Errorf("%s imports %s, which is not below it", p.ImportPath, imported)
			}
		}
	}
	if checked < 400 {
		t.Errorf("only %d imports were checked", checked)
	}
}

// forbidden are edges that no floor excludes; a path ending in /... means all
// below it.
func forbidden() []struct{ from, to, why string } {
	return []struct{ from, to, why string }{
		{root + "/slo", "net/http", "compilers are pure"},
		{root + "/slo", "os", "compilers are pure"},
		{root + "/dashboards", "net/http", "compilers are pure; pushing is internal/push/grafana's"},
		{root + "/dashboards", "os", "compilers are pure"},
		{root + "/templates", "net/http", "compilers are pure"},
		{root + "/templates", "os", "compilers are pure"},
		{runtime, root + "/slo", "a service never drags the generator along"},
		{runtime, root + "/templates", "a service never drags the generator along"},
		{runtime + "/semconv", runtime + "/telemetry", "names import nothing"},
	}
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, rule := range forbidden() {
			if !within(p.ImportPath, rule.from) {
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

// leaves of the runtime import only names, configuration, API errors and what
// telemetry hands them, so that each can be used alone.
func TestRuntimeLeavesStandAlone(t *testing.T) {
	t.Parallel()
	floor := []string{"semconv", "declared", "config", "apierror", "telemetry"}
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
			for _, f := range floor {
				allowed = allowed || other == f
			}
			if !allowed {
				t.Errorf("%s imports the leaf %s", p.ImportPath, imported)
			}
		}
	}
}

// The whole of Prometheus is for test/conformance. One heavy package, however
// deep, and the command drags in the SDKs of every cloud.
func TestTheCommandStaysLight(t *testing.T) {
	t.Parallel()
	const upstream = "github.com/prometheus/prometheus/"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "./...")
	cmd.Dir = "../../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, upstream+"promql") {
		t.Error("not even promql is among the dependencies, so nothing was checked")
	}
	for _, heavy := range []string{"tsdb", "rules", "config", "scrape", "web/api/v1", "promql/promqltest", "discovery", "notifier"} {
		if slices.Contains(packages, upstream+heavy) {
			t.Errorf("something imports %s%s; only test/conformance may", upstream, heavy)
		}
	}
	const alertmanager = "github.com/prometheus/alertmanager/"
	for _, p := range packages {
		if strings.HasPrefix(p, alertmanager) && p != alertmanager+"pkg/labels" && p != alertmanager+"matcher/parse" {
			t.Errorf("something imports %s; only test/conformance may", p)
		}
	}
}

// runtimeModules is how many modules every service compiles because of the
// runtime. It grows only on purpose: change the number and say why in the commit.
const runtimeModules = 61

func TestRuntimeStaysLean(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./...")
	cmd.Dir = "../../../runtime"
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := slices.Compact(slices.Sorted(strings.FieldsSeq(string(out))))
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

// The Makefile lists each module, or "make lint" and "make tidy" would leave it out. It finds
// examples by itself.
func TestTheMakefileListsEveryModule(t *testing.T) {
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
		if example, _ := path.Match("examples/*", dir); !example && !slices.Contains(makefile, dir) {
			t.Errorf("the Makefile does not list the module in %s; add it to a list of modules", dir)
		}
		return nil
	})
	if err != nil || found < 10 {
		t.Errorf("%d modules found: %v", found, err)
	}
}
