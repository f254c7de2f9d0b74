package dashboards

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// Legend returns the template of a legend that shows labels.
func Legend(labels ...string) string {
	parts := make([]string, len(labels))
	for i, label := range labels {
		parts[i] = "{{" + label + "}}"
	}
	return strings.Join(parts, " ")
}

func outcomeColors() map[string]string {
	return map[string]string{
		semconv.OutcomeSuccess: Good, semconv.OutcomeClientError: Neutral, semconv.OutcomeServerError: Failing, semconv.OutcomeShed: Warning,
	}
}

// Rate returns a graph of the rate of a counter, summed by labels.
func (s Scope) Rate(title string, counter Selector, unit Unit, by ...string) Panel {
	return Panel{
		Title: title, Kind: TimeSeries, Unit: unit,
		Targets: []Target{{Expr: counter.Rate().Sum(by...), Legend: Legend(by...)}},
	}
}

// Errors returns a graph of the ratio of requests that spend the error budget, by
// labels: zero without such requests, no data without traffic.
func (s Scope) Errors(title string, by ...string) Panel {
	return Panel{
		Title: title, Kind: TimeSeries, Unit: Ratio, EmptyUntil: untilRequests,
		Thresholds: s.budgetThresholds(), Line: true, Color: Failing, SoftMax: s.pageThreshold(), LegendTable: len(by) > 0,
		Targets: []Target{{Expr: s.badRatio(by...), Legend: Legend(by...)}},
	}
}

// Latency returns a graph of quantiles, with exemplars on the last one.
func (s Scope) Latency(title string, d Distribution, quantiles ...float64) Panel {
	p := Panel{Title: title, Kind: TimeSeries, Unit: Seconds, EmptyUntil: untilRequests, Colors: map[string]string{}}
	for i, q := range quantiles {
		percentile := strconv.FormatFloat(100*q, 'f', -1, 64)
		p.Targets = append(p.Targets, Target{Expr: d.Quantile(q), Legend: "p" + percentile, Exemplars: i == len(quantiles)-1})
		p.Colors["p"+percentile] = []string{"light-blue", Neutral, "purple"}[min(i, 2)]
	}
	return p
}

// Burn returns a graph of the burn rates of error budgets over windows; without
// windows, of the current burn rate.
func (s Scope) Burn(title string, more []Matcher, windows ...string) Panel {
	p := Panel{
		Title: title, Kind: TimeSeries, Unit: Factor, EmptyUntil: untilRules,
		Thresholds: s.burnThresholds(), Line: true, SoftMax: s.burnThresholds()[len(s.burnThresholds())-1].From,
	}
	budget := Selector{Metric: slo.RecordBudget}.With(Is(slo.LabelService, s.spec.Service)).Expr()
	for _, w := range windows {
		legend := w
		if len(more) == 0 {
			legend = Legend(slo.LabelObjective)
		}
		p.Targets = append(p.Targets, Target{
			Expr:   s.recorded(slo.RatioRecord(w), more...).Expr() + " / on (" + onObjective + ") group_left () " + budget,
			Legend: legend,
		})
	}
	if len(windows) == 0 {
		p.Targets = []Target{{Expr: s.recorded(slo.RecordBurn, more...).Expr(), Legend: Legend(slo.LabelObjective)}}
	}
	return p
}

// fewRequests is the least maximum of an axis of rates, so that it does not end at 100 without requests.
const fewRequests = 0.1

// Values of [Panel.EmptyUntil].
const (
	untilRequests = "requests arrive"
	untilRules    = "requests are recorded"
	untilPeriod   = "an hour of requests is recorded"
	untilAlert    = "an alert fires"
	untilLogs     = "the service logs a warning or an error and logs reach Loki"
	untilProfiles = "profiles reach Pyroscope"
	untilCounted  = "the service records a value"
	untilLimit    = "GOMEMLIMIT is set"
	untilCluster  = "a cluster exports metrics of its pods"
)

// budgetThresholds are for ratios of bad requests: orange above the error budget of the
// availability objective, red above the threshold of its page.
func (s Scope) budgetThresholds() []Threshold {
	if s.shared {
		return nil // each service has its own budget
	}
	for _, a := range s.in.Rules.Alerts {
		if a.Burn == nil || a.SLO < 0 || s.spec.SLOs[a.SLO].Indicator.Availability == nil {
			continue
		}
		limit, _ := a.Burn.Threshold.Float64()
		if target, ok := s.spec.SLOs[a.SLO].Target.Rat(); ok {
			percent, _ := target.Float64()
			return []Threshold{{budgetOf(percent), Warning}, {limit, Failing}}
		}
	}
	return []Threshold{{0.01, Warning}, {0.05, Failing}}
}

// pageThreshold is the error ratio above which a page fires, so the least that an axis of error ratios shows.
func (s Scope) pageThreshold() float64 {
	thresholds := s.budgetThresholds()
	if len(thresholds) == 0 {
		return 0.01
	}
	return thresholds[len(thresholds)-1].From
}

// latencyThresholds are for latencies: red above the objective. Without one, there are none.
func (s Scope) latencyThresholds() []Threshold {
	if bound, ok := s.latencyBound(); ok {
		return []Threshold{{bound, Failing}}
	}
	return nil
}

// budgetOf returns the error budget of a target in percent, rounded to nine decimals to
// hide the error of binary fractions.
func budgetOf(percent float64) float64 {
	budget, err := strconv.ParseFloat(fmt.Sprintf("%.9f", 1-percent/100), 64)
	if err != nil {
		return 0
	}
	return budget
}

// burnThresholds are 1, which spends the budget exactly within its period, and the
// burn rate of the first page.
func (s Scope) burnThresholds() []Threshold {
	out := []Threshold{{1, Warning}}
	if s.shared {
		factors := sharedFactors()
		return append(out, factors[len(factors)-1])
	}
	for _, a := range s.in.Rules.Alerts {
		if a.Burn != nil && a.Tier == slo.TierPage {
			factor, _ := a.Burn.Factor(s.spec.SLOs[a.SLO].Window).Float64()
			return append(out, Threshold{factor, Failing})
		}
	}
	return out
}

// latencyBound returns the lowest threshold, in seconds, of the latency objectives on the runtime's histogram that p99
// must not exceed: those of at least 99 %.
func (s Scope) latencyBound() (float64, bool) {
	const ofP99 = 99
	bound, found := 0.0, false
	for _, o := range s.spec.SLOs {
		target, ok := o.Target.Rat()
		if !ok || target.Cmp(big.NewRat(ofP99, 1)) < 0 {
			continue
		}
		if l := o.Indicator.Latency; l != nil && l.Histogram == "" && (!found || l.Threshold.Seconds() < bound) {
			bound, found = l.Threshold.Seconds(), true
		}
	}
	return bound, found
}

// Describe returns a copy with [Panel.Shows] and [Panel.Action].
func (p Panel) Describe(shows, action string) Panel {
	p.Shows, p.Action = shows, action
	return p
}

// wide sets the weight of a panel.
func (p Panel) wide(weight int) Panel {
	p.Weight = weight
	return p
}

// LinkTo returns a copy with more links.
func (p Panel) LinkTo(links ...Link) Panel {
	p.Links = append(slices.Clip(p.Links), links...)
	return p
}
