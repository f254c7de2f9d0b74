package verify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
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
		`total: jobs_total, bad: 'jobs_total{result="timeout"}'`:                        bad + `no series of jobs_total has result="timeout"; available: failed, ok`,
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
		s := &session{subject: Subject{Simulation: &alertsim.Simulation{Rules: rules}}, prober: &prober{watch: &watch{store: store}}}
		s.objectiveSeries(t.Context())
		var got []string
		for _, p := range s.checks.Report("shop", 0).Checks {
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

func TestCountersThatDidNotIncreaseAreReported(t *testing.T) {
	t.Parallel()
	spec, err := slo.Parse("a.yaml", []byte("apiVersion: scaffold.slo/v1\nservice: shop\nowner: a\nslos:\n"+
		"- {name: jobs, objective: 99, indicator: {ratio: {total: 'jobs_total{queue=\"mail\"}', bad: 'jobs_total{queue=\"mail\",result=\"failed\"}'}}}\n"+
		"- {name: waits, objective: 99, indicator: {latency: {histogram: wait_seconds, threshold: 1s}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	const ratio, reason = "slo:sli_error:ratio_rate5m", "; add a request that increases it to verify.http"
	const unexplained = `no series of ` + ratio + ` has slo="%s"; available: other`
	for name, tc := range map[string]struct {
		series  map[string]float64
		of      string
		watched string
	}{
		"a counter":                         {map[string]float64{`jobs_total{job="shop",queue="mail",result="ok"}`: 0}, "jobs", `jobs_total{job="shop",queue="mail"} did not increase during this run` + reason},
		"a histogram":                       {map[string]float64{`wait_seconds_count{job="shop"}`: 0, `wait_seconds_bucket{job="shop",le="1"}`: 0}, "waits", `wait_seconds_count{job="shop"} did not increase during this run` + reason},
		"a counter that increased":          {map[string]float64{`jobs_total{job="shop",queue="mail",result="ok"}`: 1}, "jobs", "it can never fire: " + fmt.Sprintf(unexplained, "jobs")},
		"a counter without series":          {map[string]float64{`jobs_total{job="shop",queue="sms"}`: 0}, "jobs", "it can never fire: " + fmt.Sprintf(unexplained, "jobs")},
		"a rule that has another objective": {map[string]float64{`jobs_total{job="shop",queue="mail",result="ok"}`: 0}, "others", "it can never fire: " + fmt.Sprintf(unexplained, "others")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.series[ratio+`{slo="other"}`] = 0
			recorded := []rulesim.Group{{Rules: []rulesim.Rule{{Name: ratio}}}}
			s := &session{subject: Subject{Rules: recorded, Simulation: &alertsim.Simulation{Rules: rules}}, prober: proberOf(t, tc.series)}
			rule := rulesim.Rule{Name: "slo:current_burn_rate:ratio", Expr: ratio + `{slo="` + tc.of + `"} > 0.1`, Labels: labels.FromStrings("slo", tc.of)}
			if _, err := s.watches(t.Context(), rule); err == nil || err.Error() != tc.watched {
				t.Errorf("an alert: got  %v\nwant %s", err, tc.watched)
			}
			rule.Expr = "lost and " + rule.Expr
			if _, err := s.watches(t.Context(), rule); err == nil || err.Error() != "it can never fire: metric lost does not exist" {
				t.Errorf("an alert on another metric: got %v", err)
			}
			rule.Expr = strings.TrimPrefix(rule.Expr, "lost and ")
			want := "it recorded no series: " + strings.TrimPrefix(tc.watched, "it can never fire: ")
			if _, err := s.records(t.Context(), rule); err == nil || err.Error() != want {
				t.Errorf("a record: got  %v\nwant %s", err, want)
			}
		})
	}
}
