package metricnames_test

import (
	"testing"

	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/runtime/declared"
)

// A classic histogram has only series with suffixes, a native one only the series of its name.
func TestSeriesOfTheOtherHistogramFormAreReported(t *testing.T) {
	t.Parallel()
	signals := declared.Signals{Metrics: []declared.Metric{
		{Name: "go_gc_pauses_seconds", Type: "histogram"},
		{Name: "wait_seconds", Type: "histogram", Labels: []string{"queue"}, Bounds: []float64{0.25, 1}},
		{Name: "work_seconds", Type: "histogram"},
		{Name: "batch", Type: "histogram"},
		{Name: "batch_count", Type: "gauge"},
	}}
	const classic = "wait_seconds is a classic histogram; write wait_seconds_bucket, wait_seconds_count or wait_seconds_sum"
	for _, tc := range []struct{ histograms, expr, want string }{
		{"classic", `avg by (job) (wait_seconds{job="orders"}) > 1`, classic},
		{"classic", `sum(rate(wait_seconds{queue="a",nothing="b"}[$__rate_interval]))`, classic},
		{"classic", `sum(rate(wait_seconds_sum[5m])) / sum(rate(wait_seconds_count[5m])) < bool on () group_left () wait_seconds_bucket`, ""},
		{"classic", `rate(work_seconds[5m])`, ""},
		{"both", `rate(wait_seconds[5m]) or rate(wait_seconds_bucket[5m])`, ""},
		{"", `rate(wait_seconds[5m]) or rate(work_seconds_count[5m])`, ""},
		{"native", `histogram_quantile(0.9, rate(work_seconds[5m]))`, ""},
		{"native", `histogram_quantile(0.9, rate(work_seconds_bucket[5m]))`, "work_seconds is a native histogram and has no work_seconds_bucket; write histogram_quantile(0.99, rate(work_seconds[5m]))"},
		{"native", `rate(work_seconds_count[5m])`, "work_seconds is a native histogram and has no work_seconds_count; write histogram_count(rate(work_seconds[5m]))"},
		{"native", `rate(work_seconds_sum[5m])`, "work_seconds is a native histogram and has no work_seconds_sum; write histogram_sum(rate(work_seconds[5m]))"},
		{"native", `rate(go_gc_pauses_seconds_count[5m]) + batch_count`, ""},
		{"native", `rate(wait_seconds_bucket[5m])`, ""},
	} {
		known := metricnames.NewKnown(exposition.DeclaredAs(signals, tc.histograms), nil, nil)
		got := known.Check([]metricnames.Query{{Expr: tc.expr}})
		switch {
		case tc.want == "" && len(got) > 0:
			t.Errorf("%s, %s: got %+v, want nothing", tc.histograms, tc.expr, got)
		case tc.want != "" && (len(got) != 1 || got[0].Message != tc.want || got[0].Warning || got[0].Rule != "unknown-metric"):
			t.Errorf("%s, %s: got %+v, want error %s", tc.histograms, tc.expr, got, tc.want)
		}
		if got := known.AnyForm().Check([]metricnames.Query{{Expr: "wait_seconds + work_seconds_bucket"}}); len(got) > 0 {
			t.Errorf("%s in any form: got %+v, want nothing", tc.histograms, got)
		}
	}
}

// A server may scrape native histograms that a text page does not show.
func TestFormKnownFromAPageIsAWarning(t *testing.T) {
	t.Parallel()
	const text = `# TYPE wait_seconds histogram
wait_seconds_bucket{le="1"} 1
wait_seconds_bucket{le="+Inf"} 1
wait_seconds_sum 1
wait_seconds_count 1
# TYPE native_seconds histogram
native_seconds_bucket{le="+Inf"} 1
native_seconds_sum 1
native_seconds_count 1
# TYPE early_seconds histogram
`
	page, err := exposition.Parse("page", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	queries := []metricnames.Query{{Expr: "rate(wait_seconds[5m]) + rate(native_seconds[5m]) + rate(early_seconds[5m])"}}
	got := metricnames.NewKnown(exposition.Merge(page, page), nil, nil).OtherMetrics().Check(queries)
	if len(got) != 1 || got[0].Rule != "unknown-metric" || !got[0].Warning {
		t.Errorf("got %+v, want a warning of wait_seconds", got)
	}
	if got := metricnames.NewKnown(page, nil, nil).WithNames([]string{"wait_seconds"}).Check(queries); len(got) > 0 {
		t.Errorf("a Prometheus has the series: got %+v, want nothing", got)
	}
}
