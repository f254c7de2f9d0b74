package spec_test

import (
	"fmt"

	"github.com/observability-first/scaffold/templates/spec"
)

func ExampleNew() {
	s, err := spec.New(spec.Choices{Name: "orders", Owner: "team-checkout", Components: []string{"postgres"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s", s.YAML())
	// Output:
	// apiVersion: scaffold/v1
	// service: orders
	// owner: team-checkout
	// module: example.com/orders
	// components:
	//   postgres:
	//     connections: 97 # max_connections of PostgreSQL (100) less 3 reserved for superusers
	// slos:
	//   - {name: availability, objective: 99.9, window: 30d, indicator: {availability: {}}}
	//   - {name: latency, objective: 99, window: 30d, indicator: {latency: {threshold: 200ms}}}
}

func ExampleParse() {
	_, err := spec.Parse("scaffold.yaml", []byte(`apiVersion: scaffold/v1
service: Orders
owner: team-checkout
module: github.com/acme/orders
telemetry: {scrapeIntervall: 15s}
`))
	fmt.Println(err)
	// Output:
	// scaffold.yaml:2:10: service: "Orders" is not a DNS label; use lower-case letters, digits and single hyphens, beginning with a letter, such as orders
	// scaffold.yaml:5:13: telemetry.scrapeIntervall: unknown key; did you mean "scrapeInterval"?
}

func ExampleNoun() {
	n := spec.Noun("purchase-order")
	fmt.Println(n.Package(), n.Exported(), n.Local(), n.Snake(), n.Text())
	// Output: purchaseorder PurchaseOrder purchaseOrder purchase_order purchase order
}
