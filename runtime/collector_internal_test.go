package runtime

import (
	"context"
	"math"
	goruntime "runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"testing/synctest"
)

// goal returns the heap size at which the next collection begins, by Go's formula.
func (h heapState) goal(percent int) uint64 {
	p := uint64(percent)
	return max(goMinHeap*p/100, h.live+(h.live+h.other)*p/100)
}

func TestHeapGrowsToItsMinimum(t *testing.T) {
	t.Parallel()
	const limit, minHeap = 256 << 20, 32 << 20
	for name, tc := range map[string]struct {
		state heapState
		goal  uint64
	}{
		"before the first collection":    {heapState{live: 0, other: 100 << 10, limit: limit}, minHeap},
		"a small service":                {heapState{live: 4 << 20, other: 500 << 10, limit: limit}, minHeap},
		"much is live":                   {heapState{live: 20 << 20, other: 1 << 20, limit: limit}, 41 << 20},
		"more is live than the minimum":  {heapState{live: 60 << 20, other: 0, limit: limit}, 120 << 20},
		"a large limit":                  {heapState{live: 4 << 20, other: 500 << 10, limit: 16 << 30}, maxMinHeap},
		"a limit that Go hardly fits in": {heapState{live: 4 << 20, other: 0, limit: 16 << 20}, 8 << 20},
		"no limit":                       {heapState{live: 4 << 20, other: 0, limit: math.MaxInt64}, 8 << 20},
	} {
		percent := tc.state.gcPercent()
		if got := tc.state.goal(percent); got > tc.goal || got < tc.goal*95/100 {
			t.Errorf("%s: GOGC=%d begins the next collection at %d bytes, want %d", name, percent, got, tc.goal)
		}
	}
}

func TestTheCollectorIsTunedWhileTheServiceRuns(t *testing.T) { //nolint:paralleltest // the limit is of the process
	before := debug.SetMemoryLimit(256 << 20)
	defer debug.SetMemoryLimit(before)
	goal := func() uint64 {
		goruntime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	for name, tc := range map[string]struct {
		gogc  bool
		tuned bool
	}{"by default": {false, true}, "with GOGC": {true, false}} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above
			s := &Service{process: Process{LookupEnv: func(string) (string, bool) { return "", tc.gogc }}}
			untuned := goal()
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); s.tuneCollector(ctx) }()
				synctest.Wait()
				if got := goal(); (got > 3*untuned) != tc.tuned {
					t.Errorf("the next collection begins at %d bytes, %d before", got, untuned)
				}
				stop()
				<-ended
			})
			if got := goal(); got > 2*untuned {
				t.Errorf("after the service, the next collection begins at %d bytes, %d before", got, untuned)
			}
		})
	}
}
