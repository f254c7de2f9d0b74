package semconv

// Metrics of the HTTP server.
const (
	// HTTPServerRequests counts completed requests by method, route and outcome. All known
	// methods and routes start at zero, so that a rate sees the first failure.
	HTTPServerRequests = "http_server_requests_total"
	// HTTPServerRoutedRequests counts completed requests on known routes by outcome: the sum of
	// [HTTPServerRequests] without unmatched requests. Rules for the whole service read it,
	// because its number of series does not depend on the number of routes.
	HTTPServerRoutedRequests = "http_server_routed_requests_total"
	// HTTPServerRequestDuration is the histogram of the time from the first byte read to the
	// handler's return, in seconds, without streams.
	HTTPServerRequestDuration = "http_server_request_duration_seconds"
	// HTTPServerRoutedRequestDuration is the sum of [HTTPServerRequestDuration] over known
	// routes, by outcome.
	HTTPServerRoutedRequestDuration = "http_server_routed_request_duration_seconds"
	// HTTPServerActiveRequests is the number of requests in flight.
	HTTPServerActiveRequests = "http_server_active_requests"
	// HTTPServerStreamDuration is the histogram of the duration of event streams and upgraded
	// connections, in seconds.
	HTTPServerStreamDuration = "http_server_stream_duration_seconds"
	// HTTPServerPanics counts handlers that panicked, by method and route.
	HTTPServerPanics = "http_server_panics_total"
	// HTTPServerSlowClients counts requests that were ended because their client sent the request
	// or read the response too slowly, by reason.
	HTTPServerSlowClients = "http_server_slow_clients_total"
	// HTTPServerOpenConnections is the number of open connections, idle or not. The conventions
	// define the name for clients only (http.client.open_connections).
	HTTPServerOpenConnections = "http_server_open_connections"
	// HTTPServerOpenConnectionsMax is the maximum of [HTTPServerOpenConnections], 0 for a process
	// that does not listen.
	HTTPServerOpenConnectionsMax = "http_server_open_connections_max"
)

// Metrics of the HTTP client.
const (
	// HTTPClientRequestDuration is the histogram of one attempt, from the first byte written to
	// the end of the response body, in seconds.
	HTTPClientRequestDuration = "http_client_request_duration_seconds"
	// HTTPClientCalls counts calls to upstreams by their outcome after all attempts, redirects and the response body. A
	// call that an open circuit breaker rejects is a server error.
	HTTPClientCalls = "http_client_calls_total"
	// HTTPClientRetries counts attempts after the first.
	HTTPClientRetries = "http_client_retries_total"
	// HTTPClientRetriesSuppressed counts retries that the budget did not allow.
	HTTPClientRetriesSuppressed = "http_client_retries_suppressed_total"
)

// Metrics of database clients.
const (
	// DBClientOperationDuration is the histogram of one query, in seconds.
	DBClientOperationDuration = "db_client_operation_duration_seconds"
	// DBClientConnectionCount is the number of pool connections by state (idle, used). The suffix
	// _count is that of the conventions, and an exception to the rules of promlint.
	DBClientConnectionCount = "db_client_connection_count"
	// DBClientConnectionMax is the maximum number of connections of the pool.
	DBClientConnectionMax = "db_client_connection_max"
	// DBClientConnectionPendingRequests is the number of requests that wait for a connection.
	DBClientConnectionPendingRequests = "db_client_connection_pending_requests"
	// DBClientConnectionWaits counts requests that had to wait because no connection was idle.
	DBClientConnectionWaits = "db_client_connection_waits_total"
	// DBClientConnectionWaitTime is the total time spent waiting for connections, in seconds.
	DBClientConnectionWaitTime = "db_client_connection_wait_time_seconds_total"
	// DBClientConnectionTimeouts counts requests that got no connection in time.
	DBClientConnectionTimeouts = "db_client_connection_timeouts_total"
)

// Metrics that describe the process.
const (
	// BuildInfo is 1, labeled with version, revision and Go version.
	BuildInfo = "build_info"
	// TargetInfo is 1, labeled with the OpenTelemetry resource.
	TargetInfo = "target_info"
	// Up is 1 if the last scrape succeeded. The scraper writes it.
	Up = "up"
	// ProcessStartTime is the start time of the process in seconds since 1970. All Prometheus
	// client libraries have it.
	ProcessStartTime = "process_start_time_seconds"
	// ProcessCPU is the CPU time of the process.
	ProcessCPU = "process_cpu_seconds_total"
	// GoMaxProcs is GOMAXPROCS, the maximum number of CPUs in use.
	GoMaxProcs = "go_sched_gomaxprocs_threads"
	// GoMemoryLimit is GOMEMLIMIT, 2^63-1 without one.
	GoMemoryLimit = "go_gc_gomemlimit_bytes"
	// GoMemoryTotal is the memory that Go has mapped, and GoMemoryReleased the part returned to
	// the system. GOMEMLIMIT limits the difference.
	GoMemoryTotal    = "go_memory_classes_total_bytes"
	GoMemoryReleased = "go_memory_classes_heap_released_bytes"
)

// Metrics of the runtime itself.
const (
	// RuntimeReady is 1 while /readyz responds with 200.
	RuntimeReady = "runtime_ready"
	// RuntimeHealthCheckUp is 1 while the named check succeeds.
	RuntimeHealthCheckUp = "runtime_health_check_up"
	// RuntimeDrainPhase is the duration of each phase of the last shutdown in seconds.
	RuntimeDrainPhase = "runtime_drain_phase_seconds"
	// RuntimeTelemetryDropped counts dropped telemetry by signal and reason. Telemetry is dropped
	// rather than delaying a request.
	RuntimeTelemetryDropped = "runtime_telemetry_dropped_total"
	// RuntimeCardinalityOverflow counts observations in an overflow series, because a label
	// exceeded its limit of values, by metric and label.
	RuntimeCardinalityOverflow = "runtime_cardinality_overflow_total"
	// RuntimeErrorSlowSpans counts spans of unsampled requests that were exported because of an
	// error or high latency.
	RuntimeErrorSlowSpans = "runtime_error_slow_spans_total"
	// RuntimeLogsSuppressed counts suppressed log lines that repeat an identical one.
	RuntimeLogsSuppressed = "runtime_logs_suppressed_total"
)

// Metrics of overload protection.
const (
	// RuntimeOverloadLimit is the limit of requests in flight.
	RuntimeOverloadLimit = "runtime_overload_limit"
	// RuntimeOverloadInFlight is the number of requests in flight.
	RuntimeOverloadInFlight = "runtime_overload_in_flight"
	// RuntimeOverloadQueued is the number of queued requests.
	RuntimeOverloadQueued = "runtime_overload_queued"
	// RuntimeOverloadShed counts requests rejected to protect other requests, by priority and
	// reason. All combinations exist from the start.
	RuntimeOverloadShed = "runtime_overload_shed_total"
	// RuntimeOverloadWouldShed counts requests that would have been rejected if OVERLOAD_MODE
	// were not observe, by priority and reason.
	RuntimeOverloadWouldShed = "runtime_overload_would_shed_total"
	// RuntimeOverloadAtMinLimit is 1 while the limit is at its minimum. Then a lower limit would
	// not make the service faster.
	RuntimeOverloadAtMinLimit = "runtime_overload_at_min_limit"
)

// Metrics of the HTTP client's protections.
const (
	// HTTPClientBreakerOpen is 1 while calls to a host are rejected because too many failed, by
	// server address.
	HTTPClientBreakerOpen = "http_client_breaker_open"
	// HTTPClientBreakerRejected counts the rejected calls.
	HTTPClientBreakerRejected = "http_client_breaker_rejected_total"
	// HTTPClientHedges counts attempts that were sent because the previous one had no response
	// yet.
	HTTPClientHedges = "http_client_hedges_total"
)
