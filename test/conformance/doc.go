// Package conformance compares our store, rule evaluator and routing with Prometheus,
// promtool and Alertmanager.
//
// internal/promsim/metricstore and internal/promsim/rulesim import only a few packages of
// Prometheus. This module imports all of Prometheus and Alertmanager. It tests that
//
//   - Prometheus's test scripts for PromQL pass on our store;
//   - our evaluator writes the same samples as Prometheus's rules package on its database;
//   - our evaluator and promtool return the same results for rule tests, also with
//     invalid rules;
//   - our routing sends the same notifications as Alertmanager's dispatcher in simulated
//     time.
//
// It is never tagged and nothing imports it. `make conformance` runs it.
package conformance
