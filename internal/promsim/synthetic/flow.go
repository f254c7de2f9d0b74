// Package synthetic generates series as services would have exposed them: events at a rate, counted by
// processes that start, stop and crash, and scraped with gaps. Simulations and tests fill a store with them.
//
//	f := synthetic.Steady(100).Then(time.Hour, 0)
//	store.Generate(labels, synthetic.Series{..., Read: f.Count}.Generator())
package synthetic

import (
	"slices"
	"sort"
	"time"
)

// Segment is a rate in events per second that starts at a time.
type Segment struct {
	From time.Duration
	Rate float64
}

// Flow is a rate over time, constant within each segment. The zero value has no events.
type Flow struct {
	segments []Segment
	before   []float64 // events before each segment
}

// NewFlow returns a flow of segments, which must be ordered by start.
func NewFlow(segments ...Segment) Flow {
	f := Flow{segments, make([]float64, len(segments))}
	for i := 1; i < len(segments); i++ {
		f.before[i] = f.before[i-1] + segments[i-1].Rate*(segments[i].From-segments[i-1].From).Seconds()
	}
	return f
}

// Steady returns a constant rate.
func Steady(rate float64) Flow { return NewFlow(Segment{0, rate}) }

// Then returns the flow with another rate as of the time from, which must be later than all other changes.
func (f Flow) Then(from time.Duration, rate float64) Flow {
	return NewFlow(append(slices.Clone(f.segments), Segment{from, rate})...)
}

// Incident returns a rate of which a share is bad between two times.
func Incident(rate, share float64, from, to time.Duration) (good, bad Flow) {
	return Steady(rate).Then(from, rate*(1-share)).Then(to, rate),
		Steady(0).Then(from, rate*share).Then(to, 0)
}

// Count returns the number of events until t, including fractions.
func (f Flow) Count(t time.Duration) float64 {
	i := sort.Search(len(f.segments), func(i int) bool { return f.segments[i].From > t }) - 1
	if i < 0 {
		return 0
	}
	return f.before[i] + f.segments[i].Rate*(t-f.segments[i].From).Seconds()
}

// Between returns the number of events between two times.
func (f Flow) Between(from, to time.Duration) float64 { return f.Count(to) - f.Count(from) }

// Times returns the flow with every rate multiplied by factor.
func (f Flow) Times(factor float64) Flow {
	out := make([]Segment, len(f.segments))
	for i, s := range f.segments {
		out[i] = Segment{s.From, s.Rate * factor}
	}
	return NewFlow(out...)
}
