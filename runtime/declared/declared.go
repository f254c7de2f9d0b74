// Package declared has the routes and metrics that a service declares. The service's telemetry
// command prints them, and scaffold checks rules, dashboards and objectives against them.
package declared

import "slices"

// Signals are the declarations of a service: the output of `orders telemetry`. The JSON form is
// public.
type Signals struct {
	Service string   `json:"service"`
	Routes  []string `json:"routes"`  // such as "GET /v1/orders/{id}", sorted
	Metrics []Metric `json:"metrics"` // sorted by name
}

// Metric is a metric that rules and dashboards may query.
type Metric struct {
	Name   string    `json:"name"`
	Type   Type      `json:"type"`
	Unit   string    `json:"unit,omitempty"` // seconds, bytes, ...; empty for counts
	Help   string    `json:"help"`
	Labels []string  `json:"labels"`           // sorted
	Bounds []float64 `json:"bounds,omitempty"` // upper bounds of a classic histogram, without +Inf
}

// Type is the type of a metric in the spelling of the exposition format.
type Type string

// The types of metrics.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
	Summary   Type = "summary"
	Untyped   Type = "untyped"
)

// Find returns the metric with the given name.
func (s Signals) Find(name string) (Metric, bool) {
	i := slices.IndexFunc(s.Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return s.Metrics[i], true
}
