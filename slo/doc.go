// Package slo compiles service level objectives into Prometheus rules, Alertmanager
// configuration and runbooks.
//
// [Parse] reads a specification. [Compile] returns its [Rules]: recording rules, alerts,
// and notes on what was left out. [Rules.Files] returns rule files and their unit tests
// for promtool, [Rules.Detections] the time to detection of each alert, [Rules.Runbooks] the
// runbooks, with a section for each alert.
//
// Recording rules count the events of each interval once, as an increase. Longer windows
// are sums of increases. This needs about a thousandth of the samples of windows over raw
// counters, and weighs requests in error budgets instead of averaging ratios.
//
// The package uses no clock, disk or network, and equal input gives equal bytes. All of
// it is safe for concurrent use.
package slo
