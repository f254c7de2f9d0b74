package rulesim

import "time"

// Cost is what the evaluations of one rule have read. The engine counts the samples: each window counts in
// full, even if the engine reuses parts of it.
type Cost struct {
	Group, Rule string
	IsAlert     bool
	Interval    time.Duration
	Evaluations int
	Samples     int64 // of all evaluations
	Peak        int   // maximum number of samples in memory during one evaluation
}

// Read returns the number of samples that [Evaluator.Query], [Evaluator.QueryRange] and [Evaluator.RunRange] have read.
func (l *Evaluator) Read() int64 { return l.read.Load() }

func (c Cost) plus(r reading) Cost {
	c.Evaluations++
	c.Samples += r.samples
	c.Peak = max(c.Peak, r.peak)
	return c
}

// PerEvaluation returns the mean number of samples read by one evaluation.
func (c Cost) PerEvaluation() float64 {
	if c.Evaluations == 0 {
		return 0
	}
	return float64(c.Samples) / float64(c.Evaluations)
}

// PerSecond returns the mean number of samples read per second.
func (c Cost) PerSecond() float64 { return c.PerEvaluation() / c.Interval.Seconds() }

// Costs returns what each rule has read in [Evaluator.Run], in file order. Queries in templates are not
// counted: they only run while an alert fires.
func (l *Evaluator) Costs() []Cost {
	var out []Cost
	for _, g := range l.groups {
		for _, r := range g.rules {
			out = append(out, r.cost)
		}
	}
	return out
}
