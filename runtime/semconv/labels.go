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

// Outcomes lists every outcome, in the order boards show them.
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
	ShedScheduler     = "scheduler"  // it waited for a processor too long to be begun
)
