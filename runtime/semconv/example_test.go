package semconv_test

import (
	"fmt"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Queries use the same constants as the code that emits the metrics.
func Example() {
	fmt.Printf("sum by (%s) (rate(%s{%s=%q}[5m]))\n",
		semconv.LabelRoute, semconv.HTTPServerRequests, semconv.LabelOutcome, semconv.OutcomeServerError)
	// Output:
	// sum by (http_route) (rate(http_server_requests_total{outcome="server_error"}[5m]))
}
