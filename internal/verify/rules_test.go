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
	for _, result := range []string{"ok", "failed", "priority1"} {
		if err := store.Append(labels.FromStrings(model.MetricNameLabel, "jobs_total", "result", result), 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	for bad, want := range map[string]string{
		`jobs_total{result="failed"}`:    "",
		`jobs_total{result="timeout"}`:   "", // comes with the first
		`jobs_total{result="priority2"}`: "", // another of the same kind
		`jobs_total{result="fail"}`:      `slos[0].indicator.ratio.bad: no series of jobs_total has result="fail"; did you mean "failed"?`,
		`jobs_total{result="faild"}`:     `slos[0].indicator.ratio.bad: no series of jobs_total has result="faild"; did you mean "failed"?`,
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
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got %q, want %q", bad, got, want)
		}
	}
}
