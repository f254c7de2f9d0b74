package dashboards

import (
	"fmt"
	"strconv"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

const dashboardFleet = "fleet"

// fleet lists every service. Its upper part is one screen: how many services fail, which ones, and who owns them.
func fleet(s Scope) Dashboard {
	s.spec.Runtime = false // annotations of all services would fill the graph
	d := New(s, dashboardFleet, "Fleet", "Every service with its worst SLO, burn rate, alerts, version and owner. Start here if you do not know which service fails.",
		s.totalsRow(), s.fleetRow(), s.fleetTrendRow())
	d.variables = []variable{
		sourceVariable(varMetrics, "Metrics", Prometheus),
		inProduction(query(varEnvironment, "Environment", fmt.Sprintf("label_values(%s, %s)", slo.RecordLastSeen, s.spec.EnvironmentLabel))),
	}
	chosen := s.chosenInstances()
	for i, label := range s.spec.GroupBy {
		seen := Selector{Metric: slo.RecordLastSeen}.With(chosen[:i+1]...).Expr()
		d.variables = append(d.variables, withAll(query(label, capital(label), fmt.Sprintf("label_values(%s, %s)", seen, label)), anything))
	}
	return d
}

// every selects a recorded series of all services in the chosen environment.
func (s Scope) every(name string) Expr {
	return Selector{Metric: name}.With(s.chosenInstances()...).Expr()
}

// seen has the services of the environment, also those that lost all instances less than six hours ago.
func (s Scope) seen() Expr { return s.every(slo.RecordLastSeen).group(slo.LabelService) }

// running is the number of instances of each service.
func (s Scope) running() Expr {
	return "(" + s.every(slo.RecordTargets).Sum(slo.LabelService) + " or 0 * " + s.seen() + ")"
}

func (e Expr) group(by ...string) Expr { return aggregate("group", e, by) }

func (s Scope) ofSeen(e Expr) Expr {
	return e + " and on (" + slo.LabelService + ") " + s.every(slo.RecordLastSeen)
}

// budgets are those of all SLOs. Two Prometheus servers may record the same one.
func budgets(modifier Expr) Expr {
	return (slo.RecordBudget + modifier).Max(slo.LabelService, slo.LabelObjective)
}

// worstBurn is the burn rate of the last hour of each service; modifier is that of its series, such as @ end().
func (s Scope) worstBurn(modifier Expr) Expr {
	return (s.every(slo.RatioRecord("1h")) + modifier + " / on (" + onObjective + ") group_left () " + budgets(modifier)).Max(slo.LabelService)
}

func (s Scope) fleetAlerts() Expr {
	return s.alertsOf(anyEnvironment(), Not(slo.LabelService, "")).Expr()
}

// remaining is the remaining budget of each SLO.
func (s Scope) remaining() Expr {
	return s.every(slo.RecordRemaining).Min(slo.LabelService, slo.LabelObjective)
}

func (s Scope) totalsRow() Row {
	one := func(title string, color string, e Expr) Panel {
		p := Panel{Title: title, Kind: Stat, Unit: Factor, Targets: []Target{{Expr: "count(" + e + ") or vector(0)", Legend: title, Instant: true}}}
		if color != "" {
			p.Thresholds = []Threshold{{1, color}}
		}
		return p
	}
	return Row{Height: 3, Panels: []Panel{
		one("Services", "", s.seen()).
			Describe("Number of services in the environment, also those that lost all instances in the last six hours.",
				"If a service is missing, load its rules; if it is no longer deployed, remove them."),
		one("Services without instances", Failing, s.running()+" == 0").
			Describe("Number of services that had instances in the last six hours and have none now.",
				"If it is not on purpose, follow the runbook of the alert that the service is down; it has no burn rate without requests."),
		one("Services with burn rate > 1", Warning, s.worstBurn("")+" > 1").
			Describe("Number of services with an SLO whose budget does not last for its period at the burn rate of the last hour.",
				"Several at the same time: suspect what they share, such as a database, a node or the network."),
		one("Services without error budget", Failing, s.remaining().Min(slo.LabelService)+" < 0").
			Describe("Number of services that miss an objective: its error budget of the period is spent.", "Agree with the owners on what to fix before new features."),
		one("Firing alerts", Failing, s.fleetAlerts()).
			Describe("Number of firing alerts of all services in the environment.", "The list below names them; follow the runbook of the first page."),
	}}
}

// fleetRow is the table with a row for each service. Version is the one that most instances run.
func (s Scope) fleetRow() Row {
	by := slo.LabelService
	link := func(dashboard, more string) string {
		return "/d/" + s.uid(dashboard) + "?${__url_time_range}&${" + varEnvironment + ":queryparam}&var-" + varService + "=${__data.fields." + slo.LabelService + "}" + more
	}
	worst := Expr("bottomk by (" + by + ") (1, " + string(s.remaining()) + ")")
	sli := ("1 - " + s.every(slo.RecordPeriodBurn) + " * on (" + onObjective + ") group_left () " + budgets("")).Min(by, slo.LabelObjective)
	// The job of pushed metrics has a namespace.
	versions := Expr(fmt.Sprintf("label_replace(%s, %q, \"$1\", %q, \"(?:.*/)?(.+)\")", s.every(semconv.BuildInfo), by, semconv.LabelJob)).Count(by, semconv.LabelVersion)
	most := Expr("topk by ("+by+") (1, "+string(versions)+")").group(by, semconv.LabelVersion)
	instant := func(e Expr) Target { return Target{Expr: e, Instant: true} }
	table := Panel{
		Title: "All services", Kind: Table, EmptyUntil: untilRules, SortBy: "Burn rate (1h)",
		Columns: []Column{
			{Title: "Service", Label: by, Link: Link{"Overview of ${__value.raw}", link(dashboardOverview, "")}},
			{Title: "Burn rate (1h)", Unit: Factor, Decimals: 2, Thresholds: s.burnThresholds(), Width: 120},
			{Title: "Budget remaining", Unit: Ratio, Decimals: 1, Base: Failing, Thresholds: budgetColors(), Width: 155},
			{Title: "SLI (period)", Unit: Ratio, Decimals: 3, Width: 115},
			{Title: "Worst SLO", Label: slo.LabelObjective, Link: Link{"SLO ${__value.raw}", link(dashboardObjectives, "&var-"+varObjective+"=${__value.raw}")}},
			{Title: "Firing alerts", Unit: Factor, Thresholds: []Threshold{{1, Failing}}, Width: 110},
			{Title: "Instances", Unit: Factor, Base: Failing, Thresholds: []Threshold{{1, Good}}, Width: 90},
			{Title: "Version", Label: semconv.LabelVersion, Width: 150},
			{Title: "Versions", Unit: Factor, Thresholds: []Threshold{{2, Warning}}, Width: 90},
			{Title: "Owner", Label: slo.LabelTeam, Width: 220},
			{Title: "SLOs", Unit: Factor, Width: 60},
		},
		Targets: []Target{
			instant(s.worstBurn("")), instant(worst), instant(sli + " and on (" + onObjective + ") " + worst),
			instant(s.fleetAlerts().Count(by) + " or 0 * " + s.seen()),
			instant(s.running()),
			instant(s.ofSeen(versions.Count(by) + " * on (" + Expr(by) + ") group_left (" + semconv.LabelVersion + ") " + most)),
			instant(s.ofSeen(Expr(slo.RecordObjective).Count(by, slo.LabelTeam))),
		},
	}.Describe("Services of the environment, the highest burn rate of the last hour first, with the SLO that has the least budget left, and the version that most instances run.",
		"Click the service that burns for its overview, or its SLO. Two versions outside of a deployment are a stuck rollout.")
	return Row{Height: 11, Panels: []Panel{table}}
}

// fleetTrendRow shows since when. The burn rates are those of the services that burn most at the end of the time range.
func (s Scope) fleetTrendRow() Row {
	const most = 10
	burn := Panel{
		Title: "Burn rate (1h, top " + strconv.Itoa(most) + ")", Kind: TimeSeries, Unit: Factor, EmptyUntil: untilRules, LogBase: 2, Color: Failing,
		Thresholds: s.burnThresholds(), Line: true,
		Targets: []Target{{Expr: s.worstBurn("").onLogAxis() + " and on (" + slo.LabelService + ") " + s.worstBurn(" @ end()").Top(most), Legend: Legend(slo.LabelService), Interval: "1m"}},
	}.Describe("Highest burn rate over an hour of the ten services that burn most at the end of the time range; dashed lines: 1, and the page of a period of 30 days.",
		"Services that rise together have one cause: find what they share.")
	alerts := Panel{Title: "Alerts", Kind: AlertList, Filter: s.alertFilter(Matches(slo.LabelService, ".+"), Matches(slo.LabelEnvironment, "$"+varEnvironment+"|"))}.
		Describe("Firing and pending alerts of all services in the environment, and those of no environment.", "Open the alert of the highest severity and follow its runbook.")
	return Row{Height: 8, Panels: []Panel{burn.wide(3), alerts.wide(2)}}
}
