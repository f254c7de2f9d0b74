package dashboards

import (
	"github.com/observability-first/scaffold/runtime/semconv"
)

func (s Scope) overloadRow() Row {
	inFlight := Panel{
		Title: "Requests in flight and queued", Kind: TimeSeries, Unit: Factor, Stack: true, LegendTable: true,
		Colors: map[string]string{"queued": Warning},
		Targets: []Target{
			{Expr: s.Metric(semconv.RuntimeOverloadInFlight).Expr().Sum(), Legend: "in flight"},
			{Expr: s.Metric(semconv.RuntimeOverloadQueued).Expr().Sum(), Legend: "queued"},
			{Expr: s.Metric(semconv.RuntimeOverloadLimit).Expr().Sum(), Legend: "concurrency limit", Limit: true},
		},
	}.Describe("Requests in flight and queued, and the concurrency limit that follows the measured latency (dashed).",
		"If requests queue at the limit, the service is at capacity: find what became slow, or add instances.")
	rejected := s.Rate("Rejected requests by priority and reason", s.Metric(semconv.RuntimeOverloadShed), PerSecond, semconv.LabelPriority, semconv.LabelReason).
		Describe("Requests rejected per second, by priority and reason, such as memory (little is left) or bodies (many large ones).",
			"If critical requests are rejected, add instances, or find what became slow.").LinkTo(s.OverviewLink())
	would := s.Rate("Requests that would be rejected", s.Metric(semconv.RuntimeOverloadWouldShed), PerSecond, semconv.LabelPriority, semconv.LabelReason).
		Describe("Requests per second that OVERLOAD_MODE=enforce would reject; zero unless the mode is observe.",
			"If clients can retry these requests, set OVERLOAD_MODE=enforce.")
	slow := s.Rate("Slow clients", s.Metric(semconv.HTTPServerSlowClients), PerSecond, semconv.LabelReason).
		Describe("Requests ended because the client sent its body (request_body) or read the response (response) too slowly.",
			"Many at once may be an attack: find the client address in the logs (status 408 or 499), and block it in front of the service.")
	for _, p := range []*Panel{&rejected, &would, &slow} {
		p.Color, p.SoftMax, p.LegendTable = Warning, 1, true
	}
	atMinimum := Panel{
		Title: "Concurrency limit at minimum", Kind: Timeline, Mappings: []ValueMapping{{0, "above", Good}, {1, "at minimum", Failing}},
		Targets: []Target{{Expr: s.Metric(semconv.RuntimeOverloadAtMinLimit).Expr().Max(semconv.LabelInstance).TopInRange(10, semconv.LabelInstance), Legend: Legend(semconv.LabelInstance)}},
	}.Describe("Times at which the concurrency limit of an instance was at its minimum (red); ten instances.",
		"Every request has become slow: check dependencies and scheduler latency.")
	return Row{Title: "Overload", Collapsed: true, PerLine: 3, Panels: []Panel{inFlight, rejected, atMinimum, would, slow}}
}

// telemetryRow shows what the other panels cannot show.
func (s Scope) telemetryRow() Row {
	dropped := s.Rate("Dropped telemetry", s.Metric(semconv.RuntimeTelemetryDropped), PerSecond, semconv.LabelSignal, semconv.LabelReason).
		Describe("Spans, log records and profiles dropped per second, by signal and reason; blocked log lines were not read from standard output.",
			"Above zero, traces and logs are incomplete: check the collector.")
	overflow := s.Rate("Metric cardinality overflow", s.Metric(semconv.RuntimeCardinalityOverflow), PerSecond, semconv.LabelMetric, semconv.LabelLabel).
		Describe("Observations per second with a label value beyond the cardinality limit; they are counted together.",
			"Remove values that clients choose from the label.")
	overflow.EmptyUntil = "a label has too many values"
	panels := []Panel{dropped, overflow}
	if s.presence() == semconv.Up {
		panels = append(panels, Panel{
			Title: "Failed scrapes", Kind: TimeSeries, Unit: Factor, SoftMax: 1, LegendTable: true,
			Targets: []Target{{Expr: ("1 - " + s.Metric(semconv.Up).Expr()).Max(semconv.LabelInstance).TopInRange(10, semconv.LabelInstance), Legend: Legend(semconv.LabelInstance)}},
		}.Describe("1 while Prometheus cannot scrape an instance, which has then no metrics.",
			"If the instance serves requests, check the network between Prometheus and its metrics port."))
	}
	for i := range panels {
		panels[i].Color, panels[i].SoftMax, panels[i].LegendTable = Warning, 1, true
	}
	return Row{Title: "Telemetry", Collapsed: true, Panels: panels}
}
