package telemetry

import (
	"errors"
	"regexp"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// declareDrops initializes the counters of all signals and reasons, so that a rate sees the first
// drop.
func (t *Telemetry) declareDrops() error {
	dropped, err := t.registry.Counter(semconv.RuntimeTelemetryDropped,
		"Dropped spans, log records, log lines, metric pushes and profiles; rejected metrics in data points.", semconv.LabelSignal, semconv.LabelReason)
	if err != nil {
		return err
	}
	t.dropped = map[string]map[string]prometheus.Counter{}
	for _, signal := range semconv.Signals() {
		t.dropped[signal] = map[string]prometheus.Counter{}
		for _, reason := range semconv.DropReasons() {
			t.dropped[signal][reason] = dropped.WithLabelValues(signal, reason)
		}
	}
	return nil
}

func (t *Telemetry) dropper(signal string) func(reason string, n int) {
	counters := t.dropped[signal]
	return func(reason string, n int) { counters[reason].Add(float64(n)) }
}

// undelivered returns how much of a batch an export lost, and why. A collector may accept a batch
// and reject a part of it.
func undelivered(err error, batch int) (reason string, n int) {
	rejected, partial := rejectedItems(err)
	if !partial {
		return semconv.DropExportFailed, batch
	}
	return semconv.DropRejected, min(rejected, batch)
}

// partialSuccess matches the end of a partial success error of the OTLP exporters, whose type is
// internal. The text before it is the collector's.
var partialSuccess = regexp.MustCompile(`^OTLP partial success: (?s:.*) \((-?\d+) (?:spans|logs|metric data points) rejected\)$`)

// rejectedItems returns the number of items that a collector rejected. If other errors are
// joined, the state of the batch is unknown, and partial is false.
func rejectedItems(err error) (n int, partial bool) {
	for _, leaf := range leaves(err) {
		found := partialSuccess.FindStringSubmatch(leaf.Error())
		if found == nil {
			return 0, false
		}
		count, err := strconv.Atoi(found[1])
		if err != nil {
			return 0, false
		}
		n, partial = n+max(count, 0), true
	}
	return n, partial
}

// leaves returns the errors that err joins or wraps, without the wrapping.
func leaves(err error) []error {
	switch e := err.(type) { //nolint:errorlint // the tree itself is walked
	case interface{ Unwrap() []error }:
		var all []error
		for _, joined := range e.Unwrap() {
			all = append(all, leaves(joined)...)
		}
		return all
	case interface{ Unwrap() error }:
		if inner := errors.Unwrap(err); inner != nil {
			return leaves(inner)
		}
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
