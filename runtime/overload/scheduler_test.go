package overload

import (
	"math"
	"runtime/metrics"
	"testing"
	"time"
)

// Half of the goroutines never wait, so the upper tenth counts. Old waits are ignored.
func TestSchedulerWaits(t *testing.T) {
	t.Parallel()
	h := &metrics.Float64Histogram{Counts: make([]uint64, 3), Buckets: []float64{math.Inf(-1), 0.001, 0.060, 1}}
	s := scheduler{read: func() *metrics.Float64Histogram { return h }}
	now := time.Unix(0, 0)
	late := func() bool {
		now = now.Add(2 * schedulerEvery)
		return s.late(now)
	}
	if late() {
		t.Error("late without any sample")
	}
	h.Counts[0], h.Counts[2] = 60, 40
	if !late() {
		t.Error("not late with 60 ms of wait")
	}
	h.Counts[0] += 100
	if late() {
		t.Error("late although no goroutine waits")
	}
	h.Counts[0], h.Counts[2] = h.Counts[0]+5, h.Counts[2]+5
	now = now.Add(time.Minute)
	if late() {
		t.Error("late because of a minute-old wait")
	}
}
