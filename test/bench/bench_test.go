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

// patience is how long spans may take to come out of a batch processor, whose
// period is 5 s.
const patience = 30 * time.Second

// TestMain is bare chi where the comparison over loopback starts this program for it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == itemFlag {
		os.Exit(exit())
	}
	os.Exit(m.Run())
}

// A comparison is fair when all give the same answer and record what they are
// told to.
func TestEveryStackAnswersAndRecords(t *testing.T) {
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
				t.Errorf("answered %d %s", rec.Code, got)
			}
			if s.plain {
				return
			}
			for deadline := time.Now().Add(patience); exporter.spans.Load() != 1; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d spans of one request", exporter.spans.Load())
				}
			}
		})
	}
}

func TestBarsAreHeld(t *testing.T) {
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
		t.Errorf("good figures are refused: %v", err)
	}
	for name, tc := range map[string]struct{ mine, theirs cost }{
		"an allocation too many":     {cost{9, 1150, 17_500}, usual},
		"too many bytes":             {cost{8, 1151, 17_500}, usual},
		"too many instructions":      {cost{8, 1150, 19_001}, cost{60, 6000, 200_000}},
		"the others are not far off": {good, cost{60, 6000, 60_000}},
	} {
		if check(rows(tc.mine, tc.theirs)) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// The comparison itself: both servers respond, and the scheduler's count is that of the servers.
func TestOverLoopback(t *testing.T) {
	t.Parallel()
	l, err := overLoopback(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if l.Ours < time.Microsecond || l.Bare < time.Microsecond || l.Ratio < 0.5 || l.Ratio > 5 {
		t.Errorf("got %+v: a request takes microseconds, and a service about as many as bare chi", l)
	}
	if err := (loopback{Ratio: maxRatio + 0.01}).check(); err == nil {
		t.Error("a ratio above the bar passes")
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
			t.Errorf("%s is missing in\n%s", s.name, text)
		}
	}
}
