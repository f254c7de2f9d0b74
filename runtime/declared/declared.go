// Package declared has the routes and metrics that a service declares. The service's telemetry
// command prints them, and scaffold checks rules, dashboards and objectives against them.
package declared

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Signals are the declarations of a service: the output of `orders telemetry`. The JSON form is
// public.
type Signals struct {
	Service string   `json:"service"`
	Routes  []string `json:"routes"`  // such as "GET /v1/orders/{id}", sorted
	Metrics []Metric `json:"metrics"` // sorted by name
}

// JSON returns the JSON form with one line for each route and metric, for small files and diffs.
func (s Signals) JSON() ([]byte, error) {
	service, errService := lines("", s.Service)
	routes, errRoutes := lines("\n    ", s.Routes...)
	metrics, errMetrics := lines("\n    ", s.Metrics...)
	return fmt.Appendf(nil, "{\n  \"service\": %s,\n  \"routes\": [%s\n  ],\n  \"metrics\": [%s\n  ]\n}\n", service, routes, metrics),
		errors.Join(errService, errRoutes, errMetrics)
}

// lines returns the items as JSON, each after the separator. Unlike [json.Marshal] it keeps <, > and &.
func lines[T any](separator string, items ...T) (string, error) {
	var all []string
	for _, item := range items {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(item); err != nil {
			return "", err
		}
		all = append(all, separator+strings.TrimSpace(b.String()))
	}
	return strings.Join(all, ","), nil
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
