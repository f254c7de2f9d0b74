// Package rulesim runs rule files of Prometheus, in simulated time or as time
// goes by, on the real PromQL engine, and says what they do.
//
// Load reads the files, a Evaluator evaluates them over a store of series, Alerts lists
// what is pending or firing, History which alerts fired from when to when, Costs
// what each rule read, and Routing, read from an Alertmanager file, turns alerts
// into notifications, so that pages can be counted. A month of simulated time
// takes seconds. UnitTests runs test files of promtool, Cycles finds rules that
// wait for each other.
//
// What a group records and when an alert fires follows package rules of
// Prometheus 3, sample by sample; test/conformance holds it to that. A group is
// evaluated in order, rules see what the rules before them recorded, everything
// is shifted by the group's query_offset, series that a rule no longer returns
// are marked stale. Two things differ on purpose, unless the Options say
// otherwise: an evaluation or a template that fails ends the run with an error,
// since a rule that fails has not been proven; and annotations are expanded once,
// when the alert begins to fire. A new Evaluator on the store of another is a restarted
// server: it knows the samples and has forgotten which alerts were pending.
package rulesim
