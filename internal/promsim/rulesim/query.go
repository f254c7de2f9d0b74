package rulesim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// Over returns an evaluator without rules for queries of another source.
func (l *Evaluator) Over(source storage.Queryable) *Evaluator {
	return &Evaluator{store: l.store, queried: source, engine: l.engine, options: l.options, url: l.url}
}

// Query evaluates an expression at one time. A scalar becomes a vector of one sample without labels.
func (l *Evaluator) Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	v, used, err := l.query(ctx, expr, at)
	l.read.Add(used.samples)
	return v, err
}

// QueryRange evaluates an expression at each step of the closed interval [from, to]. The step must be at least 1 ms,
// the engine's resolution.
func (l *Evaluator) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) (promql.Matrix, error) {
	switch {
	case step < time.Millisecond:
		return nil, fmt.Errorf("%s: the step of a range query is %s; it needs at least 1ms", expr, step)
	case to.Before(from):
		return nil, fmt.Errorf("%s: the range ends at %s, before it begins at %s", expr, to.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339))
	}
	return l.queryRange(ctx, l.queried, expr, from, to, step)
}

func (l *Evaluator) queryRange(ctx context.Context, of storage.Queryable, expr string, from, to time.Time, step time.Duration) (promql.Matrix, error) {
	q, err := l.engine.NewRangeQuery(ctx, of, nil, expr, from, to, step)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, l.explain(expr, res.Err)
	}
	l.read.Add(q.Stats().Samples.TotalSamples)
	found, err := res.Matrix()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	return ownedMatrix(found), nil
}

// ownedMatrix copies memory that the engine reuses after a query is closed.
func ownedMatrix(m promql.Matrix) promql.Matrix {
	out := make(promql.Matrix, len(m))
	for i, s := range m {
		out[i] = promql.Series{Metric: s.Metric, Floats: slices.Clone(s.Floats), Histograms: slices.Clone(s.Histograms)}
	}
	return out
}

// reading is what one query read.
type reading struct {
	samples int64
	peak    int
}

func (l *Evaluator) query(ctx context.Context, expr string, at time.Time) (promql.Vector, reading, error) {
	q, err := l.engine.NewInstantQuery(ctx, l.queried, nil, expr, at)
	if err != nil {
		return nil, reading{}, fmt.Errorf("%s: %w", expr, err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, reading{}, l.explain(expr, res.Err)
	}
	used := reading{q.Stats().Samples.TotalSamples, q.Stats().Samples.PeakSamples}
	switch v := res.Value.(type) {
	case promql.Vector:
		return slices.Clone(v), used, nil // the engine reuses its memory
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}, used, nil
	default:
		return nil, used, fmt.Errorf("%s gives a %s; an instant vector or a scalar is needed", expr, v.Type())
	}
}

// explain adds advice to the error of a query that exceeded a limit.
func (l *Evaluator) explain(expr string, err error) error {
	if _, ok := errors.AsType[promql.ErrTooManySamples](err); ok {
		return fmt.Errorf("%s: holds more than %d samples at once: %w; shorten its windows, select fewer series, or record a part of it", expr, l.options.MaxSamples, err)
	}
	if _, ok := errors.AsType[promql.ErrQueryTimeout](err); ok {
		return fmt.Errorf("%s: takes longer than %s: %w; shorten its windows, select fewer series, or record a part of it", expr, l.options.QueryTimeout, err)
	}
	return fmt.Errorf("%s: %w", expr, err)
}
