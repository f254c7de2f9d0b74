//go:build !race

package endtoend_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
	"github.com/observability-first/scaffold/templates/spec"
)

// scaffold builds the program as users do.
func scaffold(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs services")
	}
	bin := filepath.Join(t.TempDir(), "scaffold")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../../cmd/scaffold").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// The commands of docs/verify.md, which the tests below run verbatim.
const (
	plain   = "scaffold verify"
	quick   = "scaffold verify --quick"
	some    = "scaffold verify --only dashboards --only rules"
	reports = "scaffold verify --junit verify.xml --markdown verify.md --html verify.html --snapshot verify.snapshot.json"
	foreign = "scaffold verify --package ./cmd/shop --slo shop.slo.yaml ../shop"
)

// run runs a documented command with more arguments in a directory.
func run(t *testing.T, command, dir string, more ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), scaffold(t), append(strings.Fields(command)[1:], more...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func TestEndToEndDocumentedCommandsAreRun(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/verify.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "\n```sh\n")
	block, rest, _ := strings.Cut(block, "\n```\n")
	if block != strings.Join([]string{plain, quick, some, reports, foreign}, "\n") || strings.Contains(rest, "```sh") {
		t.Errorf("docs/verify.md has other commands than the tests:\n%s", block)
	}
}

func directory(t *testing.T, path string) string {
	t.Helper()
	dir, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// All checks pass for a generated service with PostgreSQL: the simulation at each scrape interval, the outage
// of the database, every query and link.
func TestEndToEndVerifyOfAServiceWithADatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs services")
	}
	postgrestest.Start(t) // skips with a message if there is no PostgreSQL
	dir := t.TempDir()
	stdout, stderr, err := run(t, reports, dir, "--output", "json", directory(t, "../../../examples/orders"))
	var r report.Report
	if jsonErr := json.Unmarshal([]byte(stdout), &r); jsonErr != nil {
		t.Fatalf("%v, %v\n%s\n%s", err, jsonErr, stdout, stderr)
	}
	for _, p := range r.Checks {
		if p.Status != report.Passed {
			t.Errorf("%s: %s: %s: %s", p.Section, p.Name, p.Status, p.Detail)
		}
	}
	if err != nil || stderr != "" {
		t.Errorf("%v, standard error %q", err, stderr)
	}
	for section, least := range map[string]int{"service": 3, "traffic": 6, "rules": 100, "dashboards": 80, "one request": 2, "links": 20, "dependency": 5, "alert simulation": 200} {
		if n := len(r.Of(section)); n < least {
			t.Errorf("%d checks of %s, want %d at least", n, section, least)
		}
	}
	if r.Cost == nil || len(r.SimulatedAlerts) != 40 {
		t.Errorf("cost %v and %d rows of the simulation", r.Cost, len(r.SimulatedAlerts))
	}
	t.Logf("%d checks in %.1f s", len(r.Checks), r.Seconds)
	wantTranscript(t, r)
	wantReports(t, r, filepath.Join(dir, "verify.xml"), filepath.Join(dir, "verify.md"))
	wantSnapshot(t, filepath.Join(dir, "verify.snapshot.json"), "../../../examples/orders/observability/dashboards")
	wantPage(t, filepath.Join(dir, "verify.html"), "../../../examples/orders/observability/dashboards")
}

// All checks pass for services with components, own code, and metrics that are pushed. The server of each component is
// stopped.
func TestEndToEndVerifyOfServicesWithComponents(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs services")
	}
	postgrestest.Start(t)
	services, err := filepath.Glob("../../../examples/rendered/[^.]*/scaffold.yaml")
	if err != nil || len(services) == 0 {
		t.Fatalf("no services, %v; run make rendered", err)
	}
	for _, file := range services {
		stdout, stderr, err := run(t, quick, directory(t, filepath.Dir(file)), "--output", "json")
		var r report.Report
		if jsonErr := json.Unmarshal([]byte(stdout), &r); jsonErr != nil {
			t.Fatalf("%v, %v\n%s\n%s", err, jsonErr, stdout, stderr)
		}
		for _, p := range r.Checks {
			if p.Failed() {
				t.Errorf("%s: %s: %s: %s: %s", file, p.Section, p.Name, p.Status, p.Detail)
			}
		}
		src, readErr := os.ReadFile(file)
		service, specErr := spec.Parse(file, src)
		if err := errors.Join(err, readErr, specErr); err != nil {
			t.Fatal(err)
		}
		for _, part := range service.Parts() {
			for _, double := range part.Doubles {
				if !slices.ContainsFunc(r.Of("dependency"), func(c report.Check) bool { return c.Name == "a panel names "+double.Name }) {
					t.Errorf("%s: %s was not stopped", file, double.Name)
				}
			}
		}
	}
}

// wantPage checks that the HTML report has every dashboard in each state, the alerts and a trace.
func wantPage(t *testing.T, file, dashboards string) {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 3_000_000
	page := string(src)
	if len(page) > limit || regexp.MustCompile(`<script| src=|<link [^>]*href="[^d]|url\([^#]`).MatchString(page) {
		t.Errorf("the report has %d bytes, or a script or another file", len(page))
	}
	files, err := filepath.Glob(filepath.Join(dashboards, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Title string `json:"title"`
		}
		if err := json.Unmarshal(src, &d); err != nil {
			t.Fatal(err)
		}
		for _, state := range []string{"healthy", "injected failures", "stopped PostgreSQL"} {
			if !strings.Contains(page, ">"+d.Title+", "+state+"</h4>") {
				t.Errorf("%s is not in the report: %s", d.Title, state)
			}
		}
	}
	for what, want := range map[string]string{
		"a firing alert":       "OrdersAvailabilityErrorBudgetBurn",
		"the alert table":      `<th scope="col">Resolves after</th><th scope="col">0.2 %</th>`,
		"a span below":         `<div style="padding-left:1em">`,
		"the log line":         "&#34;msg&#34;:&#34;request completed&#34;",
		"a frame of a profile": "net/http.(*conn).serve",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s: no %s in the report", what, want)
		}
	}
}

// wantSnapshot checks that the snapshot answers every query of the dashboards.
func wantSnapshot(t *testing.T, file, dashboards string) {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := render.ReadSnapshot(file, src)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dashboards, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := render.Dashboard(t.Context(), name, src, snapshot.Source(), render.Options{From: snapshot.From, To: snapshot.To, Now: snapshot.To})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Problems) > 0 || p.Queries-p.Failed < 10 {
			t.Errorf("%s: %d of %d queries failed, problems %q", name, p.Failed, p.Queries, p.Problems)
		}
	}
}

// wantTranscript compares the report in a terminal with docs/transcripts.
func wantTranscript(t *testing.T, r report.Report) {
	t.Helper()
	text := bytes.NewBufferString("$ " + plain + "\n")
	r.Seconds = 20
	d := r.Dashboards
	if d == nil || d.QueriesWithData < 100 || d.AnswersRight < 100 || d.Queries != d.QueriesWithData || d.Answers != d.AnswersRight {
		t.Errorf("dashboards: %+v", d)
	}
	// Queries that may be empty have data in some runs, and count then.
	r.Dashboards = &report.Dashboards{Summary: "dashboards: 118 queries have data, 128 answers are right"}
	if err := r.WriteText(text, func(_ report.Status, word string) string { return word }); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "../../../docs/transcripts/verify.txt", text.Bytes())
}

// wantReports checks that the report files have the same content as the report of the command.
func wantReports(t *testing.T, r report.Report, junit, markdown string) {
	t.Helper()
	raw, err := os.ReadFile(junit)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal(raw, &doc); err != nil || doc.Tests != len(r.Checks) || doc.Failures != r.Failures() {
		t.Errorf("%v, %+v of %d checks", err, doc, len(r.Checks))
	}
	text, err := os.ReadFile(markdown)
	if err != nil || !strings.Contains(string(text), "## orders: all ") || !strings.Contains(string(text), "| fires after |") {
		t.Errorf("%v\n%s", err, text)
	}
}

// A service that was not generated is checked by its package and its objectives, as documented.
func TestEndToEndVerifyOfAServiceThatWasNotGenerated(t *testing.T) {
	out, stderr, err := run(t, foreign, directory(t, "../testdata/fake"))
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, out, stderr)
	}
	for _, want := range []string{"verify does not run queries of mysql", `panel of the plugin "acme-sankey-panel"`, "dashboards       passed", "alert simulation passed", "checks passed, 5 skipped"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// In the directory of the service, no arguments are needed.
func TestEndToEndVerifyOfAServiceWithoutStores(t *testing.T) {
	out, stderr, err := run(t, plain, directory(t, "../../../examples/minimal"))
	if err != nil || !strings.Contains(out, "\nminimal: all ") || !strings.Contains(out, "\nfires after ") {
		t.Errorf("%v\n%s\n%s", err, out, stderr)
	}
}

// A run of some sections reports what it left out.
func TestEndToEndVerifyOfSelectedSections(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs services")
	}
	for command, want := range map[string]string{
		quick: ` checks passed, 1 skipped \(quick run\) in `,
		some:  `(?s)service +skipped  not selected with --only\n.* checks passed, 6 skipped in `,
	} {
		out, stderr, err := run(t, command, directory(t, "../../../examples/minimal"))
		if err != nil || !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s: %v\n%s\n%s", command, err, out, stderr)
		}
	}
}
