package dashboards

import (
	"github.com/observability-first/scaffold/runtime/semconv"
)

// dependencies answers whether what the service needs is what makes it slow.
func dependencies(s Scope) Dashboard {
	rows := []Row{s.checksRow()}
	if s.in.HasPostgres {
		rows = append(rows, s.poolRow(), s.databaseRow())
	}
	if s.in.HasHTTPClient {
		rows = append(rows, s.peersRow())
	}
	return New(s, dashboardDependencies, "Dependencies",
		"Whether the database and the services that this one calls answer, how fast, and whether it waits to ask them.", rows...)
}

func (s Scope) checksRow() Row {
	checks := Panel{
		Title: "Health checks", Kind: Timeline, Thresholds: []Threshold{{0.5, Failing}}, EmptyUntil: "the service has a check",
		Targets: []Target{{Expr: "1 - " + s.Metric(semconv.RuntimeHealthCheckUp).Expr().Min(semconv.LabelCheck), Legend: Legend(semconv.LabelCheck)}},
	}.says("When the check of each dependency failed in any process: red.", "Requests that need it fail fast and count as errors.",
		"Talk to its owner; the rows below say what the service saw.").leads(s.dashboard(dashboardOverview, "Overview at this time"))
	return Row{Title: "Checks", Height: 5, Panels: []Panel{checks}}
}

func (s Scope) poolRow() Row {
	state := []string{semconv.LabelPoolName, semconv.LabelPoolState}
	connections := Panel{
		Title: "Connections", Kind: TimeSeries, Unit: Count, Stack: true, limit: []string{refID(1)},
		Targets: []Target{
			{Expr: s.Metric(semconv.DBClientConnectionCount).Expr().Sum(state...), Legend: Legend(state...)},
			{Expr: s.Metric(semconv.DBClientConnectionMax).Expr().Sum(semconv.LabelPoolName), Legend: Legend(semconv.LabelPoolName) + " largest"},
		},
	}.says("Connections of the pool by state, all processes together.", "All of them used and callers waiting: queries are slow, or there are more requests than the pool can carry.",
		"Its use and the waits beside it tell which.")
	share := Panel{
		Title: "Pool in use", Kind: TimeSeries, Unit: Share, Max: 1, Line: true, Thresholds: []Threshold{{0.8, Warning}, {0.95, Failing}},
		Targets: []Target{{
			Expr: s.Metric(semconv.DBClientConnectionCount, Is(semconv.LabelPoolState, semconv.ConnectionStateInUse)).Expr().Sum(semconv.LabelInstance, semconv.LabelPoolName).
				Over(s.Metric(semconv.DBClientConnectionMax).Expr().Sum(semconv.LabelInstance, semconv.LabelPoolName)),
			Legend: Legend(semconv.LabelInstance, semconv.LabelPoolName),
		}},
	}.says("Connections in use as a share of the largest number, by process.", "At 1 the next request waits.", "Slow queries in the row below, else a larger pool or more processes.")
	pending := Panel{
		Title: "Waiting callers", Kind: TimeSeries, Unit: Count,
		Targets: []Target{
			{Expr: s.Metric(semconv.DBClientConnectionPendingRequests).Expr().Sum(), Legend: "waiting now"},
			{Expr: s.Metric(semconv.DBClientConnectionTimeouts).Rate().Sum(), Legend: "gave up, per second"},
		},
	}.says("Callers that wait for a connection, and those that gave up.", "Any that gave up are requests that failed.", "Latency of the operations below; requests on the overview.").
		leads(s.dashboard(dashboardOverview, "Overview at this time"))
	waits := s.Metric(semconv.DBClientConnectionWaits).Rate().Sum()
	waited := Panel{
		Title: "Time to get a connection", Kind: TimeSeries, Unit: Seconds, EmptyUntil: "a caller has to wait",
		Targets: []Target{{Expr: s.Metric(semconv.DBClientConnectionWaitTime).Rate().Sum().Over(waits), Legend: "mean of those that waited"}},
	}.says("How long those callers waited that had to.", "It adds to the latency of every one of them.", "Waiting callers beside it.")
	return Row{Title: "Connection pool", Panels: []Panel{connections, share, pending, waited}}
}

func (s Scope) databaseRow() Row {
	d := s.Histogram(semconv.DBClientOperationDuration)
	op := semconv.LabelDBOperation
	rate := Panel{
		Title: "Queries by operation", Kind: TimeSeries, Unit: PerSecond, EmptyUntil: untilQueries,
		Targets: []Target{{Expr: d.Rate().Sum(op), Legend: Legend(op)}},
	}.says("Queries a second, by operation.", "More queries for the same requests are a loop around a query.", "A trace shows how many one request makes.").
		leads(s.dashboard(dashboardOverview, "Traces on the overview"))
	latency := Panel{
		Title: "Query p95 by operation", Kind: TimeSeries, Unit: Seconds, EmptyUntil: untilQueries,
		Targets: []Target{{Expr: d.Quantile(0.95, op), Legend: Legend(op), Exemplars: true}},
	}.says("p95 of the time of a query, its rows included.", "All operations slow: the database or the network. One: its index, its locks or its data.",
		"A trace from the overview has the statement.").leads(s.dashboard(dashboardOverview, "Traces on the overview"))
	failed := Distribution{Selector: d.With(Not(semconv.LabelErrorType, "")), native: d.native}
	total := d.Rate().Sum(op)
	errors := Panel{
		Title: "Query errors by operation", Kind: TimeSeries, Unit: Share, EmptyUntil: untilQueries,
		Targets: []Target{{Expr: failed.Rate().Sum(op).OrZero(total).Over(total), Legend: Legend(op)}},
	}.says("The share of queries that fail, by operation.", "Above zero: constraints, conflicts, time-outs, or a database that goes away.",
		"Kinds of errors beside it, then the logs.")
	kinds := Panel{
		Title: "Query errors by kind", Kind: TimeSeries, Unit: PerSecond, EmptyUntil: "a query fails",
		Targets: []Target{{Expr: failed.Rate().Sum(semconv.LabelErrorType), Legend: Legend(semconv.LabelErrorType)}},
	}.says("Failed queries a second, by what went wrong.", "One kind that is new since a deploy is that deploy's; connection errors are the network's or the database's.",
		"Warnings and errors on the overview.").leads(s.dashboard(dashboardOverview, "Logs on the overview"))
	return Row{Title: "Queries", Panels: []Panel{rate, latency, errors, kinds}}
}

func (s Scope) peersRow() Row {
	d, peer := s.Histogram(semconv.HTTPClientRequestDuration), semconv.LabelServerAddress
	total := d.Rate().Sum(peer)
	failed := Distribution{Selector: d.With(Not(semconv.LabelErrorType, "")), native: d.native}
	rate := Panel{
		Title: "Calls by peer", Kind: TimeSeries, Unit: RequestsPerSecond, EmptyUntil: untilCalls,
		Targets: []Target{{Expr: total, Legend: Legend(peer)}},
	}.says("Attempts a second, by the service that is called.", "More attempts for the same requests are retries.", "Retries beside it.")
	latency := Panel{
		Title: "Call p95 by peer", Kind: TimeSeries, Unit: Seconds, EmptyUntil: untilCalls,
		Targets: []Target{{Expr: d.Quantile(0.95, peer), Legend: Legend(peer), Exemplars: true}},
	}.says("p95 of one attempt until its answer was read.", "A slow peer makes this service slow; all of them slow is the network or this process.",
		"Click a dot for a trace that crosses both services.")
	errors := Panel{
		Title: "Call errors by peer", Kind: TimeSeries, Unit: Share, EmptyUntil: untilCalls,
		Targets: []Target{{Expr: failed.Rate().Sum(peer).OrZero(total).Over(total), Legend: Legend(peer)}},
	}.says("The share of attempts that fail, by peer.", "Above zero: the peer fails or is not reached.", "The dashboard of that service, or talk to its owner.")
	retries := Panel{
		Title: "Retries", Kind: TimeSeries, Unit: PerSecond,
		Targets: []Target{
			{Expr: s.Metric(semconv.HTTPClientRetries).Rate().Sum(), Legend: "made"},
			{Expr: s.Metric(semconv.HTTPClientRetriesSuppressed).Rate().Sum(), Legend: "not made: budget is spent"},
		},
	}.says("Attempts after the first, and those that the retry budget refused.", "Refused ones mean that a peer fails so often that retrying would make it worse.",
		"Errors by peer beside it.")
	return Row{Title: "Calls", Panels: []Panel{rate, latency, errors, retries}}
}
