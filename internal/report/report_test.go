package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/testkit/golden"
)

// nasty is what a database or a file may say: an escape sequence that clears the
// screen, one that sets the title, a text that runs backwards, bytes that are no
// text, and the markup of every form of the report.
const nasty = "\x1b[2J\x1b]0;owned\x07 | <b>&amp;]]> ```\n## @all #1 \u202Egnp.exe \xff\x00 [x](http://y)\r\n~~~ \\| done"

func sample() report.Report {
	var b report.Recorder
	b.Passf("service", "it starts", "started with a trace ratio of %d", 1)
	b.Add(
		report.Check{
			Section: "dashboards", Name: "panel Requests, target A", Kind: report.Query, Status: report.Failed, File: "observability/dashboards/orders.json", Line: 120,
			Detail: "no data: metric http_server_request_total does not exist; did you mean http_server_requests_total?",
		},
		report.Check{Section: "dashboards", Name: "panel Shop | sales, target B", Kind: report.Query, Status: report.Skipped, File: "observability/dashboards/own/shop.json", Detail: "verify does not run queries of mysql"},
		report.Check{Section: "dashboards", Name: "panel Errors, target A", Kind: report.Query, Status: report.Passed, Detail: "3 series"},
		report.Check{Section: "dashboards", Name: "panel Refunds, target A", Status: report.Passed, Detail: "empty until the first refund"},
		report.Check{Section: "dashboards", Name: "healthy: panel Errors: the true ratio", Kind: report.Answer, Status: report.Passed, Detail: "0 %"},
		report.Check{Section: "links", Name: "runbook of the alert OrdersDown", Status: report.NotRun, File: "a b.yaml", Detail: "the service ended before"},
		report.Check{Section: "service", Name: "it says: " + nasty, Status: report.Failed, Detail: "it ended with exit status 2\n" + nasty},
	)
	b.SetSimulation([]report.SimulatedAlert{
		{Alert: "OrdersBurn", Long: "1h", Objective: "availability", ErrorRatio: 0.002, Tolerance: 53, Passed: true},
		{Alert: "OrdersBurn", Long: "3d", Objective: "latency", ErrorRatio: 0.002, Predicted: fires(129600, 10800), Measured: fires(129721.4, 10920), Tolerance: 150, Passed: true},
		{Alert: "OrdersBurn", Long: "1h", Objective: "availability", ErrorRatio: 0.1, Predicted: fires(518, 257), Measured: fires(563, 308), Tolerance: 53, Passed: true},
		{Alert: "OrdersBurn", Long: "3d", Objective: "latency", ErrorRatio: 0.1, Predicted: fires(2592, 0), Tolerance: 150},
		{Alert: "OrdersBurn", Long: "1h", Objective: "availability", ErrorRatio: 1, Predicted: fires(52, 296), Measured: report.Timing{Fires: true, After: 83, Unresolved: true}, Tolerance: 53},
		{Alert: "OrdersBurn", Long: "3d", Objective: "latency", ErrorRatio: 1, Measured: fires(-3, 59), Tolerance: 150},
	}, report.Cost{Series: 60, SamplesPerSecond: 327.3, Objectives: 2, Limit: 200})
	return b.Report("orders", 51149*time.Millisecond)
}

// selected is a quick run of some sections.
func selected() report.Report {
	return report.Report{Service: "orders", Quick: true, Seconds: 9.5, Checks: []report.Check{
		{Section: "alert simulation", Name: "a healthy week is silent", Status: report.Passed, Detail: "no alert fired"},
		{Section: "alert simulation", Name: "what a quick run leaves out", Status: report.Skipped, Detail: "lost instances"},
		{Section: "dashboards", Name: "every check of dashboards", Status: report.Skipped, Detail: "not selected with --only"},
	}}
}

// interrupted is a run that was stopped.
func interrupted() report.Report {
	return report.Report{Service: "orders", Interrupted: true, Seconds: 9.5, Checks: []report.Check{
		{Section: "service", Name: "it starts and becomes ready", Status: report.Passed, Detail: "started"},
		{Section: "traffic", Name: "GET /v1/orders succeeds", Status: report.Failed, Detail: "status 500"},
		{Section: "service", Name: "the remaining checks of service", Status: report.NotRun, Detail: "the run was interrupted"},
		{Section: "dashboards", Name: "the remaining checks of dashboards", Status: report.NotRun, Detail: "the run was interrupted"},
	}}
}

func fires(after, resolves float64) report.Timing {
	return report.Timing{Fires: true, After: after, Resolves: resolves}
}

func unpainted(_ report.Status, text string) string { return text }

func TestReports(t *testing.T) {
	t.Parallel()
	passing := sample()
	passing.Checks, passing.SimulatedAlerts, passing.Dashboards = passing.Checks[:1], passing.SimulatedAlerts[:3], nil
	for name, r := range map[string]report.Report{"failed": sample(), "passed": passing, "selected": selected(), "interrupted": interrupted()} {
		for ending, write := range map[string]func(io.Writer) error{
			".txt": func(w io.Writer) error { return r.WriteText(w, unpainted) },
			".md":  r.WriteMarkdown,
			".xml": r.WriteJUnit,
			".json": func(w io.Writer) error {
				enc := json.NewEncoder(w)
				enc.SetIndent("", "  ")
				return enc.Encode(r)
			},
		} {
			t.Run(name+ending, func(t *testing.T) {
				t.Parallel()
				var out bytes.Buffer
				if err := write(&out); err != nil {
					t.Fatal(err)
				}
				golden.Compare(t, "testdata/"+name+ending, out.Bytes())
			})
		}
	}
}

// Text that terminals, XML readers and pull requests would interpret is escaped.
func TestQuotedTextIsEscaped(t *testing.T) {
	t.Parallel()
	r := sample()
	var text, markdown, junit bytes.Buffer
	if err := errors.Join(r.WriteText(&text, unpainted), r.WriteMarkdown(&markdown), r.WriteJUnit(&junit)); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"text": text.String(), "markdown": markdown.String(), "junit": junit.String()} {
		for _, r := range out {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == '\u202e' || r == '\ufffd' {
				t.Errorf("%s holds %q", name, r)
			}
		}
		if !strings.Contains(out, `\x1b[2J`) || !strings.Contains(out, `\u202e`) {
			t.Errorf("%s does not show what was said", name)
		}
	}
	wantMarkdown(t, markdown.String())
	wantJUnit(t, junit.Bytes(), r)
}

func TestFailuresNameTheirFileAndLine(t *testing.T) {
	t.Parallel()
	r := sample()
	var text, markdown, junit bytes.Buffer
	if err := errors.Join(r.WriteText(&text, unpainted), r.WriteMarkdown(&markdown), r.WriteJUnit(&junit)); err != nil {
		t.Fatal(err)
	}
	for out, want := range map[string]string{
		text.String():     "\nfailed observability/dashboards/orders.json:120: panel Requests, target A\n    no data: ",
		markdown.String(): "\n- failed: `observability/dashboards/orders.json:120`: `panel Requests, target A`\n",
		junit.String():    `file="observability/dashboards/orders.json" line="120"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// The counts are those of the checks: skipped queries, and queries that may be empty, are not among them.
func TestDashboardsAreCounted(t *testing.T) {
	t.Parallel()
	check := func(kind report.Kind, status report.Status) report.Check {
		return report.Check{Section: "dashboards", Kind: kind, Status: status}
	}
	for _, tc := range []struct {
		name   string
		checks []report.Check
		want   string
	}{
		{"all passed", []report.Check{check(report.Query, report.Passed), check(report.Query, report.Passed), check(report.Answer, report.Passed)}, "dashboards: 2 queries have data, 1 answer is right"},
		{"some failed", []report.Check{check(report.Query, report.Failed), check(report.Query, report.Passed), check(report.Answer, report.Failed)}, "dashboards: 1 of 2 queries have data, 0 of 1 answers are right"},
		{"skipped and empty queries are not counted", []report.Check{check(report.Query, report.Skipped), check("", report.Passed), check(report.Query, report.Passed)}, "dashboards: 1 query has data"},
		{"no dashboard", []report.Check{check("", report.Passed)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var b report.Recorder
			b.Add(tc.checks...)
			r := b.Report("orders", 0)
			var text, markdown, page bytes.Buffer
			if err := errors.Join(r.WriteText(&text, unpainted), r.WriteMarkdown(&markdown), r.WriteHTML(&page, report.Page{})); err != nil {
				t.Fatal(err)
			}
			if tc.want == "" {
				if r.Dashboards != nil {
					t.Errorf("dashboards are counted: %v", r.Dashboards)
				}
				return
			}
			upper := "D" + tc.want[1:]
			if r.Dashboards.Summary != tc.want || !strings.Contains(text.String(), "\n"+tc.want+"\n") ||
				!strings.Contains(markdown.String(), "\n"+upper+".\n") || !strings.Contains(page.String(), "<p>"+upper+".</p>") {
				t.Errorf("%q, want %q in\n%s\n%s", r.Dashboards.Summary, tc.want, text.String(), markdown.String())
			}
		})
	}
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	passed, failed, skipped := report.Check{Status: report.Passed}, report.Check{Status: report.NotRun}, report.Check{Status: report.Skipped}
	for _, tc := range []struct {
		name   string
		checks []report.Check
		want   string
	}{
		{"all passed", []report.Check{passed, passed}, "shop: all 2 checks passed in 0.0 s"},
		{"one passed", []report.Check{passed}, "shop: 1 check passed in 0.0 s"},
		{"a check that did not run counts as failed", []report.Check{passed, failed}, "shop: 1 of 2 checks failed in 0.0 s"},
		{"skipped checks are counted apart", []report.Check{passed, skipped}, "shop: 1 check passed, 1 skipped in 0.0 s"},
		{"skipped checks are no part of the failed ones", []report.Check{failed, skipped}, "shop: 1 of 1 check failed in 0.0 s"},
		{"no checks", nil, "shop: no check ran in 0.0 s"},
		{"only skipped checks", []report.Check{skipped}, "shop: no check ran in 0.0 s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := (report.Report{Service: "shop", Checks: tc.checks}).WriteText(&out, unpainted); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(out.String(), "\n"+tc.want+"\n") {
				t.Errorf("got %q, want %q", out.String(), tc.want)
			}
		})
	}
}

func TestDurationsAreReadable(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[float64]string{
		0: "0s", 0.4: "0s", 52.6: "53s", 59.9: "1m0s", 83: "1m23s", 3599.4: "59m59s", 3599.6: "1h0m", 13020: "3h37m", 129721.4: "36h2m", -7: "-7s",
	} {
		r := report.Report{SimulatedAlerts: []report.SimulatedAlert{{Alert: "A", ErrorRatio: 1, Predicted: fires(seconds, 1), Measured: fires(seconds, 1), Passed: true}}}
		var out bytes.Buffer
		if err := r.WriteText(&out, unpainted); err != nil {
			t.Fatal(err)
		}
		row := strings.Split(out.String(), "\n")[2]
		if got := strings.Fields(row); len(got) != 2 || got[1] != want {
			t.Errorf("%v s: got %q, want %q", seconds, row, want)
		}
	}
}

// broken writes up to a number of bytes.
type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("the disk is full")
	}
	return len(p), nil
}

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	t.Parallel()
	r := sample()
	for name, write := range map[string]func(io.Writer) error{
		"text": func(w io.Writer) error { return r.WriteText(w, unpainted) }, "markdown": r.WriteMarkdown, "junit": r.WriteJUnit,
		"html": func(w io.Writer) error { return r.WriteHTML(w, report.Page{}) },
	} {
		for _, after := range []int{0, 30, 300} {
			if err := write(&broken{after}); err == nil {
				t.Errorf("%s on a disk for %d bytes: no error", name, after)
			}
		}
	}
}

func FuzzReports(f *testing.F) {
	f.Add("dashboards", "panel x", nasty, "a.json", 3, nasty, 0.5)
	f.Add("a|b", "`", "```\n~~~", "", 0, "`|`", -1.0)
	f.Add("", "", "", "\n", -1, "", 0.0)
	f.Fuzz(func(t *testing.T, section, claim, detail, file string, line int, alert string, share float64) {
		r := report.Report{
			Service: claim,
			Checks: []report.Check{
				{Section: section, Name: claim, Status: report.Failed, Detail: detail, File: file, Line: line},
				{Section: section, Name: detail, Status: report.Skipped, Detail: claim},
				{Section: "other", Name: file, Status: report.Passed, Detail: detail},
			},
			SimulatedAlerts: []report.SimulatedAlert{{Alert: alert, Objective: claim, ErrorRatio: share, Predicted: fires(share, 1), Measured: fires(1, share)}, {Alert: "other", ErrorRatio: 1}},
			Cost:            &report.Cost{Objectives: 1, SamplesPerSecond: share},
		}
		_ = htmlOf(t, r, report.Page{})
		var junit, markdown, text bytes.Buffer
		if err := errors.Join(r.WriteJUnit(&junit), r.WriteMarkdown(&markdown), r.WriteText(&text, unpainted)); err != nil {
			t.Fatal(err)
		}
		wantJUnit(t, junit.Bytes(), r)
		wantMarkdown(t, markdown.String())
	})
}

// wantJUnit wants well-formed XML with a case for each proof.
func wantJUnit(t *testing.T, raw []byte, r report.Report) {
	t.Helper()
	var doc struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Cases []struct {
				Failure *struct{} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(raw, &doc); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	cases, failures := 0, 0
	for _, s := range doc.Suites {
		for _, c := range s.Cases {
			cases++
			if c.Failure != nil {
				failures++
			}
		}
	}
	if cases != len(r.Checks) || doc.Tests != cases || failures != r.Failures() || doc.Failures != failures {
		t.Errorf("%d cases and %d failures of %d and %d\n%s", cases, failures, len(r.Checks), r.Failures(), raw)
	}
}

// wantMarkdown wants every row of a table to have the columns of its head, every
// block of code to end, and nothing outside of both that could be markup of
// somebody else.
func wantMarkdown(t *testing.T, text string) {
	t.Helper()
	fence, columns := "", 0
	for n, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		ticks := len(trimmed) - len(strings.TrimLeft(trimmed, "`"))
		switch {
		case fence != "":
			if trimmed == fence || ticks >= len(fence) && strings.Trim(trimmed, "`") == "" {
				if trimmed != fence {
					t.Errorf("line %d ends a block of code from inside: %q", n+1, line)
				}
				fence = ""
			}
		case strings.HasPrefix(line, "  ") && ticks >= 3:
			fence = strings.Repeat("`", ticks)
			if trimmed != fence+"text" {
				t.Errorf("line %d: %q", n+1, line)
			}
		case strings.HasPrefix(line, "|"):
			if got := strings.Count(line, "|"); columns == 0 {
				columns = got
			} else if got != columns {
				t.Errorf("line %d has %d bars, its table %d: %q", n+1, got, columns, line)
			}
			continue
		}
		columns = 0
	}
	if fence != "" {
		t.Errorf("a block of code does not end:\n%s", text)
	}
}

func TestSectionsAreInTheOrderOfTheirFirstCheck(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(sample().Sections()); got != "[service dashboards links]" {
		t.Error(got)
	}
}
