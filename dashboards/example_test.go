package dashboards_test

import (
	"fmt"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/slo"
)

// The dashboards of a service that scaffold did not generate, from its objectives.
func ExampleCompile() {
	spec, err := slo.Parse("checkout.slo.yaml", []byte(`
apiVersion: scaffold.slo/v1
service: checkout
slos:
  - name: availability
    objective: 99.9
    indicator: {ratio: {total: http_requests_total, bad: 'http_requests_total{code=~"5.."}'}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		fmt.Println(err)
		return
	}
	compiled, err := dashboards.Compile(dashboards.Input{Rules: rules})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range compiled {
		fmt.Printf("%s: %s, %d queries\n", d.UID(), d.Title(), len(d.Queries()))
	}
	// Output:
	// checkout-overview: checkout / Overview, 5 queries
	// checkout-slo: checkout / SLO, 30 queries
}

// Selectors of a scope contain the variables of the dashboard.
func ExampleScope_Metric() {
	spec := slo.Spec{Service: "orders", Selector: map[string]string{"job": "orders"}, EnvironmentLabel: "env"}
	s := dashboards.NewScope(dashboards.Input{Rules: slo.Rules{Spec: spec}})
	fmt.Println(s.Metric("payments_total", dashboards.Not("provider", "test")).Rate().Sum("provider"))
	// Output:
	// sum by (provider) (rate(payments_total{env="$environment",instance=~"$instance",job="orders",provider!="test"}[$__rate_interval]))
}
