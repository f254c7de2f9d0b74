package httpclient

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// undeclaredHosts is how many hosts get a series when none was declared.
const undeclaredHosts = 16

// metrics are the client's series. The hosts bound them.
type metrics struct {
	duration   *prometheus.HistogramVec
	retries    *prometheus.CounterVec
	suppressed *prometheus.CounterVec
	overflow   prometheus.Counter
	open       *prometheus.GaugeVec
	rejected   *prometheus.CounterVec
	hedges     *prometheus.CounterVec

	config Config
	mu     sync.Mutex
	hosts  map[string]peer // by label value
	room   int             // hosts that may still be added
}

func newMetrics(reg *telemetry.Registry, cfg Config, hosts []string) (*metrics, error) {
	m := &metrics{hosts: map[string]peer{}, config: cfg}
	var err error
	if m.duration, err = reg.Histogram(semconv.HTTPClientRequestDuration, "Time of one attempt of an outgoing request, to the end of the response body.",
		semconv.DurationBuckets(), semconv.LabelMethod, semconv.LabelServerAddress, semconv.LabelStatus, semconv.LabelErrorType); err != nil {
		return nil, err
	}
	if m.retries, err = reg.Counter(semconv.HTTPClientRetries, "Attempts of outgoing requests after the first.", semconv.LabelServerAddress); err != nil {
		return nil, err
	}
	if m.suppressed, err = reg.Counter(semconv.HTTPClientRetriesSuppressed, "Retries of outgoing requests that the budget did not allow.", semconv.LabelServerAddress); err != nil {
		return nil, err
	}
	if m.open, err = reg.Gauge(semconv.HTTPClientBreakerOpen, "1 while calls to a host are refused because too many failed.", semconv.LabelServerAddress); err != nil {
		return nil, err
	}
	if m.rejected, err = reg.Counter(semconv.HTTPClientBreakerRejected, "Calls that were refused because too many to the host had failed.", semconv.LabelServerAddress); err != nil {
		return nil, err
	}
	if m.hedges, err = reg.Counter(semconv.HTTPClientHedges, "Attempts that were sent because the one before was not answered yet.", semconv.LabelServerAddress); err != nil {
		return nil, err
	}
	overflow, err := reg.Counter(semconv.RuntimeCardinalityOverflow, "Observations that went into an overflow series because a label had too many values.",
		semconv.LabelMetric, semconv.LabelLabel)
	if err != nil {
		return nil, err
	}
	m.overflow = overflow.WithLabelValues(semconv.HTTPClientRequestDuration, semconv.LabelServerAddress)
	for _, h := range hosts {
		m.add(strings.ToLower(h))
	}
	m.add(semconv.OverflowValue)
	if len(hosts) == 0 {
		m.room = undeclaredHosts
	}
	return m, nil
}

// add gives a host its series, at zero: a counter that is born with its first
// failure hides it from rate.
func (m *metrics) add(host string) {
	p := peer{label: host, budget: newBudget()}
	m.retries.WithLabelValues(host)
	m.suppressed.WithLabelValues(host)
	m.hedges.WithLabelValues(host)
	open, rejected := m.open.WithLabelValues(host), m.rejected.WithLabelValues(host)
	if host != semconv.OverflowValue { // hosts that have nothing in common must not pay for each other
		p.breaker = newBreaker(m.config, open, rejected)
	}
	m.hosts[host] = p
}

// peer is a host as the metrics know it.
type peer struct {
	label   string
	budget  *budget
	breaker *breaker // nil refuses nothing
}

// peer finds the series of a host, or the one that all others share.
func (m *metrics) peer(host string) peer {
	host = strings.ToLower(host)
	m.mu.Lock()
	defer m.mu.Unlock()
	p, known := m.hosts[host]
	if !known && m.room > 0 {
		m.room--
		m.add(host)
		p, known = m.hosts[host], true
	}
	if !known {
		return m.hosts[semconv.OverflowValue]
	}
	return p
}

// observe records one attempt. The exemplar leads from a slow bucket to a trace.
func (m *metrics) observe(sc trace.SpanContext, took time.Duration, method, host, status, errorType string) {
	if host == semconv.OverflowValue {
		m.overflow.Inc()
	}
	o := m.duration.WithLabelValues(method, host, status, errorType)
	if e, ok := o.(prometheus.ExemplarObserver); ok && sc.IsSampled() {
		e.ObserveWithExemplar(took.Seconds(), prometheus.Labels{semconv.ExemplarTraceID: sc.TraceID().String()})
		return
	}
	o.Observe(took.Seconds())
}

// methodLabel keeps invented methods out of the label.
func methodLabel(method string) string {
	known := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"}
	if slices.Contains(known, method) {
		return method
	}
	return semconv.MethodOther
}
