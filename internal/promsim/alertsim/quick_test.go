//go:build !race

package alertsim_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/observability-first/scaffold/internal/report"
)

func TestAQuickRunIsAPartOfTheWhole(t *testing.T) {
	t.Parallel()
	d := load(t, compileOne(t))
	_, want, _, err := d.Counts()
	if err != nil {
		t.Fatal(err)
	}
	var begun atomic.Int64
	d.Progress = func(string) { begun.Add(1) }
	result, err := d.Quick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := int(begun.Load()); got != want || want == 0 {
		t.Errorf("%d rehearsals, announced were %d", got, want)
	}
	if len(result.Rows) == 0 || result.Cost.Series != 0 {
		t.Errorf("%d rows, cost %+v; want the timetable and no cost", len(result.Rows), result.Cost)
	}
	for _, p := range result.Proofs {
		if p.Status != report.Holds {
			t.Errorf("%s: %s", p.Claim, p.Detail)
		}
	}
}

// Nothing is judged by a rehearsal that an interrupt cut short.
func TestAnInterruptedRunGivesWhatWasCompleted(t *testing.T) {
	t.Parallel()
	d := load(t, compileOne(t))
	ctx, interrupt := context.WithCancelCause(t.Context())
	var begun atomic.Int64
	d.Progress = func(string) {
		if begun.Add(1) == 4 {
			interrupt(errors.New("Ctrl-C"))
		}
	}
	result, err := d.Quick(ctx)
	if err == nil || !strings.Contains(err.Error(), "Ctrl-C") {
		t.Errorf("got %v", err)
	}
	if len(result.Rows) == 0 {
		t.Error("what was completed is gone")
	}
	for _, p := range result.Proofs {
		if p.Status != report.Holds {
			t.Errorf("%s: %s", p.Claim, p.Detail)
		}
	}
}
