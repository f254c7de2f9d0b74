package telemetry

import (
	"errors"
	"regexp"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// declareDrops gives every signal and reason its zero, so that the first drop of
// a fresh process is an increase that a rate can see.
func (t *Telemetry) declareDrops() error {
	dropped, err := t.registry.Counter(semconv.RuntimeTelemetryDropped,
		"Telemetry that was given up rather than let it slow the service.", semconv.LabelSignal, semconv.LabelReason)
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

// dropper counts what is given up of one signal.
func (t *Telemetry) dropper(signal string) func(reason string, n int) {
	counters := t.dropped[signal]
	return func(reason string, n int) { counters[reason].Add(float64(n)) }
}

// undelivered says how much of a batch an export lost, and why. A collector that
// took the batch may still reject a part of it.
func undelivered(err error, batch int) (reason string, n int) {
	rejected, partial := rejectedItems(err)
	if !partial {
		return semconv.DropExportFailed, batch
	}
	return semconv.DropRejected, min(rejected, batch)
}

// partialSuccess is the end of the error by which the OTLP exporters tell about
// a partial success. Their type for it is internal. What stands before is the
// collector's own text.
var partialSuccess = regexp.MustCompile(`^OTLP partial success: (?s:.*) \((-?\d+) (?:spans|logs|metric data points) rejected\)$`)

// rejectedItems reads the number that a collector rejected. An error that tells
// of anything else beside it is no partial success: nothing is known of the
// batch then.
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

// leaves are the errors that err joins or wraps, without the wrapping.
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
