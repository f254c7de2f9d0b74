//go:build !race

package alertsim_test

import (
	"context"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/slo"
)

// All checks pass at every scrape interval.
func TestAllChecksPass(t *testing.T) {
	t.Parallel()
	d := load(t, compile(t, "15s"))
	for _, interval := range alertsim.Intervals() {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			at, err := d.At(interval)
			if err != nil {
				t.Fatal(err)
			}
			result := run(t, at, alertsim.Simulation.Run)
			if len(result.Alerts) != 8*len(slo.DetectionRatios()) {
				t.Errorf("%d rows", len(result.Alerts))
			}
			// The cost limit applies to scrape intervals of 15 s and more; shorter ones read more samples.
			if c := result.Cost; c.PerObjective() == 0 || interval >= 15*time.Second && c.PerObjective() > alertsim.DefaultMaxCost {
				t.Errorf("cost %+v", c)
			}
		})
	}
}

func run(t *testing.T, d alertsim.Simulation, simulate func(alertsim.Simulation, context.Context) (alertsim.Result, error)) alertsim.Result {
	t.Helper()
	result, err := simulate(d, t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Checks) == 0 {
		t.Fatal("nothing was checked")
	}
	for _, p := range result.Checks {
		if p.Status != report.Passed {
			t.Errorf("%s: %s", p.Name, p.Detail)
			continue
		}
		t.Logf("%s: %s", p.Name, p.Detail)
	}
	return result
}

func compile(t testing.TB, scrape string) slo.Rules {
	t.Helper()
	return compileSpec(t, `apiVersion: scaffold.slo/v1
service: orders
owner: team-checkout
runtime: true
scrapeInterval: `+scrape+`
replicas: {min: 3}
slos:
  - {name: availability, objective: 99.9, indicator: {availability: {}}}
  - {name: latency, objective: 99, indicator: {latency: {threshold: 200ms}}}
`)
}

// compileOne compiles one availability objective with the alerts of its service.
func compileOne(t testing.TB) slo.Rules {
	t.Helper()
	return compileSpec(t, `apiVersion: scaffold.slo/v1
service: orders
owner: team-checkout
runtime: true
scrapeInterval: 15s
replicas: {min: 3}
slos:
  - {name: availability, objective: 99.9, indicator: {availability: {}}}
`)
}

func compileSpec(t testing.TB, src string) slo.Rules {
	t.Helper()
	spec, err := slo.Parse("test.slo.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func load(t testing.TB, rules slo.Rules) alertsim.Simulation {
	t.Helper()
	d := alertsim.Simulation{Rules: rules, Fleet: alertsim.Fleet{Routes: []string{"GET /v1/orders", "POST /v1/orders", "GET /v1/orders/{id}"}, Replicas: rules.Spec.Replicas.Min}}
	for _, f := range rules.RuleFiles() {
		groups, err := rulesim.Load(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		d.Groups = append(d.Groups, groups...)
	}
	routing, err := rulesim.ParseRouting(rules.Alertmanager())
	if err != nil {
		t.Fatal(err)
	}
	d.Routing = routing
	return d
}
