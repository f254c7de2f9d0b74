// Package rulesim evaluates Prometheus rule files in simulated or real time, with the PromQL engine of
// Prometheus.
//
// Load reads rule files and an Evaluator evaluates them over a store of series. Alerts returns pending and
// firing alerts, History the alerts that have fired, and Costs what each rule read. Routing, read from an
// Alertmanager file, turns alerts into notifications, so that pages can be counted. A month of simulated time
// takes seconds. UnitTests runs promtool test files, and Cycles finds rules that depend on each other.
//
// Recorded samples and alert states follow package rules of Prometheus 3, sample by sample; test/conformance
// checks this. A group evaluates its rules in order, and each rule sees what the rules before it recorded.
// The group's query_offset shifts everything. Series that a rule no longer returns are marked stale.
//
// Two defaults differ from Prometheus; Options can restore its behavior. A failing evaluation or template
// ends the run with an error, because a rule that fails has not been checked. Annotations are expanded once,
// when the alert starts to fire.
//
// A new Evaluator on the store of another behaves like a restarted server: it has the samples, but not the
// pending alerts.
package rulesim
