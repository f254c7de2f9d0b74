package templates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// ParseSignals parses the output of the telemetry command.
func ParseSignals(name string, src []byte) (declared.Signals, error) {
	if !userfile.Marked(src, "metrics:", "routes:") {
		return declared.Signals{}, fmt.Errorf("%s: not declared signals: it has neither metrics nor routes; print it again with the service's telemetry command", name)
	}
	var s declared.Signals
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return declared.Signals{}, fmt.Errorf("%s: %w; print it again with the service's telemetry command", name, err)
	}
	seen := map[string]bool{}
	for _, m := range s.Metrics {
		if !model.LegacyValidation.IsValidMetricName(m.Name) || seen[m.Name] {
			return declared.Signals{}, fmt.Errorf("%s: metric %q is not valid or occurs twice; print it again with the service's telemetry command", name, m.Name)
		}
		seen[m.Name] = true
	}
	return s, nil
}

// signals returns the signals of a new service: the recorded ones with the name, routes and
// latency bounds of this service.
func (v view) signals() declared.Signals {
	s := v.recorded.signals
	s.Service, s.Metrics = v.Name, slices.Clone(s.Metrics)
	s.Routes = slices.Clone(s.Routes)
	for i, route := range s.Routes {
		s.Routes[i] = strings.ReplaceAll(route, RecordedPlural, v.Plural)
	}
	slices.Sort(s.Routes)
	native := v.Telemetry.Histograms == "native"
	s.Metrics = slices.DeleteFunc(s.Metrics, func(m declared.Metric) bool { return native && m.Name == semconv.HTTPServerRoutedRequestDuration })
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
	return s
}

// customMetrics returns the metrics that a new service does not have, without those in the user's own dashboards.
func (v view) customMetrics() ([]declared.Metric, error) {
	if len(v.Signals) == 0 {
		return nil, nil
	}
	now, err := ParseSignals("observability/telemetry.json", v.Signals)
	if err != nil {
		return nil, err
	}
	before := v.signals()
	return slices.DeleteFunc(now.Metrics, func(m declared.Metric) bool {
		_, standard := before.Find(m.Name)
		return standard || slices.ContainsFunc([]string{"", "_bucket", "_sum", "_count"}, func(suffix string) bool {
			return slices.Contains(v.Own.Metrics, m.Name+suffix)
		})
	}), nil
}
