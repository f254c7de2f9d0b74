package overload

import (
	"runtime/metrics"
	"time"
)

const (
	// schedulerEvery is how often the scheduler is looked at.
	schedulerEvery = 10 * time.Millisecond
	// schedulerSamples is how many waits make a judgement, of which Go notes one in
	// eight, and how many requests: where few come, it is not they who wait in line,
	// and refusing them would help nobody.
	schedulerSamples = 8
	// schedulerStale is when waits that were few are too old to say anything.
	schedulerStale = 200 * time.Millisecond
	// schedulerShare is the share of goroutines that waited less. Half of what runs
	// in a server never waits, since it was woken by what ran before it; those that
	// were woken by the network stand in the line, and they are in the upper tenth.
	schedulerShare = 0.9
)

// scheduler knows how long goroutines that could run wait for a processor: the
// time that a request spends before the first line of ours, where no limit of
// requests that are worked on can see it. The limiter's lock guards it.
type scheduler struct {
	read    func() *metrics.Float64Histogram // nil: not looked at
	longest time.Duration                    // for the default priority
	looked  time.Time
	since   time.Time // of counts
	came    int       // requests since then
	counts  []uint64  // as they were at since
	wait    time.Duration
}

func newScheduler(c Config) scheduler {
	if !c.Enabled {
		return scheduler{}
	}
	samples := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	return scheduler{longest: c.QueueWait, read: func() *metrics.Float64Histogram {
		metrics.Read(samples)
		return samples[0].Value.Float64Histogram()
	}}
}

// late says whether a request of that priority has waited too long by now,
// judged by how long goroutines have waited of late. The important may have
// waited twice as long.
func (s *scheduler) late(now time.Time, p Priority) bool {
	if s.read == nil {
		return false
	}
	s.came++
	if now.Sub(s.looked) >= schedulerEvery {
		s.looked = now
		s.look(now)
	}
	longest := s.longest
	if p == Critical {
		longest *= 2
	}
	return s.wait > longest
}

// look takes the quantile of the waits since the last judgement.
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
	case total >= schedulerSamples && s.came >= schedulerSamples && !stale:
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
	s.since, s.came = now, 0
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
