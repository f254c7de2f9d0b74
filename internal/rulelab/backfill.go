package rulelab

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"github.com/observability-first/scaffold/internal/metricstore"
)

// Backfill records the rules of a Lab over a span in one range query each, from
// from, included, to to, excluded: hundreds of times faster than [Lab.Run] and
// equal to it for recordings that read neither their own past, nor the future,
// nor rules after them. Alerts are left out, and Options.Skip is not asked;
// choose the rules with Options.Only.
func (l *Lab) Backfill(ctx context.Context, from, to time.Time) error {
	for _, g := range l.groups {
		first := l.firstAtOrAfter(g.Interval, from)
		if !first.Before(to) {
			continue
		}
		for _, r := range g.rules {
			if r.IsAlert {
				continue
			}
			if err := r.backfill(ctx, first, to.Add(-1)); err != nil {
				return fmt.Errorf("%s: group %s: rule %s: %w", g.File, g.Name, r.Name, err)
			}
		}
	}
	return nil
}

func (r *rule) backfill(ctx context.Context, first, last time.Time) error {
	offset := r.group.QueryOffset
	matrix, used, err := r.lab.queryRange(ctx, r.lab.store, r.Expr, first.Add(-offset), last.Add(-offset), r.group.Interval)
	if err != nil {
		return err
	}
	r.cost = r.cost.plusMany(used, int(last.Sub(first)/r.group.Interval)+1)
	for _, s := range r.spans(matrix) {
		if err := r.writeSpan(r.lab.store, s, last.Add(-offset).UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// spans gives the series their recorded labels. Two results of a union differ in
// no more than the metric's name, at different times: they are one recording.
func (r *rule) spans(matrix promql.Matrix) []promql.Series {
	index := map[uint64]int{}
	var out []promql.Series
	for _, s := range matrix {
		s.Metric = r.recordedAs(s.Metric)
		i, seen := index[s.Metric.Hash()]
		if !seen {
			index[s.Metric.Hash()] = len(out)
			out = append(out, s)
			continue
		}
		out[i].Floats = append(out[i].Floats, s.Floats...)
		slices.SortStableFunc(out[i].Floats, func(a, b promql.FPoint) int { return cmp.Compare(a.T, b.T) })
	}
	return out
}

// QueryRange evaluates an expression at each step of a span, both ends included.
func (l *Lab) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) (promql.Matrix, error) {
	m, _, err := l.queryRange(ctx, l.store, expr, from, to, step)
	return m, err
}

// queryRange evaluates an expression at each step of a span. A scalar becomes a
// series without labels.
func (l *Lab) queryRange(ctx context.Context, from storage.Queryable, expr string, first, last time.Time, step time.Duration) (promql.Matrix, reading, error) {
	q, err := l.engine.NewRangeQuery(ctx, from, nil, expr, first, last, step)
	if err != nil {
		return nil, reading{}, fmt.Errorf("%s: %w", expr, err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, reading{}, fmt.Errorf("%s: %w", expr, res.Err)
	}
	matrix, err := res.Matrix()
	if err != nil {
		return nil, reading{}, fmt.Errorf("%s: %w", expr, err)
	}
	out := make(promql.Matrix, len(matrix))
	for i, s := range matrix { // the engine reuses its own
		out[i] = promql.Series{Metric: s.Metric, Floats: slices.Clone(s.Floats), Histograms: slices.Clone(s.Histograms)}
	}
	return out, reading{q.Stats().Samples.TotalSamples, q.Stats().Samples.PeakSamples}, nil
}

// writeSpan appends one series, with a stale marker where an evaluation did not
// return it.
func (r *rule) writeSpan(to *metricstore.Store, s promql.Series, last int64) error {
	l, step := s.Metric, r.group.Interval.Milliseconds()
	for i, p := range s.Floats {
		if err := to.Append(l, p.T, p.F); err != nil {
			return fmt.Errorf("record: %w", err)
		}
		next := p.T + step
		if next > last || i+1 < len(s.Floats) && s.Floats[i+1].T == next {
			continue
		}
		if err := to.Append(l, next, math.Float64frombits(value.StaleNaN)); err != nil {
			return fmt.Errorf("end a series: %w", err)
		}
	}
	return nil
}
