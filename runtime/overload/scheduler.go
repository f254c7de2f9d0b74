package overload

import (
	"runtime/metrics"
	"time"
)

const (
	// schedulerEvery is the interval at which the scheduler is checked.
	schedulerEvery = 10 * time.Millisecond
	// schedulerSamples is the minimum number of waits to judge. Go records one in eight.
	schedulerSamples = 8
	// schedulerStale is the age at which fewer waits are dropped.
	schedulerStale = 200 * time.Millisecond
	// schedulerShare is the quantile of the waits. Half of the goroutines in a server never wait,
	// since another goroutine woke them; those woken by the network are in the upper tenth.
	schedulerShare = 0.9
	// schedulerLate is the wait from which requests yield. A yield costs about 200 ns, and may
	// wake a thread that finds nothing to do.
	schedulerLate = time.Millisecond
)

// scheduler reports how long runnable goroutines wait for a CPU. It is guarded by the limiter's
// lock.
//
// A handler that computes for a few milliseconds is not interrupted: Go preempts after 10 ms. On
// a saturated CPU one request then runs to its end before the next one is read, so that never
// more than one is in flight, and the queue is the scheduler's, where no limit sees it. A request
// that yields after its admission lets the others arrive and be counted; then the queue is the
// limiter's.
type scheduler struct {
	read   func() *metrics.Float64Histogram // nil if it is not checked
	looked time.Time
	since  time.Time // start of the interval of counts
	counts []uint64  // counts at since
	wait   time.Duration
}

func newScheduler(c Config) scheduler {
	if c.Mode == ModeOff {
		return scheduler{}
	}
	samples := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	return scheduler{read: func() *metrics.Float64Histogram {
		metrics.Read(samples)
		return samples[0].Value.Float64Histogram()
	}}
}

// late reports whether goroutines have recently waited long.
func (s *scheduler) late(now time.Time) bool {
	if s.read == nil {
		return false
	}
	if now.Sub(s.looked) >= schedulerEvery {
		s.looked = now
		s.look(now)
	}
	return s.wait > schedulerLate
}

// look computes the quantile of the waits since the last judgement.
func (s *scheduler) look(now time.Time) {
	h := s.read()
	if s.counts == nil {
		s.counts = make([]uint64, len(h.Counts))
		s.begin(h, now)
		return
	}
	total := uint64(0)
	for i, n := range h.Counts {
		total += n - s.counts[i]
	}
	stale := now.Sub(s.since) > schedulerStale
	switch {
	case total >= schedulerSamples && !stale:
		s.wait = s.quantile(h, total)
	case stale:
		s.wait = 0
	default:
		return
	}
	s.begin(h, now)
}

func (s *scheduler) begin(h *metrics.Float64Histogram, now time.Time) {
	copy(s.counts, h.Counts)
	s.since = now
}

func (s *scheduler) quantile(h *metrics.Float64Histogram, total uint64) time.Duration {
	seen := uint64(0)
	for i, n := range h.Counts {
		if seen += n - s.counts[i]; float64(seen) >= schedulerShare*float64(total) {
			return seconds(max(0, h.Buckets[i])) // the lowest bound is -Inf
		}
	}
	return 0
}
