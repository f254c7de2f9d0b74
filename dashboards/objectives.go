package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// objectives shows all SLOs in a table, and one of them in detail. The links of alerts and of the table
// select it.
func objectives(s Scope) Dashboard {
	rows := []Row{s.allRow(), s.summaryRow(), s.remainingRow(), s.burnRow(), s.spentRow(), s.alertsRow()}
	d := New(s, dashboardObjectives, "SLO", "Error budget, burn rate and events of one SLO.", rows...)
	d.variables = append(d.variables, s.objectiveVariable())
	return d
}

// objectiveVariable selects one SLO; the first is selected.
func (s Scope) objectiveVariable() variable {
	if s.shared {
		return query(varObjective, "SLO", fmt.Sprintf("label_values(%s, %s)", Selector{Metric: slo.RecordObjective}.With(Is(slo.LabelService, s.spec.Service)).Expr(), slo.LabelObjective))
	}
	names := make([]string, len(s.spec.SLOs))
	for i, o := range s.spec.SLOs {
		names[i] = o.Name
	}
	return choice(varObjective, "SLO", names)
}

// onObjective are the labels that the series of an SLO and its budget share.
const onObjective = slo.LabelService + ", " + slo.LabelObjective

// chosen matches the SLO that the variable of the dashboard selects.
func chosen() Matcher { return Is(slo.LabelObjective, "$"+varObjective) }

// constant selects a series that the rules record once for all environments. Two Prometheus servers may record the same.
func (s Scope) constant(name string, more ...Matcher) Expr {
	return Selector{Metric: name}.With(Is(slo.LabelService, s.spec.Service)).With(more...).Expr().Max(slo.LabelService, slo.LabelObjective)
}

// ofTotal selects a series that several SLOs may share: it joins on the SLI that the
// chosen SLO counts.
func (s Scope) ofTotal(name string) Expr {
	shared := Selector{Metric: name}.With(Is(slo.LabelService, s.spec.Service)).With(s.chosenInstances()...).Expr()
	on := Expr(strings.Join(append(s.spec.Identity(), slo.LabelSLI), ", "))
	return "(" + shared + " and on (" + on + ") " + s.recorded(slo.BadRecord("1h"), chosen()).Expr() + ")"
}

// allRow lists all SLOs. A click on one selects it.
func (s Scope) allRow() Row {
	by := slo.LabelObjective
	budget := s.constant(slo.RecordBudget)
	burn := func(w string) Target {
		rate := s.recorded(slo.RatioRecord(w)).Expr() + " / on (" + onObjective + ") group_left () " + budget
		return Target{Expr: rate.Max(by), Instant: true}
	}
	all := Panel{
		Title: "All SLOs", Kind: Table, EmptyUntil: untilRules, SortBy: "Burn (1h)",
		Columns: []Column{
			{Title: "SLO", Label: by, Link: Link{"Select ${__value.raw}", s.selects("${__value.raw}")}},
			{Title: "Objective", Unit: Ratio, Decimals: 3, Width: 120},
			{Title: "SLI (" + s.periodName() + ")", Unit: Ratio, Decimals: 3, Width: 120},
			{Title: "Budget remaining", Unit: Ratio, Decimals: 1, Base: Failing, Thresholds: budgetColors(), Width: 150},
		},
		Targets: []Target{
			{Expr: s.constant(slo.RecordObjective).Max(by), Instant: true},
			{Expr: "min by (" + Expr(by) + ") (" + s.sli() + ")", Instant: true},
			{Expr: s.recorded(slo.RecordRemaining).Expr().Min(by), Instant: true},
		},
	}.Describe("All SLOs of the service in the environment, with their burn rates over the windows of alerts. Click a name to see one of them below.",
		"Begin with a red burn rate. High only in short windows: the incident has just begun. High only in long ones: it is over.")
	for _, w := range slo.RatioWindows() {
		all.Columns = append(all.Columns, Column{Title: "Burn (" + w + ")", Unit: Factor, Decimals: 2, Thresholds: s.windowThresholds(w), Width: 100})
		all.Targets = append(all.Targets, burn(w))
	}
	firing := s.alerts(Is(slo.LabelService, s.spec.Service), Not(by, "")).Expr().Count(by)
	all.Columns = append(all.Columns, Column{Title: "Firing alerts", Unit: Factor, Thresholds: []Threshold{{1, Failing}}, Width: 115})
	all.Targets = append(all.Targets, Target{Expr: firing + " or 0 * " + s.constant(slo.RecordObjective).Max(by), Instant: true})
	const heading, perSLO, most = 3, 1, 12
	count := len(s.spec.SLOs)
	if s.shared {
		count = usualObjectives
	}
	return Row{Height: min(heading+perSLO*count, most), Panels: []Panel{all}}
}

// selects is the address of this dashboard with another SLO.
func (s Scope) selects(objective string) string {
	service := ""
	if s.shared {
		service = "&${" + varService + ":queryparam}"
	}
	return "/d/" + s.uid(dashboardObjectives) + "?${__url_time_range}&${" + varEnvironment + ":queryparam}" + service + "&var-" + varObjective + "=" + objective
}

// sli is the ratio of good events over the period.
func (s Scope) sli(more ...Matcher) Expr {
	return "1 - " + s.recorded(slo.RecordPeriodBurn, more...).Expr() + " * on (" + onObjective + ") group_left () " + s.constant(slo.RecordBudget, more...)
}

// summaryRow has the numbers of the chosen SLO.
func (s Scope) summaryRow() Row {
	one := func(title string, unit Unit, e Expr) Panel {
		return Panel{Title: title, Kind: Stat, Unit: unit, EmptyUntil: untilPeriod, Targets: []Target{{Expr: e, Legend: title, Instant: true}}}
	}
	objective := one("Objective", Ratio, s.constant(slo.RecordObjective, chosen())).
		Describe("Ratio of good events that the SLO requires.", "To change it, edit the specification and generate again.")
	objective.Decimals, objective.EmptyUntil, objective.Color = 3, untilRules, Muted
	redBelow := ""
	if len(s.objectiveThresholds()) > 0 {
		redBelow = "; red below the objective"
	}
	sli := one("SLI ("+s.periodName()+")", Ratio, "min("+s.sli(chosen())+")").
		Describe("Ratio of good events over the period of the SLO"+redBelow+".", "Below the objective, find out below when the bad events came.")
	sli.Decimals, sli.Base, sli.Thresholds = 3, Failing, s.objectiveThresholds()
	remaining := one("Error budget remaining", Ratio, s.recorded(slo.RecordRemaining, chosen()).Expr().Min()).
		Describe("Remaining error budget: orange below 25 %, red below zero, where the objective is missed. Of a service younger than its period, it is that of the data so far.", "If little is left, slow down releases.")
	remaining.Decimals, remaining.Base, remaining.Thresholds, remaining.signed = 1, Failing, budgetColors(), true
	burn := one("Burn rate (1h)", Factor, s.burnOver("1h")).
		Describe("Error ratio of the last hour divided by the allowed one; at 1 the budget lasts exactly one period, red is the threshold of a page.",
			"Above 1, the budget is being spent too fast: open the overview.")
	burn.Decimals, burn.Thresholds, burn.EmptyUntil = 2, s.burnThresholds(), untilRules
	exhausted := one("Time to exhaustion", Seconds, s.exhaustion()).
		Describe("Time until the budget is spent at the burn rate of the last hour; red below a day.", "Below a day, stop what spends it: roll back, or shed load.")
	const day = 24 * 60 * 60
	exhausted.Base, exhausted.Thresholds, exhausted.NoValue, exhausted.NoValueColor, exhausted.EmptyUntil = Failing, []Threshold{{day, Good}}, "not burning", Good, "an event is bad"
	coverage := one("Data coverage ("+s.periodName()+")", Ratio, s.coverage().Min()).
		Describe("Part of the period that has data; orange below 95 %, where the other numbers are unreliable.",
			"Below 95 %, check the rule evaluations of Prometheus and the scrapes of the service. A new service needs a period to get there.")
	coverage.Decimals, coverage.Base, coverage.Thresholds = 1, Warning, []Threshold{{minCoverage, Good}}
	return Row{Height: 4, Panels: []Panel{objective.wide(3), sli.wide(5), remaining.wide(4), burn.wide(4), exhausted.wide(4), coverage.wide(4)}}
}

// objectiveThresholds are for an SLI: green from the objective. There are none if SLOs have several objectives.
func (s Scope) objectiveThresholds() []Threshold {
	var targets []float64
	for _, o := range s.spec.SLOs {
		if target, ok := o.Target.Rat(); ok {
			percent, _ := target.Float64()
			targets = append(targets, 1-budgetOf(percent))
		}
	}
	slices.Sort(targets)
	if targets = slices.Compact(targets); len(targets) != 1 {
		return nil
	}
	return []Threshold{{targets[0], Good}}
}

// burnOver is the highest burn rate of the chosen SLO over a window.
func (s Scope) burnOver(w string) Expr {
	return (s.recorded(slo.RatioRecord(w), chosen()).Expr() + " / on (" + onObjective + ") group_left () " + s.constant(slo.RecordBudget, chosen())).Max()
}

// exhaustion is the time in seconds until the budget is spent: what is left of the period's budget, at the
// burn rate of the last hour.
func (s Scope) exhaustion() Expr {
	var periods []string
	for _, w := range s.periods() {
		left := s.ofPeriod(w, slo.RecordRemaining).Min()
		periods = append(periods, fmt.Sprintf("clamp_min(%s, 0) * %d", left, int(w.Duration().Seconds())))
	}
	return Expr("("+strings.Join(periods, " or ")+")") + " / (" + s.burnOver("1h") + " > 0)"
}

// coverage is the data coverage of the period of the chosen SLO.
func (s Scope) coverage() Expr {
	var periods []string
	for _, w := range s.periods() {
		on := Expr(strings.Join(append(s.spec.Identity(), slo.LabelSLI), ", "))
		shared := Selector{Metric: slo.CoverageRecord(string(w))}.With(Is(slo.LabelService, s.spec.Service)).With(s.chosenInstances()...).Expr()
		periods = append(periods, string("("+shared+" and on ("+on+") "+s.ofPeriod(w, slo.BadRecord("1h"))+")"))
	}
	return Expr(strings.Join(periods, " or "))
}

// periodName is the period of all SLOs, if they have the same.
func (s Scope) periodName() string {
	if periods := s.spec.Periods(); len(periods) == 1 {
		return string(periods[0])
	}
	return "period"
}

// minCoverage is the data coverage below which numbers are unreliable. The alert SLODataIncomplete has the same limit for
// an hour.
const minCoverage = 0.95

func (s Scope) remainingRow() Row {
	remaining := Panel{
		Title: "Error budget remaining over 30 days", Kind: TimeSeries, Unit: Ratio, signed: true, SoftMax: 1, EmptyUntil: untilPeriod, Range: "30d",
		Base: Failing, Thresholds: []Threshold{{0, "transparent"}}, Area: true,
		Targets: []Target{{Expr: s.recorded(slo.RecordRemaining, chosen()).Expr().Min(s.spec.Identity()...), Legend: "remaining"}},
	}.Describe("Remaining error budget of the chosen SLO over the last 30 days; in the red area below zero the objective is missed.",
		"A cliff is an incident, a slope a slow leak: look at the events below at that time.")
	if len(s.spec.GroupBy) > 0 {
		remaining.Targets[0].Legend = Legend(s.spec.GroupBy...)
	}
	if s.spec.Runtime {
		remaining = remaining.LinkTo(s.OverviewLink())
	}
	return Row{Height: 9, Panels: []Panel{remaining}}
}

func (s Scope) burnRow() Row {
	burn := s.Burn("Burn rate by window", []Matcher{chosen()}, "1h", "6h", "1d", "3d")
	burn.LogBase, burn.Thresholds = 2, s.factors()
	for i := range burn.Targets {
		e := burn.Targets[i].Expr
		if len(s.spec.GroupBy) > 0 {
			e = e.Max()
		}
		burn.Targets[i].Expr = e.onLogAxis()
	}
	// A logarithmic axis has no soft maximum: without this line, the thresholds of a healthy service are not on it.
	page := s.constant(slo.RecordBudget, chosen()).Max() + " * 0 + " + Expr(number(burn.Thresholds[len(burn.Thresholds)-1].From))
	burn.Targets = append(burn.Targets, Target{Expr: page, Legend: "page", Limit: true})
	burn = burn.Describe("Burn rate over each long window of the alerts; at 1 the budget lasts exactly one period. Values below 0.1 are drawn at 0.1.",
		"An alert fires while its long and its short window are above its threshold: see the table.")
	burn.LegendTable, burn.aside = true, true
	return Row{Height: 8, Panels: []Panel{burn.wide(15), s.windows().wide(9)}}
}

// spentRow shows what spent the budget within the time range.
func (s Scope) spentRow() Row {
	total, bad := s.ofTotal(slo.TotalRecord("5m")), s.recorded(slo.BadRecord("5m"), chosen()).Expr()
	events := Panel{
		Title: "Good and bad events", Kind: TimeSeries, Unit: Count, EmptyUntil: untilRules, Stack: true, SoftMax: 1, Colors: map[string]string{"good": Good, "bad": Failing},
		Targets: []Target{{Expr: total.Sum() + " - " + bad.Sum(), Legend: "good"}, {Expr: bad.Sum(), Legend: "bad"}},
	}.Describe("Good and bad events in the five minutes before each point.",
		"Where bad events begin, open the overview at that time.")
	if !s.spec.Runtime {
		return Row{Height: 8, Panels: []Panel{events}}
	}
	events = events.LinkTo(s.OverviewLink())
	panels := []Panel{events}
	if len(s.spentBy(routeOfBad)) > 0 {
		route := s.spent("Budget spent by route", Column{Title: "Route", Label: semconv.LabelRoute, Wrap: true}, s.spentBy(routeOfBad)).
			Describe("Part of the period's error budget that each route spent within the time range, counted now; the remaining budget is recorded up to five minutes earlier.",
				"One route: fix it, or give it an SLO of its own.")
		version := s.spent("Budget spent by version", Column{Title: "Version", Label: semconv.LabelVersion}, s.spentBy(versionOfBad)).
			Describe("Part of the period's error budget that each version spent within the time range, counted at each step.",
				"A version that spent more than others in the same time is worse: roll back.")
		panels = append(panels, route, version)
	}
	return Row{Height: 8, Panels: panels}
}

// spent is a table of what spent the budget, the largest part first.
func (s Scope) spent(title string, by Column, e Expr) Panel {
	return Panel{
		Title: title, Kind: Table, EmptyUntil: "an event is bad", SortBy: "Budget spent",
		Columns: []Column{by, {Title: "Budget spent", Unit: Ratio, Decimals: 1, Bar: true, Unbounded: true, Width: 160}},
		Targets: []Target{{Expr: e.Top(10), Instant: true}},
	}
}

// routeOfBad returns the increase of bad events within the time range by route.
func routeOfBad(_ Scope, bad func(window string, by ...string) Expr) Expr {
	return "(" + bad("$__range", semconv.LabelRoute) + ") * $__range_s"
}

// versionOfBad returns the increase by version. It joins each step with the version that the instance
// had: an instance may have had several.
func versionOfBad(s Scope, bad func(window string, by ...string) Expr) Expr {
	version := s.Metric(semconv.BuildInfo).Expr().Max(semconv.LabelInstance, semconv.LabelVersion)
	joined := "(" + bad(rateInterval, semconv.LabelInstance) + ") * on (" + semconv.LabelInstance + ") group_left (" + semconv.LabelVersion + ") " + version
	return "sum by (" + semconv.LabelVersion + ") (sum_over_time((" + joined + ")[$__range:$__interval])) * $__interval_ms / 1000"
}

// spentBy divides the bad events of the chosen SLO by those that its budget allows in a period. Only SLOs on
// the requests of the runtime have routes and versions.
func (s Scope) spentBy(count func(Scope, func(window string, by ...string) Expr) Expr) Expr {
	var out []string
	for _, o := range s.spec.SLOs {
		bad := s.badEvents(o)
		if bad == nil || len(o.GroupBy) > 0 {
			continue
		}
		one := Is(slo.LabelObjective, o.Name)
		on := Expr(strings.Join(append(s.spec.Identity(), slo.LabelSLI), ", "))
		total := Selector{Metric: slo.TotalRecord(string(o.Window))}.With(Is(slo.LabelService, s.spec.Service)).With(s.chosenInstances()...).Expr()
		total = "(" + total + " and on (" + on + ") " + s.recorded(slo.BadRecord("1h"), one, chosen()).Expr() + ")"
		allowed := total.Sum() + " * on () group_left () " + s.constant(slo.RecordBudget, one, chosen()).Max()
		out = append(out, string("("+count(s, bad)+") / on () group_left () ("+allowed+")"))
	}
	return Expr(strings.Join(out, " or "))
}

// badEvents returns the bad events per second of an SLO on the requests of the runtime; nil for other SLOs.
func (s Scope) badEvents(o slo.Objective) func(window string, by ...string) Expr {
	switch l := o.Indicator.Latency; {
	case o.Indicator.Availability != nil:
		return func(window string, by ...string) Expr { return s.requests(bad()).RateOver(window).Sum(by...) }
	case l != nil && l.Histogram == "":
		return func(window string, by ...string) Expr {
			d := s.succeeded().Over(window)
			return d.RateAbove(l.Threshold.Seconds(), by...)
		}
	}
	return nil
}

func (s Scope) alertsRow() Row {
	by := []string{slo.LabelAlertName, slo.LabelSeverity, slo.LabelLong}
	history := Panel{
		Title: "Alert history", Kind: Timeline, EmptyUntil: untilAlert,
		Mappings: []ValueMapping{{1, "firing", Failing}},
		Targets: []Target{{
			Expr: s.alerts(Is(slo.LabelService, s.spec.Service), chosen()).Expr().Max(by...), Legend: "{{" + slo.LabelSeverity + "}} {{" + slo.LabelLong + "}}",
		}},
	}.Describe("Times at which each alert of the SLO fired, by severity and long window.",
		"If short alerts recur, relax the objective or raise minBadEvents.")
	return Row{Height: 7, Panels: []Panel{history}}
}
