package rulesim

import (
	"context"
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// partPrefix starts the names by which stored results are selected. The series keep their own labels and
// name.
const partPrefix = "rulesim:part:"

func selectorOf(name string) *parser.VectorSelector {
	return &parser.VectorSelector{Name: name, LabelMatchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, name)}}
}

// partial is a store combined with results of queries.
type partial struct {
	storage.Queryable

	parts map[string]promql.Matrix
	// step is the distance between samples of a result. A series has no value at a step without a sample; 0
	// leaves gaps to the look-back, as for windows.
	step int64
}

// Querier implements storage.Queryable.
func (p partial) Querier(from, to int64) (storage.Querier, error) {
	q, err := p.Queryable.Querier(from, to)
	return partialQuerier{q, p}, err
}

type partialQuerier struct {
	storage.Querier

	of partial
}

func (q partialQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	for _, m := range ms {
		if m.Name != model.MetricNameLabel || m.Type != labels.MatchEqual {
			continue
		}
		if matrix, ok := q.of.parts[m.Value]; ok {
			return &results{matrix: matrix, step: q.of.step}
		}
	}
	return q.Querier.Select(ctx, sorted, hints, ms...)
}

// results implements storage.SeriesSet.
type results struct {
	matrix promql.Matrix
	step   int64
	read   int
}

func (r *results) Next() bool                      { r.read++; return r.read <= len(r.matrix) }
func (*results) Err() error                        { return nil }
func (*results) Warnings() annotations.Annotations { return nil }

func (r *results) At() storage.Series {
	s := r.matrix[r.read-1]
	if r.step > 0 {
		s.Floats = ended(s.Floats, r.step)
	}
	return promql.NewStorageSeries(s)
}

// ended puts a stale marker after each sample that has no successor one step later.
func ended(points []promql.FPoint, step int64) []promql.FPoint {
	out := make([]promql.FPoint, 0, len(points)+1)
	for i, p := range points {
		out = append(out, p)
		if next := p.T + step; i+1 == len(points) || points[i+1].T > next {
			out = append(out, promql.FPoint{T: next, F: math.Float64frombits(value.StaleNaN)})
		}
	}
	return out
}
