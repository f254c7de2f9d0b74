// Package rollout judges the new version of a service after its roll-out: it
// asks a Prometheus what the processes of that version did since, and holds the
// answer against the objectives of the service.
//
// A version burns when its share of bad events is above the threshold of a page
// and there are enough of them: then it should be rolled back. It is healthy
// when there were enough events and they were not. Everything else is unknown:
// no data, too few events, a Prometheus that cannot be reached, refuses, warns
// that its answer is not complete or says what is no number. What nobody has
// seen is never healthy.
//
// Command burncheck is the same for pipelines.
package rollout
