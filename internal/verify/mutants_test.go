package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/cli"
	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/verify"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// example is the service to break: the one with a database.
const example = "../../examples/orders"

// long skips this test, which takes minutes, in ordinary runs.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("MUTANTS") == "" {
		t.Skip("takes minutes; make mutants runs it")
	}
}

// TestEveryMutantIsCaught runs the example once and checks every mutant of its generated files: with scaffold
// lint, on the observation of the run, and with the alert simulation, in this order.
func TestEveryMutantIsCaught(t *testing.T) {
	long(t)
	j := newJudge(t)
	if by, why := j.catch(t, j.files); by != "" {
		t.Fatalf("the example itself does not hold (%s): %s", by, why)
	}
	caught := map[string]int{}
	results := make(chan string, len(dataMutants()))
	t.Run("mutants", func(t *testing.T) {
		for _, m := range dataMutants() {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				mutated, err := m.mutate(j.files)
				if err != nil {
					t.Fatal(err)
				}
				by, why := j.catch(t, mutated)
				if by == "" {
					t.Error("nobody notices")
					return
				}
				t.Logf("caught by %s: %s", by, why)
				results <- by
			})
		}
	})
	close(results)
	for by := range results {
		caught[by]++
	}
	t.Logf("caught: %v", caught)
}

// judge has everything that checks a mutant.
type judge struct {
	files   files
	rules   slo.Rules
	routes  []string
	seen    *verify.Observation
	signals string // path of the declared signals
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	j := &judge{files: read(t, example), signals: filepath.Join(example, "observability", "telemetry.json")}
	src, err := os.ReadFile(filepath.Join(example, spec.FileName))
	must(t, err)
	service, err := spec.Parse(spec.FileName, src)
	must(t, err)
	j.rules, err = slo.Compile(service.SLO())
	must(t, err)
	signals, err := templates.ParseSignals(j.signals, []byte(j.files["observability/telemetry.json"]))
	must(t, err)
	j.routes = signals.Routes
	subject, err := verify.Load(example, &j.rules, j.routes)
	must(t, err)
	subject.Package = "./cmd/orders"
	j.seen, err = verify.Observe(t.Context(), subject, verify.Options{})
	must(t, err)
	for _, p := range j.seen.Report().Checks {
		if p.Failed() {
			t.Fatalf("the example does not hold: %s: %s", p.Name, p.Detail)
		}
	}
	return j
}

func read(t *testing.T, dir string) files {
	t.Helper()
	out := files{}
	must(t, filepath.WalkDir(filepath.Join(dir, "observability"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)] = onOneLine(t, string(data))
		return err
	}))
	return out
}

// block matches an expression that is wrapped over several lines.
var block = regexp.MustCompile(`(?m)^    expr: \|2?-\n((?:      .*\n)+)`)

// onOneLine puts expressions on one line, so that mutants do not depend on the formatting.
func onOneLine(t *testing.T, text string) string {
	t.Helper()
	return block.ReplaceAllStringFunc(text, func(found string) string {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(block.FindStringSubmatch(found)[1])
		must(t, err)
		return "    expr: |-\n      " + expr.String() + "\n"
	})
}

// catch returns which check found the mutant, and its message.
func (j *judge) catch(t *testing.T, f files) (by, why string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range f {
		path := filepath.Join(dir, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	if why := j.check(t, dir); why != "" {
		return "check", why
	}
	subject, err := verify.Load(dir, &j.rules, j.routes)
	if err != nil {
		return "load", err.Error()
	}
	report, err := j.seen.Judge(t.Context(), subject)
	must(t, err)
	if why := failure(report.Checks); why != "" {
		return "verify", why
	}
	if same(f, j.files, "observability/rules/") && f[routes] == j.files[routes] {
		return "", ""
	}
	return j.simulation(t, subject)
}

// check runs scaffold lint as if the files were not generated, so that the change itself is not a finding.
func (j *judge) check(t *testing.T, dir string) string {
	t.Helper()
	var out, errs bytes.Buffer
	f := cli.System(templates.Render)
	f.Streams = cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}
	f.Getenv = func(string) string { return "" }
	status := cli.Main(t.Context(), []string{
		"lint", "--output", "json", "--signals", j.signals, "--target-labels", "deployment_environment_name", "--scrape-interval", "15s",
		"--rules", filepath.Join(dir, "observability", "rules"), "--dashboards", filepath.Join(dir, "observability", "dashboards"),
	}, f)
	if status == cli.ExitDone {
		return ""
	}
	var report struct {
		Findings []lint.Finding `json:"findings"`
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		return fmt.Sprintf("status %d: %s%s", status, out.String(), errs.String())
	}
	i := slices.IndexFunc(report.Findings, func(f lint.Finding) bool { return !f.Warning })
	if i < 0 {
		t.Fatalf("check: status %d without a fault: %s", status, out.String())
	}
	return report.Findings[i].String()
}

func failure(checks []report.Check) string {
	for _, p := range checks {
		if p.Failed() {
			return p.Name + ": " + p.Detail
		}
	}
	return ""
}

func same(a, b files, prefix string) bool {
	for name := range b {
		if strings.HasPrefix(name, prefix) && a[name] != b[name] {
			return false
		}
	}
	return true
}

// simulation runs the scenarios in the order in which they catch most mutants.
func (j *judge) simulation(t *testing.T, subject verify.Subject) (by, why string) {
	t.Helper()
	for _, part := range []func(alertsim.Simulation, context.Context) (alertsim.Result, error){alertsim.Simulation.Timetable, alertsim.Simulation.Run} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		result, err := part(*subject.Simulation, ctx)
		cancel()
		if err != nil {
			return "alert simulation", err.Error()
		}
		if why := failure(result.Checks); why != "" {
			return "alert simulation", why
		}
	}
	return "", ""
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
