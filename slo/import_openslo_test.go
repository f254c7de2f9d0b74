package slo_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/slo"
)

const open = `apiVersion: openslo/v1
kind: Service
metadata: {name: orders}
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: availability
  displayName: Orders are taken
spec:
  description: Customers can order.
  service: orders
  indicator:
    metadata: {name: errors}
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: Prometheus
            spec: {query: 'sum(rate(http_requests_total{code!~"5.."}[5m]))'}
        total:
          metricSource:
            type: Prometheus
            spec: {query: 'http_requests_total'}
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.9995}]
  alertPolicies: [page]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: latency}
spec:
  service: orders
  indicator:
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {spec: {query: 'rpc_seconds_bucket{le="0.25",rpc="pay"}'}}}
        total: {metricSource: {spec: {query: 'rpc_seconds_count{rpc="pay"}'}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{targetPercent: 99}]
`

func TestImportOpenSLO(t *testing.T) {
	t.Parallel()
	imported, err := slo.Import("f", []byte(open), slo.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, dropped := imported.Spec, imported.Dropped
	want := []slo.Objective{
		{Name: "availability", Description: "Customers can order.", Target: "99.95", Window: "28d", MinBadEvents: new(5), Indicator: slo.Indicator{
			Ratio: &slo.Ratio{Total: "http_requests_total", Bad: `http_requests_total{code=~"5.."}`},
		}},
		{Name: "latency", Target: "99", Window: "30d", MinBadEvents: new(5), Indicator: slo.Indicator{
			Latency: &slo.Latency{Histogram: `rpc_seconds{rpc="pay"}`, Threshold: 250 * time.Millisecond},
		}},
	}
	if diff := cmp.Diff(want, got.SLOs); diff != "" {
		t.Errorf("objectives differ (-want +got):\n%s", diff)
	}
	wantDropped := []string{
		`f:1:1: kind Service of apiVersion openslo/v1`,
		"f:9:3: metadata.displayName",
		"f:14:5: spec.indicator.metadata",
		"f:29:3: spec.alertPolicies",
	}
	if !slices.Equal(dropped, wantDropped) {
		t.Errorf("dropped %q, want %q", dropped, wantDropped)
	}
	if _, err := slo.Compile(got); err != nil {
		t.Errorf("the import does not compile: %v", err)
	}
}

func TestUnsupportedOpenSLOIsRejected(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ old, replacement, want string }{
		"time slices":                          {"budgetingMethod: Occurrences", "budgetingMethod: Timeslices", "f:27:20: spec.budgetingMethod: Timeslices is not supported; only Occurrences is"},
		"a calendar month":                     {"isRolling: true}]\n  budgeting", "isRolling: false}]\n  budgeting", "f:26:16: spec.timeWindow[0]: is a calendar window; only rolling ones are supported: write isRolling: true without a calendar"},
		"another system":                       {"type: Prometheus", "type: Datadog", `f:20:19: spec.indicator.spec.ratioMetric.good.metricSource.type: "Datadog" is not supported; only Prometheus is`},
		"another function":                     {"sum(rate(", "sum(irate(", "f:21:27: spec.indicator.spec.ratioMetric.good: irate is not supported, because rules count the growth of counters; write the rate of a counter"},
		"a threshold":                          {"ratioMetric", "thresholdMetric", "f:16:7: spec.indicator.spec.thresholdMetric: is not supported, because rules count events; write a ratioMetric of good and all events"},
		"two objectives":                       {"[{target: 0.9995}]", "[{target: 0.9995}, {target: 0.9}]", "f:28:34: spec.objectives: has 2 items; write a document for each"},
		"a percentage":                         {"target: 0.9995", "target: 99.95", `f:28:25: spec.objectives[0].target: "99.95" is not a ratio such as 0.999; a percentage is a targetPercent`},
		"an exponent":                          {"target: 0.9995", "target: 1e-999999999", `f:28:25: spec.objectives[0].target: "1e-999999999" is not a ratio such as 0.999`},
		"several services":                     {"  service: orders\n  indicator:\n    spec", "  service: pay\n  indicator:\n    spec", `f:35:12: spec.service: the file has the services "orders" and "pay"; choose one, such as --service pay`},
		"a calendar month in another spelling": {"isRolling: true}]\n  budgeting", "isRolling: False}]\n  budgeting", "f:26:16: spec.timeWindow[0]: is a calendar window; only rolling ones are supported: write isRolling: true without a calendar"},
		"a text for a boolean":                 {"counter: true", "counter: 'true'", "f:17:18: spec.indicator.spec.ratioMetric.counter: expected true or false"},
		"gauges in another spelling":           {"counter: true", "counter: False", "f:17:18: spec.indicator.spec.ratioMetric.counter: is false; only counters that grow forever are supported"},
		"a selector that may be of a gauge":    {"counter: true", "description: a", "f:25:27: spec.indicator.spec.ratioMetric.total: http_requests_total is not supported; write the rate of a counter"},
		"good and bad events":                  {"        total:\n", "        bad: {metricSource: {spec: {query: a}}}\n        total:\n", "f:22:9: spec.indicator.spec.ratioMetric.bad: set good or bad, not both"},
		"a ratio and a total":                  {"        good:\n", "        raw:\n", "f:22:9: spec.indicator.spec.ratioMetric.total: set raw or total, not both"},
		"gauges":                               {"counter: true", "counter: false", "f:17:18: spec.indicator.spec.ratioMetric.counter: is false; only counters that grow forever are supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(open, test.old) {
				t.Fatalf("the document does not contain %q", test.old)
			}
			_, err := slo.Import("f", []byte(strings.Replace(open, test.old, test.replacement, 1)), slo.ImportOptions{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestImportedProblemPositions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ src, path, want string }{
		"good events":      {open, "slos[0].indicator.ratio.bad", "f:21:27: spec.indicator.spec.ratioMetric.good: a"},
		"all events":       {open, "slos[0].indicator.ratio.total", "f:25:27: spec.indicator.spec.ratioMetric.total: a"},
		"a bucket":         {open, "slos[1].indicator.latency.threshold", "f:40:45: spec.indicator.spec.ratioMetric.good: a"},
		"a ratio":          {referring, "slos[0].indicator.ratio.bad", "f:13:98: spec.ratioMetric.raw: a"},
		"a ratio of sloth": {slothRatio("sum(rate(a_total[5m])) / sum(rate(b_total[5m]))"), "slos[0].indicator.ratio.bad", "f:8:26: slos[0].sli.raw.error_ratio_query: a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imported, err := slo.Import("f", []byte(test.src), slo.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := imported.Problem(test.path, "a").Error(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestOpenSLORoundTrip(t *testing.T) {
	t.Parallel()
	for name, src := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec, err := slo.Parse("f", []byte(src))
			if err != nil {
				t.Fatal(err)
			}
			data, _, err := slo.ExportOpenSLO(spec)
			if err != nil {
				t.Fatal(err)
			}
			imported, err := slo.Import("f", data, slo.ImportOptions{})
			if err != nil {
				t.Fatalf("%v\n%s", err, data)
			}
			got := imported.Spec
			for _, d := range imported.Dropped {
				if !strings.HasSuffix(d, "spec.indicator.metadata") {
					t.Errorf("the import dropped %s", d)
				}
			}
			for i, o := range got.SLOs {
				want := spec.SLOs[i]
				if o.Name != want.Name || o.Description != want.Description || o.Target.String() != want.Target.String() || o.Window != want.Window {
					t.Errorf("%+v, want %+v", o, want)
				}
			}
			again, _, err := slo.ExportOpenSLO(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(data), string(again)); diff != "" {
				t.Errorf("a second export differs (-first +second):\n%s", diff)
			}
		})
	}
}

func TestOpenSLOExportListsDroppedKeys(t *testing.T) {
	t.Parallel()
	spec, err := slo.Parse("f", []byte(example(t)))
	if err != nil {
		t.Fatal(err)
	}
	data, dropped, err := slo.ExportOpenSLO(spec)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join("testdata", "checkout", "openslo.yaml"), data)
	golden.Compare(t, filepath.Join("testdata", "checkout", "openslo.dropped.txt"), []byte(strings.Join(dropped, "\n")+"\n"))
}
