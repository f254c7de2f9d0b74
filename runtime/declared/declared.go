// Package declared has the routes and metrics that a service declares. A service prints them with
// its telemetry command; scaffold checks rules, dashboards and objectives against them.
package declared

import "slices"

// Signals is what one service declares: the output of `orders telemetry`. The form in JSON is public.
type Signals struct {
	Service string   `json:"service"`
	Routes  []string `json:"routes"`  // as "GET /v1/orders/{id}", sorted
	Metrics []Metric `json:"metrics"` // sorted by name
}

// Metric is one metric that rules and dashboards may query.
type Metric struct {
	Name   string    `json:"name"`
	Type   Type      `json:"type"`
	Unit   string    `json:"unit,omitempty"` // seconds, bytes, ...; empty for plain counts
	Help   string    `json:"help"`
	Labels []string  `json:"labels"`           // sorted
	Bounds []float64 `json:"bounds,omitempty"` // upper bounds of a classic histogram, without +Inf
}

// Type is the kind of a metric, as the exposition format spells it.
type Type string

// The kinds of metric that a service may declare.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
	Summary   Type = "summary"
	Untyped   Type = "untyped"
)

// Find returns the metric of that name.
func (s Signals) Find(name string) (Metric, bool) {
	i := slices.IndexFunc(s.Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return s.Metrics[i], true
}
