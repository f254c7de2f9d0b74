package dashboards

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/slo"
)

// factors are the burn rates above which alerts fire, lowest first.
func (s Scope) factors() []Threshold {
	if s.shared {
		return sharedFactors()
	}
	var out []Threshold
	for _, a := range s.in.Rules.Alerts {
		if a.Burn == nil {
			continue
		}
		factor, _ := a.Burn.Factor(s.spec.SLOs[a.SLO].Window).Float64()
		color := Warning
		if a.Tier == slo.TierPage {
			color = Failing
		}
		if !slices.ContainsFunc(out, func(t Threshold) bool { return t.From == factor }) {
			out = append(out, Threshold{factor, color})
		}
	}
	slices.SortFunc(out, func(a, b Threshold) int { return cmp.Compare(a.From, b.From) })
	return out
}

// windows is a table of the burn alerts of the chosen SLO, with the burn rates of their windows.
func (s Scope) windows() Panel {
	var threshold, long, short, firing []string
	for _, p := range s.pairs() {
		add := func(to *[]string, e Expr) {
			for _, l := range [][2]string{{slo.LabelSeverity, p.severity}, {slo.LabelLong, p.long}, {slo.LabelShort, p.short}} {
				e = Expr(fmt.Sprintf("label_replace(%s, %q, %q, \"\", \"\")", e, l[0], l[1]))
			}
			*to = append(*to, string(e))
		}
		exists := s.exists(p)
		ratio := func(w string) Expr {
			return (s.recorded(slo.RatioRecord(w), append(p.matchers(), chosen())...).Expr() + " / on (" + onObjective + ") group_left () " + exists).Max()
		}
		add(&threshold, exists.Max()+" * 0 + "+Expr(p.factor))
		add(&long, ratio(p.long))
		add(&short, ratio(p.short))
		alert := s.alerts(Is(slo.LabelService, s.spec.Service)).With(p.matchers()...).With(chosen(), Is(slo.LabelLong, p.long))
		if !s.shared { // services may have other names of severities
			alert = alert.With(Is(slo.LabelSeverity, p.severity))
		}
		add(&firing, "max("+alert.Expr()+") or "+exists.Max()+" * 0")
	}
	target := func(list []string) Target { return Target{Expr: Expr(strings.Join(list, " or ")), Instant: true} }
	burned := func(title string) Column {
		return Column{Title: title, Unit: Factor, Decimals: 2, Width: 95}
	}
	return Panel{
		Title: "Alert windows", Kind: Table, EmptyUntil: untilRules, SortBy: "Above",
		Columns: []Column{
			{Title: "Severity", Label: slo.LabelSeverity, Width: 80}, {Title: "Long", Label: slo.LabelLong, Width: 55}, {Title: "Short", Label: slo.LabelShort, Width: 60},
			{Title: "Above", Unit: Factor, Width: 70}, burned("Burn, long"), burned("Burn, short"),
			{Title: "State", Width: 75, Mappings: []ValueMapping{{0, "ok", Good}, {1, "firing", Failing}}},
		},
		Targets: []Target{target(threshold), target(long), target(short), target(firing)},
	}.Describe("Windows and threshold of each burn rate alert of the chosen SLO, and the burn rates now. One is ok although both are above: there are too few bad events, or, for a ticket, data for less than half of the long window.",
		"High only in the short window: the incident has just begun. High only in the long one: it is over.")
}

// alertPair is the pair of windows of the burn alerts of one or several SLOs.
type alertPair struct {
	severity, long, short, factor string
	page                          bool
	objectives                    []string   // none: all of the period
	period                        slo.Window // of shared dashboards
}

func (p alertPair) matchers() []Matcher {
	if len(p.objectives) == 0 {
		return nil
	}
	return []Matcher{OneOf(slo.LabelObjective, p.objectives...)}
}

// pairs returns the pairs of windows of all burn alerts. SLOs of one period have the same.
func (s Scope) pairs() []alertPair {
	if s.shared {
		return sharedPairs()
	}
	var out []alertPair
	for _, a := range s.in.Rules.Alerts {
		if a.Burn == nil {
			continue
		}
		o := s.spec.SLOs[a.SLO]
		p := alertPair{
			severity: s.spec.Alerting.Severities.Of(a.Tier), long: a.Burn.LongWindow(), short: a.Burn.ShortWindow(),
			factor: factorText(a.Burn.Pair, o.Window), page: a.Tier == slo.TierPage, objectives: []string{o.Name},
		}
		i := slices.IndexFunc(out, func(q alertPair) bool {
			return q.severity == p.severity && q.long == p.long && q.short == p.short && q.factor == p.factor
		})
		if i < 0 {
			out = append(out, p)
			continue
		}
		out[i].objectives = append(out[i].objectives, o.Name)
	}
	return out
}

func factorText(p slo.Pair, w slo.Window) string {
	return strings.TrimRight(strings.TrimRight(p.Factor(w).FloatString(4), "0"), ".")
}

// windowThresholds are for a burn rate over a window: orange above 1, red above the threshold of a page that has the
// window.
func (s Scope) windowThresholds(window string) []Threshold {
	out := []Threshold{{1, Warning}}
	for _, p := range s.pairs() {
		if s.shared && p.period != sharedPeriod || !p.page || p.long != window && p.short != window {
			continue
		}
		if factor, err := strconv.ParseFloat(p.factor, 64); err == nil {
			return append(out, Threshold{factor, Failing})
		}
	}
	return out
}
