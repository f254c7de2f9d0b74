package rulesim

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// Repetition is a span in which all targets repeat their samples after each Every: the increments of counters
// and the values of gauges. Every is a multiple of the scrape interval.
type Repetition struct {
	From, To time.Time
	Every    time.Duration
}

// worthwhile is the minimum number of cycles for which results are copied.
const worthwhile = 5

// forever is the reach of a rule whose results depend on its whole past or on the calendar.
const forever = time.Duration(math.MaxInt64)

// reach returns how far back the results of a rule depend on targets, directly or through other rules.
func (p *plan) reach(r *rule) time.Duration {
	if r.in.unknown || r.in.future || r.in.reads(r.Rule) || !r.fitsCycles() {
		return forever
	}
	most := max(r.in.window(), clockReach(r.Expr))
	for _, read := range p.reads[r] {
		if read.IsAlert || read.reach == forever {
			return forever
		}
		most = max(most, r.in.window()+read.reach+read.group.Interval+read.group.QueryOffset)
	}
	if most == forever {
		return forever
	}
	return most + lookback
}

// fitsCycles reports whether evaluations are at the same times in each cycle.
func (r *rule) fitsCycles() bool {
	for _, level := range r.ev.options.Repeats {
		if slices.ContainsFunc(level, func(phase Repetition) bool { return phase.Every%r.group.Interval != 0 }) {
			return false
		}
	}
	return true
}

// clockReach returns how long an expression that reads the time takes to settle: forever if it reads the
// calendar or computes a remainder, otherwise the largest number in it, in seconds. After that time,
// comparisons of ages with numbers no longer change.
func clockReach(expr string) time.Duration {
	tree, err := newParser().ParseExpr(expr)
	if err != nil {
		return forever
	}
	clock, cyclic, largest := false, false, 0.0
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.Call:
			clock = clock || n.Func.Name == "time" || n.Func.Name == "timestamp"
			cyclic = cyclic || slices.Contains(calendar(), n.Func.Name)
		case *parser.BinaryExpr:
			cyclic = cyclic || n.Op == parser.MOD
		case *parser.NumberLiteral:
			largest = max(largest, math.Abs(n.Val))
		}
		return nil
	})
	switch {
	case cyclic || clock && largest >= forever.Seconds():
		return forever
	case clock:
		return time.Duration(largest * float64(time.Second))
	}
	return 0
}

// calendar returns the PromQL functions with periodic results.
func calendar() []string {
	return []string{"minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"}
}

// repeated evaluates a span and copies the results of equal cycles. What one level does not copy is left to
// the next level.
func (r *rule) repeated(levels [][]Repetition, from, until time.Time, each evaluation) (promql.Matrix, error) {
	if len(levels) == 0 {
		return each(from, until)
	}
	evaluate := func(from, until time.Time) (promql.Matrix, error) { return r.repeated(levels[1:], from, until, each) }
	var all []promql.Matrix
	step := r.group.Interval
	for _, phase := range levels[0] {
		steps := int(phase.To.Sub(from) / step) // that end before the phase does
		last := from.Add(time.Duration(steps) * step)
		if last.After(until) {
			last = until
		}
		if !last.After(from) {
			continue
		}
		m, err := r.inPhase(phase, from, last, evaluate)
		if err != nil {
			return nil, err
		}
		all, from = append(all, m), last.Add(step)
	}
	if from.After(until) {
		return joined(all...), nil
	}
	rest, err := evaluate(from, until)
	return joined(append(all, rest)...), err
}

// evaluation evaluates a rule at each of its times between two times, inclusive.
type evaluation func(from, until time.Time) (promql.Matrix, error)

// inPhase evaluates the first two cycles and the last cycle of a phase. If they are equal, it copies them to
// the others. The last cycle shows results that grow until they cross a threshold.
func (r *rule) inPhase(phase Repetition, from, until time.Time, evaluate evaluation) (promql.Matrix, error) {
	every, step := phase.Every, r.group.Interval
	first, n := r.cycles(phase, from, until)
	if n < worthwhile {
		return evaluate(from, until)
	}
	third, last := first.Add(2*every), first.Add(time.Duration(n-1)*every)
	head, err := evaluate(from, third.Add(-step))
	if err != nil {
		return nil, err
	}
	tail, err := evaluate(last, until)
	if err != nil {
		return nil, err
	}
	cycle := between(head, first, every)
	if !sameMatrix(moved(cycle, every), between(head, first.Add(every), every)) || !sameMatrix(moved(cycle, last.Sub(first)), between(tail, last, every)) {
		middle, err := evaluate(third, last.Add(-step))
		return joined(head, middle, tail), err
	}
	all := []promql.Matrix{head}
	for i := 2; i < n-1; i++ {
		all = append(all, moved(cycle, time.Duration(i)*every))
	}
	return joined(append(all, tail)...), nil
}

// cycles returns when the results of a rule start to repeat in a span, and how many times they do.
func (r *rule) cycles(phase Repetition, from, until time.Time) (first time.Time, n int) {
	step := r.group.Interval
	if r.reach == forever {
		return from, 0
	}
	first = from
	if settled := phase.From.Add(r.reach).Sub(from); settled > 0 {
		first = from.Add((settled + step - 1).Truncate(step))
	}
	return first, int(until.Add(step).Sub(first) / phase.Every)
}

// between returns the part of a matrix that starts at from.
func between(m promql.Matrix, from time.Time, length time.Duration) promql.Matrix {
	first, end := from.UnixMilli(), from.Add(length).UnixMilli()
	var out promql.Matrix
	for _, s := range m {
		outsideF := func(p promql.FPoint) bool { return p.T < first || p.T >= end }
		outsideH := func(p promql.HPoint) bool { return p.T < first || p.T >= end }
		s.Floats, s.Histograms = slices.DeleteFunc(slices.Clone(s.Floats), outsideF), slices.DeleteFunc(slices.Clone(s.Histograms), outsideH)
		if len(s.Floats)+len(s.Histograms) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// moved returns a matrix shifted by a duration.
func moved(m promql.Matrix, by time.Duration) promql.Matrix {
	out := make(promql.Matrix, len(m))
	for i, s := range m {
		out[i] = promql.Series{Metric: s.Metric, Floats: slices.Clone(s.Floats), Histograms: slices.Clone(s.Histograms)}
		for j := range out[i].Floats {
			out[i].Floats[j].T += by.Milliseconds()
		}
		for j := range out[i].Histograms {
			out[i].Histograms[j].T += by.Milliseconds()
		}
	}
	return out
}

func sameMatrix(a, b promql.Matrix) bool {
	return slices.EqualFunc(a, b, func(x, y promql.Series) bool {
		return x.Metric.Hash() == y.Metric.Hash() && slices.Equal(x.Floats, y.Floats) && len(x.Histograms) == 0 && len(y.Histograms) == 0
	})
}
