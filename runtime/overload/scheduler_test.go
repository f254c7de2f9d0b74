package overload

import (
	"math"
	"runtime/metrics"
	"testing"
	"time"
)

// Half of what runs never waits, so that it is the upper tenth which counts;
// where few requests come or waits are old, they say nothing.
func TestSchedulerWaits(t *testing.T) {
	t.Parallel()
	h := &metrics.Float64Histogram{Counts: make([]uint64, 3), Buckets: []float64{math.Inf(-1), 0.001, 0.060, 1}}
	s := scheduler{longest: 50 * time.Millisecond, read: func() *metrics.Float64Histogram { return h }}
	now := time.Unix(0, 0)
	requests := func(n int) (normal, critical bool) {
		for range n {
			now = now.Add(2 * time.Millisecond)
			normal = s.late(now, Default)
		}
		return normal, s.late(now, Critical)
	}
	if late, _ := requests(20); late {
		t.Error("late before anything was seen")
	}
	h.Counts[0], h.Counts[2] = 60, 40
	if late, critical := requests(20); !late || critical {
		t.Errorf("60 ms of wait: default late %t, critical late %t", late, critical)
	}
	h.Counts[0] += 100
	if late, _ := requests(20); late {
		t.Error("late although nobody waits any more")
	}
	h.Counts[0], h.Counts[2] = h.Counts[0]+5, h.Counts[2]+5
	now = now.Add(time.Minute)
	if late, _ := requests(1); late {
		t.Error("one request in a minute was refused")
	}
}
