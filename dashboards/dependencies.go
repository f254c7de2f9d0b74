package dashboards

import (
	"github.com/observability-first/scaffold/runtime/semconv"
)

// dependencies shows whether the database or another service makes this one slow.
func dependencies(s Scope) Dashboard {
	rows := []Row{s.checksRow()}
	if s.in.HasPostgres {
		rows = append(rows, s.poolRow(), s.databaseRow())
	}
	if s.in.HasHTTPClient {
		rows = append(rows, s.callsRow())
	}
	return New(s, dashboardDependencies, "Dependencies",
		"Health, latency and errors of the database and of the services that this one calls.", rows...)
}

func (s Scope) checksRow() Row {
	checks := Panel{
		Title: "Failing health checks", Kind: Timeline, Thresholds: []Threshold{{0.5, Failing}}, EmptyUntil: "the service has a check",
		Targets: []Target{{Expr: "1 - " + s.Metric(semconv.RuntimeHealthCheckUp).Expr().Min(semconv.LabelCheck), Legend: Legend(semconv.LabelCheck)}},
	}.says("Times at which a health check failed on any instance (red).",
		"Call the owner of the dependency; the rows below show its latency and errors.").links(s.dashboard(dashboardOverview, "Overview"))
	return Row{Title: "Health checks", Height: 5, Panels: []Panel{checks}}
}

func (s Scope) poolRow() Row {
	state := []string{semconv.LabelPoolName, semconv.LabelPoolState}
	connections := Panel{
		Title: "Connections by state", Kind: TimeSeries, Unit: Count, Stack: true, limit: []string{refID(1)},
		Targets: []Target{
			{Expr: s.Metric(semconv.DBClientConnectionCount).Expr().Sum(state...), Legend: Legend(state...)},
			{Expr: s.Metric(semconv.DBClientConnectionMax).Expr().Sum(semconv.LabelPoolName), Legend: Legend(semconv.LabelPoolName) + " maximum"},
		},
	}.says("Connections of all instances by state, and the maximum.",
		"If all are in use, queries are slow or the pool is too small: compare with the query latency below.")
	utilization := Panel{
		Title: "Connection pool utilization", Kind: TimeSeries, Unit: Share, Max: 1, Line: true, Thresholds: []Threshold{{0.8, Warning}, {0.95, Failing}},
		Targets: []Target{{
			Expr: s.Metric(semconv.DBClientConnectionCount, Is(semconv.LabelPoolState, semconv.ConnectionStateInUse)).Expr().Sum(semconv.LabelInstance, semconv.LabelPoolName).
				Over(s.Metric(semconv.DBClientConnectionMax).Expr().Sum(semconv.LabelInstance, semconv.LabelPoolName)),
			Legend: Legend(semconv.LabelInstance, semconv.LabelPoolName),
		}},
	}.says("Connections in use divided by the maximum, by instance.",
		"At 100 %, requests wait: check for slow queries, then enlarge the pool or add instances.")
	pending := Panel{
		Title: "Requests waiting for a connection", Kind: TimeSeries, Unit: Count,
		Targets: []Target{
			{Expr: s.Metric(semconv.DBClientConnectionPendingRequests).Expr().Sum(), Legend: "waiting now"},
			{Expr: s.Metric(semconv.DBClientConnectionTimeouts).Rate().Sum(), Legend: "timeouts per second"},
		},
	}.says("Requests that wait for a connection, and timeouts per second.",
		"Each timeout is a failed request: check the query latency below.").links(s.dashboard(dashboardOverview, "Overview"))
	waits := s.Metric(semconv.DBClientConnectionWaits).Rate().Sum()
	waited := Panel{
		Title: "Connection wait time", Kind: TimeSeries, Unit: Seconds, EmptyUntil: "a request has to wait",
		Targets: []Target{{Expr: s.Metric(semconv.DBClientConnectionWaitTime).Rate().Sum().Over(waits), Legend: "mean"}},
	}.says("Average wait of the requests that had to wait for a connection.",
		"It is part of their latency: if it rises, check the connection pool utilization.")
	return Row{Title: "Connection pool", Panels: []Panel{connections, utilization, pending, waited}}
}

func (s Scope) databaseRow() Row {
	d := s.Histogram(semconv.DBClientOperationDuration)
	op := semconv.LabelDBOperation
	rate := Panel{
		Title: "Query rate by operation", Kind: TimeSeries, Unit: PerSecond, EmptyUntil: untilQueries,
		Targets: []Target{{Expr: d.Rate().Sum(op), Legend: Legend(op)}},
	}.says("Queries per second by operation.",
		"If it rises without more requests, look in a trace for a query in a loop.").links(s.dashboard(dashboardOverview, "Overview"))
	latency := Panel{
		Title: "p95 query latency by operation", Kind: TimeSeries, Unit: Seconds, EmptyUntil: untilQueries,
		Targets: []Target{{Expr: d.Quantile(0.95, op), Legend: Legend(op), Exemplars: true}},
	}.says("p95 latency of queries, including the time to read the rows.",
		"All operations: suspect the database or the network. One: suspect an index or locks; a trace has the statement.").
		links(s.dashboard(dashboardOverview, "Overview"))
	failed := Distribution{Selector: d.With(Not(semconv.LabelErrorType, "")), native: d.native}
	total := d.Rate().Sum(op)
	errors := Panel{
		Title: "Query error ratio by operation", Kind: TimeSeries, Unit: Share, EmptyUntil: untilQueries,
		Targets: []Target{{Expr: failed.Rate().Sum(op).OrZero(total).Over(total), Legend: Legend(op)}},
	}.says("Ratio of failed queries by operation.", "Above zero, check the errors by type and the logs.")
	kinds := Panel{
		Title: "Query errors by type", Kind: TimeSeries, Unit: PerSecond, EmptyUntil: "a query fails",
		Targets: []Target{{Expr: failed.Rate().Sum(semconv.LabelErrorType), Legend: Legend(semconv.LabelErrorType)}},
	}.says("Failed queries per second by error type.",
		"Connection errors: check the database and the network. A type that began with a deployment: roll back.").
		links(s.dashboard(dashboardOverview, "Overview"))
	return Row{Title: "Database queries", Panels: []Panel{rate, latency, errors, kinds}}
}

func (s Scope) callsRow() Row {
	d, server := s.Histogram(semconv.HTTPClientRequestDuration), semconv.LabelServerAddress
	total := d.Rate().Sum(server)
	failed := Distribution{Selector: d.With(Not(semconv.LabelErrorType, "")), native: d.native}
	rate := Panel{
		Title: "Call rate by server", Kind: TimeSeries, Unit: RequestsPerSecond, EmptyUntil: untilCalls,
		Targets: []Target{{Expr: total, Legend: Legend(server)}},
	}.says("Outgoing requests per second by server, retries included.", "If it rises without more incoming requests, check the retries.")
	latency := Panel{
		Title: "p95 call latency by server", Kind: TimeSeries, Unit: Seconds, EmptyUntil: untilCalls,
		Targets: []Target{{Expr: d.Quantile(0.95, server), Legend: Legend(server), Exemplars: true}},
	}.says("p95 latency of one attempt until its response is read.",
		"One server: click a dot for a trace through both services. All servers: suspect the network or this service.")
	errors := Panel{
		Title: "Call error ratio by server", Kind: TimeSeries, Unit: Share, EmptyUntil: untilCalls,
		Targets: []Target{{Expr: failed.Rate().Sum(server).OrZero(total).Over(total), Legend: Legend(server)}},
	}.says("Ratio of failed attempts by server.", "Above zero, open the dashboard of that service or call its owner.")
	retries := Panel{
		Title: "Retries", Kind: TimeSeries, Unit: PerSecond,
		Targets: []Target{
			{Expr: s.Metric(semconv.HTTPClientRetries).Rate().Sum(), Legend: "retries"},
			{Expr: s.Metric(semconv.HTTPClientRetriesSuppressed).Rate().Sum(), Legend: "suppressed: retry budget spent"},
		},
	}.says("Retries per second, and retries that the retry budget suppressed.",
		"If retries are suppressed, a server fails too often: check the error ratio by server.")
	return Row{Title: "Calls to other services", Panels: []Panel{rate, latency, errors, retries}}
}
