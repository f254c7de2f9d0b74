package dashboards_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/components/httpclient"
	"github.com/observability-first/scaffold/templates/components/postgres"
)

const ordersSpec = `apiVersion: scaffold.slo/v1
service: orders
runtime: true
environmentLabel: deployment_environment_name
links: {repository: "https://git.example/orders", runbooks: "https://git.example/orders/runbooks"}
slos:
  - {name: availability, objective: 99.9, window: 30d, description: "Orders | are *taken*", indicator: {availability: {}}}
  - {name: latency, objective: 99, window: 7d, indicator: {latency: {threshold: 200ms}}}
  - {name: routes, objective: 99, window: 30d, groupBy: [http_route], indicator: {availability: {}}}
`

const minimalSpec = `apiVersion: scaffold.slo/v1
service: minimal
runtime: true
environmentLabel: deployment_environment_name
slos:
  - {name: availability, objective: 99.5, window: 28d, indicator: {availability: {}}}
`

// compiled compiles a valid specification.
func compiled(tb testing.TB, text string) slo.Rules {
	tb.Helper()
	spec, err := slo.Parse("test.slo.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return rules
}

// inputs returns services with different dashboards.
func inputs(tb testing.TB) map[string]dashboards.Input {
	tb.Helper()
	checkout, err := os.ReadFile("../examples/slo/checkout.slo.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	orders := dashboards.Input{Rules: compiled(tb, ordersSpec), Dependencies: []dashboards.Dependency{postgres.Dependency(), httpclient.Dependency()}}
	native := orders
	native.Histograms = dashboards.Native
	pushed := orders
	pushed.Rules = compiled(tb, ordersSpec+"metrics: push\n")
	return map[string]dashboards.Input{
		"orders":   orders,
		"native":   native,
		"pushed":   pushed,
		"minimal":  {Rules: compiled(tb, minimalSpec)},
		"custom":   {Rules: compiled(tb, minimalSpec), Custom: customMetrics()},
		"checkout": {Rules: compiled(tb, string(checkout))},
	}
}

// customMetrics are of each type, with and without labels and units.
func customMetrics() []declared.Metric {
	return []declared.Metric{
		{Name: "cache_entries", Type: declared.Gauge, Help: "Entries of the cache."},
		{Name: "cache_fill_ratio", Type: declared.Gauge, Unit: "ratio", Help: "Entries divided by the capacity.", Labels: []string{"shard"}},
		{Name: "cart_items", Type: declared.Histogram, Help: "Items of a cart.", Bounds: []float64{1, 10, 100}},
		{Name: "feature_info", Type: declared.Gauge, Help: "Features that are on, always 1.", Labels: []string{"feature"}},
		{Name: "import_last_success_timestamp_seconds", Type: declared.Gauge, Unit: "seconds", Help: "Time of the last import."},
		{Name: "import_size_bytes", Type: declared.Histogram, Unit: "bytes", Help: "Size of an import.", Labels: []string{"kind", "source"}}, // native
		{Name: "import_wait_time_seconds_total", Type: declared.Counter, Unit: "seconds", Help: "Time that imports wait."},
		{Name: "orders_shipped_total", Type: declared.Counter, Help: "Shipped orders, by result.", Labels: []string{"result"}},
		{Name: "queue_age", Type: declared.Untyped, Help: "Age of the queue."},
		{Name: "queue_age_seconds", Type: declared.Summary, Unit: "seconds", Help: "Age of a message."},
		{Name: "queue_age_info", Type: declared.Gauge, Help: "The same words.", Labels: []string{"shard"}},
		{Name: "queue_age_ratio", Type: declared.Gauge, Unit: "ratio", Help: "The same words.", Labels: []string{"shard"}},
		{Name: "received_bytes_total", Type: declared.Counter, Unit: "bytes", Help: "Bytes received."},
	}
}

// dashboardsOf returns the dashboards of a valid input.
func dashboardsOf(tb testing.TB, in dashboards.Input) []dashboards.Dashboard {
	tb.Helper()
	all, err := dashboards.Compile(in)
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// metric is a declared metric.
type metric struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Labels []string `json:"labels"`

	native bool // whatever the service has
}

// declaredMetrics returns the metrics that a generated service declares with any component.
func declaredMetrics(tb testing.TB) []metric {
	tb.Helper()
	var signals struct {
		Metrics []metric `json:"metrics"`
	}
	files, err := filepath.Glob("../templates/components/*/recorded/signals.json")
	if err != nil || len(files) < 2 {
		tb.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		all := signals.Metrics
		signals.Metrics = nil // Unmarshal would write into the array of all
		src, err := os.ReadFile(file)
		if err := errors.Join(err, json.Unmarshal(src, &signals)); err != nil {
			tb.Fatal(err)
		}
		signals.Metrics = append(all, signals.Metrics...)
	}
	if len(signals.Metrics) < 50 {
		tb.Fatalf("only %d metrics are declared", len(signals.Metrics))
	}
	for _, m := range customMetrics() {
		signals.Metrics = append(signals.Metrics, metric{m.Name, string(m.Type), m.Labels, m.Type == declared.Histogram && len(m.Bounds) == 0})
	}
	return signals.Metrics
}
