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
	for bad, want := range map[string]string{
		`jobs_total{result="failed"}`:          "",
		`jobs_total{result=~"failed|timeout"}`: "",
		`jobs_total{result="timeout"}`:         `no series of jobs_total has result="timeout"; there is failed, ok; correct it, or begin the series at 0 when the service starts`,
		`jobs_total{outcome="failed"}`:         `metric jobs_total has no label outcome; correct it, or begin the series at 0 when the service starts`,
		`job_total{result="failed"}`:           `metric job_total does not exist; did you mean "jobs_total"?`,
	} {
		spec, err := slo.Parse("a.yaml", []byte("apiVersion: scaffold.slo/v1\nservice: shop\nowner: a\nslos: [{name: jobs, objective: 99, indicator: {ratio: {total: jobs_total, bad: '"+bad+"'}}}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		rules, err := slo.Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		s := &session{subject: Subject{Drill: &alertsim.Drill{Rules: rules}}, prober: &prober{watch: &watch{store: store}}}
		s.selections(t.Context())
		var got []string
		for _, p := range s.book.Report("shop", 0).Proofs {
			got = append(got, p.Detail)
		}
		if want != "" {
			want = "slos[0].indicator.ratio.bad: " + want
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got %q, want %q", bad, got, want)
		}
	}
}
