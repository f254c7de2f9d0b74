package alertsim

import (
	"time"

	"github.com/observability-first/scaffold/internal/promsim/synthetic"
)

const day = 24 * time.Hour

// steady is the cycle of processes with a constant rate of events, unless the rate is a fraction:
// a multiple of the evaluation intervals.
const steady = 4 * time.Minute

// events are the good and the bad ones of an objective.
type events struct{ good, bad synthetic.Flow }

func (e events) times(factor float64) events {
	return events{e.good.Times(factor), e.bad.Times(factor)}
}

// incident is a rate of which a share is bad between two moments.
func incident(rate, share float64, from, to time.Duration) events {
	good, bad := synthetic.Incident(rate, share, from, to)
	return events{good, bad}
}

// healthy is a rate of which a small share is bad all the time.
func healthy(rate, share float64) events {
	return events{synthetic.Steady(rate * (1 - share)), synthetic.Steady(rate * share)}
}

// failures are single bad events beside a rate of good ones.
func failures(rate float64, at ...time.Duration) events {
	bad := []synthetic.Segment{{}}
	for _, t := range at {
		bad = append(bad, synthetic.Segment{From: t, Rate: 1}, synthetic.Segment{From: t + time.Second, Rate: 0})
	}
	return events{synthetic.Steady(rate), synthetic.NewFlow(bad...)}
}
