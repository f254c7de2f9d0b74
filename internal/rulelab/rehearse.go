package rulelab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/observability-first/scaffold/internal/metricstore"
)

// Rehearse does what [Lab.Run] does from from, included, to to, excluded, with
// one range query for each rule instead of one query for each evaluation: weeks
// of alerts take a second. It is for a Lab that has evaluated nothing yet and
// ends at the first rule that fails; Options.Skip and Options.Failed are not
// asked, and queries in templates see no more than what rules before the alert
// record.
//
// A rule that reads its own past is evaluated step by step, unless neither an
// empty past nor the whole one would change what it records. A recording that
// reads the future (a negative offset, @), what a rule after it records, or what
// a group with a larger query_offset has not recorded yet, has no meaning here,
// because all of it would be there already or not yet; it is left out, with every
// recording that depends on it, and named in left. An alert that depends on one
// is an error.
func (l *Lab) Rehearse(ctx context.Context, from, to time.Time) (left []string, err error) {
	order := l.rulesInOrder()
	var unknown []*rule
	for i, r := range order {
		first := l.firstAtOrAfter(r.group.Interval, from)
		if !first.Before(to) {
			continue
		}
		in := inputsOf(r.Expr)
		if in.future || slices.ContainsFunc(unknown, in.readsRule) || slices.ContainsFunc(order[i+1:], in.readsRule) || slices.ContainsFunc(order[:i], in.aheadOf(r)) {
			if r.IsAlert {
				return left, fmt.Errorf("%s: group %s: alert %s reads what only a step by step evaluation gives; use Run", r.group.File, r.group.Name, r.Name)
			}
			left, unknown = append(left, r.Name), append(unknown, r)
			continue
		}
		if err := r.rehearse(ctx, in, first, to); err != nil {
			return left, fmt.Errorf("%s: group %s: rule %s: %w", r.group.File, r.group.Name, r.Name, err)
		}
	}
	slices.SortStableFunc(l.history, func(a, b *Firing) int { return a.FiredAt.Compare(b.FiredAt) })
	return left, nil
}

// rehearse evaluates one rule at all its times. What one query over all of them
// refuses may be right at each of them, and an error may belong to one: such a
// rule is evaluated step by step.
func (r *rule) rehearse(ctx context.Context, in inputs, first, to time.Time) error {
	last := to.Add(-1)
	var err error
	switch itself := in.reads(r.Rule); {
	case r.IsAlert && itself, !r.IsAlert && r.group.Limit > 0:
		return r.step(ctx, first, to)
	case r.IsAlert:
		err = r.rehearseAlert(ctx, first, last)
	case itself:
		err = r.rehearseItself(ctx, first, to)
	default:
		err = r.backfill(ctx, first, last)
	}
	if _, refused := errors.AsType[refusedError](err); refused && ctx.Err() == nil {
		return r.step(ctx, first, to)
	}
	return err
}

// refusedError is why a rule could not be evaluated over a span at once. Nothing
// was recorded.
type refusedError struct{ error }

func (e refusedError) Unwrap() error { return e.error }

func (l *Lab) rulesInOrder() []*rule {
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

// rehearseItself evaluates a rule that reads its own past.
func (r *rule) rehearseItself(ctx context.Context, first, to time.Time) error {
	from, until := first.Add(-r.group.QueryOffset), to.Add(-1-r.group.QueryOffset)
	without, err := r.spansOf(ctx, r.lab.store, from, until)
	if err != nil {
		return err
	}
	// An evaluation does not see what it is about to record. In one query it
	// would; a past that comes a moment later shows what difference that makes.
	for _, late := range []int64{0, 1} {
		past := metricstore.New()
		for _, s := range without {
			if err := r.writeSpan(past, s.later(late), until.UnixMilli()+late); err != nil {
				return err
			}
		}
		with, err := r.spansOf(ctx, both(r.lab.store, past), from, until)
		if err != nil {
			return err
		}
		if !slices.EqualFunc(without, with, sameSpan) {
			return r.step(ctx, first, to)
		}
	}
	return r.backfill(ctx, first, to.Add(-1))
}

// spansOf is what the rule would record from a store.
func (r *rule) spansOf(ctx context.Context, of storage.Queryable, from, until time.Time) ([]span, error) {
	matrix, _, err := r.lab.queryRange(ctx, of, r.Expr, from, until, r.group.Interval)
	if err != nil {
		return nil, refusedError{err}
	}
	return r.spans(matrix)
}

// later is the span some milliseconds later.
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

// both reads two stores as one.
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

// rehearseAlert turns the result of one range query into what each evaluation
// would have found.
func (r *rule) rehearseAlert(ctx context.Context, first, last time.Time) error {
	offset, step := r.group.QueryOffset, r.group.Interval
	matrix, used, err := r.lab.queryRange(ctx, r.lab.store, r.Expr, first.Add(-offset), last.Add(-offset), step)
	if err != nil {
		return refusedError{err}
	}
	evaluations := int(last.Sub(first)/step) + 1
	r.cost = r.cost.plusMany(used, evaluations)
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

// vectorAt takes the samples of one time from series that are read forward.
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

// cursor is how far a series was read.
type cursor struct{ float, histogram int }

// inputs are the series that an expression reads.
type inputs struct {
	selectors []input
	future    bool
}

// input is one selector and how far it looks back at least.
type input struct {
	matchers []*labels.Matcher
	offset   time.Duration
}

// reads says whether a rule may record what the expression reads.
func (in inputs) reads(r Rule) bool {
	return slices.ContainsFunc(in.selectors, func(i input) bool { return i.reads(r) })
}

func (in inputs) readsRule(r *rule) bool { return in.reads(r.Rule) }

// aheadOf says whether rules of other groups, to which the inputs of a reader
// belong, record later than the reader looks.
func (in inputs) aheadOf(reader *rule) func(*rule) bool {
	return func(r *rule) bool {
		return slices.ContainsFunc(in.selectors, func(i input) bool {
			return i.reads(r.Rule) && reader.group.QueryOffset+i.offset < r.group.QueryOffset
		})
	}
}

// reads says whether neither the name that a rule writes nor the labels that it
// sets speak against the selector.
func (i input) reads(r Rule) bool {
	if r.IsAlert { // its other labels are templates
		return i.accepts(model.MetricNameLabel, alertsSeries, forStateSeries) && i.accepts(labels.AlertName, r.Name)
	}
	if !i.accepts(model.MetricNameLabel, r.Name) {
		return false
	}
	return !slices.ContainsFunc(i.matchers, func(m *labels.Matcher) bool {
		return m.Name != model.MetricNameLabel && r.Labels.Has(m.Name) && !m.Matches(r.Labels.Get(m.Name))
	})
}

// accepts says whether all matchers of a label accept one of its values.
func (i input) accepts(label string, values ...string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		return !slices.ContainsFunc(i.matchers, func(m *labels.Matcher) bool { return m.Name == label && !m.Matches(value) })
	})
}

// inputsOf reads an expression that has been parsed before: rulefmt did.
func inputsOf(expr string) inputs {
	var in inputs
	tree, err := newParser().ParseExpr(expr)
	if err != nil {
		return inputs{selectors: []input{{}}} // anything
	}
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		if q, ok := node.(*parser.SubqueryExpr); ok {
			in.future = in.future || q.Timestamp != nil || q.StartOrEnd != 0
		}
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		back := s.OriginalOffset
		for _, outer := range path {
			if q, ok := outer.(*parser.SubqueryExpr); ok {
				back += q.OriginalOffset
			}
		}
		in.future = in.future || back < 0 || s.Timestamp != nil || s.StartOrEnd != 0
		in.selectors = append(in.selectors, input{s.LabelMatchers, back})
		return nil
	})
	return in
}

// Inputs are the names of the given rules and of all that they are made of: every
// rule whose series they read, directly or through others.
func Inputs(groups []Group, names ...string) map[string]bool {
	out := map[string]bool{}
	for _, name := range names {
		out[name] = true
	}
	var all []Rule
	for _, g := range groups {
		all = append(all, g.Rules...)
	}
	for grown := true; grown; {
		grown = false
		for _, r := range all {
			if !out[r.Name] {
				continue
			}
			in := inputsOf(r.Expr)
			for _, other := range all {
				if !out[other.Name] && in.reads(other) {
					out[other.Name], grown = true, true
				}
			}
		}
	}
	return out
}
