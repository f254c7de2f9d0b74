// Package synthetic makes up what services would have exposed: events at a rate,
// counted by processes that come, go and crash, and scraped with gaps. Simulations and
// tests fill a store with it and move through weeks in simulated time.
//
//	f := synthetic.Steady(100).Then(time.Hour, 0)
//	store.Generate(labels, synthetic.Series{..., Read: f.Count}.Generator())
package synthetic

import (
	"slices"
	"sort"
	"time"
)

// Segment is a rate in events a second from a moment on.
type Segment struct {
	From time.Duration
	Rate float64
}

// Flow is a rate over time, constant within each segment. The zero value is no
// event at all.
type Flow struct {
	segments []Segment
	before   []float64 // events before each segment
}

// NewFlow joins segments, whose beginnings rise.
func NewFlow(segments ...Segment) Flow {
	f := Flow{segments, make([]float64, len(segments))}
	for i := 1; i < len(segments); i++ {
		f.before[i] = f.before[i-1] + segments[i-1].Rate*(segments[i].From-segments[i-1].From).Seconds()
	}
	return f
}

// Steady is one rate for ever.
func Steady(rate float64) Flow { return NewFlow(Segment{0, rate}) }

// Then is the flow with another rate from a moment on, which is later than all
// changes before.
func (f Flow) Then(from time.Duration, rate float64) Flow {
	return NewFlow(append(slices.Clone(f.segments), Segment{from, rate})...)
}

// Incident is a rate of which a share is bad between two moments.
func Incident(rate, share float64, from, to time.Duration) (good, bad Flow) {
	return Steady(rate).Then(from, rate*(1-share)).Then(to, rate),
		Steady(0).Then(from, rate*share).Then(to, 0)
}

// Count is the number of events until t, parts of one included.
func (f Flow) Count(t time.Duration) float64 {
	i := sort.Search(len(f.segments), func(i int) bool { return f.segments[i].From > t }) - 1
	if i < 0 {
		return 0
	}
	return f.before[i] + f.segments[i].Rate*(t-f.segments[i].From).Seconds()
}

// Between is the number of events from one moment to another.
func (f Flow) Between(from, to time.Duration) float64 { return f.Count(to) - f.Count(from) }

// Times is the flow with every rate multiplied.
func (f Flow) Times(factor float64) Flow {
	out := make([]Segment, len(f.segments))
	for i, s := range f.segments {
		out[i] = Segment{s.From, s.Rate * factor}
	}
	return NewFlow(out...)
}
