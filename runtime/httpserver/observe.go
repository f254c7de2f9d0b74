package httpserver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// observe writes metrics, span and access line from the same data.
func (x *requestState) observe(s *series, e ending, took time.Duration) {
	s.counter(e.outcome).Inc()
	streaming := x.recorder.streams
	if streaming {
		x.observer.metrics.streams.WithLabelValues(s.key.route).Observe(took.Seconds())
	} else {
		x.observeDuration(s.duration(e.status, e.outcome), took)
	}
	slowAfter := x.observer.opts.SlowAfter
	slow := slowAfter > 0 && took > slowAfter && !streaming
	notable := slow || e.outcome == semconv.OutcomeServerError || e.outcome == semconv.OutcomeShed
	x.endSpan(s, e, took, notable)
	x.logAccess(s, e, took, notable)
}

func (x *requestState) observeDuration(d *duration, took time.Duration) {
	if x.ids.flags.IsSampled() && d.exemplars.take(x.started.Add(took), exemplarInterval) {
		d.exemplar.ObserveWithExemplar(took.Seconds(), prometheus.Labels{semconv.ExemplarTraceID: x.ids.traceID.String()})
		return
	}
	d.observer.Observe(took.Seconds())
}
