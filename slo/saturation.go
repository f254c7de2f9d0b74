package slo

import (
	"strconv"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// saturationAlerts adds tickets on resources that are nearly full and that the autoscaler
// cannot add.
func (c *compiler) saturationAlerts() {
	if r := c.spec.Replicas; r.Max > r.Min {
		c.hpaMaxedOut(r.Max)
	}
	c.cpuHigh()
	c.memoryNearLimit()
}

// saturation reports whether the alert is one of [compiler.saturationAlerts].
func (k Kind) saturation() bool {
	return k == KindHpaMaxedOut || k == KindCPUHigh || k == KindMemoryNearLimit
}

// saturatedFor is longer than a burst or a rollout, which adds instances. At 90 % of its
// CPU, goroutines of a Go process wait for CPU; at 95 % of GOMEMLIMIT, the garbage
// collector runs almost all the time.
const (
	saturatedFor  = 15 * time.Minute
	saturatedCPU  = 0.9
	nearlyNoLimit = "2^62" // without a GOMEMLIMIT, the metric is 2^63-1
	fullMemory    = 0.95
)

func (c *compiler) hpaMaxedOut(maximum int) {
	running := c.by("sum", c.presence().String())
	if c.spec.Metrics == MetricsPush {
		running = c.by("count", c.presence().String())
	}
	highest := strconv.Itoa(maximum)
	c.alert(Alert{
		Kind: KindHpaMaxedOut, Tier: TierTicket, SLO: -1,
		Check: running, Expect: "below " + highest + ", the maximum of the autoscaler",
		Where:     c.by("sum", c.scope.metric(semconv.HTTPServerActiveRequests).String()) + " / " + running,
		Condition: "At least " + highest + " instances run, the maximum of the autoscaler, for " + inWords(saturatedFor) + ".",
	}, Rule{
		Alert: camel(c.spec.Service) + "HpaMaxedOut", Expr: running + " >= " + highest, For: saturatedFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": {{ $value }} instances run, the maximum of the autoscaler",
		description: "No impact on users yet. If traffic rises further, requests wait, and then some are rejected. " + c.sinceText(saturatedFor),
	})
}

func (c *compiler) cpuHigh() {
	used := "rate(" + c.scope.metric(semconv.ProcessCPU).String() + "[5m])"
	share := c.by("sum", used) + " / " + c.by("sum", c.scope.metric(semconv.GoMaxProcs).String())
	c.alert(Alert{
		Kind: KindCPUHigh, Tier: TierTicket, SLO: -1,
		Check: share, Expect: "below " + number(saturatedCPU),
		Where:     "topk(5, " + used + " / " + c.scope.metric(semconv.GoMaxProcs).String() + ")",
		Condition: "The CPU use of all instances together is above " + inPercent(saturatedCPU) + " of GOMAXPROCS for " + inWords(saturatedFor) + ".",
	}, Rule{
		Alert: camel(c.spec.Service) + "CPUHigh", Expr: share + " > " + number(saturatedCPU), For: saturatedFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": instances use {{ $value | humanizePercentage }} of GOMAXPROCS",
		description: "Requests are slower, because they wait for CPU. " + c.sinceText(saturatedFor),
	})
}

func (c *compiler) memoryNearLimit() {
	held := "(" + c.scope.metric(semconv.GoMemoryTotal).String() + " - " + c.scope.metric(semconv.GoMemoryReleased).String() + ")"
	share := held + " / (" + c.scope.metric(semconv.GoMemoryLimit).String() + " < " + nearlyNoLimit + ")"
	highest := c.by("max", share)
	c.alert(Alert{
		Kind: KindMemoryNearLimit, Tier: TierTicket, SLO: -1,
		Check: highest, Expect: "below " + number(fullMemory) + ", or no result if GOMEMLIMIT is not set", Where: "topk(5, " + share + ")",
		Condition: "The memory of at least one instance is above " + inPercent(fullMemory) + " of GOMEMLIMIT for " + inWords(saturatedFor) + ".",
	}, Rule{
		Alert: camel(c.spec.Service) + "MemoryNearLimit", Expr: highest + " > " + number(fullMemory), For: saturatedFor,
		Labels: c.alertLabels(TierTicket),
	}, texts{
		summary:     c.subject() + ": an instance uses {{ $value | humanizePercentage }} of GOMEMLIMIT",
		description: "Requests are slower, because garbage collection takes CPU. If memory rises further, the kernel kills the instance, and its requests in flight fail. " + c.sinceText(saturatedFor),
	})
}
