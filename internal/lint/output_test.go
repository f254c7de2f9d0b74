package lint_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/lint"
)

func found(rule, file string, line int, alert string) lint.Finding {
	return lint.Finding{Rule: rule, File: file, Line: line, Column: 7, Alert: alert}
}

func TestFindingsOfTheSameShapeAreGrouped(t *testing.T) {
	t.Parallel()
	const unknown = "metric %s is not declared%s"
	const unit = "the unit is %s; set %s"
	warning := found("w", "a.yaml", 1, "A").WithMessagef("odd")
	warning.Warning = true
	all := []lint.Finding{
		warning,
		found("x", "a.yaml", 1, "A").WithMessagef("100%% of %d", 5),
		found("unknown", "a.yaml", 2, "B").WithMessagef(unknown, "a_total", ""),
		found("unknown", "b.yaml", 3, "C").WithMessagef(unknown, "b_total", `; did you mean "a_total"?`),
		found("unknown", "c.yaml", 4, "b_total").WithMessagef(unknown, "b_total", ""),
		found("unknown", "c.yaml", 5, "D").WithMessagef(unknown, strings.Repeat("ä", 90), ""),
		found("unit", "a.json", 1, "A alert").WithMessagef(unit, "percent", "percentunit"), found("unit", "a.json", 2, "A alert").WithMessagef(unit, "ms", "s"),
		found("free", "a.json", 1, "").WithMessagef("%s", "odd"), found("free", "a.json", 2, "").WithMessagef("%s", "even"), found("free", "a.json", 3, "").WithMessagef("%s", "even"),
	}
	groups := lint.GroupFindings(all)
	var got []string
	for _, g := range groups {
		got = append(got, g.Title())
		got = append(got, g.Places()...)
	}
	want := []string{
		"unknown (4 times): metric … is not declared…",
		"a.yaml:2:7: alert B (a_total)",
		`b.yaml:3:7: alert C (b_total, did you mean "a_total"?)`,
		"c.yaml:4:7: alert b_total",
		"c.yaml:5:7: alert D (" + strings.Repeat("ä", 79) + "…)",
		"unit (2 times): the unit is …; set …",
		"a.json:1:7: alert A alert (percent, percentunit)", "a.json:2:7: alert A alert (ms, s)",
		"free (2 times): even", "a.json:2:7", "a.json:3:7",
		"x (1 times): 100% of 5", "a.yaml:1:7: alert A",
		"free (1 times): odd", "a.json:1:7",
		"w (1 times): odd", "a.yaml:1:7: alert A",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := lint.Summary(all, false), []lint.RuleCount{{"unknown", 4}, {"free", 3}, {"unit", 2}, {"x", 1}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFindingsWithoutAShapeAreGroupedByMessage(t *testing.T) {
	t.Parallel()
	groups := lint.GroupFindings([]lint.Finding{{Rule: "r", Message: "a %s b"}, {Rule: "r", Message: "a %s b"}, {Rule: "r", Message: "c"}})
	if len(groups) != 2 || len(groups[0].Findings) != 2 || groups[0].Title() != "r (2 times): a %s b" {
		t.Errorf("got %+v", groups)
	}
}

func TestBaselineRemovesKnownFindings(t *testing.T) {
	t.Parallel()
	old := []lint.Finding{
		found("r", "a.yaml", 1, "A").WithMessagef("line 3 of a.yaml is the same"), found("r", "a.yaml", 9, "A").WithMessagef("twice"), found("r", "a.yaml", 8, "A").WithMessagef("twice"),
		{Check: "drift", File: "b", Message: "edited"}, found("r", "a.yaml", 1, "Gone").WithMessagef("fixed"),
	}
	src := lint.NewBaseline(old).JSON()
	slices.Reverse(old)
	if diff := cmp.Diff(string(src), string(lint.NewBaseline(old).JSON())); diff != "" {
		t.Errorf("the baseline depends on the order of findings:\n%s", diff)
	}
	b, err := lint.ParseBaseline("b.json", src)
	if err != nil {
		t.Fatal(err)
	}
	now := []lint.Finding{
		found("r", "a.yaml", 5, "A").WithMessagef("line 7 of a.yaml is the same"), found("r", "a.yaml", 11, "A").WithMessagef("twice"), found("r", "a.yaml", 12, "A").WithMessagef("twice"), found("r", "a.yaml", 13, "A").WithMessagef("twice"),
		{Check: "drift", File: "b", Message: "edited"}, found("r", "other.yaml", 1, "A").WithMessagef("twice"),
	}
	fresh, matched, stale := b.Remove(now, func(string) bool { return true })
	if diff := cmp.Diff([]lint.Finding{now[3], now[5]}, fresh); diff != "" || matched != 4 || stale != 1 {
		t.Errorf("%d matched, %d stale (-want +got):\n%s", matched, stale, diff)
	}
}

func TestBaselineHidesNoNewError(t *testing.T) {
	t.Parallel()
	known := lint.Finding{Rule: "r", File: "a.yaml", Group: "g1", Alert: "A", Message: "m", Warning: true}
	b := lint.NewBaseline([]lint.Finding{known})
	certain, moved := known, known
	certain.Warning, moved.Group = false, "g2"
	for name, f := range map[string]lint.Finding{"an error": certain, "another group": moved} {
		if fresh, _, _ := b.Remove([]lint.Finding{f}, func(string) bool { return true }); len(fresh) != 1 {
			t.Errorf("%s is in the baseline", name)
		}
	}
}

func TestBaselineKeepsEntriesOfUncheckedFiles(t *testing.T) {
	t.Parallel()
	old := lint.NewBaseline([]lint.Finding{{Rule: "r", File: "a.yaml", Message: "m"}, {Rule: "r", File: "b.yaml", Message: "m"}})
	read := func(file string) bool { return file == "a.yaml" }
	if _, _, stale := old.Remove(nil, read); stale != 1 {
		t.Errorf("%d entries are stale, want 1", stale)
	}
	b := lint.NewBaseline(nil)
	b.Keep(old, func(file string) bool { return !read(file) })
	if got := string(b.JSON()); strings.Contains(got, "a.yaml") || !strings.Contains(got, "b.yaml") {
		t.Errorf("the new baseline is %s", got)
	}
}

func TestInvalidBaselineIsRejected(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"":                 "b.json: not a baseline; pass another file, or remove it and run again with --update-baseline",
		`{"finding":[]}`:   `b.json: not a baseline; pass another file, or remove it and run again with --update-baseline`,
		`{"version":1}`:    "b.json: unknown baseline version 1; remove the file and run again with --update-baseline",
		`{"findings":[3]}`: "b.json: not a baseline; pass another file, or remove it and run again with --update-baseline",
	} {
		if _, err := lint.ParseBaseline("b.json", []byte(src)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", src, err, want)
		}
	}
}

func FuzzParseBaseline(f *testing.F) {
	f.Add(lint.NewBaseline([]lint.Finding{{Rule: "r", File: "a", Message: "m"}, {Rule: "r", File: "a", Message: "m"}, {Check: "c", Group: "g", Alert: "A", Message: "m"}}).JSON())
	f.Fuzz(func(t *testing.T, src []byte) {
		b, err := lint.ParseBaseline("b.json", src)
		if err != nil {
			return
		}
		again, err := lint.ParseBaseline("b.json", b.JSON())
		if err != nil || string(again.JSON()) != string(b.JSON()) {
			t.Errorf("%q: written as %s, %v", src, b.JSON(), err)
		}
	})
}

// FuzzGroupFindings checks that each finding is in a group.
func FuzzGroupFindings(f *testing.F) {
	f.Add("metric %s is not declared%s", "metric a is not declared", "b")
	f.Add("%s%d %%", "a5 %", "%")
	f.Fuzz(func(t *testing.T, shape, message, other string) {
		n := 0
		for _, g := range lint.GroupFindings([]lint.Finding{{Shape: shape, Message: message}, {Shape: shape, Message: other}}) {
			n += len(g.Places())
			_ = g.Title()
		}
		if n != 2 {
			t.Errorf("%d places", n)
		}
	})
}

func TestSARIF(t *testing.T) {
	t.Parallel()
	catalog := []lint.Rule{{Name: "r", Means: "It is odd.", Do: "Change it.", Warning: true}, {Name: "unused"}}
	warning := lint.Finding{Rule: "r", File: "a b/c.yaml", Line: 3, Column: 4, Alert: "A", Message: "m", Warning: true}
	text, err := json.Marshal(lint.SARIF([]lint.Finding{warning, {Check: "drift", Message: "d"}, {Check: "drift", File: "x", Message: "e"}}, catalog, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"version":"2.1.0"`, `"driver":{"name":"scaffold","version":"v1","rules":[{"id":"r","shortDescription":{"text":"It is odd."},"help":{"text":"Change it."},"defaultConfiguration":{"level":"warning"}},{"id":"drift","defaultConfiguration":{"level":"error"}}]}`,
		`{"ruleId":"r","ruleIndex":0,"level":"warning","message":{"text":"alert A: m"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a%20b/c.yaml"},"region":{"startLine":3,"startColumn":4}}}]}`,
		`{"ruleId":"drift","ruleIndex":1,"level":"error","message":{"text":"d"}}`,
		`{"ruleId":"drift","ruleIndex":1,"level":"error","message":{"text":"e"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"x"}}}]}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("got %s\nwithout %s", text, want)
		}
	}
	if empty, err := json.Marshal(lint.SARIF(nil, catalog, "v1")); err != nil || !strings.Contains(string(empty), `"results":[]`) {
		t.Errorf("without findings: %s, %v", empty, err)
	}
}

func TestGitHubCommandsAreEscaped(t *testing.T) {
	t.Parallel()
	got := lint.GitHub([]lint.Finding{
		{Rule: "r", File: "a,b:c.yaml", Line: 3, Column: 4, Alert: "A", Message: "100%\nof\r::all"},
		{Check: "drift", Message: "d", Warning: true},
	})
	if want := "::error file=a%2Cb%3Ac.yaml,line=3,col=4,title=r::alert A: 100%25\\nof\\r::all\n::warning title=drift::d\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestLineBreaksAreEscaped(t *testing.T) {
	t.Parallel()
	f := lint.Finding{Rule: "r", File: "a\n::error::.yaml", Line: 3, Alert: "A\r\n::error::"}.WithMessagef("the data source %s", "x\n::error::hi")
	if got, want := f.String(), `a\n::error::.yaml:3: alert A\r\n::error::: the data source x\n::error::hi [r]`; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	other := f
	other.Message = "the data source y\n::error::hi"
	group := lint.GroupFindings([]lint.Finding{f, other})[0]
	for _, line := range append(group.Places(), group.Title(), strings.TrimSuffix(lint.GitHub([]lint.Finding{f}), "\n")) {
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("two lines: %q", line)
		}
	}
}
