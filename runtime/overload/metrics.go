package overload

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// shedCounters are counters of rejections by priority and reason, indexed without hashing.
type shedCounters [priorities][reasons]prometheus.Counter

func declareShed(reg *telemetry.Registry, name, help string) (shedCounters, error) {
	var shed shedCounters
	vec, err := reg.Counter(name, help, semconv.LabelPriority, semconv.LabelReason)
	if err != nil {
		return shed, err
	}
	for p := Sheddable; p <= Critical; p++ {
		for r := ReasonLimit; r <= ReasonBodies; r++ {
			shed[p.index()][r.index()] = vec.WithLabelValues(p.String(), r.Label())
		}
	}
	return shed, nil
}

// declareGauges registers the gauges of the limiter. They are computed during a scrape.
func (l *Limiter) declareGauges(reg *telemetry.Registry) error {
	for _, g := range []struct {
		name, help string
		read       func() float64
	}{
		{semconv.RuntimeOverloadLimit, "Limit of requests in flight.", func() float64 { return float64(int(l.rule.limit)) }},
		{semconv.RuntimeOverloadInFlight, "Requests in flight.", func() float64 { return float64(l.inFlight) }},
		{semconv.RuntimeOverloadQueued, "Requests in the queue.", func() float64 { return float64(l.queue.length) }},
		{semconv.RuntimeOverloadAtMinLimit, "1 while the limit is at its minimum, else 0.", l.atMinLimit},
	} {
		read := func() float64 {
			l.mu.Lock()
			defer l.mu.Unlock()
			return g.read()
		}
		if err := reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, read)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Limiter) atMinLimit() float64 {
	if l.config.Mode == ModeEnforce && int(l.rule.limit) <= l.config.MinLimit && l.config.MinLimit < l.config.InitialLimit {
		return 1
	}
	return 0
}
