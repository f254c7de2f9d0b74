// Package conformance compares our store, rule evaluator and routing with Prometheus,
// promtool and Alertmanager.
//
// internal/promsim/metricstore and internal/promsim/rulesim import only the light packages of
// Prometheus. This module imports all of Prometheus and Alertmanager and shows
// that the two give the same answers:
//
//   - the scripts by which upstream tests PromQL, on our store;
//   - rule files evaluated by upstream's rules package on its database and by
//     ours, sample by sample;
//   - promtool's verdicts on rule tests, also on broken rules, and ours;
//   - Alertmanager's notifications, from its own dispatcher in simulated time,
//     and ours.
//
// It is never tagged and nothing imports it. `make conformance` runs it.
package conformance
