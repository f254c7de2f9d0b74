// Package queryapi runs the queries of dashboards on a store in memory, as the HTTP API of Prometheus would.
package queryapi

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	promqlsource "github.com/observability-first/scaffold/internal/source/promql"
)

// Store has series and exemplars, as a [metricstore.Store] does.
type Store interface {
	storage.Queryable
	Exemplars(from, to int64, matchers ...[]*labels.Matcher) []exemplar.QueryResult
}

// Prometheus is a store with the rules that are evaluated over it.
type Prometheus struct {
	Store Store
	Rules *rulesim.Evaluator

	mutex sync.Mutex // of Rules, which serves one query at a time
}

// Query runs a query of Prometheus. It is a [render.Source].
func (p *Prometheus) Query(ctx context.Context, q render.Query) (render.Result, error) {
	if q.Store != render.Prometheus {
		return render.Result{}, fmt.Errorf("%s: %w", q.Store, render.ErrNoStore)
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch q.Kind {
	case render.Range:
		from, to := q.AlignedRange()
		found, err := p.Rules.QueryRange(ctx, q.Expr, from, to, q.Step)
		return render.Result{Series: matrix(found)}, err
	case render.Instant:
		found, err := p.Rules.Query(ctx, q.Expr, q.To)
		return render.Result{Series: vector(found)}, err
	case render.Values:
		values, err := p.values(ctx, q)
		return render.Result{Values: values}, err
	case render.Exemplars:
		found, err := p.exemplars(q)
		return render.Result{Exemplars: found}, err
	case render.Alerts:
		return render.Result{Alerts: p.alerts()}, nil
	}
	return render.Result{}, fmt.Errorf("%s has no %s", q.Store, q.Kind)
}

func matrix(m promql.Matrix) model.Matrix {
	out := make(model.Matrix, 0, len(m))
	for _, s := range m {
		stream := &model.SampleStream{Metric: metric(s.Metric)}
		for _, f := range s.Floats {
			stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.Time(f.T), Value: model.SampleValue(f.F)})
		}
		for _, h := range s.Histograms {
			stream.Histograms = append(stream.Histograms, model.SampleHistogramPair{Timestamp: model.Time(h.T), Histogram: buckets(h.H)})
		}
		out = append(out, stream)
	}
	return out
}

func vector(v promql.Vector) model.Matrix {
	out := make(model.Matrix, 0, len(v))
	for _, s := range v {
		if s.H == nil {
			out = append(out, &model.SampleStream{Metric: metric(s.Metric), Values: []model.SamplePair{{Timestamp: model.Time(s.T), Value: model.SampleValue(s.F)}}})
		}
	}
	return out
}

func metric(l labels.Labels) model.Metric {
	out := model.Metric{}
	l.Range(func(one labels.Label) { out[model.LabelName(one.Name)] = model.LabelValue(one.Value) })
	return out
}

func buckets(h *histogram.FloatHistogram) *model.SampleHistogram {
	out := &model.SampleHistogram{Count: model.FloatString(h.Count), Sum: model.FloatString(h.Sum)}
	for it := h.AllBucketIterator(); it.Next(); {
		if b := it.At(); b.Count != 0 {
			out.Buckets = append(out.Buckets, &model.HistogramBucket{Lower: model.FloatString(b.Lower), Upper: model.FloatString(b.Upper), Count: model.FloatString(b.Count)})
		}
	}
	return out
}

// values returns the values of a label within the time range.
func (p *Prometheus) values(ctx context.Context, q render.Query) ([]string, error) {
	var matchers []*labels.Matcher
	if strings.TrimSpace(q.Expr) != "" {
		tree, err := promqlsource.Parse(q.Expr)
		if err != nil {
			return nil, err
		}
		selector, ok := tree.(*parser.VectorSelector)
		if !ok {
			return nil, fmt.Errorf("%s is not a selector of series, which label_values takes", q.Expr)
		}
		matchers = selector.LabelMatchers
	}
	querier, err := p.Store.Querier(q.From.UnixMilli(), q.To.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = querier.Close() }() // a reader of memory
	values, _, err := querier.LabelValues(ctx, q.Label, &storage.LabelHints{}, matchers...)
	return values, err
}

// exemplars returns those of the series that the expression selects.
func (p *Prometheus) exemplars(q render.Query) ([]render.Exemplar, error) {
	tree, err := promqlsource.Parse(q.Expr)
	if err != nil {
		return nil, err
	}
	var selectors [][]*labels.Matcher
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			selectors = append(selectors, s.LabelMatchers)
		}
		return nil
	})
	var out []render.Exemplar
	for _, series := range p.Store.Exemplars(q.From.UnixMilli(), q.To.UnixMilli(), selectors...) {
		for _, e := range series.Exemplars {
			one := render.Exemplar{Time: time.UnixMilli(e.Ts).UTC(), Value: e.Value, Labels: map[string]string{}}
			e.Labels.Range(func(l labels.Label) { one.Labels[l.Name] = l.Value })
			if !math.IsNaN(e.Value) && !math.IsInf(e.Value, 0) { // JSON has neither
				out = append(out, one)
			}
		}
	}
	return out, nil
}

func (p *Prometheus) alerts() []render.Alert {
	var out []render.Alert
	for _, a := range p.Rules.Alerts() {
		one := render.Alert{Name: a.Name, State: "pending", Since: a.ActiveAt, Labels: map[string]string{}}
		if a.Firing {
			one.State = "firing"
		}
		a.Labels.Range(func(l labels.Label) { one.Labels[l.Name] = l.Value })
		out = append(out, one)
	}
	return out
}
