package slo_test

import (
	"fmt"
	"log"

	"github.com/observability-first/scaffold/slo"
)

// Compile the objectives of a service, and predict when alerts fire.
func Example() {
	spec, err := slo.Parse("orders.slo.yaml", []byte(`apiVersion: scaffold.slo/v1
service: orders
slos:
  - name: availability
    objective: 99.9
    indicator:
      ratio: {total: http_requests_total, bad: 'http_requests_total{code=~"5.."}'}
`))
	if err != nil {
		log.Fatal(err)
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range rules.Files() {
		fmt.Println(f.Name)
	}
	for _, d := range rules.Detections(0.5) {
		fmt.Printf("half of the requests fail: %s after %s\n", d.Alert, d.FiresAfter)
	}
	// Output:
	// orders.page.rules.yaml
	// orders.ticket.rules.yaml
	// orders.instances.rules.yaml
	// orders.page.test.yaml
	// orders.ticket.test.yaml
	// orders.instances.test.yaml
	// half of the requests fail: OrdersAvailabilityErrorBudgetBurn{long="1h"} after 1m44s
	// half of the requests fail: OrdersAvailabilityErrorBudgetBurn{long="6h"} after 4m19s
	// half of the requests fail: OrdersAvailabilityErrorBudgetBurn{long="1d"} after 8m38s
	// half of the requests fail: OrdersAvailabilityErrorBudgetBurn{long="3d"} after 8m38s
}
