package semconv

// Metrics of the HTTP server.
const (
	// HTTPServerRequests counts finished requests by method, route and outcome.
	// Every registered method and route exists at zero from the start, so that
	// the first failure of a fresh process is an increase that a rate can see.
	HTTPServerRequests = "http_server_requests_total"
	// HTTPServerRoutedRequests counts finished requests on known routes by outcome: the sum of
	// [HTTPServerRequests] without unmatched ones. Rules for the whole service read it,
	// because it has the same number of series for any number of routes.
	HTTPServerRoutedRequests = "http_server_routed_requests_total"
	// HTTPServerRequestDuration is the histogram of the time from the first byte
	// read to the handler's return, in seconds. Streams are not in it: their
	// length says nothing about how fast the service answers.
	HTTPServerRequestDuration = "http_server_request_duration_seconds"
	// HTTPServerRoutedRequestDuration is the sum of [HTTPServerRequestDuration] over
	// known routes, by outcome.
	HTTPServerRoutedRequestDuration = "http_server_routed_request_duration_seconds"
	// HTTPServerActiveRequests is the number of requests in flight.
	HTTPServerActiveRequests = "http_server_active_requests"
	// HTTPServerStreamDuration is the histogram of the length of event streams
	// and upgraded connections, in seconds.
	HTTPServerStreamDuration = "http_server_stream_duration_seconds"
	// HTTPServerPanics counts handlers that panicked, by method and route.
	HTTPServerPanics = "http_server_panics_total"
	// HTTPServerSlowClients counts requests that were ended because their client sent the
	// request or read the response too slowly, by reason.
	HTTPServerSlowClients = "http_server_slow_clients_total"
	// HTTPServerOpenConnections is the number of open connections, idle or not. The convention has the
	// name for clients only (http.client.open_connections).
	HTTPServerOpenConnections = "http_server_open_connections"
	// HTTPServerOpenConnectionsMax is their maximum number, 0 for a process that does not listen.
	HTTPServerOpenConnectionsMax = "http_server_open_connections_max"
)

// Metrics of the HTTP client.
const (
	// HTTPClientRequestDuration is the histogram of one attempt, from the first
	// byte written to the end of the response body, in seconds.
	HTTPClientRequestDuration = "http_client_request_duration_seconds"
	// HTTPClientRetries counts attempts after the first.
	HTTPClientRetries = "http_client_retries_total"
	// HTTPClientRetriesSuppressed counts retries that the budget did not allow.
	HTTPClientRetriesSuppressed = "http_client_retries_suppressed_total"
)

// Metrics of database clients.
const (
	// DBClientOperationDuration is the histogram of one query, in seconds.
	DBClientOperationDuration = "db_client_operation_duration_seconds"
	// DBClientConnectionCount is the number of pool connections by state (idle,
	// used). The name ends in _count because the convention's does; promlint's
	// objection is the one listed exception.
	DBClientConnectionCount = "db_client_connection_count"
	// DBClientConnectionMax is the largest number of connections of the pool.
	DBClientConnectionMax = "db_client_connection_max"
	// DBClientConnectionPendingRequests is the number of callers that wait for a
	// connection.
	DBClientConnectionPendingRequests = "db_client_connection_pending_requests"
	// DBClientConnectionWaits counts callers that had to wait because the pool
	// was empty.
	DBClientConnectionWaits = "db_client_connection_waits_total"
	// DBClientConnectionWaitTime is the time spent waiting for connections,
	// summed over callers, in seconds.
	DBClientConnectionWaitTime = "db_client_connection_wait_time_seconds_total"
	// DBClientConnectionTimeouts counts callers that gave up waiting.
	DBClientConnectionTimeouts = "db_client_connection_timeouts_total"
)

// Metrics that describe the process.
const (
	// BuildInfo is 1, labelled with version, revision and Go version.
	BuildInfo = "build_info"
	// TargetInfo is 1, labelled with the OpenTelemetry resource.
	TargetInfo = "target_info"
	// Up is written by the scraper: 1 when the last scrape succeeded.
	Up = "up"
	// ProcessStartTime is when the process began, in seconds since 1970. The
	// process collector of every Prometheus client library writes it.
	ProcessStartTime = "process_start_time_seconds"
	// ProcessCPU is the processor time that the process used.
	ProcessCPU = "process_cpu_seconds_total"
	// GoMaxProcs is how many processors Go uses at a time.
	GoMaxProcs = "go_sched_gomaxprocs_threads"
	// GoMemoryLimit is GOMEMLIMIT, 2^63-1 without one.
	GoMemoryLimit = "go_gc_gomemlimit_bytes"
	// GoMemoryTotal is what Go got from the system, and GoMemoryReleased the part
	// that it gave back. The difference is what GOMEMLIMIT bounds.
	GoMemoryTotal    = "go_memory_classes_total_bytes"
	GoMemoryReleased = "go_memory_classes_heap_released_bytes"
)

// Metrics of the runtime about itself.
const (
	// RuntimeReady is 1 while /readyz answers 200.
	RuntimeReady = "runtime_ready"
	// RuntimeHealthCheckUp is 1 while the named check succeeds.
	RuntimeHealthCheckUp = "runtime_health_check_up"
	// RuntimeDrainPhase is the time each phase of the last stop took, in seconds.
	RuntimeDrainPhase = "runtime_drain_phase_seconds"
	// RuntimeTelemetryDropped counts telemetry that was given up, by signal and
	// reason. Telemetry is dropped rather than let it slow a request.
	RuntimeTelemetryDropped = "runtime_telemetry_dropped_total"
	// RuntimeCardinalityOverflow counts observations that went into the overflow
	// series because a label exceeded its ceiling, by metric and label.
	RuntimeCardinalityOverflow = "runtime_cardinality_overflow_total"
	// RuntimeErrorSlowSpans counts server spans that were exported although the
	// sampler had said no, because the request failed or was slow.
	RuntimeErrorSlowSpans = "runtime_error_slow_spans_total"
	// RuntimeLogsSuppressed counts log lines that were not written because an
	// identical one had just been.
	RuntimeLogsSuppressed = "runtime_logs_suppressed_total"
)

// Metrics of overload protection.
const (
	// RuntimeOverloadLimit is how many requests may be worked on at a time.
	RuntimeOverloadLimit = "runtime_overload_limit"
	// RuntimeOverloadInFlight is how many are.
	RuntimeOverloadInFlight = "runtime_overload_in_flight"
	// RuntimeOverloadQueued is how many wait to be begun.
	RuntimeOverloadQueued = "runtime_overload_queued"
	// RuntimeOverloadShed counts requests that were refused to protect the
	// others, by priority and reason. All combinations exist from the start.
	RuntimeOverloadShed = "runtime_overload_shed_total"
	// RuntimeOverloadWouldShed counts requests that were admitted because
	// OVERLOAD_MODE is observe, and would have been rejected otherwise, by priority and
	// reason.
	RuntimeOverloadWouldShed = "runtime_overload_would_shed_total"
	// RuntimeOverloadAtMinLimit is 1 while the limit is as low as it may get:
	// whatever makes the service slow, a lower limit will not cure it.
	RuntimeOverloadAtMinLimit = "runtime_overload_at_min_limit"
)

// Metrics of the HTTP client's protections.
const (
	// HTTPClientBreakerOpen is 1 while calls to a host are refused because too many
	// failed, by server address.
	HTTPClientBreakerOpen = "http_client_breaker_open"
	// HTTPClientBreakerRejected counts the calls that were.
	HTTPClientBreakerRejected = "http_client_breaker_rejected_total"
	// HTTPClientHedges counts attempts that were sent because the one before had
	// not been answered yet.
	HTTPClientHedges = "http_client_hedges_total"
)
