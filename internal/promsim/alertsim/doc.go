// Package alertsim simulates incidents on the rules of one service, in simulated
// time, and holds every alert to the minute that was predicted for it.
//
// A [Simulation] is the rules as they lie on the disk, what they were compiled from,
// and the [Fleet] that the series are shaped like. [Simulation.Run] breaks it in every
// way that the rules are made for: shares of bad events, processes that go away,
// crash or take no requests, weeks in which nothing is wrong, single failures of
// little used services, idle nights, and budgets over a month. It returns checks;
// an alert that is late, early, silent, or fires for nothing is one that fails.
//
// Nothing here waits: a month takes seconds, on the PromQL engine of Prometheus.
package alertsim
