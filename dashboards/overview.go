package dashboards

import (
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// Names of dashboards, as in their address.
const (
	dashboardOverview     = "overview"
	dashboardCustom       = "custom"
	dashboardRuntime      = "runtime"
	dashboardObjectives   = "slo"
	dashboardDependencies = "dependencies"
	dashboardResources    = "resources"
)

// Names returns the names of all dashboards that a service can have.
func Names() []string {
	return []string{dashboardOverview, dashboardObjectives, dashboardResources, dashboardRuntime, dashboardDependencies, dashboardCustom}
}

// headlineWindow is the window of headline numbers. It does not depend on the time range of the dashboard,
// so that everybody sees the same number.
const headlineWindow = "5m"

// overview is the first dashboard in an incident. Its upper part is one screen: whether the incident is
// real, since when, what changed, where it is, and what is left.
func overview(s Scope) Dashboard {
	const about = "Errors, traffic, latency and error budgets of the service. Start here in an incident."
	if !s.spec.Runtime {
		return New(s, dashboardOverview, "Overview", about, s.budgetsRow(), s.instancesRow())
	}
	return New(s, dashboardOverview, "Overview", about,
		s.headlineRow(), s.trendRow(), s.locationRow(),
		s.routesRow(), s.instanceErrorsRow(), s.distributionRow(), s.logsRow(), s.telemetryRow())
}

func (s Scope) headlineRow() Row {
	by := s.spec.GroupBy // a mean of two clusters would hide an incident in one
	ratio := Panel{
		Title: "Error ratio (5m)", Kind: Stat, Unit: Ratio, Decimals: 2, Thresholds: s.budgetThresholds(), EmptyUntil: untilRequests,
		Targets: []Target{worstOf(s.badRatioOver(headlineWindow, by...), "bad requests", by)},
	}.Describe("Ratio of failed and rejected requests in the last five minutes"+s.unlessShared(": orange above the error budget, red above the threshold of a page")+".",
		"If there is no data, no requests arrive: check the load balancer.").LinkTo(s.dashboard(dashboardObjectives, "SLO"))
	latency := Panel{
		Title: "p99 latency (5m)", Kind: Stat, Unit: Seconds, Thresholds: s.latencyThresholds(), EmptyUntil: untilRequests,
		Targets: []Target{worstOf(s.latencies().Over(headlineWindow).Quantile(0.99, by...), "p99", by)},
	}.Describe("Latency that 99 % of the successful requests of the last five minutes did not exceed"+s.unlessShared("; red is above the objective")+".",
		"Find the slow route below, and open one of its traces.")
	rate := Panel{
		Title: "Request rate (5m)", Kind: Stat, Unit: RequestsPerSecond, EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.routed().RateOver(headlineWindow).Sum(), Legend: "requests", Instant: true}},
	}.Describe("Requests per second, averaged over five minutes.",
		"A sudden fall: check the load balancer and readiness. A sudden rise: suspect retries or a crawler.")
	width := 4
	if s.shared {
		width = 3
	}
	panels := []Panel{ratio.wide(width), latency.wide(width), rate.wide(width)}
	if len(s.spec.SLOs) > 0 || s.shared {
		panels = append(panels, s.remainingBudget().wide(width+1))
	}
	if s.shared {
		panels = append(panels, s.currentBurn().wide(4))
	}
	return Row{Height: 4, Panels: append(panels, s.readyInstances().wide(3), s.firingAlerts().wide(4))}
}

// worstOf is one number; with groups of instances that of the worst three.
func worstOf(e Expr, legend string, groups []string) Target {
	const most = 3
	if len(groups) == 0 {
		return Target{Expr: e, Legend: legend, Instant: true}
	}
	return Target{Expr: e.Top(most), Legend: Legend(groups...), Instant: true}
}

// remainingBudget is one number for each SLO.
func (s Scope) remainingBudget() Panel {
	return Panel{
		Title: "Error budget remaining (" + s.periodName() + ")", Kind: Stat, Unit: Ratio, Decimals: 1, EmptyUntil: untilPeriod,
		Base: Failing, Thresholds: budgetColors(), signed: true,
		Targets: []Target{{Expr: s.recorded(slo.RecordRemaining).Expr().Min(slo.LabelObjective), Legend: Legend(slo.LabelObjective), Instant: true}},
	}.Describe("Remaining error budget of each SLO: orange below 25 %, red below zero, where the objective is missed.",
		"If little is left, slow down releases, and find on the SLO dashboard what spent it.").LinkTo(s.dashboard(dashboardObjectives, "SLO"))
}

// budgetColors are for a remaining budget, whose color is [Failing] below zero.
func budgetColors() []Threshold {
	const little = 0.25
	return []Threshold{{0, Warning}, {little, Good}}
}

// readyInstances shows "3 of 3". Its value is the ratio, which colors the text.
func (s Scope) readyInstances() Panel {
	exists := s.Metric(s.presence()).Expr()
	ready := ("(" + s.Metric(semconv.RuntimeReady).Expr() + " or 0 * " + exists + ")").Sum()
	all := exists.Count()
	label := func(name string, e Expr) Expr {
		return " * on () group_left (" + Expr(name) + ") count_values(" + Expr(quoted(name)) + ", " + e + ")"
	}
	const half = 0.5
	return Panel{
		Title: "Ready instances", Kind: Stat, Unit: Ratio, NameOnly: true, NoValue: "none", NoValueColor: Failing, Base: Failing, Thresholds: []Threshold{{half, Warning}, {1, Good}},
		Targets: []Target{{Expr: "(" + ready + " / " + all + ")" + label("ready", ready) + label("all", all), Legend: "{{ready}} of {{all}}", Instant: true}},
	}.Describe("Ready instances of all instances: green if all are ready, red if fewer than half are, or if none exists.",
		"If some are missing, check restarts, nodes and rollouts.")
}

func (s Scope) firingAlerts() Panel {
	return Panel{
		Title: "Firing alerts", Kind: Stat, Unit: Factor, Thresholds: []Threshold{{1, Failing}},
		Targets: []Target{{Expr: s.alertsOf(anyEnvironment(), Is(slo.LabelService, s.spec.Service)).Expr().Count() + " or vector(0)", Legend: "alerts", Instant: true}},
	}.Describe("Number of firing alerts of the service in the environment, and of those of no environment; the same alert with other labels counts again.", "The list below names them; follow the runbook of the first.")
}

// trendRow shows since when.
func (s Scope) trendRow() Row {
	bad := s.routed(bad()).Rate().Sum(semconv.LabelOutcome)
	errors := Panel{
		Title: "Error ratio by outcome", Kind: TimeSeries, Unit: Ratio, Stack: true, Colors: outcomeColors(), Thresholds: s.budgetThresholds(), Line: true,
		SoftMax: s.pageThreshold(), EmptyUntil: untilRequests, LegendTable: true,
		Targets: []Target{{Expr: "(" + bad + ") / on () group_left () (" + s.routed().Rate().Sum() + " > 0)", Legend: Legend(semconv.LabelOutcome)}},
	}.Describe("Ratio of failed (server_error) and rejected (shed) requests; dashed lines: error budget"+s.unlessShared(", and threshold of a page")+". Blue lines are deployments.",
		"If errors began with a deployment, roll back. shed: check the resources dashboard.").LinkTo(s.dashboard(dashboardResources, "Resources"))
	if s.shared {
		errors.Targets = append(errors.Targets, Target{Expr: s.requestBudget(), Legend: "budget", Limit: true})
	}
	latency := s.Latency("Latency percentiles", s.latencies(), 0.5, 0.95, 0.99).
		Describe("Latency of successful requests; each dot is a request with a trace."+s.unlessShared(" The dashed line is the objective."),
			"Click a dot near p99, and find the slow span in its trace.").LinkTo(s.dashboard(dashboardRuntime, "Flame graphs"))
	latency.LegendTable = true
	if bound, ok := s.latencyBound(); ok {
		latency.Thresholds, latency.Line, latency.SoftMax = []Threshold{{bound, Failing}}, true, bound
	}
	rate := s.Rate("Request rate by outcome", s.routed(), RequestsPerSecond, semconv.LabelOutcome).
		Describe("Requests per second by outcome; the dashed line is the total of one week ago.",
			"A rise that did not happen a week ago: suspect retries or a crawler. client_error: check what a client changed.")
	rate.Stack, rate.Colors, rate.SoftMax = true, outcomeColors(), fewRequests
	rate.Targets = append(rate.Targets, Target{Expr: "sum(rate(" + s.routed().Expr() + "[" + rateInterval + "] offset 1w))", Legend: "one week ago", past: true})
	return Row{Height: 8, Panels: []Panel{errors, latency, rate}}
}

// locationRow shows where the incident is, and what changed.
func (s Scope) locationRow() Row {
	versions := Panel{
		Title: "Instances by version", Kind: TimeSeries, Unit: Factor, Stack: true, DistinctColors: true,
		Targets: []Target{{Expr: s.Metric(semconv.BuildInfo).Expr().Count(semconv.LabelVersion), Legend: Legend(semconv.LabelVersion)}},
	}.Describe("Number of instances by version.",
		"Two versions outside of a deployment are a stuck rollout: finish it or roll back.")
	health := Panel{
		Title: "Dependency health", Kind: Timeline, EmptyUntil: "the service has a check",
		Mappings: []ValueMapping{{0, "unhealthy", Failing}, {1, "healthy", Good}},
		Targets:  []Target{{Expr: s.Metric(semconv.RuntimeHealthCheckUp).Expr().Min(semconv.LabelCheck), Legend: Legend(semconv.LabelCheck)}},
	}.Describe("Health checks of dependencies; red while one fails on any instance.",
		"The cause is probably there: call the owner before you change this service.").LinkTo(s.dependenciesLink()...)
	return Row{Height: 8, Panels: []Panel{s.routes().wide(12), versions.wide(4), health.wide(3), s.alertList().wide(5)}}
}

func (s Scope) dependenciesLink() []Link {
	if len(s.in.Dependencies) > 0 {
		return []Link{s.dashboard(dashboardDependencies, "Dependencies")}
	}
	return nil
}

func (s Scope) alertList() Panel {
	filter := s.alertFilter(Is(slo.LabelService, s.spec.Service), Matches(slo.LabelEnvironment, "$"+varEnvironment+"|"))
	return Panel{Title: "Alerts", Kind: AlertList, Filter: filter}.
		Describe("Firing and pending alerts of the service in the environment, and those of no environment.", "Open the alert and follow its runbook.")
}

// alertFilter selects the alerts of the chosen groups of instances.
func (s Scope) alertFilter(matchers ...Matcher) string {
	return string(Selector{}.With(matchers...).With(s.chosenInstances()[1:]...).Expr())
}

// routes is a table of the routes with the most bad requests, then the most requests.
func (s Scope) routes() Panel {
	by := []string{semconv.LabelMethod, semconv.LabelRoute}
	on := " and on (" + Expr(strings.Join(by, ", ")) + ") "
	total := s.requests().RateOver(headlineWindow).Sum(by...)
	bad := s.requests(bad()).RateOver(headlineWindow).Sum(by...)
	first := "topk(10, (" + bad.OrZero(total) + ") + 1e-9 * " + total + ")"
	of := func(e Expr) Target { return Target{Expr: "(" + e + ")" + on + first, Instant: true} }
	latency := s.succeeded().Over(headlineWindow)
	return Panel{
		Title: "Routes (5m, top 10)", Kind: Table, EmptyUntil: untilRequests, SortBy: "Share of errors", ThenBy: "Request rate",
		Columns: []Column{
			{Title: "Method", Label: semconv.LabelMethod, Width: 75}, {Title: "Route", Label: semconv.LabelRoute, Wrap: true},
			{Title: "Request rate", Unit: RequestsPerSecond, Width: 110},
			{Title: "Error ratio", Unit: Ratio, Decimals: 2, Thresholds: s.budgetThresholds(), Width: 95},
			{Title: "p99 latency", Unit: Seconds, Thresholds: s.latencyThresholds(), Width: 100},
			{Title: "Share of errors", Unit: Ratio, Bar: true, Width: 130},
		},
		Targets: []Target{
			of(total), of(bad.OrZero(total).Over(total)), of(latency.Quantile(0.99, by...)),
			of("(" + bad.OrZero(total) + ") / on () group_left () (" + bad.Sum() + " > 0)"),
		},
	}.Describe("Request rate, error ratio, p99 latency and share of all bad requests, of the ten routes with the most bad requests.",
		"One route: suspect its code or data. All routes: suspect the database, a deployment or a node.")
}

func (s Scope) routesRow() Row {
	by := []string{semconv.LabelMethod, semconv.LabelRoute}
	total := s.requests().Rate().Sum(by...)
	top := func(p Panel, e Expr) Panel {
		p.Kind, p.EmptyUntil, p.LegendTable = TimeSeries, untilRequests, true
		p.Targets = []Target{{Expr: e.TopInRange(10, by...), Legend: Legend(by...)}}
		return p
	}
	rate := top(Panel{Title: "Request rate by route (top 10)", Unit: RequestsPerSecond, SoftMax: fewRequests}, total).
		Describe("Requests per second of the ten routes with the most requests.", "A sudden fall of one route: check its clients.")
	errors := top(Panel{Title: "Error ratio by route (top 10)", Unit: Ratio, Color: Failing, Thresholds: s.budgetThresholds(), Line: true, SoftMax: s.pageThreshold()},
		s.requests(bad()).Rate().Sum(by...).OrZero(total).Over(total)).
		Describe("Ratio of bad requests of the ten worst routes"+s.unlessShared("; dashed lines: error budget, and threshold of a page")+".",
			"For the worst route, read its traces and its error logs.")
	latency := top(Panel{Title: "p99 latency by route (top 10)", Unit: Seconds}, s.succeeded().Quantile(0.99, by...)).
		Describe("p99 latency of successful requests of the ten slowest routes"+s.unlessShared("; the dashed line is the objective")+".",
			"One route: suspect its code or queries. All routes: suspect the database, CPU or the network.")
	if bound, ok := s.latencyBound(); ok {
		latency.Thresholds, latency.Line, latency.SoftMax = []Threshold{{bound, Failing}}, true, bound
	}
	return Row{Title: "Routes", Collapsed: true, Panels: []Panel{rate, errors, latency}}
}

func (s Scope) instanceErrorsRow() Row {
	errors := s.Errors("Error ratio by instance (top 10)", semconv.LabelInstance).
		Describe("Ratio of bad requests of the ten worst instances"+s.unlessShared("; dashed lines: error budget, and threshold of a page")+".",
			"If one instance alone has errors, replace it.")
	errors.Targets[0].Expr = errors.Targets[0].Expr.TopInRange(10, semconv.LabelInstance)
	cpu := Utilization{Used: s.Metric(processCPU).Rate(), Limit: s.Metric(goMaxProcs).Expr()}
	busy := s.UtilizationGraph("CPU utilization by instance (top 10)", cpu.byInstance(), semconv.LabelInstance).
		Describe("CPU in use divided by GOMAXPROCS, of the ten busiest instances.", "Near 100 %, requests wait: add instances, or find the cause in the flame graph.").
		LinkTo(s.flameGraphs())
	starts := Panel{
		Title: "Restarts by instance", Kind: TimeSeries, Unit: Factor, Color: Warning, SoftMax: 1,
		Targets: []Target{{Expr: "changes(" + s.Metric(processStart).Expr() + "[" + rateInterval + "])", Legend: Legend(semconv.LabelInstance)}},
	}.Describe("Restarts of each instance in the interval before each point; new instances are not counted.", "Restarts without a deployment are crashes: read the last log lines of the instance.")
	return Row{Title: "Instances", Collapsed: true, Panels: []Panel{errors, busy, starts}}
}

func (s Scope) distributionRow() Row {
	heat := Panel{
		Title: "Latency distribution", Kind: Heatmap, Unit: Seconds, EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.latencies().Buckets(), Legend: Legend(semconv.LabelLessOrEqual)}},
	}.Describe("Number of successful requests by latency.",
		"A second band is a second kind of request, such as one with a cache miss: find the slow route.")
	return Row{Title: "Latency distribution", Collapsed: true, Panels: []Panel{heat}}
}

func (s Scope) logsRow() Row {
	logs := Panel{
		Title: "Warning and error logs", Kind: Logs, EmptyUntil: untilLogs,
		Targets: []Target{{Source: Loki, Expr: s.logQuery()}},
	}.Describe("Log lines of the service at level warning and above, with route, status and error; exported_trace links to the trace.",
		"Look for messages that first appeared when the incident began.")
	traces := Panel{
		Title: "Traces with errors", Kind: Traces, EmptyUntil: "a trace has an error",
		Targets: []Target{{Source: Tempo, Expr: s.traceQuery()}},
	}.Describe("Requests of the service that ended with an error, newest first.",
		"Open one: the first span in red is where the error began.")
	return Row{Title: "Logs and traces", Collapsed: true, Panels: []Panel{logs.wide(2), traces}}
}

// labelExported is a label that log queries add only if the trace was exported, so
// that no link opens a missing trace.
const labelExported = "exported_trace"

// logQuery selects warnings and errors. Log lines are JSON from standard output, or
// come over OTLP with attributes as structured metadata.
func (s Scope) logQuery() Expr {
	service := Selector{}.With(Is(semconv.LabelServiceName, s.spec.Service), Is(s.spec.EnvironmentLabel, "$"+varEnvironment)).Expr()
	fields := []string{semconv.ExemplarTraceID, "sampled", "msg", semconv.LabelMethod, semconv.LabelRoute, semconv.LabelStatus, "error"}
	extract := make([]string, len(fields))
	for i, f := range fields {
		extract[i] = f + "=" + quoted(f)
	}
	return service + " | detected_level=~\"warn|error|fatal\" | json " + Expr(strings.Join(extract, ", ")) +
		" | drop __error__, __error_details__ | label_format " + labelExported +
		"=`{{ if eq .sampled \"true\" }}{{ ." + semconv.ExemplarTraceID + " }}{{ end }}`" +
		" | line_format `{{ or .msg __line__ }}{{ if ." + semconv.LabelRoute + " }}  {{ ." + semconv.LabelMethod + " }} {{ ." + semconv.LabelRoute + " }} {{ ." +
		semconv.LabelStatus + " }}{{ end }}{{ if .error }}  {{ .error }}{{ end }}`"
}

// traceQuery selects traces with errors in TraceQL.
func (s Scope) traceQuery() Expr {
	return Expr(`{ resource.service.name = ` + quoted(s.spec.Service) + ` && resource.deployment.environment.name = "$` + varEnvironment + `" && status = error }`)
}

// budgetsRow shows the error budgets and how fast they burn.
func (s Scope) budgetsRow() Row {
	now := s.Burn("Burn rate (5m)", nil).Describe("Current burn rate of each SLO; at 1 the budget lasts exactly one period.",
		"Above the upper dashed line a page fires: follow its runbook.").LinkTo(s.dashboard(dashboardObjectives, "SLO"))
	hours := s.Burn("Burn rate (6h)", nil, "6h")
	hours.Thresholds = s.windowThresholds("6h")
	hours.SoftMax = hours.Thresholds[len(hours.Thresholds)-1].From
	hours = hours.Describe("Burn rate of each SLO over the last six hours.",
		"Above 1, find the slow leak on the SLO dashboard.").
		LinkTo(s.dashboard(dashboardObjectives, "SLO"))
	return Row{Title: "SLOs and alerts", Height: 8, Panels: []Panel{s.remainingBudget(), now, hours, s.firingAlerts(), s.alertList()}}
}

// instancesRow is for services without the runtime's metrics.
func (s Scope) instancesRow() Row {
	up := Panel{
		Title: "Running instances", Kind: TimeSeries, Unit: Factor,
		Targets: []Target{{Expr: s.Metric(s.presence()).Expr().Sum(), Legend: "running"}},
	}.Describe("Number of instances that respond to scrapes.", "If some are missing, check restarts, nodes and rollouts.")
	return Row{Title: "Instances", Panels: []Panel{up}}
}
