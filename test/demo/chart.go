package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// scrape is the metrics of one scrape.
type scrape map[string]*dto.MetricFamily

func (d *demo) scrape(ctx context.Context) (scrape, error) {
	_, body, err := get(ctx, d.service.admin+"/metrics")
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(bytes.NewReader(body))
}

// row is the requests of a route between two scrapes.
type row struct {
	route            string
	requests, errors float64
	buckets          map[float64]float64 // cumulative, by upper bound
}

func (d *demo) chart(before, after scrape, took time.Duration) error {
	rows := map[string]*row{}
	add := func(s scrape, sign float64) {
		for _, m := range s[semconv.HTTPServerRequests].GetMetric() {
			r := rowOf(rows, m)
			r.requests += sign * m.GetCounter().GetValue()
			if label(m, semconv.LabelOutcome) != semconv.OutcomeSuccess {
				r.errors += sign * m.GetCounter().GetValue()
			}
		}
		for _, m := range s[semconv.HTTPServerRequestDuration].GetMetric() {
			r := rowOf(rows, m)
			for _, b := range m.GetHistogram().GetBucket() {
				r.buckets[b.GetUpperBound()] += sign * float64(b.GetCumulativeCount())
			}
		}
	}
	add(before, -1)
	add(after, 1)
	busiest := 0.0
	var list []*row
	for _, r := range rows {
		if r.requests > 0 {
			list = append(list, r)
			busiest = max(busiest, r.requests)
		}
	}
	if len(list) == 0 {
		return fmt.Errorf("the service counted no requests within %s", took)
	}
	slices.SortFunc(list, func(a, b *row) int { return cmp.Compare(b.requests, a.requests) })
	d.sayf("  %-26s %-24s %8s %8s %9s", "route", "", "req/s", "4xx/5xx", "p99")
	for _, r := range list {
		bar := strings.Repeat("█", int(math.Ceil(24*r.requests/busiest)))
		d.sayf("  %-26s %-24s %8.1f %7.1f%% %7.1fms", r.route, bar, r.requests/took.Seconds(), 100*r.errors/r.requests, 1000*quantile(0.99, r.buckets))
	}
	return nil
}

func rowOf(rows map[string]*row, m *dto.Metric) *row {
	name := label(m, semconv.LabelMethod) + " " + label(m, semconv.LabelRoute)
	if rows[name] == nil {
		rows[name] = &row{route: name, buckets: map[float64]float64{}}
	}
	return rows[name]
}

func label(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// quantile interpolates within a bucket, as PromQL's histogram_quantile does.
func quantile(q float64, cumulative map[float64]float64) float64 {
	bounds := make([]float64, 0, len(cumulative))
	for b := range cumulative {
		bounds = append(bounds, b)
	}
	slices.Sort(bounds)
	if len(bounds) == 0 {
		return math.NaN()
	}
	rank := q * cumulative[bounds[len(bounds)-1]]
	low, below := 0.0, 0.0
	for _, b := range bounds {
		if cumulative[b] >= rank {
			if math.IsInf(b, 1) || cumulative[b] == below {
				return low
			}
			return low + (b-low)*(rank-below)/(cumulative[b]-below)
		}
		low, below = b, cumulative[b]
	}
	return low
}
