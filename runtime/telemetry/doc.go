// Package telemetry provides traces, metrics, logs and profiles for a service.
//
// [New] validates the options and registers metrics. Connections and goroutines begin with
// [Telemetry.Start]. [Telemetry.Shutdown] flushes all signals concurrently within the deadline of
// its context.
//
// Telemetry does not harm the service. An unavailable, slow or broken backend never delays a
// start, a request or an exit beyond a fixed limit. Queues are bounded; what does not fit is
// dropped and counted in runtime_telemetry_dropped_total.
//
// The OTEL_* environment variables of the OpenTelemetry specification apply, with two
// differences. No exporter starts unless its endpoint or exporter is set, so that a laptop does
// not send to a missing collector. Without OTEL_TRACES_SAMPLER, the sampler is [Sampling].
package telemetry
