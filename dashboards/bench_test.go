package dashboards_test

import (
	"testing"

	"github.com/observability-first/scaffold/dashboards"
)

// render makes and writes all dashboards of a service.
func render(tb testing.TB, in dashboards.Input) {
	tb.Helper()
	for _, b := range dashboardsOf(tb, in) {
		if _, err := b.JSON(); err != nil {
			tb.Fatal(err)
		}
	}
}

// All dashboards of a service are to take less than 50 ms. Allocations stand in for
// time, which no test can gate: 8,100 of them took 4 ms.
func TestDashboardsStayCheapToMake(t *testing.T) {
	in := inputs(t)["orders"]
	const most = 30_000
	if got := testing.AllocsPerRun(5, func() { render(t, in) }); got > most {
		t.Errorf("all dashboards of a service take %.0f allocations, more than %d", got, most)
	} else {
		t.Logf("%.0f allocations", got)
	}
}

func BenchmarkCompile(b *testing.B) {
	in := inputs(b)["orders"]
	b.ReportAllocs()
	for b.Loop() {
		render(b, in)
	}
}
