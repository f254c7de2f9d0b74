package slo

import (
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// runtimeAlerts are tickets on what the runtime drops or rejects to keep requests
// fast.
func (c *compiler) runtimeAlerts() {
	c.telemetryDropped()
	c.logsDropped()
	c.metricCardinalityLimitReached()
	c.concurrencyLimitAtMinimum()
	if c.spec.ConnectionPool {
		c.dbConnectionPoolSaturated()
	}
	c.saturationAlerts()
}

// lost counts what was given up in ten minutes, by labels.
func (c *compiler) lost(s selector, by ...string) string {
	return "sum by (" + c.kept(by...) + ") (increase(" + s.String() + "[10m]))"
}

func (c *compiler) telemetryDropped() {
	dropped := c.scope.metric(semconv.RuntimeTelemetryDropped, labels.MustNewMatcher(labels.MatchNotEqual, semconv.LabelReason, semconv.DropBlocked))
	sum := c.lost(dropped, semconv.LabelSignal)
	c.alert(Alert{
		Kind: KindTelemetryDropped, Tier: TierTicket, SLO: -1,
		Check: sum, Expect: "0", Where: c.lost(dropped, semconv.LabelSignal, semconv.LabelReason) + " > 0",
	}, Rule{
		Alert: camel(c.spec.Service) + "TelemetryDropped", Expr: sum + " > 0", For: noDataFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": {{ $value | humanize }} {{ $labels." + semconv.LabelSignal + " }} were dropped in ten minutes",
		description: "Users feel nothing. The collector is slow or away, and what was dropped will be missing when it is needed.",
	})
}

// logsDropped is apart from other drops, because another team fixes it: the one that
// runs the node.
func (c *compiler) logsDropped() {
	blocked := c.scope.metric(semconv.RuntimeTelemetryDropped, labels.MustNewMatcher(labels.MatchEqual, semconv.LabelReason, semconv.DropBlocked))
	sum := c.lost(blocked)
	c.alert(Alert{
		Kind: KindLogsDropped, Tier: TierTicket, SLO: -1,
		Check: sum, Expect: "0", Where: c.lost(blocked, semconv.LabelInstance) + " > 0",
	}, Rule{
		Alert: camel(c.spec.Service) + "LogsDropped", Expr: sum + " > 0", For: brokenFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": {{ $value | humanize }} log lines were lost in ten minutes; stdout is not read",
		description: "Users feel nothing. The reader of the standard output of the instances has stopped or is too slow, and the log has a gap.",
	})
}

func (c *compiler) metricCardinalityLimitReached() {
	sum := c.lost(c.scope.metric(semconv.RuntimeCardinalityOverflow), semconv.LabelMetric, semconv.LabelLabel)
	c.alert(Alert{
		Kind: KindMetricCardinalityLimitReached, Tier: TierTicket, SLO: -1,
		Check: sum, Expect: "nothing, or 0", Where: sum + " > 0",
	}, Rule{
		Alert: camel(c.spec.Service) + "MetricCardinalityLimitReached", Expr: sum + " > 0", For: noDataFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary: c.subject() + ": label {{ printf \"%.24s\" $labels." + semconv.LabelLabel + " }} of {{ printf \"%.40s\" $labels." + semconv.LabelMetric + " }} has too many values",
		description: "Users feel nothing. New values of the label are counted together as " + semconv.OverflowValue +
			", so that the metric can no longer tell them apart. Something that a caller chooses, such as an id, became a label.",
	})
}

// concurrencyLimitAtMinimum means that shedding no longer helps.
func (c *compiler) concurrencyLimitAtMinimum() {
	atMinimum := c.scope.metric(semconv.RuntimeOverloadAtMinLimit)
	check := c.by("max", atMinimum.String())
	c.alert(Alert{
		Kind: KindConcurrencyLimitAtMinimum, Tier: TierTicket, SLO: -1,
		Check: check, Expect: "0",
		Where: "sum by (" + c.kept(semconv.LabelReason) + ") (rate(" + c.scope.metric(semconv.RuntimeOverloadShed).String() + "[10m])) > 0",
	}, Rule{
		Alert: camel(c.spec.Service) + "ConcurrencyLimitAtMinimum", Expr: check + " == 1", For: brokenFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": an instance is slow at its minimum concurrency limit",
		description: "Rejected requests spend the error budget, also those that clients call sheddable, but not those of clients with a timeout shorter than the latency objective. When users feel it, a page fires. More load is not the cause, or not alone: something that each request needs became slow. " + c.sinceText(brokenFor),
	})
}

// A wait for connections that is worth a look: one caller at any time, over all
// instances, and for longer than a burst, in which the pool grows.
const (
	waitingCallers = "1"
	poolFor        = 10 * time.Minute
)

func (c *compiler) dbConnectionPoolSaturated() {
	waited := c.scope.metric(semconv.DBClientConnectionWaitTime)
	by := append(c.spec.Identity(), semconv.LabelPoolName)
	line := func(by ...string) string {
		return "sum by (" + strings.Join(by, ", ") + ") (rate(" + waited.String() + "[5m]))"
	}
	c.alert(Alert{
		Kind: KindDBConnectionPoolSaturated, Tier: TierTicket, SLO: -1,
		Check: line(by...), Expect: "0, and less than " + waitingCallers, Where: "topk(5, " + line(append(by, semconv.LabelInstance)...) + " > 0)",
	}, Rule{
		Alert: camel(c.spec.Service) + "DBConnectionPoolSaturated", Expr: line(by...) + " > " + waitingCallers, For: poolFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": {{ $value | humanize }} callers wait for a connection of pool {{ printf \"%.24s\" $labels." + semconv.LabelPoolName + " }} at any time",
		description: "Requests that need the database are slower by that wait. Either queries became slow, or there are more requests than connections. " + c.sinceText(poolFor),
	})
}
