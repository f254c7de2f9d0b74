// Package semconv defines the names of all metrics, labels and attributes.
//
// The runtime emits these names, package slo writes rules with them, and package dashboards
// queries them. The linter reports a name that is written anywhere else.
//
// The names follow the OpenTelemetry semantic conventions ([Version]) in their Prometheus form:
// dots become underscores, the unit is a suffix, and counters end in _total. Names that the
// conventions do not define follow the same rules. A test compares the names with the Go package
// of the conventions.
//
// Metric, label and attribute names are public. A new major version is needed to change one, and
// both names exist for one minor version.
package semconv

// Version is the version of the OpenTelemetry semantic conventions that the names follow.
const Version = "1.43.0"
