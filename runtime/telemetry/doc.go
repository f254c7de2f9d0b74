// Package telemetry gives one service its traces, metrics, logs and profiles.
//
// [New] validates and declares; nothing connects and no goroutine starts before
// [Telemetry.Start]. [Telemetry.Shutdown] flushes every signal at the same time
// within the deadline of its context.
//
// Telemetry cannot hurt the service that it describes. A backend that is away,
// slow or lying never delays a start, a request or an exit beyond a stated
// bound; queues are bounded, and what does not fit is dropped and counted in
// runtime_telemetry_dropped_total.
//
// The OTEL_* variables of the OpenTelemetry specification apply, with two
// deviations. No exporter starts unless an endpoint or exporter variable is
// set, so that a laptop does not shout at a collector that is not there; and
// the sampler that applies without OTEL_TRACES_SAMPLER is the service's own
// (see [Sampling]).
package telemetry
