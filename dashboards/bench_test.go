package dashboards_test

import (
	"testing"

	"github.com/observability-first/scaffold/dashboards"
)

// marshal compiles the dashboards of a service and writes their JSON.
func marshal(tb testing.TB, in dashboards.Input) {
	tb.Helper()
	for _, b := range dashboardsOf(tb, in) {
		if _, err := b.JSON(); err != nil {
			tb.Fatal(err)
		}
	}
}

// The limit for all dashboards of a service is 50 ms. A test of time would be flaky, so
// this one counts allocations: 8,100 took 4 ms.
func TestDashboardAllocations(t *testing.T) {
	in := inputs(t)["orders"]
	const most = 30_000
	if got := testing.AllocsPerRun(5, func() { marshal(t, in) }); got > most {
		t.Errorf("all dashboards of a service take %.0f allocations, more than %d", got, most)
	} else {
		t.Logf("%.0f allocations", got)
	}
}

func BenchmarkCompile(b *testing.B) {
	in := inputs(b)["orders"]
	b.ReportAllocs()
	for b.Loop() {
		marshal(b, in)
	}
}
