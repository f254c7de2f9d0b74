// Package alertsim simulates incidents against the rules of one service, in simulated time, and checks that
// every alert fires in the predicted minute.
//
// A [Simulation] has the rules from the disk, the specification that they were compiled from, and the [Fleet]
// that defines the series. [Simulation.Run] simulates everything that the rules must handle: shares of bad
// events; processes that disappear, crash or are not ready; healthy weeks; single failures at low traffic;
// idle nights; and budgets over a month. It returns checks. A check fails if an alert fires too early, too
// late, not at all, or without a reason.
//
// A month takes seconds, on the PromQL engine of Prometheus.
package alertsim
