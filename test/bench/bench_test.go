package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// patience is the timeout of all waits. The batch span processor exports every 5 s.
const patience = 30 * time.Second

// TestMain serves bare chi if the comparison over loopback started the test binary for that.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == itemFlag {
		os.Exit(exit())
	}
	os.Exit(m.Run())
}

// All stacks respond alike and record the span, or the comparison would not be fair.
func TestEveryStackRespondsAndRecords(t *testing.T) {
	for _, s := range stacks() {
		t.Run(s.name, func(t *testing.T) {
			exporter := &noExporter{}
			h, err := s.build(everyRequest, exporter)
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, newRequest(everyRequest))
			want := `{"id":"42","name":"Ada","email":"ada@example.com"}`
			if got := strings.TrimSpace(rec.Body.String()); rec.Code != http.StatusOK || got != want {
				t.Errorf("got response %d %s, want 200 %s", rec.Code, got, want)
			}
			if s.plain {
				return
			}
			for deadline := time.Now().Add(patience); exporter.spans.Load() != 1; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d spans exported for one request, want 1", exporter.spans.Load())
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	rows := func(mine, theirs cost) []row {
		var all []row
		for _, m := range modes() {
			all = append(all, row{stack{name: bareChi, plain: true}, m, cost{7, 800, 9_000}},
				row{stack{name: ours}, m, mine}, row{stack{name: usual}, m, theirs})
		}
		return all
	}
	good, usual := cost{8, 1150, 17_500}, cost{60, 6000, 100_000}
	if err := check(rows(good, usual)); err != nil {
		t.Errorf("costs within the limits are rejected: %v", err)
	}
	for name, tc := range map[string]struct{ mine, theirs cost }{
		"one allocation above the limit": {cost{9, 1150, 17_500}, usual},
		"one byte above the limit":       {cost{8, 1151, 17_500}, usual},
		"instructions above the limit":   {cost{8, 1150, 19_001}, cost{60, 6000, 200_000}},
		"usual stack too cheap":          {good, cost{60, 6000, 60_000}},
	} {
		if check(rows(tc.mine, tc.theirs)) == nil {
			t.Errorf("%s: passed, want an error", name)
		}
	}
}

// Both servers respond, and the measured CPU time is that of the servers.
func TestOverLoopback(t *testing.T) {
	t.Parallel()
	l, err := overLoopback(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if l.Ours < time.Microsecond || l.Bare < time.Microsecond || l.Ratio < 0.5 || l.Ratio > 5 {
		t.Errorf("got %+v, want at least 1µs a request and a ratio between 0.5 and 5", l)
	}
	if err := (loopback{Ratio: maxRatio + 0.01}).check(); err == nil {
		t.Error("a ratio above the limit passes")
	}
}

func TestReportNamesEachStack(t *testing.T) {
	t.Parallel()
	var rows []row
	for i, s := range stacks() {
		rows = append(rows, row{s, onePercent, cost{float64(i), 100, 1000}})
	}
	text := report(rows)
	for i, s := range stacks() {
		if !strings.Contains(text, "| "+s.name+" | ") || !strings.Contains(text, fmt.Sprintf(" | %d.00 | 100 | 1000 | ", i)) {
			t.Errorf("the report has no row with the costs of %s:\n%s", s.name, text)
		}
	}
}
