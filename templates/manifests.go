package templates

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/spec"
)

// userID is the numeric user of the image; distroless images call it nonroot.
const userID = 65532

// UserID returns the user and group of the process in its container.
func (view) UserID() int { return userID }

// PushesMetrics reports whether the service pushes its metrics instead of being scraped.
func (v view) PushesMetrics() bool { return v.Telemetry.Metrics == slo.MetricsPush }

// NativeHistograms reports whether a scraper must read native histograms.
func (v view) NativeHistograms() bool { return v.Telemetry.Histograms != string(dashboards.Classic) }

// ClassicHistograms reports whether a scraper must read classic histograms.
func (v view) ClassicHistograms() bool { return v.Telemetry.Histograms != string(dashboards.Native) }

// ScalesByKEDA reports whether KEDA creates the autoscaler.
func (v view) ScalesByKEDA() bool { return v.Deploy.Autoscale.Source == spec.SourceKEDA }

// ScalesByAdapter reports whether the autoscaler can use the service's own metrics.
func (v view) ScalesByAdapter() bool { return v.Deploy.Autoscale.Source == spec.SourceAdapter }

// ActiveRequests is the metric of requests in flight.
func (view) ActiveRequests() string { return semconv.HTTPServerActiveRequests }

// InFlightQuery returns the query for the requests in flight in the environment, or in all of
// them if it is empty.
func (v view) InFlightQuery(environment string) string {
	matchers := maps.Clone(v.Telemetry.Selector)
	if environment != "" {
		matchers[v.Telemetry.EnvironmentLabel] = environment
	}
	var list []string
	for _, l := range sortedLabels(matchers) {
		list = append(list, l.Name+"="+strconv.Quote(l.Value))
	}
	return "sum(" + semconv.HTTPServerActiveRequests + "{" + strings.Join(list, ",") + "})"
}

// MonitoringLabels returns the labels that the Prometheus operator selects by.
func (v view) MonitoringLabels() []slo.Label { return sortedLabels(v.Deploy.Monitoring.Labels) }

// SelectorLabels returns the labels by which rules and dashboards select the service.
func (v view) SelectorLabels() []slo.Label { return sortedLabels(v.Telemetry.Selector) }

func sortedLabels(labels map[string]string) []slo.Label {
	var list []slo.Label
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, slo.Label{Name: name, Value: labels[name]})
	}
	return list
}

// CPU returns the requested CPU as YAML: a bare 1.5 would be a number.
func (v view) CPU() string {
	cpu := v.Deploy.Resources.CPU
	if strings.HasSuffix(cpu, "m") {
		return cpu
	}
	return strconv.Quote(cpu)
}

// Seconds returns a duration in whole seconds, for Kubernetes.
func (view) Seconds(d time.Duration) int { return int(d / time.Second) }

// DurationText returns a duration in the notation of Go, Prometheus and its operator.
func (view) DurationText(d time.Duration) string { return model.Duration(d).String() }

// GraceArithmetic explains the grace period as a sum.
func (v view) GraceArithmetic() string {
	g := v.Deploy.Grace
	text := fmt.Sprintf("preStop %s + drain %s + stop %s + flush %s + margin %s",
		v.DurationText(g.PreStop), v.DurationText(g.Drain), v.DurationText(g.Stop), v.DurationText(g.Flush), v.DurationText(g.Margin))
	if g.Period == g.Parts() {
		return text + " (deploy.grace)."
	}
	return fmt.Sprintf("At least %s: %s (deploy.grace).", v.DurationText(g.Parts()), text)
}

// Dashboards returns the names of the dashboards.
func (v view) Dashboards() ([]string, error) {
	rules, err := slo.Compile(v.SLO())
	if err != nil {
		return nil, err
	}
	in, err := v.dashboardInput(rules)
	if err != nil {
		return nil, err
	}
	compiled, err := dashboards.Compile(in)
	var names []string
	for _, d := range compiled {
		names = append(names, d.Name())
	}
	return names, err
}
