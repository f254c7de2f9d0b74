// Package rollout analyzes a new version of a service after its rollout: it
// queries Prometheus for what the instances of that version did since, and
// compares that with the objectives of the service.
//
// The analysis failed when the ratio of bad events is above the threshold of a
// page and there are enough of them: then the version should be rolled back. It
// passed when there were enough events and it did not fail. Everything else is
// inconclusive: no data, too few events, a Prometheus that cannot be reached,
// rejects the query, warns that its result is incomplete, or returns no number.
// No traffic is split: all of it reaches the new version.
//
// Command rollout-analysis is the same for pipelines.
package rollout
