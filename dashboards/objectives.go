package dashboards

import (
	"fmt"
	"strings"

	"github.com/observability-first/scaffold/slo"
)

// objectives shows one objective at a time: what is promised, what was kept,
// and what spent the difference. Links from alerts choose the objective.
func objectives(s Scope) Dashboard {
	names := make([]string, len(s.spec.SLOs))
	for i, o := range s.spec.SLOs {
		names[i] = o.Name
	}
	d := New(s, dashboardObjectives, "Objectives",
		"What one objective promises, how much of its error budget is left, and what spends it.",
		s.promiseRow(), s.burnRow(), s.eventsRow(), s.alertsRow())
	d.variables = append(d.variables, choice(varObjective, "Objective", names))
	return d
}

// onObjective are the labels that a series of an objective shares with its budget.
const onObjective = slo.LabelService + ", " + slo.LabelObjective

// chosen matches the objective of the dashboard's variable.
func chosen() Matcher { return Is(slo.LabelObjective, "$"+varObjective) }

// constant selects a series that rules write once for all environments.
func (s Scope) constant(name string) Expr {
	return Selector{Metric: name}.With(Is(slo.LabelService, s.spec.Service), chosen()).Expr()
}

// ofTotal selects a series that several objectives may share, through the increase
// that the objective counts.
func (s Scope) ofTotal(name string) Expr {
	shared := Selector{Metric: name}.With(Is(slo.LabelService, s.spec.Service)).With(s.chosenInstances()...).Expr()
	on := Expr(strings.Join(append(s.spec.Identity(), slo.LabelSLI), ", "))
	return "(" + shared + " and on (" + on + ") " + s.recorded(slo.BadRecord("1h"), chosen()).Expr() + ")"
}

func (s Scope) promiseRow() Row {
	promised := Panel{
		Title: "Objective", Kind: Stat, Unit: Share, decimals: 3, EmptyUntil: untilRules,
		Targets: []Target{{Expr: s.constant(slo.RecordObjective), Legend: "promised"}},
	}.says("The share of good events that is promised.", "It does not change unless the specification does.", "Its definition is at the end of the dashboard.")
	kept := Panel{
		Title: "Kept so far", Kind: Stat, Unit: Share, decimals: 3, EmptyUntil: untilPeriod,
		Targets: []Target{{
			Expr: "1 - " + s.recorded(slo.RecordPeriodBurn, chosen()).Expr() + " * on (" + onObjective + ") group_left () " +
				s.constant(slo.RecordBudget), Legend: "kept",
		}},
	}.says("The share of good events over the period.", "Below the objective the promise is broken.", "The events below say when.")
	left := Panel{
		Title: "Budget left", Kind: TimeSeries, Unit: Share, signed: true, EmptyUntil: untilPeriod, shade: []string{refID(1)},
		Targets: []Target{
			{Expr: s.recorded(slo.RecordRemaining, chosen()).Expr().Min(s.spec.Identity()...), Legend: "left " + Legend(s.spec.Identity()...)},
			{Expr: "max(" + s.ofTotal(slo.CoverageRecord("1h")) + " < bool " + minCoverage + ")", Legend: "less than 95 % measured"},
		},
	}.says("What is left of the error budget. Grey are hours of which less than 95 % were measured.",
		"A cliff is an incident, a slope is a leak. Below zero the promise is broken. What falls into the grey is worth less than it looks.",
		"Choose the minutes of a cliff and look at the events below.")
	if s.spec.Runtime {
		left = left.leads(s.dashboard(dashboardOverview, "Overview at this time"))
	}
	return Row{Title: "Promise", Panels: []Panel{promised, kept, left.wide(4)}}
}

// minCoverage is the share of an hour below which its numbers are doubted; the
// alert on missing increases uses the same.
const minCoverage = "0.95"

func (s Scope) burnRow() Row {
	burn := s.Burn("Burn by window", []Matcher{chosen()}, slo.RatioWindows()...)
	burn.Log = true
	burn = burn.says("How many times faster than allowed the budget burns, over each window that an alert reads.",
		"1 uses the budget up exactly at the end of the period. An alert fires when its long and its short window are both above its factor.",
		"Which alert reads which windows is in the table at the end.")
	table := Panel{
		Title: "Windows", Kind: Table, Unit: Factor, EmptyUntil: untilRules,
		Targets:    []Target{{Expr: s.windowsTable(), Legend: "burn", Instant: true}},
		Thresholds: s.burnThresholds(),
	}.says("The burn of each window now, by environment.", "Short windows high and long ones low: it has just begun. The other way round: it is over.",
		"Began: the overview's first row. Over: what is left of the budget above.")
	return Row{Title: "Burn", Panels: []Panel{burn.wide(2), table}}
}

// windowsTable is the burn of each window, one row each.
func (s Scope) windowsTable() Expr {
	var ratios []string
	for _, w := range slo.RatioWindows() {
		ratios = append(ratios, string(s.recorded(slo.RatioRecord(w), chosen()).Expr()))
	}
	all := "(" + Expr(strings.Join(ratios, " or ")) + ") / on (" + onObjective + ") group_left () " + s.constant(slo.RecordBudget)
	return all.Max(append(s.spec.Identity(), slo.LabelWindow)...)
}

func (s Scope) eventsRow() Row {
	total, bad := s.ofTotal(slo.TotalRecord("5m")), s.recorded(slo.BadRecord("5m"), chosen()).Expr()
	events := Panel{
		Title: "Events", Kind: TimeSeries, Unit: Count, EmptyUntil: untilRules, Stack: true, Colours: map[string]string{"good": Good, "bad": Failing},
		Targets: []Target{{Expr: total.Sum() + " - " + bad.Sum(), Legend: "good"}, {Expr: bad.Sum(), Legend: "bad"}},
	}.says("Good and bad events in the five minutes before each point.", "Each bad event spends budget, whether anyone was paged or not.",
		"When bad ones begin, look at the overview at that time.")
	if s.spec.Runtime {
		events = events.leads(s.dashboard(dashboardOverview, "Overview at this time"))
	}
	day := Panel{
		Title: "Share of bad events", Kind: TimeSeries, Unit: Share, EmptyUntil: untilRules,
		Targets: []Target{
			{Expr: s.recorded(slo.RatioRecord("1h"), chosen()).Expr(), Legend: "1h " + Legend(s.spec.Identity()...)},
			{Expr: s.recorded(slo.RatioRecord("1d"), chosen()).Expr(), Legend: "1d " + Legend(s.spec.Identity()...)},
			{Expr: s.constant(slo.RecordBudget), Legend: "allowed"},
		},
	}.says("The share of bad events over an hour and over a day, and what is allowed.", "Above what is allowed budget is spent faster than it comes back.",
		"Compare with deploys, which are marked on the graph.")
	measured := []Target{{Expr: s.ofTotal(slo.CoverageRecord("1h")).Min(s.spec.Identity()...), Legend: "1h " + Legend(s.spec.Identity()...)}}
	for _, w := range s.spec.Periods() {
		measured = append(measured, Target{
			Expr: s.ofTotal(slo.CoverageRecord(string(w))).Min(s.spec.Identity()...), Legend: string(w) + " " + Legend(s.spec.Identity()...),
		})
	}
	coverage := Panel{
		Title: "Measured", Kind: TimeSeries, Unit: Share, Max: 1, EmptyUntil: untilRules,
		Targets: measured,
	}.says("The share of each hour, and of the period before each point, that was measured.", "What was missed stays missed: budgets of that time are worth less.",
		"Look at the rule evaluations of Prometheus and at the scrapes of the service.")
	return Row{Title: "Events", Panels: []Panel{events, day, coverage}}
}

func (s Scope) alertsRow() Row {
	history := Panel{
		Title: "Alerts of this objective", Kind: Timeline, EmptyUntil: untilAlert, Thresholds: []Threshold{{1, Failing}},
		Targets: []Target{{
			Expr:   s.alerts(Is(slo.LabelService, s.spec.Service), Is(slo.LabelObjective, "$"+varObjective)).Expr().Max(slo.LabelAlertName, slo.LabelSeverity, slo.LabelLong, slo.LabelEnvironment),
			Legend: Legend(slo.LabelAlertName, slo.LabelSeverity, slo.LabelLong, slo.LabelEnvironment),
		}},
	}.says("When which alert of the objective fired.", "Short ones that come back are an objective too tight or a guard too low.",
		"The runbook of the alert has the query that it fires on.")
	windows := Panel{Title: "What fires when", Kind: Text, Body: s.pairs()}.
		says("The objectives, and the pairs of windows whose burn each alert watches.", "A pair that is missing cannot fire at that objective.",
			"Change the objective in the specification and generate again.")
	return Row{Title: "Alerts", Panels: []Panel{history, windows}}
}

// pairs lists the burn alerts as a Markdown table.
func (s Scope) pairs() string {
	var b strings.Builder
	for _, o := range s.spec.SLOs {
		fmt.Fprintf(&b, "- **%s**: %s %% good over %s", o.Name, o.Target, o.Window)
		if o.Description != "" {
			b.WriteString(". " + markdown(o.Description))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n| alert | severity | burn rate above | long | short |\n|---|---|---|---|---|\n")
	for _, a := range s.in.Rules.Alerts {
		if a.Burn == nil {
			continue
		}
		factor := a.Burn.Factor(s.spec.SLOs[a.SLO].Window).FloatString(2)
		factor = strings.TrimRight(strings.TrimRight(factor, "0"), ".")
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", a.Name, markdown(s.spec.Alerting.Severities.Of(a.Tier)), factor, a.Burn.LongWindow(), a.Burn.ShortWindow())
	}
	return b.String()
}

// markdown keeps what an author wrote from being read as markup or as a
// variable of Grafana.
func markdown(text string) string {
	return strings.NewReplacer("\r", "", "\n", " ", "<", "&lt;", ">", "&gt;", "*", "&#42;", "_", "&#95;", "[", "&#91;", "]", "&#93;",
		"`", "&#96;", "|", "&#124;", "$", "&#36;", "#", "&#35;").Replace(text)
}
