package templates_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/testkit/pairwise"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

// factor is an option of the spec with its possible values.
type factor struct {
	name   string
	values []choice
}

type choice struct{ name, yaml string }

const house = `apiVersion: scaffold/v1
owner: team-house
telemetry: {scrapeInterval: 30s, traceRatio: 0.5}
alerting: {severities: {page: P1, ticket: P3}, labels: {unit: shop}}
deploy: {replicas: {min: 1, max: 2}}
`

// factors are the options of a spec. A dotted key is a key in a mapping; window and thresholds
// are for the objectives.
func factors() []factor {
	all := []factor{
		{"pattern", choices("pattern: %s", spec.Patterns()...)},
		{"resource", []choice{{"from the name", ""}, {"hyphenated", "resource: purchase-order"}, {"SQL keyword", "resource: user"}}},
		{"module", []choice{{"plain", "module: example.com/tried"}, {"major version", "module: example.com/tried/v2"}}},
		{"histograms", choices("telemetry.histograms: %s", spec.Histograms()...)},
		{"metrics", choices("telemetry.metrics: %s", slo.MetricsScrape, slo.MetricsPush)},
		{"trace ratio", choices("telemetry.traceRatio: %s", "0", "0.25", "1")},
		{"environment label", choices("telemetry.environmentLabel: %s", "deployment_environment_name", "env")},
		{"trusted parent", choices("http.trustedParent: %s", "false", "true")},
		{"port", choices("http.port: %s", "8080", "80")},
		{"admin", choices("admin.addr: %s", "127.0.0.1:9464", "':9000'", "'[::1]:9000'")},
		{"window", choices("window: %s", "7d", "14d", "28d", "30d")},
		{"thresholds", choices("thresholds: [%s]", "", "200ms", "200ms, 1s", "5ms, 300ms, 20s")},
		{"links", []choice{{"none", ""}, {"all", "links: {runbooks: 'https://r.test', grafana: 'https://g.test', repository: 'https://s.test', alertmanager: 'https://a.test', branch: trunk}"}}},
		{"platforms", choices("deploy.platforms: %s", "[kubernetes]", "[]", "[kubernetes, cloud-run]")},
		{"pipelines", choices("deploy.pipelines: %s", "[github]", "[]", "[jenkins, gitlab, github]")},
		{"image", choices("deploy.image: %s", "tried", "'registry.test:5000/shop/tried'")},
		{"resources", choices("deploy.resources: %s", "{cpu: 250m, memory: 256Mi}", "{cpu: 1.5, memory: 1Gi}")},
		{"grace", choices("deploy.grace: %s", "{}", "{period: 2m}", "{drain: 1m}")},
		{"autoscale", choices("deploy.autoscale: %s", "{source: cpu}", "{source: adapter}", "{source: keda, prometheus: 'http://p.test'}")},
		{"gateway", choices("deploy.gateway: %s", "{}", "{host: tried.test, name: public, namespace: edge}")},
		{"monitoring", choices("deploy.monitoring: %s", "{}", "{namespace: observed, labels: {release: stack}}")},
		{"files", choices("files: %s", "[]", "[backstage, collector, editorconfig, renovate]")},
		{"terraform", choices("deploy.terraform: %s", "[]", "[aws]", "[gcp, azure]")},
		{"defaults", []choice{{"built in", ""}, {"of the house", "defaults"}}},
	}
	for _, name := range components.Names() {
		all = append(all, factor{name, []choice{{"without", ""}, {"with", "components." + name + ": {}"}}})
	}
	return all
}

func choices(format string, values ...string) []choice {
	var out []choice
	for _, v := range values {
		out = append(out, choice{v, fmt.Sprintf(format, v)})
	}
	return out
}

func sizes() []int {
	var out []int
	for _, f := range factors() {
		out = append(out, len(f.values))
	}
	return out
}

// chosen returns the service of one row.
func chosen(t *testing.T, row []int) spec.Service {
	t.Helper()
	document := map[string]any{"apiVersion": spec.APIVersion, "service": "tried", "owner": "team-tried"}
	var defaults spec.Defaults
	window, thresholds := "", []any(nil)
	for i, f := range factors() {
		c := f.values[row[i]]
		var part map[string]any
		if c.yaml == "defaults" {
			var err error
			if defaults, err = spec.ParseDefaults("house.yaml", []byte(house)); err != nil {
				t.Fatal(err)
			}
		} else if err := yaml.Unmarshal([]byte(c.yaml), &part); err != nil {
			t.Fatal(err)
		}
		for key, value := range part {
			outer, inner, nested := strings.Cut(key, ".")
			switch {
			case key == "window":
				window = value.(string)
			case key == "thresholds":
				thresholds = value.([]any)
			case nested:
				group, _ := document[outer].(map[string]any)
				if group == nil {
					group = map[string]any{}
				}
				group[inner] = value
				document[outer] = group
			default:
				document[key] = value
			}
		}
	}
	telemetry, _ := document["telemetry"].(map[string]any)
	if telemetry["histograms"] == "native" {
		thresholds = nil // the spec rejects both together
	}
	deploy, _ := document["deploy"].(map[string]any)
	if len(deploy["terraform"].([]any)) > 0 || len(deploy["platforms"].([]any)) == 2 {
		telemetry["metrics"] = "push" // the spec rejects a platform that cannot scrape
	}
	slos := []any{objective("availability", window, "availability", map[string]any{})}
	for i, threshold := range thresholds {
		slos = append(slos, objective(fmt.Sprintf("latency-%d", i), window, "latency", map[string]any{"threshold": threshold}))
	}
	document["slos"] = slos
	src, err := yaml.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	s, err := defaults.Parse(spec.FileName, src)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return s
}

func objective(name, window, indicator string, of map[string]any) map[string]any {
	return map[string]any{"name": name, "objective": 99, "window": window, "indicator": map[string]any{indicator: of}}
}

func title(row []int) string {
	var out []string
	for i, f := range factors() {
		out = append(out, f.name+" "+f.values[row[i]].name)
	}
	return strings.Join(out, ", ")
}

// Any two compatible options result in a service that type-checks, whose files parse and whose
// main.go fits a screen.
func TestAnyTwoOptionsRenderValidFiles(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	rows := pairwise.Cover(sizes()...)
	if len(rows) < 12 {
		t.Errorf("only %d rows", len(rows))
	}
	for _, row := range rows {
		s := chosen(t, row)
		tree := rendered(t, s)
		if errs := c.errors(c.parse(s.Module, tree)); len(errs) > 0 {
			t.Errorf("%s: %v", title(row), errors.Join(errs...))
		}
		for _, f := range tree {
			parses(t, f)
		}
		limit := 27 + 14*len(s.Components.Names())
		if lines := bytes.Count(data(t, tree, "cmd/tried/main.go"), []byte("\n")); lines > limit {
			t.Errorf("%s: main.go has %d lines, more than %d", title(row), lines, limit)
		}
	}
}

// Every value of every option results in a service that builds, passes go vet and passes its
// own tests with only the embedded requirements and sums.
func TestEndToEndEachOptionBuildsAndPassesItsTests(t *testing.T) {
	if testing.Short() {
		t.Skip("builds services")
	}
	t.Parallel()
	runtime, err := filepath.Abs("../runtime")
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range pairwise.Each(sizes()...) {
		t.Run(fmt.Sprintf("tree %d", i), func(t *testing.T) {
			t.Parallel()
			t.Log(title(row))
			dir := t.TempDir()
			tree, err := templates.Render(chosen(t, row), templates.RenderOptions{Generator: "devel", RuntimeReplace: filepath.ToSlash(runtime)})
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, tree)
			offline(t, dir, "go", "build", "./...")
			offline(t, dir, "go", "vet", "./...")
			offline(t, dir, "go", "test", "./...")
			if diff, err := exec.CommandContext(t.Context(), "gofmt", "-l", dir).CombinedOutput(); err != nil || len(diff) > 0 {
				t.Errorf("gofmt: %v\n%s", err, diff)
			}
			if after := data(t, tree, "go.sum"); !bytes.Equal(after, read(t, filepath.Join(dir, "go.sum"))) {
				t.Error("the go tool changed go.sum")
			}
		})
	}
}

// Every value of every option results in a service in which its own linters find only the
// mistake that the test adds. All trees are in one workspace, so that common packages are
// loaded once.
func TestEndToEndEachOptionPassesItsOwnLinters(t *testing.T) {
	if testing.Short() {
		t.Skip("builds golangci-lint")
	}
	t.Parallel()
	runtime, err := filepath.Abs("../runtime")
	if err != nil {
		t.Fatal(err)
	}
	dir, work := t.TempDir(), []string{"work", "init"}
	var command, config string
	var patterns, want []string
	for i, row := range pairwise.Each(sizes()...) {
		s := chosen(t, row)
		name := fmt.Sprintf("tried%d", i)
		s.Module = strings.Replace(s.Module, "tried", name, 1) // a workspace requires unique modules
		tree, err := templates.Render(s, templates.RenderOptions{Generator: "devel", RuntimeReplace: filepath.ToSlash(runtime)})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), tree)
		given := string(data(t, tree, ".golangci.yml"))
		if config != "" && given != config {
			t.Fatalf("%s: .golangci.yml depends on the options; lint each tree with its own", title(row))
		}
		config, command = given, linter(t, tree)
		if err := os.WriteFile(filepath.Join(dir, name, "fault.go"), []byte(fault), 0o644); err != nil {
			t.Fatal(err)
		}
		want = append(want, name+"/fault.go: errorlint")
		work, patterns = append(work, "./"+name), append(patterns, "./"+name+"/...")
	}
	if err := os.WriteFile(filepath.Join(dir, ".golangci.yml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", work...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go work: %v\n%s", err, out)
	}
	lint := strings.Fields(command)
	lint = append(lint, "run", "--allow-parallel-runners",
		"--issues-exit-code", "0", "--max-same-issues", "0", "--output.json.path", "found.json")
	cmd = exec.CommandContext(t.Context(), lint[0], append(lint[1:], patterns...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	if got := findings(t, filepath.Join(dir, "found.json")); !slices.Equal(got, want) {
		t.Errorf("%s found %q, want %q\n%s", command, got, want, out)
	}
}

// fault is a mistake that errorlint finds.
const fault = `package fault

import "io"

func ended(err error) bool { return err == io.EOF }

var _ = ended
`

// findings returns the file and the linter of each finding, sorted.
func findings(t *testing.T, name string) []string {
	t.Helper()
	var report struct {
		Issues []struct {
			FromLinter string `json:"FromLinter"`
			Pos        struct {
				Filename string `json:"Filename"`
			} `json:"Pos"`
		} `json:"Issues"`
	}
	if err := json.Unmarshal(read(t, name), &report); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range report.Issues {
		out = append(out, filepath.ToSlash(i.Pos.Filename)+": "+i.FromLinter)
	}
	slices.Sort(out)
	return out
}

// linter returns the command with which the service runs its linter.
func linter(t *testing.T, tree templates.Tree) string {
	t.Helper()
	const variable = "GOLANGCI_LINT := "
	for line := range strings.Lines(string(data(t, tree, "Makefile"))) {
		if command, ok := strings.CutPrefix(line, variable); ok {
			return strings.TrimSpace(command)
		}
	}
	t.Fatalf("the Makefile has no line %q", variable)
	return ""
}

// The linter of generated services is the one of this repository.
func TestServicesUseTheLinterOfThisRepository(t *testing.T) {
	t.Parallel()
	s := chosen(t, make([]int, len(factors())))
	if want := linter(t, rendered(t, s)); !strings.Contains(string(read(t, "../Makefile")), "GOLANGCI_LINT := "+want+"\n") {
		t.Errorf("the Makefile of this repository does not have %s", want)
	}
}

func write(t *testing.T, dir string, tree templates.Tree) {
	t.Helper()
	for _, f := range tree {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, f.Mode); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	out, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// offline runs a command that may use the module cache but no network.
func offline(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func TestFactorsCoverTheSpec(t *testing.T) {
	t.Parallel()
	for _, f := range factors() {
		seen := map[string]bool{}
		for _, c := range f.values {
			seen[c.yaml] = true
		}
		if len(seen) != len(f.values) {
			t.Errorf("%s: values repeat: %q", f.name, slices.Sorted(maps.Keys(seen)))
		}
	}
}
