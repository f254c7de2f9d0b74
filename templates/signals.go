package templates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Signals is what a service declares: the answer of its telemetry command, and
// the list that rules and boards are checked against.
type Signals struct {
	Service string   `json:"service"`
	Routes  []string `json:"routes"` // as "GET /v1/orders/{id}", sorted
	Metrics []Metric `json:"metrics"`
}

// Metric is one declared metric.
type Metric struct {
	Name   string    `json:"name"`
	Type   string    `json:"type"` // counter, gauge, histogram
	Unit   string    `json:"unit,omitempty"`
	Help   string    `json:"help"`
	Labels []string  `json:"labels"`           // sorted
	Bounds []float64 `json:"bounds,omitempty"` // of a classic histogram, without +Inf
	// Values are those of labels on a scraped page. Labels with many values are missing.
	Values map[string][]string `json:"-"`
	// NoSeries is true for a metric that a page declares and has no series of: its labels
	// and bounds are not known.
	NoSeries bool `json:"-"`
}

// ParseSignals reads what a service printed.
func ParseSignals(name string, src []byte) (Signals, error) {
	if !userfile.Marked(src, "metrics:", "routes:") {
		return Signals{}, fmt.Errorf("%s: not declared signals: it has neither metrics nor routes; print it again with the service's telemetry command", name)
	}
	var s Signals
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return Signals{}, fmt.Errorf("%s: %w; print it again with the service's telemetry command", name, err)
	}
	return s, nil
}

// JSON is the form in which a service prints its signals.
func (s Signals) JSON() ([]byte, error) { return indented(s) }

// Find returns the metric of that name.
func (s Signals) Find(name string) (Metric, bool) {
	i := slices.IndexFunc(s.Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return s.Metrics[i], true
}

// signals are those of a service as it was generated: the recorded ones with
// this service's name, routes and latency bounds.
func (v view) signals() (Signals, error) {
	s, err := ParseSignals("recorded signals", v.recorded.signals)
	if err != nil {
		return Signals{}, err
	}
	s.Service = v.Name
	all := "/v1/" + string(v.Many())
	s.Routes = []string{
		"DELETE " + all + "/{id}", "GET /openapi.json", "GET " + all, "GET " + all + "/{id}", "POST " + all, "PUT " + all + "/{id}",
	}
	slices.Sort(s.Routes)
	native := v.Telemetry.Histograms == "native"
	s.Metrics = slices.DeleteFunc(s.Metrics, func(m Metric) bool { return native && m.Name == semconv.HTTPServerRoutedRequestDuration })
	for i, m := range s.Metrics {
		if m.Name == semconv.HTTPServerRequestDuration || m.Name == semconv.HTTPServerRoutedRequestDuration {
			s.Metrics[i].Bounds = append(semconv.DurationBuckets(), v.thresholds()...)
			slices.Sort(s.Metrics[i].Bounds)
			s.Metrics[i].Bounds = slices.Compact(s.Metrics[i].Bounds)
		}
		if native {
			s.Metrics[i].Bounds = nil
		}
	}
	return s, nil
}
