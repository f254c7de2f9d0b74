package alertsim

import (
	"time"

	"github.com/observability-first/scaffold/internal/promsim/synthetic"
)

const day = 24 * time.Hour

// steady is the cycle of processes with a constant event rate that is not a fraction: a multiple of the
// evaluation intervals.
const steady = 4 * time.Minute

// events are the good and bad events of an objective.
type events struct{ good, bad synthetic.Flow }

func (e events) times(factor float64) events {
	return events{e.good.Times(factor), e.bad.Times(factor)}
}

// incident returns events of which a share is bad between two times.
func incident(rate, share float64, from, to time.Duration) events {
	good, bad := synthetic.Incident(rate, share, from, to)
	return events{good, bad}
}

// healthy returns events of which a small share is always bad.
func healthy(rate, share float64) events {
	return events{synthetic.Steady(rate * (1 - share)), synthetic.Steady(rate * share)}
}

// failures returns single bad events in addition to a rate of good events.
func failures(rate float64, at ...time.Duration) events {
	bad := []synthetic.Segment{{}}
	for _, t := range at {
		bad = append(bad, synthetic.Segment{From: t, Rate: 1}, synthetic.Segment{From: t + time.Second, Rate: 0})
	}
	return events{synthetic.Steady(rate), synthetic.NewFlow(bad...)}
}
