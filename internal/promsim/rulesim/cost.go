package rulesim

import "time"

// Cost is what the evaluations of one rule have read. Samples are counted by the
// engine: a window counts in full each time, whatever the engine saves inside.
type Cost struct {
	Group, Rule string
	IsAlert     bool
	Interval    time.Duration
	Evaluations int
	Samples     int64 // of all evaluations
	Peak        int   // samples held at once by one evaluation
}

func (c Cost) plus(r reading) Cost {
	c.Evaluations++
	c.Samples += r.samples
	c.Peak = max(c.Peak, r.peak)
	return c
}

// PerEvaluation is the mean number of samples that one evaluation reads.
func (c Cost) PerEvaluation() float64 {
	if c.Evaluations == 0 {
		return 0
	}
	return float64(c.Samples) / float64(c.Evaluations)
}

// PerSecond is the mean number of samples that the rule reads each second.
func (c Cost) PerSecond() float64 { return c.PerEvaluation() / c.Interval.Seconds() }

// Costs lists what each rule has read in [Evaluator.Run], in the order of the files. Queries of
// templates are not counted: they run while an alert fires.
func (l *Evaluator) Costs() []Cost {
	var out []Cost
	for _, g := range l.groups {
		for _, r := range g.rules {
			out = append(out, r.cost)
		}
	}
	return out
}
