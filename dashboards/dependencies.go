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
		Title: "Dependency health", Kind: Timeline, EmptyUntil: "the service has a check",
		Mappings: []ValueMapping{{0, "unhealthy", Failing}, {1, "healthy", Good}},
		Targets:  []Target{{Expr: s.Metric(semconv.RuntimeHealthCheckUp).Expr().Min(semconv.LabelCheck), Legend: Legend(semconv.LabelCheck)}},
	}.Describe("Health checks of dependencies; red while one fails on any instance.",
		"Call the owner of the dependency; the panels below show its latency and errors.").LinkTo(s.OverviewLink())
	return Row{Height: 4, Panels: []Panel{checks}}
}

// poolUtilization is that of each pool of each instance.
func (s Scope) poolUtilization() Utilization {
	by := []string{semconv.LabelInstance, semconv.LabelPoolName}
	return Utilization{
		Resource: "database connections",
		Used:     s.Metric(semconv.DBClientConnectionCount, Is(semconv.LabelPoolState, semconv.ConnectionStateInUse)).Expr().Sum(by...),
		Limit:    s.Metric(semconv.DBClientConnectionMax).Expr().Sum(by...),
		Action:   "At 100 %, requests wait for a connection: check the connection pool on the dependencies dashboard.",
	}
}

func (s Scope) poolRow() Row {
	state := []string{semconv.LabelPoolName, semconv.LabelPoolState}
	connections := Panel{
		Title: "Connections by state", Kind: TimeSeries, Unit: Factor, Stack: true,
		Targets: []Target{
			{Expr: s.Metric(semconv.DBClientConnectionCount).Expr().Sum(state...), Legend: Legend(state...)},
			{Expr: s.Metric(semconv.DBClientConnectionMax).Expr().Sum(semconv.LabelPoolName), Legend: Legend(semconv.LabelPoolName) + " maximum", Limit: true},
		},
	}.Describe("Connections of all instances by state, and the maximum (dashed).",
		"If all are in use, queries are slow or the pool is too small: compare with the query latency below.")
	used := s.poolUtilization()
	utilization := s.UtilizationGraph("Connection pool utilization (top 10)", used.Used.Over(used.Limit), semconv.LabelInstance, semconv.LabelPoolName).
		Describe("Connections in use divided by the maximum, of the ten busiest instances, at each scrape.",
			"At 100 %, requests wait: check for slow queries, then enlarge the pool or add instances. Peaks between two scrapes are not visible; see Waits for a connection.")
	// Gauges of waiting requests miss what happens between scrapes; counters do not.
	waits, waited := s.Metric(semconv.DBClientConnectionWaits).Rate().Sum(), s.Metric(semconv.DBClientConnectionWaitTime).Rate().Sum()
	pending := Panel{
		Title: "Waits for a connection", Kind: TimeSeries, Unit: PerSecond, Color: Warning, Colors: map[string]string{"timeouts": Failing}, SoftMax: 1, LegendTable: true,
		Targets: []Target{
			{Expr: waits, Legend: "waits"},
			{Expr: s.Metric(semconv.DBClientConnectionTimeouts).Rate().Sum(), Legend: "timeouts"},
		},
	}.Describe("Requests per second that had to wait for a connection, and that gave up.",
		"Each timeout is a failed request: check the query latency below.").LinkTo(s.OverviewLink())
	mean := Panel{
		Title: "Connection wait time", Kind: TimeSeries, Unit: Seconds, LegendTable: true, EmptyUntil: "a request has to wait",
		Targets: []Target{
			{Expr: waited.Over(waits), Legend: "mean of those that waited"},
		},
	}.Describe("Average wait of the requests that had to wait for a connection.",
		"It is part of their latency: if it rises, check the connection pool utilization.")
	return Row{Title: "Connection pool", Panels: []Panel{connections, utilization, pending, mean}}
}

// RED returns graphs of the rate, errors and duration of outgoing requests, from a histogram with the label error_type: the
// ten largest by labels. Titles begin with what, such as Query. emptyUntil is as in [Panel].
func (s Scope) RED(what, histogram string, unit Unit, emptyUntil string, by ...string) (rate, errors, duration Panel) {
	d := s.Histogram(histogram)
	total := d.Rate().Sum(by...)
	failed := Distribution{Selector: d.With(Not(semconv.LabelErrorType, "")), native: d.native}
	graph := func(title string, unit Unit, e Expr) Panel {
		return Panel{
			Title: title + " (top 10)", Kind: TimeSeries, Unit: unit, EmptyUntil: emptyUntil, LegendTable: true,
			Targets: []Target{{Expr: e.TopInRange(10, by...), Legend: Legend(by...)}},
		}
	}
	rate = graph(what+" rate", unit, total)
	rate.SoftMax = fewRequests
	errors = graph(what+" error ratio", Ratio, failed.Rate().Sum(by...).OrZero(total).Over(total))
	errors.Thresholds, errors.Line, errors.SoftMax = []Threshold{{0.001, Warning}, {0.01, Failing}}, true, 0.01
	duration = graph(what+" latency, p95", Seconds, d.Quantile(0.95, by...))
	duration.Targets[0].Exemplars = true
	return rate, errors, duration
}

func (s Scope) databaseRow() Row {
	rate, errors, latency := s.RED("Query", semconv.DBClientOperationDuration, PerSecond, untilQueries, semconv.LabelDBOperation)
	overview := s.OverviewLink()
	rate = rate.Describe("Queries per second by operation.",
		"If it rises without more requests, look in a trace for a query in a loop.").LinkTo(overview)
	errors = errors.Describe("Ratio of failed queries by operation; dashed lines: 0.1 % and 1 %.", "Above zero, check the errors by type and the logs.")
	latency = latency.Describe("p95 latency of queries by operation, including the time to read the rows.",
		"All operations: suspect the database or the network. One: suspect an index or locks; a trace has the statement.").LinkTo(overview)
	failed := s.Histogram(semconv.DBClientOperationDuration, Not(semconv.LabelErrorType, ""))
	kinds := Panel{
		Title: "Query errors by type", Kind: TimeSeries, Unit: PerSecond, Color: Failing, SoftMax: 1, LegendTable: true, EmptyUntil: "a query fails",
		Targets: []Target{{Expr: failed.Rate().Sum(semconv.LabelErrorType), Legend: Legend(semconv.LabelErrorType)}},
	}.Describe("Failed queries per second by error type. A query that gets no connection does not start: see Dependency health.",
		"Connection errors: check the database and the network. A type that began with a deployment: roll back.").LinkTo(overview)
	return Row{Title: "Database queries", Height: 9, Panels: []Panel{rate, errors, latency, kinds}}
}

func (s Scope) callsRow() Row {
	rate, errors, latency := s.RED("Call", semconv.HTTPClientRequestDuration, RequestsPerSecond, untilCalls, semconv.LabelMethod, semconv.LabelServerAddress)
	rate = rate.Describe("Outgoing requests per second by method and server, retries included.", "If it rises without more incoming requests, check the retries.")
	errors = errors.Describe("Ratio of failed attempts by method and server; dashed lines: 0.1 % and 1 %.", "Above zero, open the dashboard of that service or call its owner.")
	latency = latency.Describe("p95 latency of one attempt until its response is read, by method and server.",
		"One server: click a dot for a trace through both services. All servers: suspect the network or this service.")
	retries := Panel{
		Title: "Retries", Kind: TimeSeries, Unit: PerSecond, Color: Warning, SoftMax: 1, LegendTable: true,
		Targets: []Target{
			{Expr: s.Metric(semconv.HTTPClientRetries).Rate().Sum(), Legend: "retries"},
			{Expr: s.Metric(semconv.HTTPClientRetriesSuppressed).Rate().Sum(), Legend: "suppressed: retry budget spent"},
		},
	}.Describe("Retries per second, and retries that the retry budget suppressed.",
		"If retries are suppressed, a server fails too often: check the call error ratio.")
	return Row{Title: "Calls to other services", Height: 9, Panels: []Panel{rate, errors, latency, retries}}
}
