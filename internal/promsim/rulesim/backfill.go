package rulesim

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// backfill records a rule over a span with one range query.
func (r *rule) backfill(ctx context.Context, first, last time.Time) error {
	until := last.Add(-r.group.QueryOffset)
	spans, err := r.spansOf(ctx, r.ev.store, first.Add(-r.group.QueryOffset), until)
	if err != nil {
		return err
	}
	return r.writeSpans(spans, until)
}

// writeSpans appends what the rule recorded up to until.
func (r *rule) writeSpans(spans []span, until time.Time) error {
	for _, s := range spans {
		if r.wrote != nil && len(s) > 0 {
			r.wrote[s[0].Metric.Hash()] = s[0].Metric
		}
		if err := r.writeSpan(r.ev.store, s, until.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// piece is the time range of one query. At each step the engine visits every series that exists anywhere in
// the query, even one that exists for an hour in weeks.
const piece = 3 * time.Hour

// overSpan evaluates the rule at each of its times between from and until, inclusive.
func (r *rule) overSpan(ctx context.Context, of storage.Queryable, from, until time.Time) (promql.Matrix, error) {
	query := func(from, until time.Time) (promql.Matrix, error) {
		return r.ev.queryRange(ctx, of, r.Expr, from, until, r.group.Interval)
	}
	if s := r.ev.sharing; s != nil && of == storage.Queryable(r.ev.store) {
		expr := s.takeOut(r.Expr)
		query = func(from, until time.Time) (promql.Matrix, error) {
			return s.queryRange(ctx, expr, from, until, r.group.Interval)
		}
	}
	if guard := r.guard(); guard != "" {
		whole := query
		query = func(from, until time.Time) (promql.Matrix, error) {
			if m, err := r.ev.queryRange(ctx, of, guard, from, until, r.group.Interval); err != nil || len(m) == 0 {
				return nil, err
			}
			return whole(from, until)
		}
	}
	return r.repeated(r.ev.options.Repeats, from, until, func(from, until time.Time) (promql.Matrix, error) {
		return r.inPieces(from, until, query)
	})
}

// inPieces evaluates a span with one query for each piece.
func (r *rule) inPieces(from, until time.Time, query func(from, until time.Time) (promql.Matrix, error)) (promql.Matrix, error) {
	step := r.group.Interval
	length := max(piece, 4*r.in.window()).Truncate(step) // at least four windows, to limit repeated reads
	var all []promql.Matrix
	for ; !from.After(until); from = from.Add(length) {
		end := from.Add(length - step)
		if end.After(until) {
			end = until
		}
		part, err := query(from, end)
		if err != nil {
			return nil, refusedError{err}
		}
		all = append(all, part)
	}
	return joined(all...), nil
}

// span is one recorded series, ordered by time.
type span []promql.Sample

// spans gives the series their recorded labels. Results that differ only in the metric name, at different
// times, become one recording.
func (r *rule) spans(matrix promql.Matrix) ([]span, error) {
	index := map[uint64]int{}
	var out []span
	for _, s := range matrix {
		l := r.recordedAs(s.Metric)
		i, seen := index[l.Hash()]
		if !seen {
			i = len(out)
			index[l.Hash()] = i
			out = append(out, make(span, 0, len(s.Floats)+len(s.Histograms)))
		}
		for _, p := range s.Floats {
			out[i] = append(out[i], promql.Sample{Metric: l, T: p.T, F: p.F})
		}
		for _, p := range s.Histograms {
			out[i] = append(out[i], promql.Sample{Metric: l, T: p.T, H: p.H})
		}
		byTime := func(a, b promql.Sample) int { return cmp.Compare(a.T, b.T) }
		if !slices.IsSortedFunc(out[i], byTime) {
			slices.SortStableFunc(out[i], byTime)
		}
	}
	return out, r.checkSpans(out)
}

// checkSpans returns the errors that step-by-step evaluation would return.
func (r *rule) checkSpans(spans []span) error {
	at := map[int64]int{}
	for _, s := range spans {
		for i, p := range s {
			if i > 0 && s[i-1].T == p.T {
				return refusedError{errSameLabels}
			}
			if r.group.Limit == 0 {
				continue
			}
			at[p.T]++
			if err := r.withinLimit(at[p.T]); err != nil {
				return refusedError{err}
			}
		}
	}
	return nil
}

// writeSpan appends one series, with a stale marker where an evaluation did not return it.
func (r *rule) writeSpan(to *metricstore.Store, s span, last int64) error {
	step := r.group.Interval.Milliseconds()
	for i, p := range s {
		if err := record(to, p, p.T); err != nil {
			return err
		}
		next := p.T + step
		if next > last || i+1 < len(s) && s[i+1].T == next {
			continue
		}
		if err := end(to, p.Metric, next); err != nil {
			return err
		}
	}
	return nil
}
