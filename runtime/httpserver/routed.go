package httpserver

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// routed collects what all known routes have counted together, so that rules for the
// service as a whole cost the same for any number of routes. It adds up when it is
// scraped: a request pays nothing for it.
type routed struct {
	table     *routeTable
	requests  *prometheus.Desc
	durations *prometheus.Desc // nil: histograms are native and have no buckets to add
	bounds    []float64
}

func newRouted(table *routeTable, bounds []float64, native bool) *routed {
	c := &routed{table: table, bounds: bounds, requests: prometheus.NewDesc(semconv.HTTPServerRoutedRequests,
		"Requests on known routes, by what they mean to availability: the sum over all routes.", []string{semconv.LabelOutcome}, nil)}
	if !native {
		c.durations = prometheus.NewDesc(semconv.HTTPServerRoutedRequestDuration,
			"Request duration on known routes, without streams.", []string{semconv.LabelOutcome}, nil)
	}
	return c
}

// Describe sends the descriptions of what is collected.
func (c *routed) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.requests
	if c.durations != nil {
		ch <- c.durations
	}
}

// Collect sends one counter for each outcome, and a histogram for each that has
// one; that of successes exists from the start.
func (c *routed) Collect(ch chan<- prometheus.Metric) {
	outcomes := semconv.Outcomes()
	counts := make([]float64, len(outcomes))
	histograms := map[string]*dto.Histogram{semconv.OutcomeSuccess: {}}
	added := map[prometheus.Observer]bool{} // routes may share one
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

// buckets has every bound, also where nothing was observed yet.
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
	_ = m.Write(&out) // metrics of this package cannot fail
	return &out
}

// sum adds two histograms of the same bounds, of which the first may be nil or empty.
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
