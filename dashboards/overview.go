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

// overview answers what somebody who was just woken asks, in that order.
func overview(s Scope) Dashboard {
	const about = "What users of the service feel, since when, and where to look next."
	if !s.spec.Runtime {
		return New(s, dashboardOverview, "Overview", about, s.objectivesRow(), s.processesRow())
	}
	rows := []Row{s.firstQuestions(), s.trafficRow(), s.latencyRow()}
	if len(s.spec.SLOs) > 0 {
		rows = append(rows, s.objectivesRow())
	}
	return New(s, dashboardOverview, "Overview", about, append(rows, s.evidenceRow())...)
}

// firstQuestions: is it real, since when and what changed, where, who else, am
// I alone.
func (s Scope) firstQuestions() Row {
	return Row{Title: "Is it real, since when, where, who else", Height: 8, Panels: []Panel{
		s.isItReal(), s.sinceWhen().wide(2), s.where().wide(2), s.whoElse(), s.amIAlone().wide(2),
	}}
}

func (s Scope) isItReal() Panel {
	return Panel{
		Title: "Is it real?", Kind: Stat, Unit: Share, Thresholds: s.budgetThresholds(), EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.badShare(), Legend: "bad requests"}},
	}.says("The share of requests that fail or are shed now.",
		"Orange spends error budget faster than it comes back; red is what a page is sent for. Empty means that no requests arrive: look at the balancer.",
		"Red: read on to the right. Green: the incident is over, or it is not here.").leads(s.dashboard(dashboardObjectives, "Error budget"))
}

func (s Scope) sinceWhen() Panel {
	p := s.Errors("Since when, and what changed?")
	p.Targets[0].Legend = "bad requests"
	p.Targets = append(p.Targets, Target{
		Expr: s.Metric(semconv.BuildInfo).Expr().Count(semconv.LabelVersion), Legend: "processes of " + Legend(semconv.LabelVersion),
	})
	p.count, p.EmptyUntil = []string{refID(1)}, ""
	return p.says("The share of bad requests, and how many processes run each version.",
		"A rise that begins where a version takes over came with that deploy; one without a deploy came from traffic or a dependency.",
		"With the deploy: roll back. Without: compare routes and dependencies to the right.").leads(s.dashboard(dashboardRuntime, "Go runtime"))
}

func (s Scope) where() Panel {
	by := []string{semconv.LabelMethod, semconv.LabelRoute}
	return Panel{
		Title: "Where?", Kind: BarGauge, Unit: RequestsPerSecond, Thresholds: []Threshold{{1e-9, Warning}},
		Targets: []Target{{Expr: s.requests(bad()).Rate().Sum(by...).Top(5), Legend: Legend(by...), Instant: true}},
	}.says("The five routes with the most bad requests a second.",
		"One route points at its code or its data; all of them point at something shared: database, deploy, node.",
		"Open the traces of that route from the dots in the latency graph below, or its logs at the end.")
}

func (s Scope) whoElse() Panel {
	return Panel{
		Title: "Who else?", Kind: BarGauge, Unit: Count, Thresholds: []Threshold{{1, Failing}}, Max: 1, EmptyUntil: "the service has a check or an alert fires",
		Targets: []Target{
			{Expr: "1 - " + s.Metric(semconv.RuntimeHealthCheckUp).Expr().Min(semconv.LabelCheck), Legend: "check " + Legend(semconv.LabelCheck), Instant: true},
			{Expr: s.alerts(Not(slo.LabelService, s.spec.Service)).Expr().Count(slo.LabelService), Legend: "alerts of " + Legend(slo.LabelService), Instant: true},
		},
	}.says("Health checks of what the service needs, 1 when one fails in any process, and how many alerts of other services fire here.",
		"A failing check or a neighbour in trouble means that the cause is likely not in this service.",
		"Talk to the owner of what fails before you change this service.").leads(s.whereDependencies()...)
}

func (s Scope) whereDependencies() []Link {
	if s.in.HasPostgres || s.in.HasHTTPClient {
		return []Link{s.dashboard(dashboardDependencies, "Dependencies")}
	}
	return nil
}

func (s Scope) amIAlone() Panel {
	return Panel{
		Title: "Am I alone?", Kind: BarGauge, Unit: Share, Thresholds: s.budgetThresholds(), EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.badShare(semconv.LabelInstance).Top(5), Legend: Legend(semconv.LabelInstance), Instant: true}},
	}.says("The five processes with the largest share of bad requests.",
		"One process alone is sick: its node, its memory, its connections. All of them alike are not the problem, they share it.",
		"Alone: choose it as the instance at the top, look at its runtime, then replace it.").leads(s.dashboard(dashboardRuntime, "Go runtime"))
}

func (s Scope) trafficRow() Row {
	route := []string{semconv.LabelMethod, semconv.LabelRoute}
	byRoute := s.Rate("Requests by route", s.requests(), RequestsPerSecond, route...).
		says("Requests a second, by method and route.", "A sudden fall is a failure upstream or an unready service; a sudden rise is a retry storm or a crawler.",
			"Compare with the outcomes beside it; a fall with processes running: look at the balancer.")
	outcome := s.Rate("Requests by outcome", s.Metric(semconv.HTTPServerRequests), RequestsPerSecond, semconv.LabelOutcome).
		says("Requests a second by what they mean to availability, unmatched routes included.", "server_error and shed spend the error budget; client_error does not, but a jump of it often follows a deploy of a client.",
			"server_error: errors by route, then logs. shed: the service protects itself, look at its saturation on the runtime dashboard.")
	outcome.Stack, outcome.Colours = true, outcomeColours()
	errors := s.Errors("Errors by route", route...).
		says("The share of bad requests, by method and route.", "Above the first dashed line the route alone would spend the budget, above the second it would page.",
			"Traces of the route from the latency graph; its errors in the logs at the end.")
	active := Panel{
		Title: "In flight", Kind: TimeSeries, Unit: Count, count: []string{refID(1)},
		Targets: []Target{
			{Expr: s.Metric(semconv.HTTPServerActiveRequests).Expr().Sum(), Legend: "requests"},
			{Expr: s.Metric(semconv.RuntimeReady).Expr().Sum(), Legend: "ready processes"},
		},
	}.says("Requests that are being answered, and processes that ask for more.",
		"Requests that pile up while the rate does not rise wait for something; fewer ready processes than replicas are draining or broken.",
		"Piling up: pool waits on the dependencies dashboard, scheduler latency on the runtime dashboard.").leads(s.dashboard(dashboardRuntime, "Go runtime"))
	return Row{Title: "Traffic and errors", Panels: []Panel{byRoute, outcome, errors, active}}
}

func (s Scope) latencyRow() Row {
	total := s.Latency("Latency", s.answered(), 0.5, 0.95, 0.99).
		says("How long successful requests take. Dots are requests whose trace was kept.", "p99 far above p50 is waiting, not work. All of them rising together is load or a slower dependency.",
			"Click a dot for its trace, and in it a span for its logs and its profile.")
	heat := Panel{
		Title: "Latency distribution", Kind: Heatmap, Unit: Seconds, EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.answered().Buckets(), Legend: Legend(semconv.LabelLessOrEqual)}},
	}.says("How many requests took how long.", "A second band is a second kind of work: a cache that misses, a lock, a cold process.",
		"Find which route has the second band beside it.")
	panels := []Panel{total.leads(s.dashboard(dashboardRuntime, "Profiles at this time")), s.slowest(), heat}
	if bound, ok := s.latencyBound(); ok {
		panels[0].Thresholds, panels[0].Line = []Threshold{{bound, Warning}}, true
	}
	return Row{Title: "Latency", Panels: panels}
}

// slowest is what each route contributes: the share over the objective where
// there is one, else its p95.
func (s Scope) slowest() Panel {
	route := []string{semconv.LabelMethod, semconv.LabelRoute}
	bound, ok := s.latencyBound()
	if !ok {
		return Panel{
			Title: "Latency by route", Kind: TimeSeries, Unit: Seconds, EmptyUntil: untilRequests,
			Targets: []Target{{Expr: s.answered().Quantile(0.95, route...), Legend: Legend(route...)}},
		}.says("p95 of successful requests, by route.", "One slow route is its own code or query.", "Its traces are the dots to the left.")
	}
	limit := time.Duration(bound * float64(time.Second)).String()
	return Panel{
		Title: "Slower than " + limit + " by route", Kind: TimeSeries, Unit: Share, EmptyUntil: untilRequests,
		Targets: []Target{{Expr: s.answered().Above(bound, route...), Legend: Legend(route...)}},
	}.says("The share of successful requests that take longer than the objective of "+limit+", by route.",
		"One route alone is its own code or query; all of them are something shared.",
		"Its traces are the dots to the left.").leads(s.dashboard(dashboardObjectives, "Error budget"))
}

// objectivesRow is what is left of the budgets and how fast it goes.
func (s Scope) objectivesRow() Row {
	left := Panel{
		Title: "Error budget left", Kind: BarGauge, Unit: Share, Max: 1, signed: true, EmptyUntil: untilPeriod,
		Targets: []Target{{Expr: s.recorded(slo.RecordRemaining).Expr().Min(slo.LabelObjective), Legend: Legend(slo.LabelObjective), Instant: true}},
	}.says("What is left of the error budget of each objective's period.", "Below zero the promise is broken for this period.",
		"Little left: slow down releases, and see on the objective's dashboard what spent it.").leads(s.dashboard(dashboardObjectives, "Objectives"))
	now := s.Burn("Budget burn now", nil).says("How many times faster than allowed each budget burns.",
		"1 uses the budget up exactly at the end of its period; the second dashed line is where a page is sent.",
		"Above the line: the first row of the overview. Around 1 for days: the objective's dashboard.").leads(s.dashboard(dashboardObjectives, "Objectives"))
	hours := s.Burn("Budget burn over six hours", nil, "6h").says("The same over six hours.",
		"Above 1 over six hours is a slow leak that no single look at errors shows.", "Find what spends it on the objective's dashboard.").
		leads(s.dashboard(dashboardObjectives, "Objectives"))
	alerts := Panel{
		Title: "Alerts", Kind: AlertList, Filter: "{" + slo.LabelService + "=" + quoted(s.spec.Service) + "}",
	}.says("Alerts of the service that fire or wait to.", "Any red one has a runbook.", "Open the alert and follow its runbook.")
	return Row{Title: "Objectives and alerts", Panels: []Panel{left, now, hours, alerts}}
}

// evidenceRow is what to read next, and whether it can be trusted.
func (s Scope) evidenceRow() Row {
	versions := Panel{
		Title: "Versions", Kind: Table, Unit: Count,
		Targets: []Target{{Expr: s.Metric(semconv.BuildInfo).Expr().Count(semconv.LabelVersion, semconv.LabelRevision), Legend: "processes", Instant: true}},
	}.says("What runs: version, commit, and how many processes of each.", "Two versions outside of a deploy are a roll-out that got stuck.",
		"Compare them on the overview by instance; finish the roll-out or undo it.")
	dropped := s.Rate("Telemetry dropped", s.Metric(semconv.RuntimeTelemetryDropped), PerSecond, semconv.LabelSignal, semconv.LabelReason).
		says("Spans, log records and profiles that were given up rather than let them slow requests.", "Above zero, traces and logs have holes: what you do not find may still have happened.",
			"Look at the collector's health and its queue.")
	logs := Panel{
		Title: "Warnings and errors", Kind: Logs, EmptyUntil: untilLogs,
		Targets: []Target{{Source: Loki, Expr: s.logQuery()}},
	}.says("Log lines of the service from warning up.", "A message that is new since the deploy is the best lead there is.",
		"A line with exported_trace leads to its trace.")
	return Row{Title: "Evidence", Height: 10, Panels: []Panel{versions, dropped, logs.wide(2)}}
}

// labelExported is a label that log queries add where the trace was exported,
// and nowhere else: links to traces that nobody kept teach people not to click.
const labelExported = "exported_trace"

// logQuery finds warnings and errors. Lines come over OTLP with their attributes
// beside them, or as JSON from standard output.
func (s Scope) logQuery() Expr {
	service := Selector{}.With(Is(semconv.LabelServiceName, s.spec.Service)).Expr()
	return service + " | detected_level=~\"warn|error|fatal\" | json " + semconv.ExemplarTraceID + "=\"" + semconv.ExemplarTraceID +
		"\", sampled=\"sampled\" | drop __error__, __error_details__ | label_format " + labelExported +
		"=`{{ if eq .sampled \"true\" }}{{ ." + semconv.ExemplarTraceID + " }}{{ end }}`"
}

// processesRow is what is known of a service without the runtime's metrics.
func (s Scope) processesRow() Row {
	up := Panel{
		Title: "Processes", Kind: TimeSeries, Unit: Count,
		Targets: []Target{{Expr: s.Metric(s.presence()).Expr().Sum(), Legend: "running"}},
	}.says("Processes that answer the scraper.", "Fewer than should run are crashed, unreachable or not deployed.", "Look at the platform: restarts, nodes, roll-outs.")
	return Row{Title: "Processes", Panels: []Panel{up}}
}
