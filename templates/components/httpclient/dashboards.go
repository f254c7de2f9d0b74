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
	rate, errors, latency := s.RED("Call", semconv.HTTPClientRequestDuration, dashboards.RequestsPerSecond, "the service calls another", append([]string{semconv.LabelMethod}, upstreamLabels()...)...)
	rate = rate.Describe("Outgoing requests per second by method and upstream, retries and health checks included.", "If it rises without more incoming requests, check the retries.")
	// Attempts would hide what retries repair and what an open circuit breaker rejects. As in the alert, many successful
	// health checks must not hide requests that fail.
	by := append(upstreamLabels(), semconv.LabelPurpose)
	total := s.Metric(semconv.HTTPClientCalls).Rate().Sum(by...)
	failed := s.Metric(semconv.HTTPClientCalls, dashboards.OneOf(semconv.LabelOutcome, semconv.BadOutcomes()...)).Rate().Sum(by...)
	errors.Targets = []dashboards.Target{{
		Expr: failed.OrZero(total).Over(total).Max(upstreamLabels()...).TopInRange(10, upstreamLabels()...), Legend: dashboards.Legend(upstreamLabels()...),
	}}
	errors.Thresholds = []dashboards.Threshold{{From: failedRatio / 5, Color: dashboards.Warning}, {From: failedRatio, Color: dashboards.Failing}}
	errors.SoftMax = failedRatio
	errors = errors.Describe("Ratio of calls that fail after all attempts, by upstream; dashed lines: 1 %, and 5 %, the threshold of UpstreamFailing.",
		"Above the lines, open the dashboard of that service or call its owner.")
	latency = latency.Describe("p95 latency of one attempt until its response is read, by method and upstream.",
		"One upstream: click a dot for a trace through both services. All upstreams: suspect the network or this service.")
	retries := dashboards.Panel{
		Title: "Retries and rejections", Kind: dashboards.TimeSeries, Unit: dashboards.PerSecond, Color: dashboards.Warning, SoftMax: 1, LegendTable: true,
		Targets: []dashboards.Target{
			{Expr: s.Metric(semconv.HTTPClientRetries).Rate().Sum(), Legend: "retries"},
			{Expr: s.Metric(semconv.HTTPClientRetriesSuppressed).Rate().Sum(), Legend: "no retry: budget spent"},
			{Expr: s.Metric(semconv.HTTPClientBreakerRejected).Rate().Sum(), Legend: "no call: circuit breaker open"},
		},
	}.Describe("Retries, retries that the retry budget did not allow, and calls that an open circuit breaker rejected, per second.",
		"While an upstream fails, rejections protect it and this service: check the call error ratio.")
	return dashboards.Row{Title: "Calls to other services", Height: 9, Panels: []dashboards.Panel{rate, errors, latency, retries}}
}
