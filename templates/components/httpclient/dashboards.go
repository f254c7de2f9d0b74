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
	errors = errors.Describe("Ratio of failed attempts by method and server; dashed lines: 0.1 % and 1 %.", "Above zero, open the dashboard of that service or call its owner.")
	latency = latency.Describe("p95 latency of one attempt until its response is read, by method and server.",
		"One server: click a dot for a trace through both services. All servers: suspect the network or this service.")
	retries := dashboards.Panel{
		Title: "Retries", Kind: dashboards.TimeSeries, Unit: dashboards.PerSecond, Color: dashboards.Warning, SoftMax: 1, LegendTable: true,
		Targets: []dashboards.Target{
			{Expr: s.Metric(semconv.HTTPClientRetries).Rate().Sum(), Legend: "retries"},
			{Expr: s.Metric(semconv.HTTPClientRetriesSuppressed).Rate().Sum(), Legend: "suppressed: retry budget spent"},
		},
	}.Describe("Retries per second, and retries that the retry budget suppressed.",
		"If retries are suppressed, a server fails too often: check the call error ratio.")
	return dashboards.Row{Title: "Calls to other services", Height: 9, Panels: []dashboards.Panel{rate, errors, latency, retries}}
}
