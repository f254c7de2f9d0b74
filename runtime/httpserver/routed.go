package httpserver

import (
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
	histograms := map[string]*dto.Histogram{semconv.OutcomeSuccess: {}}
	added := map[prometheus.Observer]bool{} // routes may share a histogram
	for key, s := range *c.table.routes.Load() {
		if key.route == semconv.RouteUnmatched {
			continue
		}
		for i, counter := range s.counters {
			counts[i] += read(counter).GetCounter().GetValue()
		}
		for _, d := range *s.durations.Load() {
			if added[d.observer] {
				continue
			}
			added[d.observer] = true
			histograms[d.outcome] = sum(histograms[d.outcome], read(d.observer.(prometheus.Metric)).GetHistogram())
		}
	}
	for i, outcome := range outcomes {
		ch <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, counts[i], outcome)
	}
	if c.durations == nil {
		return
	}
	for outcome, h := range histograms {
		ch <- prometheus.MustNewConstHistogram(c.durations, h.GetSampleCount(), h.GetSampleSum(), c.buckets(h), outcome)
	}
}

// buckets returns the count of every bound, including 0.
func (c *routed) buckets(h *dto.Histogram) map[float64]uint64 {
	out := make(map[float64]uint64, len(c.bounds))
	for _, bound := range c.bounds {
		out[bound] = 0
	}
	for _, b := range h.GetBucket() {
		out[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	return out
}

func read(m prometheus.Metric) *dto.Metric {
	var out dto.Metric
	_ = m.Write(&out) // metrics of this package do not fail
	return &out
}

// sum adds h to the histogram to. Both have the same bounds; to may be nil or empty.
func sum(to, h *dto.Histogram) *dto.Histogram {
	if len(to.GetBucket()) == 0 {
		return h
	}
	*to.SampleCount += h.GetSampleCount()
	*to.SampleSum += h.GetSampleSum()
	for i, b := range h.GetBucket() {
		*to.Bucket[i].CumulativeCount += b.GetCumulativeCount()
	}
	return to
}
