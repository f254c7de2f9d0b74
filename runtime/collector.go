package runtime

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// minHeapShare divides the memory limit: the heap may grow to an eighth of the limit before a
	// collection. Go's default is twice the live heap, but at least 4 MiB. With it, a small
	// service with much traffic collects 20 times a second, which took a fifth of its CPU time.
	minHeapShare = 8
	maxMinHeap   = 64 << 20 // bytes; collections are rare above it
	// defaultGCPercent is Go's default GOGC. With it, the heap grows at least to goMinHeap before
	// a collection; this minimum is proportional to GOGC.
	defaultGCPercent = 100
	goMinHeap        = 4 << 20 // bytes
	// collectorEvery is the interval at which GOGC is adjusted. GOMEMLIMIT applies in between.
	collectorEvery = time.Second
)

// heapState is the heap after a collection in bytes.
type heapState struct {
	live  uint64 // objects
	other uint64 // stacks and global variables
	limit uint64 // GOMEMLIMIT
}

// gcPercent returns the GOGC with which the heap grows to its minimum, or to Go's default of
// twice the live heap if that is more. Without a memory limit it returns Go's default.
func (h heapState) gcPercent() int {
	minHeap := min(h.limit/minHeapShare, maxMinHeap)
	if h.limit >= math.MaxInt64 || h.live >= minHeap {
		return defaultGCPercent
	}
	percent := min(100*minHeap/goMinHeap, 100*(minHeap-h.live)/(h.live+h.other+1))
	return max(defaultGCPercent, int(percent))
}

// tuneCollector lets the heap grow to its minimum until ctx ends, unless GOGC is set.
func (s *Service) tuneCollector(ctx context.Context) {
	if _, set := s.process.LookupEnv("GOGC"); set {
		return
	}
	read := newHeapState()
	percent := defaultGCPercent
	before := debug.SetGCPercent(percent)
	defer debug.SetGCPercent(before)
	ticks := time.NewTicker(collectorEvery)
	defer ticks.Stop()
	for {
		// SetGCPercent stops all goroutines for a moment, so changes below 10 % are skipped.
		if want := read().gcPercent(); want < percent*9/10 || want > percent*11/10 {
			percent = want
			debug.SetGCPercent(percent)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

func newHeapState() func() heapState {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}, {Name: "/gc/gomemlimit:bytes"},
	}
	return func() heapState {
		metrics.Read(samples)
		value := func(i int) uint64 { return samples[i].Value.Uint64() }
		return heapState{live: value(0), other: value(1) + value(2), limit: value(3)}
	}
}
