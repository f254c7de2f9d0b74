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

// undeclaredHosts is the number of hosts with a series if none is declared.
const undeclaredHosts = 16

type metrics struct {
	duration   prometheus.ObserverVec
	retries    *prometheus.CounterVec
	suppressed *prometheus.CounterVec
	overflow   prometheus.Counter
	open       *prometheus.GaugeVec
	rejected   *prometheus.CounterVec
	hedges     *prometheus.CounterVec

	config Config
	mu     sync.Mutex
	hosts  map[string]peer // by label value
	room   int             // number of hosts that may be added
}

// newMetrics registers the metrics. All series have the name of the upstream, which is empty for a client of any server.
func newMetrics(reg *telemetry.Registry, cfg Config, name string, hosts []string) (*metrics, error) {
	m := &metrics{hosts: map[string]peer{}, config: cfg}
	of := prometheus.Labels{semconv.LabelPeerName: name}
	counter := func(metric, help string) (*prometheus.CounterVec, error) {
		vec, err := reg.Counter(metric, help, semconv.LabelPeerName, semconv.LabelServerAddress)
		if err != nil {
			return nil, err
		}
		return vec.CurryWith(of)
	}
	duration, err := reg.Histogram(semconv.HTTPClientRequestDuration, "Duration of an attempt of an outgoing request, until the end of the response body.",
		semconv.DurationBuckets(), semconv.LabelPeerName, semconv.LabelMethod, semconv.LabelServerAddress, semconv.LabelStatus, semconv.LabelErrorType)
	if err != nil {
		return nil, err
	}
	if m.duration, err = duration.CurryWith(of); err != nil {
		return nil, err
	}
	open, err := reg.Gauge(semconv.HTTPClientBreakerOpen, "1 while the circuit breaker rejects calls to a host.", semconv.LabelPeerName, semconv.LabelServerAddress)
	if err != nil {
		return nil, err
	}
	if m.open, err = open.CurryWith(of); err != nil {
		return nil, err
	}
	if m.retries, err = counter(semconv.HTTPClientRetries, "Attempts of outgoing requests after the first."); err != nil {
		return nil, err
	}
	if m.suppressed, err = counter(semconv.HTTPClientRetriesSuppressed, "Retries of outgoing requests that the budget did not allow."); err != nil {
		return nil, err
	}
	if m.rejected, err = counter(semconv.HTTPClientBreakerRejected, "Calls that an open circuit breaker rejected."); err != nil {
		return nil, err
	}
	if m.hedges, err = counter(semconv.HTTPClientHedges, "Attempts sent because the previous one had no response yet."); err != nil {
		return nil, err
	}
	overflow, err := reg.Counter(semconv.RuntimeCardinalityOverflow, "Observations in an overflow series, because a label exceeded its limit of values.",
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

// add initializes the series of a host to zero: a counter that first appears with a value hides
// it from rate.
func (m *metrics) add(host string) {
	p := peer{label: host, budget: newBudget()}
	m.retries.WithLabelValues(host)
	m.suppressed.WithLabelValues(host)
	m.hedges.WithLabelValues(host)
	open, rejected := m.open.WithLabelValues(host), m.rejected.WithLabelValues(host)
	if host != semconv.OverflowValue { // unrelated hosts must not share a breaker
		p.breaker = newBreaker(m.config, open, rejected)
	}
	m.hosts[host] = p
}

// peer has the metrics, budget and breaker of a host.
type peer struct {
	label   string
	budget  *budget
	breaker *breaker // nil rejects nothing
	// impatient reports whether the caller of this request waits for less time than the client would.
	impatient bool
}

// peer returns the peer of a host, or the one that all other hosts share.
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

// observe records an attempt, with an exemplar of its trace.
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

// methodLabel returns the label value of a method. Unknown methods share one.
func methodLabel(method string) string {
	known := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"}
	if slices.Contains(known, method) {
		return method
	}
	return semconv.MethodOther
}
