package rulesim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// RunRange has the same result as [Evaluator.Run] between from, inclusive, and to, exclusive, but runs one
// range query for each rule instead of one query for each evaluation. Weeks of alerts take a second. The
// Evaluator must be new. RunRange stops at the first rule that fails and ignores Options.Skip and
// Options.Failed. Queries in templates only see what the rules before the alert record.
//
// A rule that reads its own past is evaluated step by step, unless it records the same with an empty past and
// with the complete past.
//
// RunRange leaves out recording rules that read the future (a negative offset, @), a rule after them, or what
// a group with a larger query_offset has not recorded yet, because a range query would see these samples at
// the wrong time. It also leaves out every recording rule that depends on them, and returns the names of all
// of these in left. An alert that depends on one is an error.
func (l *Evaluator) RunRange(ctx context.Context, from, to time.Time) (left []string, err error) {
	return l.RunRangeFrom(ctx, from, from, to)
}

// RunRangeFrom is like [Evaluator.RunRange], but only results from shown on are complete. Earlier times are
// evaluated only as far as rules read them. Alerts start inactive.
func (l *Evaluator) RunRangeFrom(ctx context.Context, from, shown, to time.Time) (left []string, err error) {
	p := planOf(l.rulesInOrder())
	starts := startsOf(p.order, from, shown)
	l.sharing = newSharing(l, p.order, starts, to)
	defer func() { l.sharing = nil }()
	for i, r := range p.order {
		first := l.firstAtOrAfter(r.group.Interval, starts[i])
		r.reach = p.reach(r)
		switch {
		case !p.canRunRange(r) && r.IsAlert:
			return p.left(), fmt.Errorf("%s: group %s: alert %s reads what only a step by step evaluation gives; use Run", r.group.File, r.group.Name, r.Name)
		case !p.canRunRange(r):
			r.in.unknown = true
			continue
		case !first.Before(to):
			continue
		}
		if err := r.runRange(ctx, first, to); err != nil {
			return p.left(), fmt.Errorf("%s: group %s: rule %s: %w", r.group.File, r.group.Name, r.Name, err)
		}
	}
	slices.SortStableFunc(l.history, func(a, b *Firing) int { return a.FiredAt.Compare(b.FiredAt) })
	return p.left(), nil
}

// startsOf returns when the evaluation of each rule must start, so that its readers have their input. Rules
// that read their own past, and alerts that other rules read, start at from.
func startsOf(order []*rule, from, shown time.Time) []time.Time {
	out := make([]time.Time, len(order))
	for i := range out {
		out[i] = shown
	}
	for i := len(order) - 1; i >= 0; i-- {
		reader := order[i]
		if reader.in.reads(reader.Rule) {
			out[i] = from
		}
		for j, r := range order[:i] {
			reach, reads := reader.in.reach(r.Rule)
			if reads && r.IsAlert {
				out[j] = from
			}
			if early := out[i].Add(-reach - lookback - reader.group.QueryOffset - 2*reader.group.Interval); reads && early.Before(out[j]) {
				out[j] = early
			}
		}
		if out[i].Before(from) {
			out[i] = from
		}
	}
	return out
}

// runRange evaluates one rule at all its times. If one query over all of them is rejected or fails, the rule
// is evaluated step by step: each step may be valid, or only one may be the error.
func (r *rule) runRange(ctx context.Context, first, to time.Time) error {
	last := to.Add(-1)
	var err error
	switch itself := r.in.reads(r.Rule); {
	case r.IsAlert && itself:
		return r.step(ctx, first, to)
	case r.IsAlert:
		err = r.runAlert(ctx, first, last)
	case itself:
		err = r.runSelfReading(ctx, first, to)
	default:
		err = r.backfill(ctx, first, last)
	}
	if _, refused := errors.AsType[refusedError](err); refused && ctx.Err() == nil {
		return r.step(ctx, first, to)
	}
	return err
}

// refusedError is why a rule cannot be evaluated with range queries. Nothing was recorded.
type refusedError struct{ error }

func (e refusedError) Unwrap() error { return e.error }

func (l *Evaluator) rulesInOrder() []*rule {
	var out []*rule
	for _, g := range l.groups {
		out = append(out, g.rules...)
	}
	return out
}

// step evaluates one rule at each of its times.
func (r *rule) step(ctx context.Context, first, to time.Time) error {
	for at := first; at.Before(to); at = at.Add(r.group.Interval) {
		if err := r.eval(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// runSelfReading evaluates a rule that reads its own past.
func (r *rule) runSelfReading(ctx context.Context, first, to time.Time) error {
	from, until := first.Add(-r.group.QueryOffset), to.Add(-1-r.group.QueryOffset)
	without, err := r.spansOf(ctx, r.ev.store, from, until)
	if err != nil {
		return err
	}
	// An evaluation does not see the sample that it is about to record, but a range query would. A past that
	// is shifted by 1 ms shows whether that changes the result.
	for _, late := range []int64{0, 1} {
		past := metricstore.New()
		for _, s := range without {
			if err := r.writeSpan(past, s.later(late), until.UnixMilli()+late); err != nil {
				return err
			}
		}
		with, err := r.spansOf(ctx, both(r.ev.store, past), from, until)
		if err != nil {
			return err
		}
		if !slices.EqualFunc(without, with, sameSpan) {
			return r.step(ctx, first, to)
		}
	}
	return r.writeSpans(without, until)
}

// spansOf returns what the rule would record from a store.
func (r *rule) spansOf(ctx context.Context, of storage.Queryable, from, until time.Time) ([]span, error) {
	matrix, err := r.overSpan(ctx, of, from, until)
	if err != nil {
		return nil, err
	}
	return r.spans(matrix)
}

// later returns the span shifted by some milliseconds.
func (s span) later(ms int64) span {
	out := slices.Clone(s)
	for i := range out {
		out[i].T += ms
	}
	return out
}

func sameSpan(a, b span) bool {
	return slices.EqualFunc(a, b, func(x, y promql.Sample) bool {
		return x.T == y.T && x.F == y.F && x.H.Equals(y.H) && labels.Equal(x.Metric, y.Metric)
	})
}

// both returns a queryable that reads two stores.
func both(a, b *metricstore.Store) storage.Queryable {
	return storage.QueryableFunc(func(from, to int64) (storage.Querier, error) {
		var queriers []storage.Querier
		for _, s := range []*metricstore.Store{a, b} {
			q, err := s.Querier(from, to)
			if err != nil {
				return nil, err
			}
			queriers = append(queriers, q)
		}
		return storage.NewMergeQuerier(queriers, nil, storage.ChainedSeriesMerge), nil
	})
}

// runAlert evaluates an alert with one range query and updates its state for each evaluation.
func (r *rule) runAlert(ctx context.Context, first, last time.Time) error {
	offset, step := r.group.QueryOffset, r.group.Interval
	matrix, err := r.overSpan(ctx, r.ev.store, first.Add(-offset), last.Add(-offset))
	if err != nil {
		return err
	}
	evaluations := int(last.Sub(first)/step) + 1
	if len(matrix) == 0 && len(r.active) == 0 {
		return nil
	}
	read := make([]cursor, len(matrix))
	for n := range evaluations {
		at := first.Add(time.Duration(n) * step)
		found := vectorAt(matrix, read, at.Add(-offset).UnixMilli())
		if len(found) == 0 && len(r.active) == 0 && len(r.returned) == 0 {
			continue
		}
		out, err := r.alerts(ctx, at, found)
		if err != nil {
			return err
		}
		if err := r.write(out, at.Add(-offset).UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// vectorAt returns the samples at one time and moves the cursors forward.
func vectorAt(matrix promql.Matrix, read []cursor, at int64) promql.Vector {
	var out promql.Vector
	for i, s := range matrix {
		c := &read[i]
		for c.float < len(s.Floats) && s.Floats[c.float].T < at {
			c.float++
		}
		for c.histogram < len(s.Histograms) && s.Histograms[c.histogram].T < at {
			c.histogram++
		}
		switch {
		case c.float < len(s.Floats) && s.Floats[c.float].T == at:
			out = append(out, promql.Sample{Metric: s.Metric, T: at, F: s.Floats[c.float].F})
		case c.histogram < len(s.Histograms) && s.Histograms[c.histogram].T == at:
			out = append(out, promql.Sample{Metric: s.Metric, T: at, H: s.Histograms[c.histogram].H})
		}
	}
	return out
}

// cursor is the read position in a series.
type cursor struct{ float, histogram int }
