package dashboards

import (
	"github.com/observability-first/scaffold/runtime/semconv"
)

// overloadRow is how the service protects itself, and whether that still helps.
func (s Scope) overloadRow() Row {
	limit := s.gauges("Requests worked on", Count,
		[2]string{semconv.RuntimeOverloadInFlight, "in flight"}, [2]string{semconv.RuntimeOverloadQueued, "waiting"}, [2]string{semconv.RuntimeOverloadLimit, "limit"}).
		says("Requests that are worked on, that wait to be, and how many may be worked on at a time: the service finds that out from its latency.",
			"In flight at the limit with requests waiting: the service is at its capacity.", "What it refuses is beside it; what each request waits for is in the rows below.")
	limit.limit = []string{refID(2)}
	shed := s.Rate("Requests refused", s.Metric(semconv.RuntimeOverloadShed), PerSecond, semconv.LabelPriority, semconv.LabelReason).
		says("Requests refused to protect the others, by priority and reason.",
			"critical means that nothing less important is left to refuse; memory means that more requests would end the process; bodies, that many clients send large ones.",
			"Start more processes if the load is real, else find what became slow.").leads(s.dashboard(dashboardOverview, "Overview at this time"))
	would := s.Rate("Requests that would be rejected", s.Metric(semconv.RuntimeOverloadWouldShed), PerSecond, semconv.LabelPriority, semconv.LabelReason).
		says("Requests that OVERLOAD_MODE=observe admitted and enforce would have rejected, by priority and reason.",
			"Zero with enforce. Above zero with observe: what enforce would do to this traffic.",
			"If the clients can repeat these requests later, set OVERLOAD_MODE=enforce.")
	slow := s.Rate("Slow clients", s.Metric(semconv.HTTPServerSlowClients), PerSecond, semconv.LabelReason).
		says("Requests ended because their client was too slow: its body did not arrive (request_body), or it did not read the response (response).",
			"A few are mobile clients. Many at once are an attack: they hold no place, but each takes a connection.",
			"Find the client address in the log lines with status 408 or 499, and block it in front of the service.")
	floor := Panel{
		Title: "Limit at its floor", Kind: Timeline, Thresholds: []Threshold{{0.5, Failing}},
		Targets: []Target{{Expr: s.Metric(semconv.RuntimeOverloadAtMinLimit).Expr().Max(semconv.LabelInstance), Legend: Legend(semconv.LabelInstance)}},
	}.says("When the limit was as low as it may be: red.", "A lower limit would not cure it: something that every request needs is slow.",
		"Dependencies, then the scheduler below.")
	return Row{Title: "Overload", Panels: []Panel{limit, shed, floor, would, slow}}
}

// selfRow is what the runtime gave up of its own.
func (s Scope) selfRow() Row {
	blocked := s.Rate("Log lines that nobody read", s.Metric(semconv.RuntimeTelemetryDropped, Is(semconv.LabelReason, semconv.DropBlocked)), PerSecond, semconv.LabelInstance).
		says("Log lines lost because nothing read the standard output of the process.", "Above zero the log has a hole. On one node its log collector is stuck.",
			"Restart the log collector of the node, or write fewer lines.")
	overflow := s.Rate("Label values beyond the ceiling", s.Metric(semconv.RuntimeCardinalityOverflow), PerSecond, semconv.LabelMetric, semconv.LabelLabel).
		says("Observations counted together because a label has more values than it may.", "Above zero the metric can no longer tell that label's values apart.",
			"Take out of the label what callers choose; the log line of the first overflow names both.")
	overflow.EmptyUntil = "a label has too many values"
	return Row{Title: "Given up", Panels: []Panel{blocked, overflow}}
}
