package slo

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// runtimeAlerts adds tickets on telemetry and requests that the runtime drops or rejects.
func (c *compiler) runtimeAlerts() {
	c.telemetryDropped()
	c.logsDropped()
	c.metricCardinalityLimitReached()
	c.concurrencyLimitAtMinimum()
	c.componentAlerts()
	c.saturationAlerts()
}

// lostWithin is the range in which losses are counted.
const lostWithin = 10 * time.Minute

// lostFor is the condition of an alert on losses, in English.
func lostFor(what string, d time.Duration) string {
	return what + " in the last " + inWords(lostWithin) + ", at each evaluation for " + inWords(d) + "."
}

// lost counts what was dropped within [lostWithin], by labels.
func (c *compiler) lost(s selector, by ...string) string {
	return "sum by (" + c.kept(by...) + ") (increase(" + s.String() + "[" + window(lostWithin) + "]))"
}

func (c *compiler) telemetryDropped() {
	dropped := c.scope.metric(semconv.RuntimeTelemetryDropped, labels.MustNewMatcher(labels.MatchNotEqual, semconv.LabelReason, semconv.DropBlocked))
	sum := c.lost(dropped, semconv.LabelSignal)
	c.alert(Alert{
		Kind: KindTelemetryDropped, Tier: TierTicket, SLO: -1,
		Check: sum, Expect: "0", Where: c.lost(dropped, semconv.LabelSignal, semconv.LabelReason) + " > 0",
		Condition: lostFor("Traces, logs or profiles were dropped", noDataFor),
	}, Rule{
		Alert: camel(c.spec.Service) + "TelemetryDropped", Expr: sum + " > 0", For: noDataFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": {{ $value | humanize }} {{ $labels." + semconv.LabelSignal + " }} were dropped in ten minutes",
		description: "No impact on users. The collector is slow or down, and traces, logs or profiles of this time are missing.",
	})
}

// logsDropped is separate from telemetryDropped, because another team repairs it: the one
// that runs the nodes.
func (c *compiler) logsDropped() {
	blocked := c.scope.metric(semconv.RuntimeTelemetryDropped, labels.MustNewMatcher(labels.MatchEqual, semconv.LabelReason, semconv.DropBlocked))
	sum := c.lost(blocked)
	c.alert(Alert{
		Kind: KindLogsDropped, Tier: TierTicket, SLO: -1,
		Check: sum, Expect: "0", Where: c.lost(blocked, semconv.LabelInstance) + " > 0",
		Condition: lostFor("Log lines were dropped", brokenFor),
	}, Rule{
		Alert: camel(c.spec.Service) + "LogsDropped", Expr: sum + " > 0", For: brokenFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": {{ $value | humanize }} log lines were dropped in ten minutes; stdout is not read",
		description: "No impact on users. The log collector of the node has stopped or is too slow, and log lines of this time are missing.",
	})
}

func (c *compiler) metricCardinalityLimitReached() {
	sum := c.lost(c.scope.metric(semconv.RuntimeCardinalityOverflow), semconv.LabelMetric, semconv.LabelLabel)
	c.alert(Alert{
		Kind: KindMetricCardinalityLimitReached, Tier: TierTicket, SLO: -1,
		Check: sum, Expect: "no result, or 0",
		Condition: lostFor("A label had more values than its limit", noDataFor),
	}, Rule{
		Alert: camel(c.spec.Service) + "MetricCardinalityLimitReached", Expr: sum + " > 0", For: noDataFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary: c.subject() + ": label {{ printf \"%.24s\" $labels." + semconv.LabelLabel + " }} of {{ printf \"%.40s\" $labels." + semconv.LabelMetric + " }} has too many values",
		description: "No impact on users. New values of the label are counted together as " + semconv.OverflowValue +
			". Probably the label has values that clients choose, such as ids.",
	})
}

// concurrencyLimitAtMinimum adds the alert for an overload that shedding does not resolve.
func (c *compiler) concurrencyLimitAtMinimum() {
	atMinimum := c.scope.metric(semconv.RuntimeOverloadAtMinLimit)
	check := c.by("max", atMinimum.String())
	c.alert(Alert{
		Kind: KindConcurrencyLimitAtMinimum, Tier: TierTicket, SLO: -1,
		Check: check, Expect: "0",
		Where:     "sum by (" + c.kept(semconv.LabelReason) + ") (rate(" + c.scope.metric(semconv.RuntimeOverloadShed).String() + "[10m])) > 0",
		Condition: "The concurrency limit of at least one instance is at its minimum for " + inWords(brokenFor) + ".",
	}, Rule{
		Alert: camel(c.spec.Service) + "ConcurrencyLimitAtMinimum", Expr: check + " == 1", For: brokenFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": the concurrency limit of an instance is at its minimum",
		description: "Requests are slow, and some are rejected. The cause is not load alone: something that all requests need became slow. Rejected requests spend the error budget, unless the client timeout is shorter than the latency objective. " + c.sinceText(brokenFor),
	})
}
