package postgres

import (
	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Dependency is the database on the dashboards.
func Dependency() dashboards.Dependency {
	return dashboards.Dependency{
		Name:        "postgres",
		Rows:        func(s dashboards.Scope) []dashboards.Row { return []dashboards.Row{poolRow(s), queriesRow(s)} },
		Utilization: poolUtilization,
	}
}

// poolUtilization is that of each connection pool.
func poolUtilization(s dashboards.Scope) dashboards.Utilization {
	by := []string{semconv.LabelInstance, semconv.LabelPoolName}
	return dashboards.Utilization{
		Resource: "database connections",
		Used:     s.Metric(semconv.DBClientConnectionCount, dashboards.Is(semconv.LabelPoolState, semconv.ConnectionStateInUse)).Expr().Sum(by...),
		Limit:    s.Metric(semconv.DBClientConnectionMax).Expr().Sum(by...),
		Action:   "At 100 %, requests wait for a connection: check the connection pool on the dependencies dashboard.",
	}
}

func poolRow(s dashboards.Scope) dashboards.Row {
	state := []string{semconv.LabelPoolName, semconv.LabelPoolState}
	connections := dashboards.Panel{
		Title: "Connections by state", Kind: dashboards.TimeSeries, Unit: dashboards.Factor, Stack: true,
		Targets: []dashboards.Target{
			{Expr: s.Metric(semconv.DBClientConnectionCount).Expr().Sum(state...), Legend: dashboards.Legend(state...)},
			{Expr: s.Metric(semconv.DBClientConnectionMax).Expr().Sum(semconv.LabelPoolName), Legend: dashboards.Legend(semconv.LabelPoolName) + " maximum", Limit: true},
		},
	}.Describe("Connections of all instances by state, and the maximum (dashed).",
		"If all are in use, queries are slow or the pool is too small: compare with the query latency below.")
	used := poolUtilization(s)
	utilization := s.UtilizationGraph("Connection pool utilization (top 10)", used.Used.Over(used.Limit), semconv.LabelInstance, semconv.LabelPoolName).
		Describe("Connections in use divided by the maximum, of the ten busiest instances, at each scrape.",
			"At 100 %, requests wait: check for slow queries, then enlarge the pool or add instances. Peaks between two scrapes are not visible; see Waits for a connection.")
	// Gauges of waiting requests miss what happens between scrapes; counters do not.
	waits, waited := s.Metric(semconv.DBClientConnectionWaits).Rate().Sum(), s.Metric(semconv.DBClientConnectionWaitTime).Rate().Sum()
	pending := dashboards.Panel{
		Title: "Waits for a connection", Kind: dashboards.TimeSeries, Unit: dashboards.PerSecond, Color: dashboards.Warning, Colors: map[string]string{"timeouts": dashboards.Failing}, SoftMax: 1, LegendTable: true,
		Targets: []dashboards.Target{
			{Expr: waits, Legend: "waits"},
			{Expr: s.Metric(semconv.DBClientConnectionTimeouts).Rate().Sum(), Legend: "timeouts"},
		},
	}.Describe("Requests per second that had to wait for a connection, and that gave up.",
		"Each timeout is a failed request: check the query latency below.").LinkTo(s.OverviewLink())
	mean := dashboards.Panel{
		Title: "Connection wait time", Kind: dashboards.TimeSeries, Unit: dashboards.Seconds, LegendTable: true, EmptyUntil: "a request has to wait",
		Targets: []dashboards.Target{
			{Expr: waited.Over(waits), Legend: "mean of those that waited"},
		},
	}.Describe("Average wait of the requests that had to wait for a connection.",
		"It is part of their latency: if it rises, check the connection pool utilization.")
	return dashboards.Row{Title: "Connection pool", Panels: []dashboards.Panel{connections, utilization, pending, mean}}
}

func queriesRow(s dashboards.Scope) dashboards.Row {
	rate, errors, latency := s.RED("Query", semconv.DBClientOperationDuration, dashboards.PerSecond, "the service queries its database", semconv.LabelDBOperation)
	overview := s.OverviewLink()
	rate = rate.Describe("Queries per second by operation.",
		"If it rises without more requests, look in a trace for a query in a loop.").LinkTo(overview)
	errors = errors.Describe("Ratio of failed queries by operation; dashed lines: 0.1 % and 1 %.", "Above zero, check the errors by type and the logs.")
	latency = latency.Describe("p95 latency of queries by operation, including the time to read the rows.",
		"All operations: suspect the database or the network. One: suspect an index or locks; a trace has the statement.").LinkTo(overview)
	failed := s.Histogram(semconv.DBClientOperationDuration, dashboards.Not(semconv.LabelErrorType, ""))
	kinds := dashboards.Panel{
		Title: "Query errors by type", Kind: dashboards.TimeSeries, Unit: dashboards.PerSecond, Color: dashboards.Failing, SoftMax: 1, LegendTable: true, EmptyUntil: "a query fails",
		Targets: []dashboards.Target{{Expr: failed.Rate().Sum(semconv.LabelErrorType), Legend: dashboards.Legend(semconv.LabelErrorType)}},
	}.Describe("Failed queries per second by error type. A query that gets no connection does not start: see Dependency health.",
		"Connection errors: check the database and the network. A type that began with a deployment: roll back.").LinkTo(overview)
	return dashboards.Row{Title: "Database queries", Height: 9, Panels: []dashboards.Panel{rate, errors, latency, kinds}}
}
