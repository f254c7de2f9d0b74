package verify

import (
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/slo"
)

func TestObjectivesSelectValuesThatSeriesHave(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	for _, result := range []string{"ok", "failed"} {
		if err := store.Append(labels.FromStrings(model.MetricNameLabel, "jobs_total", "job", "shop", "result", result), 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, le := range []string{"0.5", "+Inf"} {
		if err := store.Append(labels.FromStrings(model.MetricNameLabel, "wait_seconds_bucket", "job", "shop", "le", le), 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Append(labels.FromStrings(model.MetricNameLabel, "wait_seconds_count", "job", "shop"), 1, 0); err != nil {
		t.Fatal(err)
	}
	const bad, good = "slos[0].indicator.ratio.bad: ", "slos[0].indicator.ratio.good: "
	for ratio, want := range map[string]string{
		`total: jobs_total, bad: 'jobs_total{result="failed"}'`:                         "",
		`total: jobs_total, bad: 'jobs_total{result=~"failed|timeout"}'`:                "",
		`total: jobs_total, bad: 'jobs_total{result="timeout"}'`:                        bad + `no series of jobs_total has result="timeout"; there is failed, ok`,
		`total: jobs_total, bad: 'jobs_total{outcome="failed"}'`:                        bad + `metric jobs_total has no label outcome`,
		`total: jobs_total, bad: 'job_total{result="failed"}'`:                          bad + `metric job_total does not exist; did you mean "jobs_total"?`,
		`total: wait_seconds_count, good: 'wait_seconds_bucket{le="0.5"}'`:              "",
		`total: wait_seconds_count, good: 'wait_seconds_bucket{le="0.5",queue="slow"}'`: good + `metric wait_seconds_bucket has no label queue`,
	} {
		spec, err := slo.Parse("a.yaml", []byte("apiVersion: scaffold.slo/v1\nservice: shop\nowner: a\nslos: [{name: jobs, objective: 99, indicator: {ratio: {"+ratio+"}}}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		rules, err := slo.Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		s := &session{subject: Subject{Drill: &alertsim.Drill{Rules: rules}}, prober: &prober{watch: &watch{store: store}}}
		s.objectiveSeries(t.Context())
		var got []string
		for _, p := range s.book.Report("shop", 0).Proofs {
			got = append(got, p.Detail)
		}
		if want != "" {
			want += "\ncorrect the selector in scaffold.yaml, or create the series with the value 0 when the service starts"
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got %q, want %q", ratio, got, want)
		}
	}
}
