//go:build linux

package overload

import (
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/servicetest/cgroup"
)

// Requests that need twice the available memory: without the limiter the kernel kills the server;
// with it, some are rejected and the server survives.
func TestTwiceTheMemoryEndsInShedding(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("TestTwiceTheMemoryEndsInShedding: loads a real process for ten seconds; make simulations runs it without the race detector")
	}
	const (
		memory = 96 << 20
		holds  = 1 << 20
		takes  = time.Second
		rate   = 2 * float64(memory/holds) // per second
	)
	run := func(shedRatio float64) (childReport, responses, bool) {
		p := startCommand(t, cgroup.NewMemory(t, memory).Command(t.Context(), childBinary(t)), childPlan{
			Takes: takes, Holds: holds,
			Limiter: Config{InitialLimit: 16, MaxLimit: 2000, MemoryRatio: 0.9, MemoryShedRatio: shedRatio}, Grown: 2000,
		})
		a := offer(t.Context(), p.url, rate, 4*time.Second, 5*time.Second, false)
		r, alive := p.end(t)
		t.Logf("rejecting from %g of the limit: survived %t; %s; %+v", shedRatio, alive, a, r)
		return r, a, alive
	}
	r, a, alive := run(0.8)
	if !alive || r.MemoryShed == 0 || r.MemLimit == 0 {
		t.Errorf("with the limiter: survived %t, %d rejected for memory, limit %d", alive, r.MemoryShed, r.MemLimit)
	}
	if a.good == 0 {
		t.Error("no request succeeded")
	}
	if _, _, alive := run(0); alive {
		t.Error("the server survives without the limiter, too: the load is too small")
	}
}
