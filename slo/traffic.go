package slo

import (
	"maps"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// Flow is a series that events of an objective increase, for simulated traffic.
type Flow struct {
	Series map[string]string // labels, including __name__
	Good   bool              // good events increase it
	Bad    bool              // bad events increase it
}

// Flows returns series that an objective counts, with additional labels. It returns nil if
// the objective is unknown, or if it finds no series that the selectors match.
func (r Rules) Flows(objective string, labels map[string]string) []Flow {
	scope := newScope(r.Spec)
	for _, o := range r.Spec.SLOs {
		if o.Name != objective {
			continue
		}
		var out []Flow
		for _, f := range scope.events(o).flows() {
			text, ok := f.selector.example(labels)
			if !ok {
				return nil
			}
			metric, err := parser.NewParser(parser.Options{}).ParseMetric(text)
			if err != nil {
				return nil
			}
			out = append(out, Flow{Series: metric.Map(), Good: f.good, Bad: f.bad})
		}
		return out
	}
	return nil
}

// Presence returns the series of a running instance, with additional labels.
func (r Rules) Presence(labels map[string]string) map[string]string {
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec)}
	out := maps.Clone(labels)
	for _, m := range c.presence().matchers {
		out[m.Name] = m.Value
	}
	out[model.MetricNameLabel] = c.presence().metric
	return out
}
