package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	root    = "github.com/observability-first/scaffold"
	runtime = root + "/runtime"
)

// listed is a package as `go list` describes it.
type listed struct {
	ImportPath string   `json:"ImportPath"`
	Imports    []string `json:"Imports"`
}

func list(t *testing.T, dir string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v", dir, err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// within says whether the package is the path or lies below it.
func within(pkg, path string) bool { return pkg == path || strings.HasPrefix(pkg, path+"/") }

// floors are the directions of imports, floor first: nobody imports what stands
// after it.
func floors() []string {
	return []string{
		runtime + "/semconv", root + "/slo", root + "/dashboards", root + "/templates/spec",
		root + "/templates", root + "/internal/workspace", root + "/internal/cli", root + "/cmd/scaffold",
	}
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	packages := append(list(t, "../../.."), list(t, "../../../runtime")...)
	rank := func(pkg string) int {
		best, depth := -1, 0
		for i, floor := range floors() {
			if within(pkg, floor) && len(floor) > depth {
				best, depth = i, len(floor)
			}
		}
		return best
	}
	checked := 0
	for _, p := range packages {
		for _, imported := range p.Imports {
			from, to := rank(p.ImportPath), rank(imported)
			if from < 0 || to < 0 {
				continue
			}
			checked++
			if to > from {
				t.Errorf("%s imports %s, which stands above it", p.ImportPath, imported)
			}
		}
	}
	if checked == 0 {
		t.Error("no import was checked: the floors name packages that do not exist")
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
	for _, p := range append(list(t, "../../.."), list(t, "../../../runtime")...) {
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
	floor := []string{"semconv", "config", "apierror", "telemetry"}
	for _, p := range list(t, "../../../runtime") {
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
	if slices.ContainsFunc(packages, func(p string) bool { return strings.HasPrefix(p, "github.com/prometheus/alertmanager/") }) {
		t.Error("something imports Alertmanager; only test/conformance may")
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
