// Package declared has the routes and metrics that a service declares. The service's telemetry
// command prints them, and scaffold checks rules, dashboards and objectives against them.
package declared

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
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
	var b bytes.Buffer
	b.WriteString("{\n  \"service\": ")
	errService := encodeLine(&b, s.Service)
	b.WriteString(",\n  \"routes\": [")
	errRoutes := encodeLines(&b, s.Routes)
	b.WriteString("\n  ],\n  \"metrics\": [")
	errMetrics := encodeLines(&b, s.Metrics)
	b.WriteString("\n  ]\n}\n")
	return b.Bytes(), errors.Join(errService, errRoutes, errMetrics)
}

func encodeLines[T any](b *bytes.Buffer, items []T) error {
	var errs []error
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		errs = append(errs, encodeLine(b, item))
	}
	return errors.Join(errs...)
}

// encodeLine keeps <, > and & readable, unlike [json.Marshal].
func encodeLine(b *bytes.Buffer, item any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(item)
	b.Truncate(len(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
	return err
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
