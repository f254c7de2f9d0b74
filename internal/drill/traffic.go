package drill

import (
	"sort"
	"time"
)

const day = 24 * time.Hour

// segment is a rate in events a second from a moment on.
type segment struct {
	from time.Duration
	rate float64
}

// flow is a rate over time, constant within each segment.
type flow struct {
	segments []segment
	before   []float64 // events before each segment
}

func newFlow(segments ...segment) flow {
	f := flow{segments, make([]float64, len(segments))}
	for i := 1; i < len(segments); i++ {
		f.before[i] = f.before[i-1] + segments[i-1].rate*(segments[i].from-segments[i-1].from).Seconds()
	}
	return f
}

// steady is one rate for ever.
func steady(rate float64) flow { return newFlow(segment{0, rate}) }

// count is the number of events until t.
func (f flow) count(t time.Duration) float64 {
	i := sort.Search(len(f.segments), func(i int) bool { return f.segments[i].from > t }) - 1
	if i < 0 {
		return 0
	}
	return f.before[i] + f.segments[i].rate*(t-f.segments[i].from).Seconds()
}

func (f flow) between(from, to time.Duration) float64 { return f.count(to) - f.count(from) }

// times is the flow with every rate multiplied.
func (f flow) times(factor float64) flow {
	out := make([]segment, len(f.segments))
	for i, s := range f.segments {
		out[i] = segment{s.from, s.rate * factor}
	}
	return newFlow(out...)
}

// events are the good and the bad ones of an objective.
type events struct{ good, bad flow }

func (e events) times(factor float64) events {
	return events{e.good.times(factor), e.bad.times(factor)}
}

// incident is a rate of which a share is bad between two moments.
func incident(rate, share float64, from, to time.Duration) events {
	return events{
		good: newFlow(segment{0, rate}, segment{from, rate * (1 - share)}, segment{to, rate}),
		bad:  newFlow(segment{0, 0}, segment{from, rate * share}, segment{to, 0}),
	}
}

// healthy is a rate of which a small share is bad all the time.
func healthy(rate, share float64) events {
	return events{steady(rate * (1 - share)), steady(rate * share)}
}

// failures are single bad events beside a rate of good ones.
func failures(rate float64, at ...time.Duration) events {
	bad := []segment{{0, 0}}
	for _, t := range at {
		bad = append(bad, segment{t, 1}, segment{t + time.Second, 0})
	}
	return events{steady(rate), newFlow(bad...)}
}
