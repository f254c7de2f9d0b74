package httpserver

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	// byRoute reports whether durations are recorded by route.
	byRoute bool
	streams *prometheus.HistogramVec
	panics  *prometheus.CounterVec
	cut     *prometheus.CounterVec

	active         atomic.Int64 // requests in flight
	connections    atomic.Int64 // open
	maxConnections atomic.Int64 // 0 before Listen
}

// slow counts a client that was too slow.
func (m *metrics) slow(reason string) { m.cut.WithLabelValues(reason).Inc() }

// streamBounds are the bounds of the stream histogram in seconds, from 1 s to a working day.
func streamBounds() []float64 { return []float64{1, 10, 60, 300, 900, 3600, 14400, 28800} }

func newMetrics(r *telemetry.Registry, extra []float64, histograms string) (*metrics, error) {
	m := &metrics{byRoute: histograms == HistogramsByRoute}
	var errs [8]error
	m.requests, errs[0] = r.Counter(semconv.HTTPServerRequests,
		"Completed requests by outcome.",
		semconv.LabelMethod, semconv.LabelRoute, semconv.LabelOutcome)
	m.durations, errs[1] = m.newDurations(r, bounds(extra))
	m.streams, errs[2] = r.Histogram(semconv.HTTPServerStreamDuration,
		"Duration of event streams and upgraded connections.", streamBounds(), semconv.LabelRoute)
	m.panics, errs[3] = r.Counter(semconv.HTTPServerPanics,
		"Handlers that panicked.", semconv.LabelRoute)
	errs[4] = r.Register(gauge(semconv.HTTPServerActiveRequests, "Requests in flight.", &m.active))
	m.cut, errs[5] = r.Counter(semconv.HTTPServerSlowClients,
		"Requests ended because the client was too slow.", semconv.LabelReason)
	errs[6] = r.Register(gauge(semconv.HTTPServerOpenConnections, "Open connections.", &m.connections))
	errs[7] = r.Register(gauge(semconv.HTTPServerOpenConnectionsMax, "Maximum number of open connections.", &m.maxConnections))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	for _, reason := range []string{semconv.SlowRequestBody, semconv.SlowResponse} {
		m.cut.WithLabelValues(reason)
	}
	return m, nil
}

func (m *metrics) newDurations(r *telemetry.Registry, bounds []float64) (*prometheus.HistogramVec, error) {
	names := []string{semconv.LabelMethod, semconv.LabelRoute, semconv.LabelStatus, semconv.LabelOutcome}
	switch {
	case m.byRoute:
		return r.Histogram(semconv.HTTPServerRequestDuration, "Request duration, without streams.", bounds, names...)
	case r.Histograms() == telemetry.Native:
		return nil, fmt.Errorf("HTTP_HISTOGRAMS=%s needs classic histograms, but this service has native ones; set it to %s", HistogramsByService, HistogramsByRoute)
	}
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: semconv.HTTPServerRequestDuration, Buckets: bounds}, names), nil
}

// duration returns the histogram of a kind of response. Without byRoute, all known routes share
// it.
func (m *metrics) duration(key routeKey, status int, outcome string) prometheus.Observer {
	if !m.byRoute && key.route != semconv.RouteUnmatched {
		return m.durations.WithLabelValues("", "", "", outcome)
	}
	return m.durations.WithLabelValues(key.method, key.route, strconv.Itoa(status), outcome)
}

func gauge(name, help string, n *atomic.Int64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(n.Load()) })
}

// exemplarInterval is the minimum time between two exemplars of one series. A scrape reads at
// most one exemplar per bucket, and scrapes are seconds apart.
const exemplarInterval = 100 * time.Millisecond

// throttle allows one event per interval.
type throttle struct{ last atomic.Int64 }

func (t *throttle) take(now time.Time, interval time.Duration) bool {
	last, n := t.last.Load(), now.UnixNano()
	return n-last >= int64(interval) && t.last.CompareAndSwap(last, n)
}
