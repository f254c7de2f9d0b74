package dashboards

import (
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// Names of dashboards, as in their address.
const (
	dashboardOverview     = "overview"
	dashboardRuntime      = "runtime"
	dashboardObjectives   = "slo"
	dashboardDependencies = "dependencies"
	dashboardSaturation   = "saturation"
)

// overview is the first dashboard in an incident.
func overview(s Scope) Dashboard {
	const about = "Errors, traffic, latency and error budgets of the service. Start here in an incident."
	if !s.spec.Runtime {
		return New(s, dashboardOverview, "Overview", about, s.budgetsRow(), s.instancesRow())
	}
	rows := []Row{s.errorsRow(), s.trafficRow(), s.latencyRow()}
	if len(s.spec.SLOs) > 0 {
		rows = append(rows, s.budgetsRow())
	}
	return New(s, dashboardOverview, "Overview", about, append(rows, s.versionsRow())...)
}

// errorsRow has the panels in the order in which an engineer on call needs them:
// whether there is an incident, since when, where, and whether others have it too.
func (s Scope) errorsRow() Row {
	return Row{Title: "Errors", Height: 8, Panels: []Panel{
		s.errorRatio(), s.errorsByVersion().wide(2), s.badByRoute().wide(2), s.failingChecks(), s.errorsByInstance().wide(2),
	}}
}

func (s Scope) errorRatio() Panel {
	return Panel{
		Title: "Error ratio", Kind: Stat, Unit: Share, Thresholds: s.budgetThresholds(), EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.badRatio(), Legend: "bad requests"}},
	}.says("Current ratio of failed and rejected requests; red is above the threshold of a page.",
		"If there is no data, no requests arrive: check the load balancer.").links(s.dashboard(dashboardObjectives, "SLO"))
}

func (s Scope) errorsByVersion() Panel {
	p := s.Errors("Error ratio and running versions")
	p.Targets[0].Legend = "bad requests"
	p.Targets = append(p.Targets, Target{
		Expr: s.Metric(semconv.BuildInfo).Expr().Count(semconv.LabelVersion), Legend: "instances of " + Legend(semconv.LabelVersion),
	})
	p.count, p.EmptyUntil = []string{refID(1)}, ""
	return p.says("Ratio of bad requests, and number of instances by version.",
		"If errors began with a new version, roll back; otherwise check traffic and dependencies.").links(s.dashboard(dashboardRuntime, "Go runtime"))
}

func (s Scope) badByRoute() Panel {
	by := []string{semconv.LabelMethod, semconv.LabelRoute}
	return Panel{
		Title: "Bad requests by route (top 5)", Kind: BarGauge, Unit: RequestsPerSecond, Thresholds: []Threshold{{1e-9, Warning}},
		Targets: []Target{{Expr: s.requests(bad()).Rate().Sum(by...).Top(5), Legend: Legend(by...), Instant: true}},
	}.says("The five routes with the most bad requests per second.",
		"One route: suspect its code or data. All routes: suspect the database, a deployment or a node.")
}

func (s Scope) failingChecks() Panel {
	return Panel{
		Title: "Failing checks and other alerts", Kind: BarGauge, Unit: Count, Thresholds: []Threshold{{1, Failing}}, Max: 1, EmptyUntil: "the service has a check or an alert fires",
		Targets: []Target{
			{Expr: "1 - " + s.Metric(semconv.RuntimeHealthCheckUp).Expr().Min(semconv.LabelCheck), Legend: "check " + Legend(semconv.LabelCheck), Instant: true},
			{Expr: s.alerts(Not(slo.LabelService, s.spec.Service)).Expr().Count(slo.LabelService), Legend: "alerts of " + Legend(slo.LabelService), Instant: true},
		},
	}.says("Health checks that fail on any instance (1), and number of firing alerts of other services.",
		"The cause is probably there: call the owner before you change this service.").links(s.whereDependencies()...)
}

func (s Scope) whereDependencies() []Link {
	if s.in.HasPostgres || s.in.HasHTTPClient {
		return []Link{s.dashboard(dashboardDependencies, "Dependencies")}
	}
	return nil
}

func (s Scope) errorsByInstance() Panel {
	return Panel{
		Title: "Error ratio by instance (top 5)", Kind: BarGauge, Unit: Share, Thresholds: s.budgetThresholds(), EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.badRatio(semconv.LabelInstance).Top(5), Legend: Legend(semconv.LabelInstance), Instant: true}},
	}.says("The five instances with the highest ratio of bad requests.",
		"If one instance alone has errors, replace it.").links(s.dashboard(dashboardRuntime, "Go runtime"))
}

func (s Scope) trafficRow() Row {
	route := []string{semconv.LabelMethod, semconv.LabelRoute}
	byRoute := s.Rate("Request rate by route", s.requests(), RequestsPerSecond, route...).
		says("Requests per second by method and route.",
			"A sudden fall: check the load balancer and readiness. A sudden rise: suspect retries or a crawler.")
	outcome := s.Rate("Request rate by outcome", s.Metric(semconv.HTTPServerRequests), RequestsPerSecond, semconv.LabelOutcome).
		says("Requests per second by outcome; server_error and shed spend the error budget.",
			"server_error: check the error ratio by route and the logs. shed (rejected): check the resources dashboard.")
	outcome.Stack, outcome.Colors = true, outcomeColors()
	errors := s.Errors("Error ratio by route", route...).
		says("Ratio of bad requests by method and route; dashed lines: error budget, and threshold of a page.",
			"For a route above a line, read its traces and its error logs.")
	active := Panel{
		Title: "Requests in flight", Kind: TimeSeries, Unit: Count, count: []string{refID(1)},
		Targets: []Target{
			{Expr: s.Metric(semconv.HTTPServerActiveRequests).Expr().Sum(), Legend: "requests"},
			{Expr: s.Metric(semconv.RuntimeReady).Expr().Sum(), Legend: "ready instances"},
		},
	}.says("Requests in flight, and number of ready instances.",
		"If they rise while the request rate does not, check dependencies, connection pool and scheduler latency.").links(s.dashboard(dashboardRuntime, "Go runtime"))
	return Row{Title: "Requests", Panels: []Panel{byRoute, outcome, errors, active}}
}

func (s Scope) latencyRow() Row {
	total := s.Latency("Latency percentiles", s.succeeded(), 0.5, 0.95, 0.99).
		says("Latency of successful requests; each dot is a request with a trace.",
			"Click a dot near p99, and find the slow span in its trace.")
	heat := Panel{
		Title: "Latency distribution", Kind: Heatmap, Unit: Seconds, EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.succeeded().Buckets(), Legend: Legend(semconv.LabelLessOrEqual)}},
	}.says("Number of successful requests by latency.",
		"A second band is a second kind of request, such as one with a cache miss: find the slow route.")
	panels := []Panel{total.links(s.dashboard(dashboardRuntime, "Flame graphs")), s.slowest(), heat}
	if bound, ok := s.latencyBound(); ok {
		panels[0].Thresholds, panels[0].Line = []Threshold{{bound, Warning}}, true
	}
	return Row{Title: "Latency", Panels: panels}
}

// slowest shows for each route the ratio of requests slower than the objective, or
// without an objective the p95.
func (s Scope) slowest() Panel {
	route := []string{semconv.LabelMethod, semconv.LabelRoute}
	const next = "One route: suspect its code or queries. All routes: suspect the database, CPU or the network."
	bound, ok := s.latencyBound()
	if !ok {
		return Panel{
			Title: "p95 latency by route", Kind: TimeSeries, Unit: Seconds, EmptyUntil: untilRequests,
			Targets: []Target{{Expr: s.succeeded().Quantile(0.95, route...), Legend: Legend(route...)}},
		}.says("p95 latency of successful requests by method and route.", next)
	}
	limit := time.Duration(bound * float64(time.Second)).String()
	return Panel{
		Title: "Requests over " + limit + " by route", Kind: TimeSeries, Unit: Share, EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.succeeded().Above(bound, route...), Legend: Legend(route...)}},
	}.says("Ratio of successful requests slower than the objective of "+limit+", by method and route.", next).
		links(s.dashboard(dashboardObjectives, "SLO"))
}

// budgetsRow shows the error budgets and how fast they burn.
func (s Scope) budgetsRow() Row {
	remaining := Panel{
		Title: "Error budget remaining", Kind: BarGauge, Unit: Share, Max: 1, signed: true, EmptyUntil: untilPeriod,
		Targets: []Target{{Expr: s.recorded(slo.RecordRemaining).Expr().Min(slo.LabelObjective), Legend: Legend(slo.LabelObjective), Instant: true}},
	}.says("Remaining error budget of each SLO; below zero the objective is missed.",
		"If little is left, slow down releases, and find on the SLO dashboard what spent it.").links(s.dashboard(dashboardObjectives, "SLO"))
	now := s.Burn("Burn rate", nil).says("Current burn rate of each SLO; at 1 the budget lasts exactly one period.",
		"Above the upper dashed line a page fires: follow its runbook.").links(s.dashboard(dashboardObjectives, "SLO"))
	hours := s.Burn("Burn rate (6h)", nil, "6h").says("Burn rate of each SLO over the last six hours.",
		"Above 1, find the slow leak on the SLO dashboard.").
		links(s.dashboard(dashboardObjectives, "SLO"))
	alerts := Panel{
		Title: "Alerts", Kind: AlertList, Filter: "{" + slo.LabelService + "=" + quoted(s.spec.Service) + "}",
	}.says("Firing and pending alerts of the service.", "Open the alert and follow its runbook.")
	return Row{Title: "SLOs and alerts", Panels: []Panel{remaining, now, hours, alerts}}
}

func (s Scope) versionsRow() Row {
	versions := Panel{
		Title: "Running versions", Kind: Table, Unit: Count,
		Targets: []Target{{Expr: s.Metric(semconv.BuildInfo).Expr().Count(semconv.LabelVersion, semconv.LabelRevision), Legend: "instances", Instant: true}},
	}.says("Number of instances by version and commit.",
		"Two versions outside of a deployment are a stuck rollout: finish it or roll back.")
	dropped := s.Rate("Dropped telemetry", s.Metric(semconv.RuntimeTelemetryDropped), PerSecond, semconv.LabelSignal, semconv.LabelReason).
		says("Spans, log records and profiles dropped per second, by signal and reason.",
			"Above zero, traces and logs are incomplete: check the collector.")
	logs := Panel{
		Title: "Warning and error logs", Kind: Logs, EmptyUntil: untilLogs,
		Targets: []Target{{Source: Loki, Expr: s.logQuery()}},
	}.says("Log lines of the service at level warning and above; exported_trace links to the trace.",
		"Look for messages that first appeared when the incident began.")
	return Row{Title: "Versions and logs", Height: 10, Panels: []Panel{versions, dropped, logs.wide(2)}}
}

// labelExported is a label that log queries add only if the trace was exported, so
// that no link opens a missing trace.
const labelExported = "exported_trace"

// logQuery selects warnings and errors. Log lines are JSON from standard output, or
// come over OTLP with attributes as structured metadata.
func (s Scope) logQuery() Expr {
	service := Selector{}.With(Is(semconv.LabelServiceName, s.spec.Service)).Expr()
	return service + " | detected_level=~\"warn|error|fatal\" | json " + semconv.ExemplarTraceID + "=\"" + semconv.ExemplarTraceID +
		"\", sampled=\"sampled\" | drop __error__, __error_details__ | label_format " + labelExported +
		"=`{{ if eq .sampled \"true\" }}{{ ." + semconv.ExemplarTraceID + " }}{{ end }}`"
}

// instancesRow is for services without the runtime's metrics.
func (s Scope) instancesRow() Row {
	up := Panel{
		Title: "Running instances", Kind: TimeSeries, Unit: Count,
		Targets: []Target{{Expr: s.Metric(s.presence()).Expr().Sum(), Legend: "running"}},
	}.says("Number of instances that respond to scrapes.", "If some are missing, check restarts, nodes and rollouts.")
	return Row{Title: "Instances", Panels: []Panel{up}}
}
