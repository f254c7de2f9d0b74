//go:build !race

package drill_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/drill"
	"github.com/observability-first/scaffold/internal/proof"
	"github.com/observability-first/scaffold/internal/rulelab"
	"github.com/observability-first/scaffold/slo"
)

func TestDrillOfTheExample(t *testing.T) {
	t.Parallel()
	d := load(t, compile(t, "15s"))
	began := time.Now()
	d.Progress = func(what string) { t.Log(time.Since(began).Round(10*time.Millisecond), what) }
	result, err := d.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(began))
	for _, p := range result.Proofs {
		if p.Status != proof.Holds {
			t.Errorf("%s: %s", p.Claim, p.Detail)
			continue
		}
		t.Logf("%s: %s", p.Claim, p.Detail)
	}
}

func compile(t *testing.T, scrape string) slo.Rules {
	t.Helper()
	spec, err := slo.Parse("test.slo.yaml", []byte(`apiVersion: scaffold.slo/v1
service: orders
owner: team-checkout
runtime: true
scrapeInterval: `+scrape+`
replicas: {min: 3}
slos:
  - {name: availability, objective: 99.9, indicator: {availability: {}}}
  - {name: latency, objective: 99, indicator: {latency: {threshold: 200ms}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func load(t *testing.T, rules slo.Rules) drill.Drill {
	t.Helper()
	d := drill.Drill{Rules: rules, Fleet: drill.Fleet{Routes: []string{"GET /v1/orders", "POST /v1/orders", "GET /v1/orders/{id}"}}}
	for _, f := range rules.RuleFiles() {
		groups, err := rulelab.Load(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		d.Groups = append(d.Groups, groups...)
	}
	routing, err := rulelab.ParseRouting(rules.Alertmanager())
	if err != nil {
		t.Fatal(err)
	}
	d.Routing = routing
	_ = os.Stdout
	_ = filepath.Join
	return d
}
