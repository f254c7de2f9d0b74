package semconv

// Labels of metrics: attribute names of the conventions, with underscores instead of dots.
const (
	LabelMethod          = "http_request_method"
	LabelRoute           = "http_route"
	LabelStatus          = "http_response_status_code"
	LabelOutcome         = "outcome"
	LabelErrorType       = "error_type"
	LabelServerAddress   = "server_address"
	LabelServerPort      = "server_port"
	LabelPeerName        = "service_peer_name" // name of an upstream
	LabelPurpose         = "purpose"           // of a call: a request or a health check
	LabelDBSystem        = "db_system_name"
	LabelDBOperation     = "db_operation_name"
	LabelDBCollection    = "db_collection_name"
	LabelPoolName        = "db_client_connection_pool_name"
	LabelPoolState       = "db_client_connection_state"
	LabelVersion         = "version"
	LabelRevision        = "revision"
	LabelGoVersion       = "goversion"
	LabelCheck           = "check"
	LabelPhase           = "phase"
	LabelSignal          = "signal"
	LabelReason          = "reason"
	LabelMetric          = "metric"
	LabelLabel           = "label"
	LabelJob             = "job"
	LabelInstance        = "instance"
	LabelEnvironment     = "deployment_environment_name"
	LabelServiceName     = "service_name"
	LabelLessOrEqual     = "le"
	LabelQuantile        = "quantile"
	ExemplarTraceID      = "trace_id"
	ExemplarSpanID       = "span_id"
	RouteUnmatched       = "unmatched"
	MethodOther          = "_OTHER"
	OverflowValue        = "_OVERFLOW"
	DBSystemPostgreSQL   = "postgresql"
	ConnectionStateIdle  = "idle"
	ConnectionStateInUse = "used"
)

// Outcomes of a request. OutcomeServerError and OutcomeShed are bad events of an availability
// objective.
const (
	// OutcomeSuccess is a response below 400.
	OutcomeSuccess = "success"
	// OutcomeClientError is a 4xx, or a client that disconnected (recorded as 499).
	OutcomeClientError = "client_error"
	// OutcomeServerError is a 5xx, a panic, a truncated response, or a deadline of the server,
	// even if another status was sent.
	OutcomeServerError = "server_error"
	// OutcomeShed is a request rejected to protect other requests.
	OutcomeShed = "shed"
)

// StatusClientClosedRequest is recorded if the client disconnected before the response. It is
// never sent. 499 is nginx's status.
const StatusClientClosedRequest = 499

// Outcomes returns all outcomes, in the order in which dashboards show them.
func Outcomes() []string {
	return []string{OutcomeSuccess, OutcomeClientError, OutcomeServerError, OutcomeShed}
}

// BadOutcomes returns the outcomes that spend the error budget of availability.
func BadOutcomes() []string { return []string{OutcomeServerError, OutcomeShed} }

// DurationBuckets returns the bounds in seconds that the conventions recommend for
// http.server.request.duration.
func DurationBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
}

// DatabaseBuckets returns the bounds in seconds that the conventions recommend for
// db.client.operation.duration.
func DatabaseBuckets() []float64 {
	return []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}
}

// Labels and label values of overload protection.
const (
	LabelPriority     = "priority"
	PriorityCritical  = "critical"
	PriorityDefault   = "default"
	PrioritySheddable = "sheddable"
	ShedLimit         = "limit"      // the maximum time in the queue is over
	ShedQueueFull     = "queue_full" // the queue is full
	ShedDeadline      = "deadline"   // the response would miss the client's deadline
	ShedMemory        = "memory"     // the process is short of memory
	ShedBodies        = "bodies"     // too many large request bodies are being received
)

// Values of [LabelReason] in [HTTPServerSlowClients].
const (
	SlowRequestBody = "request_body" // the body did not arrive in time
	SlowResponse    = "response"     // the response was not read in time
)

// Values of [LabelSignal] in [RuntimeTelemetryDropped].
const (
	SignalTraces   = "traces"
	SignalLogs     = "logs"
	SignalMetrics  = "metrics"
	SignalProfiles = "profiles"
)

// Values of [LabelReason] in [RuntimeTelemetryDropped]. It counts spans, log records, log lines,
// pushes of metrics, and uploads of profiles. Metrics that a collector rejects are counted in
// data points.
const (
	// DropQueueFull means that the queue of the exporter is full.
	DropQueueFull = "queue_full"
	// DropExportFailed means that the backend was unavailable, returned an error or disconnected.
	DropExportFailed = "export_failed"
	// DropRejected means that the backend accepted a batch and rejected a part of it (partial
	// success of OTLP).
	DropRejected = "rejected"
	// DropShutdown means that the process ended before the export.
	DropShutdown = "shutdown"
	// DropBlocked means that standard output was blocked and the buffer for log lines full.
	DropBlocked = "blocked"
)

// Signals returns the signals of a service.
func Signals() []string {
	return []string{SignalTraces, SignalLogs, SignalMetrics, SignalProfiles}
}

// DropReasons returns the reasons for dropped telemetry.
func DropReasons() []string {
	return []string{DropQueueFull, DropExportFailed, DropRejected, DropShutdown, DropBlocked}
}
