// Package rollout analyzes a new version of a service after its rollout. It queries Prometheus
// for the requests of the new version's instances, and compares them with the objectives of the
// service.
//
// The analysis fails if the ratio of bad events exceeds the threshold of a page and there are
// enough bad events: then roll the version back. It passes if there are enough events and it does
// not fail. Otherwise it is inconclusive: no data, too few events, or an error or a warning of
// Prometheus. No traffic is split: all requests reach the new version.
//
// Command rollout-analysis runs the analysis in pipelines.
package rollout
