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

// userID is the user that the image runs as, without a name in it; distroless
// images call the same one nonroot.
const userID = 65532

// UserID is the user and the group of the process in its container.
func (view) UserID() int { return userID }

// PushesMetrics says whether the service pushes its metrics, so that nobody
// scrapes it.
func (v view) PushesMetrics() bool { return v.Telemetry.Metrics == slo.MetricsPush }

// NativeHistograms says whether a scraper has to read native histograms.
func (v view) NativeHistograms() bool { return v.Telemetry.Histograms != string(dashboards.Classic) }

// ClassicHistograms says whether a scraper has to read classic histograms.
func (v view) ClassicHistograms() bool { return v.Telemetry.Histograms != string(dashboards.Native) }

// ScalesByKEDA says whether KEDA makes the autoscaler.
func (v view) ScalesByKEDA() bool { return v.Deploy.Autoscale.Source == spec.SourceKEDA }

// ScalesByAdapter says whether the autoscaler may ask for the service's own
// metrics.
func (v view) ScalesByAdapter() bool { return v.Deploy.Autoscale.Source == spec.SourceAdapter }

// ActiveRequests is the metric of requests in flight.
func (view) ActiveRequests() string { return semconv.HTTPServerActiveRequests }

// InFlightQuery is the sum of the requests in flight in the environment, in all
// of them when it is empty.
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

// MonitoringLabels are those by which the operator selects.
func (v view) MonitoringLabels() []slo.Label { return sortedLabels(v.Deploy.Monitoring.Labels) }

// SelectorLabels are those by which rules and dashboards find the service.
func (v view) SelectorLabels() []slo.Label { return sortedLabels(v.Telemetry.Selector) }

func sortedLabels(labels map[string]string) []slo.Label {
	var list []slo.Label
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, slo.Label{Name: name, Value: labels[name]})
	}
	return list
}

// CPU is the requested CPU as YAML: a bare 1.5 would be a number.
func (v view) CPU() string {
	cpu := v.Deploy.Resources.CPU
	if strings.HasSuffix(cpu, "m") {
		return cpu
	}
	return strconv.Quote(cpu)
}

// Seconds is a duration in whole seconds, as Kubernetes reads it.
func (view) Seconds(d time.Duration) int { return int(d / time.Second) }

// DurationText is a duration in the notation that Go, Prometheus and its operator
// share.
func (view) DurationText(d time.Duration) string { return model.Duration(d).String() }

// GraceArithmetic says what the grace period is made of.
func (v view) GraceArithmetic() string {
	g := v.Deploy.Grace
	text := fmt.Sprintf("preStop %s + drain %s + stop %s + flush %s + margin %s",
		v.DurationText(g.PreStop), v.DurationText(g.Drain), v.DurationText(g.Stop), v.DurationText(g.Flush), v.DurationText(g.Margin))
	if g.Period == g.Parts() {
		return text + " (deploy.grace)."
	}
	return fmt.Sprintf("At least %s: %s (deploy.grace).", v.DurationText(g.Parts()), text)
}

// Dashboards are the names of the dashboards.
func (v view) Dashboards() ([]string, error) {
	rules, err := slo.Compile(v.SLO())
	if err != nil {
		return nil, err
	}
	in, err := DashboardInput(v.Service, rules)
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

// scaleCommand starts more processes. It moves the autoscaler's lower bound, to
// twice what it is: a number of replicas would be undone within seconds.
func (v view) scaleCommand(namespace string) string {
	kind, key := "hpa", "minReplicas"
	if v.ScalesByKEDA() {
		kind, key = "scaledobject", "minReplicaCount"
	}
	more := min(2*v.Deploy.Replicas.Min, v.Deploy.Replicas.Max)
	return fmt.Sprintf(`kubectl -n %s patch %s/%s --type merge --patch '{"spec":{"%s":%d}}'`, namespace, kind, v.Name, key, more)
}
