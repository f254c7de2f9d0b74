package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// pageOf returns the page of a session with a dashboard of alerts and logs.
func pageOf(t *testing.T, s *session) report.Page {
	t.Helper()
	const src = `{"title":"Shop","panels":[{"type":"alertlist","title":"Alerts","options":{"stateFilter":{"firing":true}},"gridPos":{"h":8,"w":24,"x":0,"y":0}},
		{"type":"logs","title":"Logs","gridPos":{"h":8,"w":24,"x":0,"y":8},"targets":[{"refId":"A","datasource":{"type":"loki"},"expr":"{service_name=\"shop\"} | json"}]}]}`
	s.subject.Dir, s.subject.Dashboards, s.subject.ScrapeInterval = t.TempDir(), []dashboardfile.Dashboard{{File: "shop.json"}, {File: "nosuch.json"}}, scrapedEvery
	if err := os.WriteFile(filepath.Join(s.subject.Dir, "shop.json"), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	var got report.Page
	s.options.Progress, s.options.Page = func(string) {}, func(p report.Page) { got = p }
	s.page(t.Context())
	return got
}

// A state shows its own time: the alerts that fired at its end, and the lines of its time.
func TestPageShowsEachState(t *testing.T) {
	t.Parallel()
	parts := rightTrail()
	parts.line["msg"], parts.line["time"] = "sold out", time.Now().Add(-time.Second).Format(time.RFC3339Nano)
	s := trailSession(t, parts)
	s.child.began = time.Now().Add(-100 * time.Second) // 100 s are 10 minutes of simulated time
	end := s.prober.to
	s.watch.fired = []rulesim.Firing{firing("ShopDown", -2*time.Minute), {Alert: "ShopSlow", FiredAt: end.Add(-8 * time.Minute), ResolvedAt: end.Add(-3 * time.Minute)}}
	s.states = []state{{"healthy", s.prober.from, end.Add(-5 * time.Minute)}, {"injected failures", end.Add(-5 * time.Minute), end}}
	states := pageOf(t, s).States
	if len(states) != 2 || len(states[0].Dashboards) != 1 || len(states[1].Dashboards) != 1 {
		t.Fatalf("got %+v", states)
	}
	before, after := states[0].Dashboards[0], states[1].Dashboards[0]
	for _, tc := range []struct {
		text          string
		before, after bool
	}{{"ShopSlow", true, false}, {"ShopDown", false, true}, {"sold out", false, true}} {
		for _, theme := range [][2][]byte{{before.Light, after.Light}, {before.Dark, after.Dark}} {
			if strings.Contains(string(theme[0]), tc.text) != tc.before || strings.Contains(string(theme[1]), tc.text) != tc.after {
				t.Errorf("%s: in the first state %t, in the second %t; problems %q", tc.text, !tc.before, !tc.after, after.Problems)
			}
		}
	}
	if before.Title != "Shop" || string(before.Light) == string(before.Dark) {
		t.Errorf("got the title %q, or one theme only", before.Title)
	}
}

func TestPageOfARunWithoutStatesShowsTheWholeRun(t *testing.T) {
	t.Parallel()
	s := trailSession(t, rightTrail())
	if got := pageOf(t, s).States; len(got) != 1 || got[0].Name != "whole run" || got[0].From != s.prober.from || got[0].To != s.prober.to {
		t.Errorf("got %+v", got)
	}
	s.options.Only = []string{sectionTrail}
	if got := pageOf(t, s).States; len(got) != 0 {
		t.Errorf("dashboards are drawn although their section is not selected: %+v", got)
	}
}

func TestPageHasTheRequestInAllSignals(t *testing.T) {
	t.Parallel()
	parts := rightTrail()
	parts.seconds = .25
	s := trailSession(t, parts)
	export(t, s.receiver, "SELECT", "0123456789abcdef", "76543210", "01234567", nil)
	found, err := s.follow()
	if err != nil {
		t.Fatal(err)
	}
	s.followed = &found
	got := pageOf(t, s).Request
	if got == nil || got.TraceID != trailTrace || len(got.Lines) != 1 || !strings.HasSuffix(got.Exemplar, " 0.25 s, trace_id="+trailTrace) {
		t.Fatalf("got %+v", got)
	}
	if len(got.Spans) != 2 || got.Spans[0].Name != "GET /things" || got.Spans[1].Name != "SELECT" || got.Spans[1].Depth != 1 {
		t.Errorf("got the spans %+v", got.Spans)
	}
	if got.Profile == nil || !strings.Contains(string(got.Profile.Light), "total (10 ns)") {
		t.Errorf("got the profile %+v", got.Profile)
	}
}

// The one with the most spans shows more.
func TestRequestWithTheMostSpansIsFollowed(t *testing.T) {
	t.Parallel()
	s := trailSession(t, rightTrail())
	const span = "larger--" // 6c61726765722d2d
	trace := strings.Repeat("l", 16)
	export(t, s.receiver, "GET /things", trace, span, "", nil)
	export(t, s.receiver, "SELECT", trace, "SELECT--", span, nil)
	hexTrace := strings.Repeat("6c", 16)
	s.child.lines = append(s.child.lines, line{"trace_id": hexTrace, "span_id": "6c61726765722d2d", "http_route": "/things"})
	uploadProfile(t, s.receiver, "shop", cpuProfile("6c61726765722d2d"))
	s.exemplarOf = map[string]observation{hexTrace: {}}
	if found, err := s.follow(); err != nil || found.traceID != hexTrace {
		t.Errorf("got %s, %v", found.traceID, err)
	}
}

// Ids that are not unique do not make a waterfall endless.
func TestWaterfallEnds(t *testing.T) {
	t.Parallel()
	spans := []servicetest.Span{{SpanID: "a"}, {SpanID: "b", ParentID: "a"}, {SpanID: "a", ParentID: "b"}}
	if got := waterfall(spans, spans[0], 0, time.Time{}, map[string]bool{}); len(got) != 2 {
		t.Errorf("%d spans, want each id once", len(got))
	}
}
