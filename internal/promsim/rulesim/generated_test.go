//go:build !race

package rulesim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/internal/testkit/promtest"
	"github.com/observability-first/scaffold/slo"
)

const everyIndicator = `apiVersion: scaffold.slo/v1
service: orders
owner: team-checkout
runtime: true
replicas: {min: 3}
links: {grafana: 'https://grafana.acme.test/', repository: 'https://github.com/acme/orders'}
slos:
  - {name: availability, objective: 99.9, indicator: {availability: {}}}
  - {name: latency, objective: 99, indicator: {latency: {threshold: 1s}}}
  - {name: routes, objective: 99, groupBy: [http_route], indicator: {availability: {}}}
`

const goodEvents = `apiVersion: scaffold.slo/v1
service: orders
slos:
  - {name: jobs, objective: 99, window: 14d, indicator: {ratio: {total: jobs_started_total, good: jobs_finished_total}}}
`

func TestPromtoolTestsPassInTheEvaluator(t *testing.T) {
	t.Parallel()
	all := specs(t)
	all["one objective"] = specOf(15*time.Second, "")
	all["scrapes each minute"] = specOf(time.Minute, "")
	all["metrics that are pushed"] = specOf(30*time.Second, "metrics: push")
	for name, src := range all {
		files := map[string][]byte{}
		for _, f := range compile(t, src).Files() {
			files[f.Name] = f.Data
		}
		tests := 0
		for file, data := range files {
			if ok, _ := filepath.Match("*.test.yaml", file); !ok {
				continue
			}
			tests++
			// Simulate days only for one objective: that is enough for tickets.
			if strings.Contains(file, "ticket") && name != "one objective" {
				continue
			}
			t.Run(name+"/"+file, func(t *testing.T) {
				t.Parallel()
				check(t, promtest.Run(t.Context(), data, func(name string) ([]byte, error) {
					if data, ok := files[name]; ok {
						return data, nil
					}
					return nil, fmt.Errorf("%s is not among the generated files", name)
				}))
			})
		}
		if tests != 3 {
			t.Errorf("%s: %d test files, want 3", name, tests)
		}
	}
}

// The counter of good events may start with the first good event, so an outage can start before it exists.
func TestEveryEventIsBadWhileNoSeriesCountsGoodOnes(t *testing.T) {
	t.Parallel()
	rules := compile(t, goodEvents)
	tests := `
rule_files: [r.yaml]
evaluation_interval: 30s
tests:
- interval: 15s
  input_series:
  - {series: 'up{job="orders",instance="a"}', values: '1x40'}
  - {series: 'jobs_started_total{job="orders",instance="a"}', values: '0+2x40'}
  promql_expr_test:
  - {expr: 'sum(slo:sli_total:increase30s)', eval_time: 5m, exp_samples: [{labels: '{}', value: 4}]}
  - {expr: 'sum(slo:sli_bad:increase30s)', eval_time: 5m, exp_samples: [{labels: '{}', value: 4}]}
`
	check(t, promtest.Run(t.Context(), []byte(tests), func(string) ([]byte, error) { return rules.RuleFiles()[0].Data, nil }))
}

func TestEveryQueryRuns(t *testing.T) {
	t.Parallel()
	for name, src := range specs(t) {
		rules := compile(t, src)
		w := newWorld(t, 15*time.Second, 30*time.Minute)
		w.replicas("production", 3, synthetic.Steady(10), synthetic.Steady(1))
		ev := w.evaluator(rules, rulesim.Options{})
		check(t, ev.Run(t.Context(), at(0), at(w.end)))
		runbooks, err := rules.Runbooks(slo.RunbookOptions{})
		check(t, err)
		queries := []string{}
		for _, q := range rules.Queries() {
			queries = append(queries, q.Expr)
		}
		for _, r := range runbooks {
			queries = append(queries, r.Queries...)
		}
		for _, q := range queries {
			if _, err := ev.Query(t.Context(), q, at(w.end)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(queries) < 60 {
			t.Errorf("%s: only %d queries", name, len(queries))
		}
	}
}

func specs(t *testing.T) map[string]string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "slo", "checkout.slo.yaml"))
	check(t, err)
	return map[string]string{"a generated service": everyIndicator, "a service of its own": string(src), "good events": goodEvents}
}
