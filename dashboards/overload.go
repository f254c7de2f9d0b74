package dashboards

import (
	"github.com/observability-first/scaffold/runtime/semconv"
)

func (s Scope) overloadRow() Row {
	limit := s.gauges("Requests in flight, queued and limit", Count,
		[2]string{semconv.RuntimeOverloadInFlight, "in flight"}, [2]string{semconv.RuntimeOverloadQueued, "queued"}, [2]string{semconv.RuntimeOverloadLimit, "limit"}).
		says("Requests in flight and queued, and the concurrency limit that follows the measured latency.",
			"If requests queue at the limit, the service is at capacity: find what became slow, or add instances.")
	limit.limit = []string{refID(2)}
	rejected := s.Rate("Rejected requests by priority", s.Metric(semconv.RuntimeOverloadShed), PerSecond, semconv.LabelPriority, semconv.LabelReason).
		says("Requests rejected per second, by priority and reason, such as memory (little is left) or bodies (many large ones).",
			"If critical requests are rejected, add instances, or find what became slow.").links(s.dashboard(dashboardOverview, "Overview"))
	would := s.Rate("Requests that would be rejected", s.Metric(semconv.RuntimeOverloadWouldShed), PerSecond, semconv.LabelPriority, semconv.LabelReason).
		says("Requests per second that OVERLOAD_MODE=enforce would reject; zero unless the mode is observe.",
			"If clients can retry these requests, set OVERLOAD_MODE=enforce.")
	slow := s.Rate("Slow clients", s.Metric(semconv.HTTPServerSlowClients), PerSecond, semconv.LabelReason).
		says("Requests ended because the client sent its body (request_body) or read the response (response) too slowly.",
			"Many at once may be an attack: find the client address in the logs (status 408 or 499), and block it in front of the service.")
	atMinimum := Panel{
		Title: "Concurrency limit at minimum", Kind: Timeline, Thresholds: []Threshold{{0.5, Failing}},
		Targets: []Target{{Expr: s.Metric(semconv.RuntimeOverloadAtMinLimit).Expr().Max(semconv.LabelInstance), Legend: Legend(semconv.LabelInstance)}},
	}.says("Times at which the concurrency limit of an instance was at its minimum (red).",
		"Every request has become slow: check dependencies and scheduler latency.")
	return Row{Title: "Overload", Panels: []Panel{limit, rejected, atMinimum, would, slow}}
}

func (s Scope) telemetryRow() Row {
	blocked := s.Rate("Dropped log lines", s.Metric(semconv.RuntimeTelemetryDropped, Is(semconv.LabelReason, semconv.DropBlocked)), PerSecond, semconv.LabelInstance).
		says("Log lines dropped per second because the standard output was not read.",
			"If it is one node, restart its log collector; if it is all, log less.")
	overflow := s.Rate("Metric cardinality overflow", s.Metric(semconv.RuntimeCardinalityOverflow), PerSecond, semconv.LabelMetric, semconv.LabelLabel).
		says("Observations per second with a label value beyond the cardinality limit; they are counted together.",
			"Remove values that clients choose from the label.")
	overflow.EmptyUntil = "a label has too many values"
	return Row{Title: "Telemetry loss", Panels: []Panel{blocked, overflow}}
}
