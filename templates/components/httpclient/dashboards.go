package httpclient

import (
	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Dependency is the called services on the dashboards.
func Dependency() dashboards.Dependency {
	return dashboards.Dependency{
		Name: "httpclient",
		Rows: func(s dashboards.Scope) []dashboards.Row { return []dashboards.Row{callsRow(s)} },
	}
}

func callsRow(s dashboards.Scope) dashboards.Row {
	rate, errors, latency := s.RED("Call", semconv.HTTPClientRequestDuration, dashboards.RequestsPerSecond, "the service calls another", semconv.LabelMethod, semconv.LabelServerAddress)
	rate = rate.Describe("Outgoing requests per second by method and server, retries included.", "If it rises without more incoming requests, check the retries.")
	// Attempts would hide what retries repair and what an open circuit breaker rejects.
	total := s.Metric(semconv.HTTPClientCalls).Rate().Sum(semconv.LabelServerAddress)
	failed := s.Metric(semconv.HTTPClientCalls, dashboards.OneOf(semconv.LabelOutcome, semconv.BadOutcomes()...)).Rate().Sum(semconv.LabelServerAddress)
	errors.Targets = []dashboards.Target{{
		Expr: failed.OrZero(total).Over(total).TopInRange(10, semconv.LabelServerAddress), Legend: dashboards.Legend(semconv.LabelServerAddress),
	}}
	errors.Thresholds, errors.SoftMax = []dashboards.Threshold{{From: failing / 5, Color: dashboards.Warning}, {From: failing, Color: dashboards.Failing}}, failing
	errors = errors.Describe("Ratio of calls that fail after all attempts, by server; dashed lines: 1 %, and 5 %, the threshold of UpstreamFailing.",
		"Above the lines, open the dashboard of that service or call its owner.")
	latency = latency.Describe("p95 latency of one attempt until its response is read, by method and server.",
		"One server: click a dot for a trace through both services. All servers: suspect the network or this service.")
	retries := dashboards.Panel{
		Title: "Retries and rejections", Kind: dashboards.TimeSeries, Unit: dashboards.PerSecond, Color: dashboards.Warning, SoftMax: 1, LegendTable: true,
		Targets: []dashboards.Target{
			{Expr: s.Metric(semconv.HTTPClientRetries).Rate().Sum(), Legend: "retries"},
			{Expr: s.Metric(semconv.HTTPClientRetriesSuppressed).Rate().Sum(), Legend: "no retry: budget spent"},
			{Expr: s.Metric(semconv.HTTPClientBreakerRejected).Rate().Sum(), Legend: "no call: circuit breaker open"},
		},
	}.Describe("Retries, retries that the retry budget did not allow, and calls that an open circuit breaker rejected, per second.",
		"While a server fails, rejections protect it and this service: check the call error ratio.")
	return dashboards.Row{Title: "Calls to other services", Height: 9, Panels: []dashboards.Panel{rate, errors, latency, retries}}
}
