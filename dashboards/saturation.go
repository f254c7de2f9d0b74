package dashboards

import (
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Scaling is the target of the autoscaler. Zero values are not drawn.
type Scaling struct {
	CPU      float64 // cores per instance, on average
	InFlight float64 // requests in flight per instance, on average
}

// saturation shows whether there is room for more traffic, and what runs out first.
func saturation(s Scope) Dashboard {
	return New(s, dashboardSaturation, "Resources", "Utilization of the instances, and what room the autoscaler has left.",
		s.utilizationRow(), s.autoscalerRow(), s.instanceUtilizationRow())
}

// utilization is a limited resource of each instance.
type utilization struct {
	name, empty string // name of the resource, and until when there is no data
	used, limit Expr   // of each instance
}

func (u utilization) byInstance() Expr {
	return "(" + u.used + ") / on (" + semconv.LabelInstance + ") (" + u.limit + ")"
}

// held is the memory that GOMEMLIMIT bounds.
func (s Scope) held() Expr {
	return "(" + s.Metric(goMemTotal).Expr() + " - " + s.Metric(goMemReleased).Expr() + ")"
}

// memoryLimit is GOMEMLIMIT, without a value if it is not set.
func (s Scope) memoryLimit() Expr { return "(" + s.Metric(goMemLimit).Expr() + " < " + noLimit + ")" }

func (s Scope) utilizations() []utilization {
	out := []utilization{
		{"CPU", "", s.Metric(processCPU).Rate(), s.Metric(goMaxProcs).Expr()},
		{"memory", untilLimit, s.held(), s.memoryLimit()},
		{"concurrency", "", s.Metric(semconv.RuntimeOverloadInFlight).Expr(), s.Metric(semconv.RuntimeOverloadLimit).Expr()},
		// The maximum is 0 for an instance that does not listen.
		{"HTTP connections", "", s.Metric(semconv.HTTPServerOpenConnections).Expr(), "(" + s.Metric(semconv.HTTPServerOpenConnectionsMax).Expr() + " > 0)"},
		{"file descriptors", "", s.Metric(processOpenFDs).Expr(), s.Metric(processMaxFDs).Expr()},
	}
	if s.in.HasPostgres {
		out = append(out, utilization{"database connections", "",
			s.Metric(semconv.DBClientConnectionCount, Is(semconv.LabelPoolState, semconv.ConnectionStateInUse)).Expr().Sum(semconv.LabelInstance),
			s.Metric(semconv.DBClientConnectionMax).Expr().Sum(semconv.LabelInstance)})
	}
	return out
}

func (s Scope) utilizationRow() Row {
	highest := Panel{Title: "Highest utilization", Kind: BarGauge, Unit: Share, Max: 1, Thresholds: []Threshold{{0.7, Warning}, {0.9, Failing}}}
	for _, one := range s.utilizations() {
		if one.empty == "" {
			highest.Targets = append(highest.Targets, Target{Expr: one.byInstance().Max(), Legend: one.name, Instant: true})
		}
	}
	highest = highest.says("Highest utilization of each resource on any instance; memory is below, if GOMEMLIMIT is set.",
		"Near 100 %, add instances; for database connections only if the database has room.")
	rejected := s.Rate("Rejected requests by reason", s.Metric(semconv.RuntimeOverloadShed), PerSecond, semconv.LabelReason).
		says("Requests rejected per second to protect the others, by reason.",
			"At the maximum number of instances, raise it; below, lower the target of the autoscaler.").
		links(s.dashboard(dashboardOverview, "Overview"))
	return Row{Title: "Utilization", Height: 8, Panels: []Panel{highest, rejected.wide(2)}}
}

func (s Scope) autoscalerRow() Row {
	running := s.Metric(s.presence()).Expr()
	count := running.Sum()
	if s.presence() != semconv.Up {
		count = running.Count()
	}
	instances := Panel{Title: "Running instances", Kind: TimeSeries, Unit: Count, Line: true, Targets: []Target{{Expr: count, Legend: "running"}}}
	if most := s.spec.Replicas.Max; most > 0 {
		instances.Thresholds = []Threshold{{float64(most), Failing}}
	}
	instances = instances.says("Number of running instances; the dashed line is deploy.replicas.max.",
		"At the line, raise the maximum if the cause is traffic.")
	inFlight := Panel{
		Title: "Requests in flight per instance", Kind: TimeSeries, Unit: Count, Line: true, Thresholds: target(s.in.Scaling.InFlight),
		Targets: []Target{{Expr: s.Metric(semconv.HTTPServerActiveRequests).Expr().Sum().Over(count), Legend: "mean"}},
	}.says("Average number of requests in flight per instance; the dashed line is the autoscaler's target.",
		"If it rises without more traffic, something became slow: check latency and dependencies.").links(s.dashboard(dashboardOverview, "Overview"))
	cpu := Panel{
		Title: "CPU cores per instance", Kind: TimeSeries, Unit: Count, Line: true, Thresholds: target(s.in.Scaling.CPU),
		Targets: []Target{{Expr: s.Metric(processCPU).Rate().Sum().Over(count), Legend: "mean"}},
	}.says("Average CPU cores used per instance; the dashed line is the autoscaler's target.",
		"If it stays above the line, the autoscaler is at its maximum or does not work: check it, and the CPU flame graph.").links(s.flameGraphs())
	traffic := Panel{
		Title: "Request rate per instance", Kind: TimeSeries, Unit: RequestsPerSecond,
		Targets: []Target{{Expr: s.requests().Rate().Sum().Over(count), Legend: "mean"}},
	}.says("Average requests per second per instance.",
		"A lower rate at the same CPU means that requests cost more: compare flame graphs before and after the last deployment.").
		links(s.dashboard(dashboardOverview, "Overview"))
	return Row{Title: "Autoscaling", PerLine: 2, Panels: []Panel{instances, inFlight, cpu, traffic}}
}

// target returns the line of an autoscaler target, none for 0.
func target(value float64) []Threshold {
	if value == 0 {
		return nil
	}
	return []Threshold{{value, Warning}}
}

func (s Scope) instanceUtilizationRow() Row {
	next := map[string]string{
		"CPU":                  "Near 100 %, every request waits for CPU: add instances, or find the cause in the CPU flame graph.",
		"memory":               "Near 100 %, garbage collection takes CPU and the kernel may kill the instance: check the memory row of the Go runtime dashboard.",
		"concurrency":          "At 100 %, requests queue and are then rejected: find what became slow, or add instances.",
		"HTTP connections":     "Above 75 %, connections without a request are closed after HTTP_HEADER_TIMEOUT, and at 100 % new clients wait: add instances, or raise HTTP_MAX_CONNECTIONS if there is memory.",
		"file descriptors":     "At 100 %, new connections fail; a steady rise is a leak, such as a response body that is not closed.",
		"database connections": "At 100 %, requests wait for a connection: check the connection pool on the dependencies dashboard.",
	}
	row := Row{Title: "Utilization by instance", PerLine: 2}
	for _, one := range s.utilizations() {
		row.Panels = append(row.Panels, Panel{
			Title: strings.ToUpper(one.name[:1]) + strings.TrimSuffix(one.name[1:], "s") + " utilization", Kind: TimeSeries, Unit: Share, Line: true, EmptyUntil: one.empty,
			Thresholds: []Threshold{{0.7, Warning}, {0.9, Failing}},
			Targets: []Target{{
				Expr: one.byInstance(), Legend: Legend(semconv.LabelInstance),
			}},
		}.says("Usage of each instance, relative to its limit.", next[one.name]))
	}
	return row
}
