// Package slo turns service level objectives into what Prometheus and
// Alertmanager run, and into what the person on call reads.
//
// [Parse] reads a specification, [Compile] makes its [Rules]: recording rules
// and alerts, with the notes on what was left out and why. [Rules.Files] writes
// them for Prometheus together with unit tests for promtool, [Rules.Drill] says
// after how many minutes each alert fires, and [Rules.Runbooks] explains each
// alert to whoever it wakes.
//
// Windows are not read from the raw counters. Each interval is counted once, as
// an increase, and every longer window is a sum of increases: the same decisions for
// about a thousandth of the samples, and an error budget that weighs requests
// instead of averaging ratios.
//
// The package is pure: it touches no clock, disk or network and gives the same
// bytes for the same input. Everything in it may be used concurrently.
package slo
