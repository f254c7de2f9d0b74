package telemetry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

func TestSumsOfTimeAndCountsAreNames(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry(telemetry.Classic)
	_, errWait := r.Counter("pool_wait_time_seconds_total", "Time spent waiting.")
	_, errCPU := r.Counter("render_cpu_seconds_total", "CPU time.")
	_, errItems := r.Histogram("orders_items", "Items of an order.", []float64{1, 10})
	if err := errors.Join(errWait, errCPU, errItems); err != nil {
		t.Error(err)
	}
}

func ExampleRegistry_Counter() {
	registry := telemetry.NewRegistry(telemetry.Classic)
	placed, err := registry.Counter("orders_placed_total", "Orders that were accepted.", "channel")
	if err != nil {
		panic(err)
	}
	placed.WithLabelValues("web").Inc()
	fmt.Println(registry.Declarations()[0].Labels)
	// Output: [channel]
}

func TestNamesAreGuarded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		declare func(*telemetry.Registry) error
		want    string // part of the error
	}{
		"a counter without _total": {func(r *telemetry.Registry) error { _, err := r.Counter("orders_placed", "x"); return err },
			`counter metrics should have "_total" suffix`},
		"a gauge with _total": {func(r *telemetry.Registry) error { _, err := r.Gauge("orders_total", "x"); return err },
			`non-counter metrics should not have "_total" suffix`},
		"milliseconds": {func(r *telemetry.Registry) error {
			_, err := r.Histogram("wait_milliseconds", "x", []float64{1})
			return err
		}, `use base unit "seconds" instead of "milliseconds"`},
		"kilograms": {func(r *telemetry.Registry) error { _, err := r.Histogram("parcel_kg", "x", []float64{1}); return err },
			`metric parcel_kg: use base unit "grams" instead of "kg": declare parcel_grams, and convert its values`},
		"a counter of kilograms": {func(r *telemetry.Registry) error { _, err := r.Counter("shipped_kg_total", "x"); return err },
			`declare shipped_grams_total, and convert its values`},
		"a histogram without a unit": {func(r *telemetry.Registry) error {
			_, err := r.Histogram("orders_ship", "x", []float64{1})
			return err
		}, "metric orders_ship: end the name of a histogram in the unit of its values"},
		"a counter of durations": {func(r *telemetry.Registry) error { _, err := r.Counter("orders_ship_seconds_total", "x"); return err },
			"durations belong in a histogram: declare orders_ship_seconds, or orders_ship_time_seconds_total for a sum only"},
		"a counter of milliseconds": {func(r *telemetry.Registry) error { _, err := r.Counter("orders_ship_ms_total", "x"); return err },
			"abbreviated units; write seconds instead of ms, and convert its values\nmetric orders_ship_ms_total: durations belong in a histogram: declare orders_ship_seconds, or"},
		"an abbreviation at the start, which is no unit": {func(r *telemetry.Registry) error { _, err := r.Gauge("b_queue_kb", "x"); return err },
			"metric b_queue_kb: metric names should not contain abbreviated units; write bytes instead of kb, and convert its values"},
		"a gauge of kilobytes": {func(r *telemetry.Registry) error { _, err := r.Gauge("queue_kb", "x"); return err },
			"metric queue_kb: metric names should not contain abbreviated units; write bytes instead of kb, and convert its values"},
		"camel case": {func(r *telemetry.Registry) error { _, err := r.Gauge("queueDepth", "x"); return err },
			"write the name in snake_case"},
		"no help": {func(r *telemetry.Registry) error { _, err := r.Gauge("queue_depth", ""); return err },
			"describe what it measures in the help text"},
		"a label with a value for every request": {func(r *telemetry.Registry) error { _, err := r.Gauge("queue_depth", "x", "user_id"); return err },
			`label "user_id" has a value for every request`},
		"a label of the scraper": {func(r *telemetry.Registry) error { _, err := r.Gauge("queue_depth", "x", "instance"); return err },
			`label "instance" is reserved`},
		"decreasing bounds": {func(r *telemetry.Registry) error {
			_, err := r.Histogram("wait_seconds", "x", []float64{2, 1})
			return err
		}, "the bounds of a histogram must be increasing and not empty"},
		"another shape under the same name": {func(r *telemetry.Registry) error {
			if _, err := r.Gauge("queue_depth", "x", "queue"); err != nil {
				return err
			}
			_, err := r.Gauge("queue_depth", "x", "topic")
			return err
		}, "metric queue_depth is already declared as a gauge with labels [queue]"},
		"a collector that collects nothing": {func(r *telemetry.Registry) error {
			return r.Register(prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "queue_depth", Help: "x"}, []string{"queue"}))
		}, "collects nothing yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tc.declare(telemetry.NewRegistry(""))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "registry_test.go:") {
				t.Errorf("got %v, want %q and the position of the declaration", err, tc.want)
			}
		})
	}
}

func TestTheSameDeclarationGivesTheSameMetric(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	first, err := r.Counter("orders_placed_total", "x", "channel")
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.Counter("orders_placed_total", "x", "channel")
	if err != nil || first != second {
		t.Errorf("got another counter, %v", err)
	}
}

func TestDeclarationsNeedNoTraffic(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	if _, err := r.Histogram("payment_duration_seconds", "x", []float64{0.1, 1}, "provider"); err != nil {
		t.Fatal(err)
	}
	queue := prometheus.NewGauge(prometheus.GaugeOpts{Name: "queue_size_bytes", Help: "y"})
	if err := r.Register(queue); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(r.Declarations())
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"payment_duration_seconds","type":"histogram","unit":"seconds","help":"x","labels":["provider"],"bounds":[0.1,1]},` +
		`{"name":"queue_size_bytes","type":"gauge","unit":"bytes","help":"y","labels":[]}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestHistogramModes(t *testing.T) {
	t.Parallel()
	for mode, want := range map[telemetry.HistogramMode]struct{ classic, native bool }{
		telemetry.Classic: {true, false}, telemetry.Native: {false, true}, telemetry.Both: {true, true},
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			r := telemetry.NewRegistry(mode)
			vec, err := r.Histogram("wait_seconds", "x", []float64{1, 2})
			if err != nil {
				t.Fatal(err)
			}
			vec.WithLabelValues().Observe(1.5)
			families, err := r.Gather()
			if err != nil {
				t.Fatal(err)
			}
			h := families[0].GetMetric()[0].GetHistogram()
			if got := len(h.GetBucket()) > 0; got != want.classic {
				t.Errorf("classic buckets: %v", got)
			}
			if got := len(h.GetPositiveSpan()) > 0; got != want.native {
				t.Errorf("native buckets: %v", got)
			}
		})
	}
}

// All metrics of a new service pass Prometheus's linter, except those of external collectors.
func TestOwnMetricsPassTheLinter(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	families, err := tel.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "go_") && !strings.HasPrefix(p.Metric, "process_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.GetName()
	}
	for _, want := range []string{
		semconv.BuildInfo, semconv.TargetInfo, semconv.RuntimeTelemetryDropped,
		"go_sched_latencies_seconds", "go_gc_gomemlimit_bytes", "go_sync_mutex_wait_total_seconds_total", "process_open_fds",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not exposed", want)
		}
	}
}

// Labels in a different order would swap their values.
func TestTheOrderOfLabelsIsPartOfTheShape(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	if _, err := r.Counter("orders_placed_total", "Orders placed.", "channel", "plan"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Counter("orders_placed_total", "Orders placed.", "channel", "plan"); err != nil {
		t.Errorf("the same declaration: %v", err)
	}
	_, err := r.Counter("orders_placed_total", "Orders placed.", "plan", "channel")
	if err == nil || !strings.Contains(err.Error(), "[channel plan]") {
		t.Errorf("another order: %v, want an error with the declared one", err)
	}
}

// client_golang would panic at the first observation.
func TestBoundsRise(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	for _, bounds := range [][]float64{nil, {2, 1}, {1, 1, 2}, {math.NaN(), 1}, {1, math.NaN()}} {
		if _, err := r.Histogram("wait_seconds", "Wait.", bounds, "queue"); err == nil || !strings.Contains(err.Error(), "increasing") {
			t.Errorf("bounds %v: %v", bounds, err)
		}
	}
	if _, err := r.Histogram("wait_seconds", "Wait.", []float64{1, 2, math.Inf(1)}, "queue"); err != nil {
		t.Error(err)
	}
}
