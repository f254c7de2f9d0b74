// Package semconv is the one place where a signal is named.
//
// The runtime emits these names, package slo writes rules over them, package
// dashboards draws them, and a service's own check compares all three. A name
// that is typed anywhere else is a defect that the linter reports.
//
// Names follow the OpenTelemetry semantic conventions ([Version]) in their
// Prometheus form: dots become underscores, the unit is a suffix, and counters
// end in _total. What the conventions do not name (outcome, the runtime's own
// health) follows the same grammar. A test compares the names here with the
// convention's Go package.
//
// Metric, label and attribute names are public: changing one is a major
// version, and both names live for one minor version.
package semconv

// Version is the release of the OpenTelemetry semantic conventions that the
// names in this package follow.
const Version = "1.43.0"
