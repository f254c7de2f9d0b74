package slo

import (
	"maps"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// Flow is one series that the events of an objective make grow, for whoever
// makes up traffic to try the rules on.
type Flow struct {
	Series map[string]string // labels, the metric's name among them
	Good   bool              // grows with each good event
	Bad    bool              // grows with each bad event
}

// Flows makes up the series that an objective counts, with the given labels on
// each. It returns nil for an objective that is unknown or whose selectors no
// series could be made up for.
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

// Presence is a series that says that an instance runs, with the given labels:
// what its alerts watch.
func (r Rules) Presence(labels map[string]string) map[string]string {
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec)}
	out := maps.Clone(labels)
	for _, m := range c.presence().matchers {
		out[m.Name] = m.Value
	}
	out[model.MetricNameLabel] = c.presence().metric
	return out
}
