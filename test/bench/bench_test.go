package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// patience is how long spans may take to come out of a batch processor, whose
// period is 5 s.
const patience = 30 * time.Second

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
	good, usual := cost{8, 1200, 20_000}, cost{60, 6000, 100_000}
	if err := check(rows(good, usual)); err != nil {
		t.Errorf("good figures are refused: %v", err)
	}
	for name, tc := range map[string]struct{ mine, theirs cost }{
		"an allocation too many":     {cost{9, 1200, 20_000}, usual},
		"too many bytes":             {cost{8, 1300, 20_000}, usual},
		"too many instructions":      {cost{8, 1200, 22_000}, cost{60, 6000, 200_000}},
		"the others are not far off": {good, cost{60, 6000, 80_000}},
	} {
		if check(rows(tc.mine, tc.theirs)) == nil {
			t.Errorf("%s passes", name)
		}
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
