package dashboards

import (
	"fmt"
	"strings"

	"github.com/observability-first/scaffold/slo"
)

// objectives shows one SLO at a time. The links of alerts select it.
func objectives(s Scope) Dashboard {
	names := make([]string, len(s.spec.SLOs))
	for i, o := range s.spec.SLOs {
		names[i] = o.Name
	}
	d := New(s, dashboardObjectives, "SLO", "Error budget, burn rate and events of one SLO.",
		s.summaryRow(), s.burnRow(), s.eventsRow(), s.alertsRow())
	d.variables = append(d.variables, choice(varObjective, "SLO", names))
	return d
}

// onObjective are the labels that the series of an SLO and its budget share.
const onObjective = slo.LabelService + ", " + slo.LabelObjective

// chosen matches the SLO that the variable of the dashboard selects.
func chosen() Matcher { return Is(slo.LabelObjective, "$"+varObjective) }

// constant selects a series that the rules record once for all environments.
func (s Scope) constant(name string) Expr {
	return Selector{Metric: name}.With(Is(slo.LabelService, s.spec.Service), chosen()).Expr()
}

// ofTotal selects a series that several SLOs may share: it joins on the SLI that the
// chosen SLO counts.
func (s Scope) ofTotal(name string) Expr {
	shared := Selector{Metric: name}.With(Is(slo.LabelService, s.spec.Service)).With(s.chosenInstances()...).Expr()
	on := Expr(strings.Join(append(s.spec.Identity(), slo.LabelSLI), ", "))
	return "(" + shared + " and on (" + on + ") " + s.recorded(slo.BadRecord("1h"), chosen()).Expr() + ")"
}

func (s Scope) summaryRow() Row {
	objective := Panel{
		Title: "Objective", Kind: Stat, Unit: Share, decimals: 3, EmptyUntil: untilRules,
		Targets: []Target{{Expr: s.constant(slo.RecordObjective), Legend: "objective"}},
	}.says("Ratio of good events that the SLO requires.", "To change it, edit the specification and generate again.")
	sli := Panel{
		Title: "SLI (" + s.periodName() + ")", Kind: Stat, Unit: Share, decimals: 3, EmptyUntil: untilPeriod,
		Targets: []Target{{
			Expr: "1 - " + s.recorded(slo.RecordPeriodBurn, chosen()).Expr() + " * on (" + onObjective + ") group_left () " +
				s.constant(slo.RecordBudget), Legend: "SLI",
		}},
	}.says("Ratio of good events over the period of the SLO.", "Below the objective, find out below when the bad events came.")
	remaining := Panel{
		Title: "Error budget remaining", Kind: TimeSeries, Unit: Share, signed: true, EmptyUntil: untilPeriod, shade: []string{refID(1)},
		Targets: []Target{
			{Expr: s.recorded(slo.RecordRemaining, chosen()).Expr().Min(s.spec.Identity()...), Legend: "remaining " + Legend(s.spec.Identity()...)},
			{Expr: "max(" + s.ofTotal(slo.CoverageRecord("1h")) + " < bool " + minCoverage + ")", Legend: "data coverage below 95 %"},
		},
	}.says("Remaining error budget; gray marks hours with a data coverage below 95 %.",
		"A cliff is an incident, a slope a slow leak: zoom in and look at the events below.")
	if s.spec.Runtime {
		remaining = remaining.links(s.dashboard(dashboardOverview, "Overview"))
	}
	return Row{Title: "Summary", Panels: []Panel{objective, sli, remaining.wide(4)}}
}

// periodName is the period of all SLOs, if they have the same.
func (s Scope) periodName() string {
	if periods := s.spec.Periods(); len(periods) == 1 {
		return string(periods[0])
	}
	return "period"
}

// minCoverage is the data coverage of an hour below which its numbers are unreliable.
// The alert SLODataIncomplete has the same limit.
const minCoverage = "0.95"

func (s Scope) burnRow() Row {
	burn := s.Burn("Burn rate by window", []Matcher{chosen()}, slo.RatioWindows()...)
	burn.Log = true
	burn = burn.says("Burn rate over each window of the alerts; at 1 the budget lasts exactly one period.",
		"An alert fires while its long and its short window are above its threshold: see the alert windows below.")
	table := Panel{
		Title: "Current burn rates", Kind: Table, Unit: Factor, EmptyUntil: untilRules,
		Targets:    []Target{{Expr: s.windowsTable(), Legend: "burn rate", Instant: true}},
		Thresholds: s.burnThresholds(),
	}.says("Current burn rate of each window, by environment.",
		"High only in short windows: the incident has just begun. High only in long ones: it is over.")
	return Row{Title: "Burn rate", Panels: []Panel{burn.wide(2), table}}
}

// windowsTable returns the burn rate of each window, one row each.
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
		Title: "Good and bad events", Kind: TimeSeries, Unit: Count, EmptyUntil: untilRules, Stack: true, Colors: map[string]string{"good": Good, "bad": Failing},
		Targets: []Target{{Expr: total.Sum() + " - " + bad.Sum(), Legend: "good"}, {Expr: bad.Sum(), Legend: "bad"}},
	}.says("Good and bad events in the five minutes before each point.",
		"Where bad events begin, open the overview at that time.")
	if s.spec.Runtime {
		events = events.links(s.dashboard(dashboardOverview, "Overview"))
	}
	ratio := Panel{
		Title: "Error ratio (1h and 1d)", Kind: TimeSeries, Unit: Share, EmptyUntil: untilRules,
		Targets: []Target{
			{Expr: s.recorded(slo.RatioRecord("1h"), chosen()).Expr(), Legend: "1h " + Legend(s.spec.Identity()...)},
			{Expr: s.recorded(slo.RatioRecord("1d"), chosen()).Expr(), Legend: "1d " + Legend(s.spec.Identity()...)},
			{Expr: s.constant(slo.RecordBudget), Legend: "allowed"},
		},
	}.says("Ratio of bad events over an hour and over a day, and the allowed ratio.",
		"If it stays above the allowed ratio, compare with the marked deployments.")
	measured := []Target{{Expr: s.ofTotal(slo.CoverageRecord("1h")).Min(s.spec.Identity()...), Legend: "1h " + Legend(s.spec.Identity()...)}}
	for _, w := range s.spec.Periods() {
		measured = append(measured, Target{
			Expr: s.ofTotal(slo.CoverageRecord(string(w))).Min(s.spec.Identity()...), Legend: string(w) + " " + Legend(s.spec.Identity()...),
		})
	}
	coverage := Panel{
		Title: "Data coverage", Kind: TimeSeries, Unit: Share, Max: 1, EmptyUntil: untilRules,
		Targets: measured,
	}.says("Part of the last hour, and of the period, that has data.",
		"Below 95 %, check the rule evaluations of Prometheus and the scrapes of the service.")
	return Row{Title: "Events", Panels: []Panel{events, ratio, coverage}}
}

func (s Scope) alertsRow() Row {
	history := Panel{
		Title: "Alert history", Kind: Timeline, EmptyUntil: untilAlert, Thresholds: []Threshold{{1, Failing}},
		Targets: []Target{{
			Expr:   s.alerts(Is(slo.LabelService, s.spec.Service), Is(slo.LabelObjective, "$"+varObjective)).Expr().Max(slo.LabelAlertName, slo.LabelSeverity, slo.LabelLong, slo.LabelEnvironment),
			Legend: Legend(slo.LabelAlertName, slo.LabelSeverity, slo.LabelLong, slo.LabelEnvironment),
		}},
	}.says("Times at which each alert of the SLO fired.",
		"If short alerts recur, relax the objective or raise minBadEvents.")
	windows := Panel{Title: "Alert windows", Kind: Text, Body: s.pairs()}.
		says("Objectives, and the windows and burn rate threshold of each alert.",
			"Pairs of windows that cannot fire at an objective are left out.")
	return Row{Title: "Alerts", Panels: []Panel{history, windows}}
}

// pairs returns the burn alerts as a Markdown table.
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

// markdown escapes text that could be Markdown or a variable of Grafana.
func markdown(text string) string {
	return strings.NewReplacer("\r", "", "\n", " ", "<", "&lt;", ">", "&gt;", "*", "&#42;", "_", "&#95;", "[", "&#91;", "]", "&#93;",
		"`", "&#96;", "|", "&#124;", "$", "&#36;", "#", "&#35;").Replace(text)
}
