package checks

import (
	"slices"
	"testing"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/slo"
)

func TestObjectivesAreCheckedAgainstASource(t *testing.T) {
	t.Parallel()
	source := MetricsSource{Source: "page", Target: []string{"job"}, Signals: exposition.Declared(declared.Signals{Metrics: []declared.Metric{
		{Name: "jobs_total", Type: "counter", Labels: []string{"queue", "result"}},
		{Name: "wait_seconds", Type: "histogram", Labels: []string{"queue"}, Bounds: []float64{0.1, 1}},
	}})}
	for name, tc := range map[string]struct{ total, bad, want string }{
		"known metric and labels": {"jobs_total", `jobs_total{result="error"}`, ""},
		"series of a histogram":   {"wait_seconds_count", `wait_seconds_count{queue="slow"}`, ""},
		"unknown metric":          {"job_total", `job_total{result="error"}`, `page has no metric job_total; did you mean "jobs_total"?`},
		"unknown label":           {"jobs_total", `jobs_total{results="error"}`, `metric jobs_total has no label results; did you mean "result"?`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := slo.Spec{SLOs: []slo.Objective{{Name: "jobs", Indicator: slo.Indicator{Ratio: &slo.Ratio{Total: tc.total, Bad: tc.bad}}}}}
			_, err := source.Check(spec, func(_, message string) diagnostic.Problem { return diagnostic.Problem{Message: message} })
			if got := errorText(err); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestBoundsAreWrittenInTheUnitOfTheMetric(t *testing.T) {
	t.Parallel()
	for metric, want := range map[string]string{
		"wait_seconds": "50s", "wait_milliseconds": "50ms", "wait_millis": "50ms", "wait_ms": "50ms",
		"wait_microseconds": "50µs", "wait_us": "50µs", "size_bytes": "50", "seconds": "50",
	} {
		if got := spellBound(metric, 50); got != want {
			t.Errorf("50 of %s is written %s, want %s", metric, got, want)
		}
	}
}

func TestPlatformMetricsOfTheLastGenerationStayKnown(t *testing.T) {
	t.Parallel()
	before := declared.Signals{Metrics: []declared.Metric{{Name: "process_network_receive_bytes_total"}, {Name: "jobs_total"}}}
	now := declared.Signals{Metrics: []declared.Metric{{Name: "jobs_done_total"}}}
	var names []string
	for _, m := range withPlatformMetrics(now, before).Metrics {
		names = append(names, m.Name)
	}
	if want := []string{"jobs_done_total", "process_network_receive_bytes_total"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}
