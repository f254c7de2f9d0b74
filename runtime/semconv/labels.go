package semconv

// Labels of metrics: attribute names of the convention, dots as underscores.
const (
	LabelMethod          = "http_request_method"
	LabelRoute           = "http_route"
	LabelStatus          = "http_response_status_code"
	LabelOutcome         = "outcome"
	LabelErrorType       = "error_type"
	LabelServerAddress   = "server_address"
	LabelServerPort      = "server_port"
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

// Outcomes: what one request means to an availability objective. Bad events
// are OutcomeServerError and OutcomeShed.
const (
	// OutcomeSuccess is an answer below 400.
	OutcomeSuccess = "success"
	// OutcomeClientError is a 4xx, or a client that went away (recorded 499).
	OutcomeClientError = "client_error"
	// OutcomeServerError is a 5xx, a panic, a truncated response, or our own
	// deadline, whatever status was already sent.
	OutcomeServerError = "server_error"
	// OutcomeShed is a request refused to protect the others.
	OutcomeShed = "shed"
)

// StatusClientClosedRequest is recorded for a client that went away before the
// answer. It never goes over the wire. 499 is nginx's number, which dashboards
// and people already know.
const StatusClientClosedRequest = 499

// Outcomes lists every outcome, in the order dashboards show them.
func Outcomes() []string {
	return []string{OutcomeSuccess, OutcomeClientError, OutcomeServerError, OutcomeShed}
}

// BadOutcomes lists the outcomes that spend an availability budget.
func BadOutcomes() []string { return []string{OutcomeServerError, OutcomeShed} }

// DurationBuckets returns the bounds, in seconds, that the convention advises
// for http.server.request.duration.
func DurationBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
}

// DatabaseBuckets returns the bounds, in seconds, that the convention advises
// for db.client.operation.duration.
func DatabaseBuckets() []float64 {
	return []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}
}

// Label and values of overload protection.
const (
	LabelPriority     = "priority"
	PriorityCritical  = "critical"
	PriorityDefault   = "default"
	PrioritySheddable = "sheddable"
	ShedLimit         = "limit"      // waited for its turn in vain
	ShedQueueFull     = "queue_full" // so many wait that it was not worth waiting
	ShedDeadline      = "deadline"   // its caller would have given up before the answer
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

// Values of [LabelReason] in [RuntimeTelemetryDropped]. What is counted are
// spans, log records and log lines, pushes of metrics, uploads of profiles; what
// a collector rejects out of a push is counted in data points.
const (
	// DropQueueFull means that more was produced than the backend takes.
	DropQueueFull = "queue_full"
	// DropExportFailed means that the backend was away, refused or broke off.
	DropExportFailed = "export_failed"
	// DropRejected means that the backend took a batch and said that it threw
	// some of it away (OTLP's partial success).
	DropRejected = "rejected"
	// DropShutdown means that the process ended before it could be sent.
	DropShutdown = "shutdown"
	// DropBlocked means that nobody read the standard output of the process:
	// log lines, once the buffer for them was full.
	DropBlocked = "blocked"
)

// Signals lists the signals of a service.
func Signals() []string {
	return []string{SignalTraces, SignalLogs, SignalMetrics, SignalProfiles}
}

// DropReasons lists why telemetry may be given up.
func DropReasons() []string {
	return []string{DropQueueFull, DropExportFailed, DropRejected, DropShutdown, DropBlocked}
}
