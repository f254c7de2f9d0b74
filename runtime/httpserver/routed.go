package httpserver

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// routed sums the metrics of all known routes, so that rules for the whole service cost the same
// for any number of routes. It sums during a scrape; requests do no extra work.
type routed struct {
	table     *routeTable
	requests  *prometheus.Desc
	durations *prometheus.Desc // nil for native histograms, which have no buckets to add
	bounds    []float64
}

func newRouted(table *routeTable, bounds []float64, native bool) *routed {
	c := &routed{table: table, bounds: bounds, requests: prometheus.NewDesc(semconv.HTTPServerRoutedRequests,
		"Completed requests on all known routes, by outcome.", []string{semconv.LabelOutcome}, nil)}
	if !native {
		c.durations = prometheus.NewDesc(semconv.HTTPServerRoutedRequestDuration,
			"Request duration on all known routes, without streams.", []string{semconv.LabelOutcome}, nil)
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *routed) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.requests
	if c.durations != nil {
		ch <- c.durations
	}
}

// Collect sends a counter for each outcome and a histogram for each outcome that has one. The
// histogram of successes always exists.
func (c *routed) Collect(ch chan<- prometheus.Metric) {
	outcomes := semconv.Outcomes()
	counts := make([]float64, len(outcomes))
	sums := map[string]*histogramSum{semconv.OutcomeSuccess: c.zero()}
	// Routes above the limit of labels share their series.
	counted, added := map[prometheus.Counter]bool{}, map[prometheus.Observer]bool{}
	for key, s := range *c.table.routes.Load() {
		if key.route == semconv.RouteUnmatched {
			continue
		}
		for i, counter := range s.counters {
			if !counted[counter] {
				counted[counter] = true
				counts[i] += read(counter).GetCounter().GetValue()
			}
		}
		for _, d := range *s.durations.Load() {
			if added[d.observer] {
				continue
			}
			added[d.observer] = true
			if sums[d.outcome] == nil {
				sums[d.outcome] = c.zero()
			}
			sums[d.outcome].add(read(d.observer.(prometheus.Metric)).GetHistogram())
		}
	}
	for i, outcome := range outcomes {
		ch <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, counts[i], outcome)
	}
	if c.durations == nil {
		return
	}
	for outcome, sum := range sums {
		ch <- sum.metric(c.durations, outcome)
	}
}

// histogramSum is the sum of histograms with the same bounds.
type histogramSum struct {
	count     uint64
	sum       float64
	buckets   map[float64]uint64        // cumulative, by upper bound without +Inf
	exemplars map[float64]*dto.Exemplar // the newest of each bucket
}

// zero returns the sum of no histograms.
func (c *routed) zero() *histogramSum {
	s := &histogramSum{buckets: make(map[float64]uint64, len(c.bounds)), exemplars: map[float64]*dto.Exemplar{}}
	for _, bound := range c.bounds {
		s.buckets[bound] = 0
	}
	return s
}

func (s *histogramSum) add(h *dto.Histogram) {
	s.count += h.GetSampleCount()
	s.sum += h.GetSampleSum()
	for _, b := range h.GetBucket() {
		bound := b.GetUpperBound()
		if !math.IsInf(bound, 1) { // which is there only if it has an exemplar
			s.buckets[bound] += b.GetCumulativeCount()
		}
		if e := b.GetExemplar(); e != nil && e.GetTimestamp().AsTime().After(s.exemplars[bound].GetTimestamp().AsTime()) {
			s.exemplars[bound] = e
		}
	}
}

func (s *histogramSum) metric(desc *prometheus.Desc, outcome string) prometheus.Metric {
	m := prometheus.MustNewConstHistogram(desc, s.count, s.sum, s.buckets, outcome)
	var exemplars []prometheus.Exemplar
	for _, e := range s.exemplars {
		labels := prometheus.Labels{}
		for _, pair := range e.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		exemplars = append(exemplars, prometheus.Exemplar{Value: e.GetValue(), Labels: labels, Timestamp: e.GetTimestamp().AsTime()})
	}
	if len(exemplars) == 0 {
		return m
	}
	return prometheus.MustNewMetricWithExemplars(m, exemplars...)
}

func read(m prometheus.Metric) *dto.Metric {
	var out dto.Metric
	_ = m.Write(&out) // metrics of this package do not fail
	return &out
}
