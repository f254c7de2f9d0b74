package checks

import (
	"fmt"
	"strings"
	"testing"
)

const objectiveOnRoutes = `apiVersion: scaffold/v1
service: shop
owner: team-a
module: example.com/shop
resource: order
slos:
  - {name: create, objective: 99.9, window: 30d, route: /v1/orders, method: POST, indicator: {availability: {}}}
  - {name: reads, objective: 99, window: 30d, method: GET, indicator: {latency: {threshold: 70ms}}}
`

func TestObjectivesOnUnknownRoutesAreReported(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ old, new, want string }{
		"both exist": {"", "", ""},
		"misspelt route": {"/v1/orders,", "/v1/order,",
			"scaffold.yaml:7:57: slos[0].route: the service has no route \"/v1/order\"; did you mean \"/v1/orders\"?\n"},
		"route without a similar name": {"/v1/orders,", "/checkout,",
			"scaffold.yaml:7:57: slos[0].route: the service has no route \"/checkout\"; write one of /openapi.json, /v1/orders, /v1/orders/{id}\n"},
		"unknown method of a route": {"method: POST", "method: DELETE",
			"scaffold.yaml:7:77: slos[0].method: /v1/orders has no method DELETE; write one of GET, POST\n"},
		"unknown method": {"method: GET", "method: PATCH",
			"scaffold.yaml:8:55: slos[1].method: the service has no method PATCH; write one of DELETE, GET, POST, PUT\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := objectiveOnRoutes
			if tc.old != "" {
				src = strings.Replace(src, tc.old, tc.new, 1)
			}
			target := serviceOf(t, src)
			found, err := routesCheck{}.Run(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, f := range found {
				fmt.Fprintln(&got, f)
			}
			if got.String() != tc.want {
				t.Errorf("got  %swant %s", got.String(), tc.want)
			}
		})
	}
}
