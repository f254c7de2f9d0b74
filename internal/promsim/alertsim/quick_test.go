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

func TestQuickRunsPartOfTheScenarios(t *testing.T) {
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
		t.Errorf("%d scenarios, announced were %d", got, want)
	}
	if len(result.Alerts) == 0 || result.Cost.Series != 0 {
		t.Errorf("%d rows, cost %+v; want the timetable and no cost", len(result.Alerts), result.Cost)
	}
	for _, p := range result.Checks {
		if p.Status != report.Passed {
			t.Errorf("%s: %s", p.Name, p.Detail)
		}
	}
}

// A scenario that was interrupted returns no checks.
func TestInterruptedRunReturnsCompletedScenarios(t *testing.T) {
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
	if len(result.Alerts) == 0 {
		t.Error("what was completed is gone")
	}
	for _, p := range result.Checks {
		if p.Status != report.Passed {
			t.Errorf("%s: %s", p.Name, p.Detail)
		}
	}
}
