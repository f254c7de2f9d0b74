package slo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Values of "for" of tickets.
const (
	noDataFor   = 10 * time.Minute
	mismatchFor = 15 * time.Minute
	brokenFor   = 5 * time.Minute
)

// minCoverage is the data coverage of a day below which error budgets are unreliable: 72
// minutes are missing.
const minCoverage = 0.95

// The scrape interval is wrong if samples arrive at more, or less, than these multiples of
// the declared one.
const (
	slowestSamples = 1.25
	fastestSamples = 0.8
)

// presence selects the series that exists while an instance runs: up, or target_info if
// metrics are pushed.
func (c *compiler) presence() selector { return c.scope.metric(c.scope.presence) }

// kept lists the labels of [Spec.Identity], and more.
func (c *compiler) kept(more ...string) string {
	return strings.Join(append(c.spec.Identity(), more...), ", ")
}

func (c *compiler) onEnvironment() string { return "on (" + c.kept() + ") " }

func (c *compiler) by(op, expr string) string {
	return op + " by (" + c.kept() + ") (" + expr + ")"
}

// ofService selects a record of the service.
func (c *compiler) ofService(record string) string {
	return record + "{" + labelService + "=" + strconv.Quote(c.spec.Service) + "}"
}

func (c *compiler) serviceAlerts() {
	c.instanceAlerts()
	if slices.ContainsFunc(c.spec.SLOs, func(o Objective) bool { return len(o.GroupBy) == 0 }) {
		c.sloDataIncomplete() // ignores grouped objectives
	}
	c.scrapeIntervalMismatch()
	if c.spec.Runtime {
		c.healthCheckFailing()
		c.runtimeAlerts()
	}
}

func (c *compiler) sinceText(d time.Duration) string {
	return "This has lasted for at least " + window(d) + "."
}

// sloNoData adds the alert for an objective whose metrics have no data. An idle service has
// increases of zero instead.
func (c *compiler) sloNoData(o resolved) {
	t := c.counting(o, TierTicket)
	present := c.presence().String()
	if c.spec.Metrics == MetricsScrape {
		present += " == 1"
	}
	running := c.by("group", present)
	expr := running + " unless " + c.onEnvironment() + o.ref(t.bad())
	if o.Indicator.Custom() {
		// A metric that counts no event for a day may not exist.
		idle := running + " unless " + c.onEnvironment() + "(" + ref(recordTotal+"1d", c.spec.Service, c.totalSLI(o)) + " > 0) and " +
			c.onEnvironment() + c.presence().String() + " offset 1d"
		if o.grouped {
			expr = idle
		} else {
			expr += " or " + idle
		}
	}
	check := "count by (" + c.kept(labelSLI) + ") (" + c.ofService(t.bad()) + ")"
	c.alert(Alert{
		Kind: KindSLONoData, Tier: TierTicket, SLO: o.index,
		Check: check, Expect: "one result for each environment and SLI",
		Condition: c.noDataCondition(),
	}, Rule{
		Alert: camel(c.spec.Service) + "SLONoData", Expr: expr, For: noDataFor,
		Labels: c.alertLabels(TierTicket, append(slices.Clone(o.sloth), Label{labelSLO, o.Name})...),
	}, texts{
		summary:     c.subject() + ": the objective " + shorten(o.Name, 24) + " has no data",
		description: "The service runs, but the metrics of the objective have no data, so its alerts cannot fire.",
	})
}

// noDataCondition is the condition of [compiler.sloNoData] for all objectives in English.
func (c *compiler) noDataCondition() string {
	text := "Instances run, but an objective has no data for " + inWords(noDataFor) + "."
	if slices.ContainsFunc(c.spec.SLOs, func(o Objective) bool { return o.Indicator.Custom() }) {
		text = strings.TrimSuffix(text, ".") + ", or the metrics of its indicator have counted no event in the last day."
	}
	return text
}

// sloDataIncomplete adds the alert for low data coverage. It ignores environments that are
// new or were removed.
func (c *compiler) sloDataIncomplete() {
	// Ignore grouped objectives: a removed route is not a gap.
	coverage := fmt.Sprintf("%s1h{%s=%q,%s!~%q}", recordCoverage, labelService, c.spec.Service, labelSLI, groupedSLIs)
	daily := covered(coverage, day)
	c.alert(Alert{
		Kind: KindSLODataIncomplete, Tier: TierTicket, SLO: -1,
		Check: daily, Expect: "at least " + number(minCoverage),
		Condition: "Less than " + inPercent(minCoverage) + " of the last day has SLO data.",
	}, Rule{
		Alert: camel(c.spec.Service) + "SLODataIncomplete",
		Expr: daily + " < " + number(minCoverage) + " and last_over_time(" + coverage + "[30m] offset 1d) and " + c.onEnvironment() +
			c.presence().String(),
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": only {{ $value | humanizePercentage }} of the last day has SLO data",
		description: "The rules did not run, or the service was not scraped. Error budgets that include this time are unreliable.",
	})
}

// scrapeIntervalMismatch adds the alert for samples that do not arrive at the declared scrape
// interval, on which all increases depend.
func (c *compiler) scrapeIntervalMismatch() {
	declared := int64(c.spec.ScrapeInterval / time.Second)
	key := "scrapeInterval"
	if !c.spec.Runtime { // the objectives may be imported
		key += " (imported objectives: --scrape-interval)"
	}
	spacing := "600 / " + c.by("max", "count_over_time("+c.presence().String()+"[10m])")
	c.alert(Alert{
		Kind: KindScrapeIntervalMismatch, Tier: TierTicket, SLO: -1,
		Check: spacing, Expect: strconv.FormatInt(declared, 10),
		Condition: fmt.Sprintf("The time between samples is above %.4g or below %.4g seconds for %s; the rules expect %d seconds.",
			slowestSamples*float64(declared), fastestSamples*float64(declared), inWords(mismatchFor), declared),
	}, Rule{
		Alert: camel(c.spec.Service) + "ScrapeIntervalMismatch", For: mismatchFor,
		Expr:   fmt.Sprintf("%s > %d * %g or %s < %d * %g", spacing, declared, slowestSamples, spacing, declared, fastestSamples),
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary: c.subject() + ": samples arrive every {{ $value | humanizeDuration }}, but the rules expect " + model.Duration(c.spec.ScrapeInterval).String(),
		description: "Error ratios of short windows are wrong. " +
			"Set " + key + " to the scrape interval of Prometheus, and generate the rules again.",
	})
}

func (c *compiler) healthCheckFailing() {
	check := "min by (" + c.kept(semconv.LabelCheck) + ") (" + c.scope.metric(semconv.RuntimeHealthCheckUp).String() + ")"
	c.alert(Alert{
		Kind: KindHealthCheckFailing, Tier: TierTicket, SLO: -1,
		Check: check, Expect: "1",
		Condition: "A health check fails on at least one instance for " + inWords(brokenFor) + ".",
	}, Rule{
		Alert: camel(c.spec.Service) + "HealthCheckFailing", Expr: check + " == 0", For: brokenFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": health check {{ printf \"%.24s\" $labels." + semconv.LabelCheck + " }} fails on some instances",
		description: "Requests that need the dependency fail and count as errors; if users are affected, a page fires. " + c.sinceText(brokenFor),
	})
}
