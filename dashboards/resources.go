package dashboards

import (
	"fmt"
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Scaling is the target of the autoscaler. Zero values are not drawn.
type Scaling struct {
	CPU      float64 // cores per instance, on average
	InFlight float64 // requests in flight per instance, on average
}

// resources shows whether there is room for more traffic, and what runs out first.
func resources(s Scope) Dashboard {
	rows := []Row{s.utilizationRow(), s.autoscalerRow(), s.instanceUtilizationRow()}
	if s.presence() == semconv.Up { // the labels of a target have its pod
		rows = append(rows, s.clusterRow())
	}
	return New(s, dashboardResources, "Resources", "Utilization of the instances, and what room the autoscaler has left.", rows...)
}

// Utilization is a limited resource of each instance.
type Utilization struct {
	Resource    string // in the plural if it has one, such as database connections
	Used, Limit Expr   // by instance; of several values of an instance, the highest ratio counts
	Action      string // what to do near 100 %
	EmptyUntil  string // as in [Panel], optional
}

// complete reports whether all required fields are set.
func (u Utilization) complete() bool {
	return u.Resource != "" && u.Used != "" && u.Limit != "" && u.Action != ""
}

// byInstance is the highest utilization of each instance.
func (u Utilization) byInstance() Expr {
	return ("(" + u.Used + ") / (" + u.Limit + ")").Max(semconv.LabelInstance)
}

// goMemory is the memory that GOMEMLIMIT bounds.
func (s Scope) goMemory() Expr {
	return "(" + s.Metric(goMemTotal).Expr() + " - " + s.Metric(goMemReleased).Expr() + ")"
}

// memoryLimit is GOMEMLIMIT, without a value if it is not set.
func (s Scope) memoryLimit() Expr { return "(" + s.Metric(goMemLimit).Expr() + " < " + noLimit + ")" }

// utilizations are those of all resources, with rates over a window.
func (s Scope) utilizations(window string) []Utilization {
	out := []Utilization{
		{
			Resource: "CPU", Used: s.Metric(processCPU).RateOver(window), Limit: s.Metric(goMaxProcs).Expr(),
			Action: "Near 100 %, every request waits for CPU: add instances, or find the cause in the CPU flame graph.",
		},
		{
			Resource: "memory", Used: s.goMemory(), Limit: s.memoryLimit(), EmptyUntil: untilLimit,
			Action: "Near 100 %, garbage collection takes CPU and the kernel may kill the instance: check the memory row of the Go runtime dashboard.",
		},
		{
			Resource: "concurrency", Used: s.Metric(semconv.RuntimeOverloadInFlight).Expr(), Limit: s.Metric(semconv.RuntimeOverloadLimit).Expr(),
			Action: "At 100 %, requests queue and are then rejected: find what became slow, or add instances.",
		},
		{
			Resource: "HTTP connections", Used: s.Metric(semconv.HTTPServerOpenConnections).Expr(),
			Limit:  "(" + s.Metric(semconv.HTTPServerOpenConnectionsMax).Expr() + " > 0)", // 0 for an instance that does not listen
			Action: "Above 75 %, connections without a request are closed after HTTP_HEADER_TIMEOUT, and at 100 % new clients wait: add instances, or raise HTTP_MAX_CONNECTIONS if there is memory.",
		},
		{
			Resource: "file descriptors", Used: s.Metric(processOpenFDs).Expr(), Limit: s.Metric(processMaxFDs).Expr(),
			Action: "At 100 %, new connections fail; a steady rise is a leak, such as a response body that is not closed.",
		},
	}
	for _, d := range s.in.Dependencies {
		if d.Utilization != nil {
			out = append(out, d.Utilization(s))
		}
	}
	return out
}

// Shares of a limit from which on a resource is short.
const (
	short   = 0.7
	scarce  = 0.9
	allUsed = 1
)

// UtilizationGraph returns a graph of used divided by limit, the ten largest by labels, with the limit on the axis.
func (s Scope) UtilizationGraph(title string, utilization Expr, by ...string) Panel {
	return Panel{
		Title: title, Kind: TimeSeries, Unit: Ratio, Max: allUsed, Line: true, LegendTable: true, Thresholds: []Threshold{{short, Warning}, {scarce, Failing}},
		Targets: []Target{{Expr: utilization.TopInRange(10, by...), Legend: Legend(by...)}},
	}
}

func (s Scope) utilizationRow() Row {
	var highest []string
	for _, one := range s.utilizations(headlineWindow) {
		worst := one.byInstance().Top(1)
		highest = append(highest, fmt.Sprintf("label_replace(%s, \"resource\", %q, \"\", \"\")", worst, one.Resource))
	}
	table := Panel{
		Title: "Highest utilization (5m)", Kind: Table, SortBy: "Utilization",
		Columns: []Column{
			{Title: "Resource", Label: "resource"}, {Title: "Worst instance", Label: semconv.LabelInstance},
			{Title: "Utilization", Unit: Ratio, Decimals: 1, Thresholds: []Threshold{{short, Warning}, {scarce, Failing}}, Width: 110},
		},
		Targets: []Target{{Expr: Expr(strings.Join(highest, " or ")), Instant: true}},
	}.Describe("Highest utilization of each resource, CPU averaged over five minutes, and the instance that has it; memory only if GOMEMLIMIT is set.",
		"Near 100 %, add instances, if their dependencies have room for them.")
	rejected := s.Rate("Rejected requests by reason", s.Metric(semconv.RuntimeOverloadShed), PerSecond, semconv.LabelReason).
		Describe("Requests rejected per second to protect the others, by reason.",
			"If the service runs the maximum number of instances, raise deploy.replicas.max; otherwise lower the target of the autoscaler.").
		LinkTo(s.OverviewLink())
	rejected.Color, rejected.SoftMax, rejected.LegendTable = Warning, 1, true
	return Row{Height: 8, Panels: []Panel{table.wide(10), rejected.wide(14)}}
}

func (s Scope) autoscalerRow() Row {
	running := s.Metric(s.presence()).Expr()
	count := running.Sum() // target_info is 1
	instances := Panel{Title: "Running instances", Kind: TimeSeries, Unit: Factor, Line: true, Targets: []Target{{Expr: count, Legend: "running"}}}
	if most := s.spec.Replicas.Max; most > 0 {
		instances.Thresholds, instances.SoftMax = []Threshold{{float64(most), Failing}}, float64(most)
	}
	instances = instances.Describe("Number of running instances"+s.unlessShared("; the dashed line is deploy.replicas.max")+".",
		"At the maximum, raise deploy.replicas.max if traffic is the cause.")
	inFlight := Panel{
		Title: "Requests in flight per instance", Kind: TimeSeries, Unit: Count, Line: true, Thresholds: target(s.in.Scaling.InFlight), SoftMax: max(s.in.Scaling.InFlight, 1),
		Targets: []Target{{Expr: s.Metric(semconv.HTTPServerActiveRequests).Expr().Sum().Over(count), Legend: "mean"}},
	}.Describe("Average number of requests in flight per instance"+s.unlessShared("; the dashed line is the autoscaler's target")+".",
		"If it rises without more traffic, something became slow: check latency and dependencies.").LinkTo(s.OverviewLink())
	cpu := Panel{
		Title: "CPU cores per instance", Kind: TimeSeries, Unit: Count, Line: true, Thresholds: target(s.in.Scaling.CPU), SoftMax: max(s.in.Scaling.CPU, 0.1),
		Targets: []Target{{Expr: s.Metric(processCPU).Rate().Sum().Over(count), Legend: "mean"}},
	}.Describe("Average CPU cores used per instance"+s.unlessShared("; the dashed line is the autoscaler's target")+".",
		"If it stays above the target, the autoscaler is at its maximum or does not work: check it, and the CPU flame graph.").LinkTo(s.flameGraphs())
	traffic := Panel{
		Title: "Request rate per instance", Kind: TimeSeries, Unit: RequestsPerSecond, SoftMax: fewRequests,
		Targets: []Target{{Expr: s.routed().Rate().Sum().Over(count), Legend: "mean"}},
	}.Describe("Average requests per second per instance.",
		"A lower rate at the same CPU means that requests cost more: compare flame graphs before and after the last deployment.").
		LinkTo(s.OverviewLink())
	return Row{Title: "Autoscaling", Panels: []Panel{instances, inFlight, cpu, traffic}}
}

// target returns the line of an autoscaler target, none for 0.
func target(value float64) []Threshold {
	if value == 0 {
		return nil
	}
	return []Threshold{{value, Warning}}
}

func (s Scope) instanceUtilizationRow() Row {
	row := Row{Title: "Utilization by instance (top 10)", PerLine: 3}
	for _, one := range s.utilizations(rateInterval) {
		resource := capital(one.Resource)
		p := s.UtilizationGraph(strings.TrimSuffix(resource, "s")+" utilization", one.byInstance(), semconv.LabelInstance).
			Describe(resource+" in use divided by its limit, of the ten busiest instances.", one.Action)
		p.EmptyUntil = one.EmptyUntil
		row.Panels = append(row.Panels, p)
	}
	return row
}

// clusterRow has what only Kubernetes knows. Its metrics have no environment, so that they are joined by pod.
func (s Scope) clusterRow() Row {
	const pod = "namespace, pod"
	container := Is("container", s.spec.Service)
	own := " and on (" + pod + ") " + s.Metric(s.presence()).Expr()
	rate := func(metric string) Expr {
		return ("(" + Selector{Metric: metric}.With(container).Rate() + own + ")").Sum("pod")
	}
	throttled := Panel{
		Title: "CPU throttling by pod (top 10)", Kind: TimeSeries, Unit: Ratio, Max: allUsed, Line: true, LegendTable: true, EmptyUntil: untilCluster,
		Thresholds: []Threshold{{0.1, Warning}, {0.25, Failing}},
		Targets:    []Target{{Expr: rate(containerThrottled).Over(rate(containerPeriods)).TopInRange(10, "pod"), Legend: "{{pod}}"}},
	}.Describe("Ratio of scheduling periods in which the kernel stopped the container, because its CPU limit was used up.",
		"Above 25 %, raise the CPU limit, or add instances.")
	restarts := Panel{
		Title: "Restarts by pod", Kind: TimeSeries, Unit: Factor, Color: Failing, LegendTable: true, SoftMax: 1, EmptyUntil: untilCluster,
		Targets: []Target{{
			Expr: ("(increase(" + Selector{Metric: kubeRestarts}.With(container).Expr() + "[" + rateInterval + "])" + own + ")").Sum("pod"), Legend: "{{pod}}",
		}},
	}.Describe("Restarts of the container in the interval before each point.",
		"Run kubectl describe pod: OOMKilled needs more memory; another exit code is a crash, which the last log lines explain.")
	return Row{Title: "Kubernetes", Collapsed: true, Panels: []Panel{throttled, restarts}}
}
