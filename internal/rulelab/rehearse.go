package rulelab

import (
	"context"
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
// of alerts take a second. Options.Skip is not asked.
//
// A rule that reads its own past is evaluated step by step, unless neither an
// empty past nor the whole one would change what it records. A recording that
// reads the future (a negative offset), or what a rule after it records, has no
// meaning here, because all of it would be there already or not yet; it is left
// out, with every recording that depends on it, and named in left. An alert that
// depends on one is an error.
func (l *Lab) Rehearse(ctx context.Context, from, to time.Time) (left []string, err error) {
	order := l.rulesInOrder()
	var unknown []Rule
	for i, r := range order {
		first := l.firstAtOrAfter(r.group.Interval, from)
		if !first.Before(to) {
			continue
		}
		in := inputsOf(r.Expr)
		later := func(after *rule) bool { return in.reads(after.Rule) }
		if in.future || slices.ContainsFunc(unknown, in.reads) || slices.ContainsFunc(order[i+1:], later) {
			if r.IsAlert {
				return left, fmt.Errorf("%s: group %s: alert %s reads what only a step by step evaluation gives; use Run", r.group.File, r.group.Name, r.Name)
			}
			left, unknown = append(left, r.Name), append(unknown, r.Rule)
			continue
		}
		last := to.Add(-1)
		switch {
		case r.IsAlert:
			err = r.rehearseAlert(ctx, first, last)
		case in.reads(r.Rule):
			err = r.rehearseItself(ctx, first, to)
		default:
			err = r.backfill(ctx, first, last)
		}
		if err != nil {
			return left, fmt.Errorf("%s: group %s: rule %s: %w", r.group.File, r.group.Name, r.Name, err)
		}
	}
	slices.SortStableFunc(l.history, func(a, b *Firing) int { return a.FiredAt.Compare(b.FiredAt) })
	return left, nil
}

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
	without, _, err := r.lab.queryRange(ctx, r.lab.store, r.Expr, from, until, r.group.Interval)
	if err != nil {
		return err
	}
	past := metricstore.New()
	spans := r.spans(without)
	for _, s := range spans {
		if err := r.writeSpan(past, s, until.UnixMilli()); err != nil {
			return err
		}
	}
	with, _, err := r.lab.queryRange(ctx, both(r.lab.store, past), r.Expr, from, until, r.group.Interval)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(spans, r.spans(with), sameSpan) {
		return r.step(ctx, first, to)
	}
	return r.backfill(ctx, first, to.Add(-1))
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
		return err
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
	selectors [][]*labels.Matcher
	future    bool
}

// reads says whether a rule may record what the expression reads: its name and
// the labels that it sets do not speak against it.
func (in inputs) reads(r Rule) bool {
	if r.IsAlert {
		return false
	}
	return slices.ContainsFunc(in.selectors, func(ms []*labels.Matcher) bool {
		return !slices.ContainsFunc(ms, func(m *labels.Matcher) bool {
			if m.Name == model.MetricNameLabel {
				return !m.Matches(r.Name)
			}
			set := r.Labels.Has(m.Name)
			return set && !m.Matches(r.Labels.Get(m.Name))
		})
	})
}

// inputsOf reads an expression that has been parsed before: rulefmt did.
func inputsOf(expr string) inputs {
	var in inputs
	tree, err := newParser().ParseExpr(expr)
	if err != nil {
		return inputs{selectors: [][]*labels.Matcher{nil}} // anything
	}
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.SubqueryExpr:
			in.future = in.future || n.OriginalOffset < 0
		case *parser.VectorSelector:
			in.future = in.future || n.OriginalOffset < 0
			in.selectors = append(in.selectors, n.LabelMatchers)
		}
		return nil
	})
	return in
}

// Inputs are the names of the given rules and of all that they are made of: every
// recording whose result they read, directly or through others.
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
