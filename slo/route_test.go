package slo_test

import (
	"strings"
	"testing"

	"github.com/observability-first/scaffold/slo"
)

const onRoutes = `apiVersion: scaffold.slo/v1
service: orders
owner: a
runtime: true
slos:
  - {name: all, objective: 99.9, indicator: {availability: {}}}
  - {name: create, objective: 99.9, route: "/v1/orders", method: POST, indicator: {availability: {}}}
  - {name: quick, objective: 99, route: "/v1/orders/{id}", indicator: {latency: {threshold: 70ms}}}
`

// Objectives on a route read its series; that of the service reads series whose number does
// not depend on the routes.
func TestObjectivesOnRoutes(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, onRoutes)
	for objective, want := range map[string]string{
		"all":    `http_server_routed_requests_total{job="orders",outcome=~"server_error|shed"}`,
		"create": `http_server_requests_total{http_request_method="POST",http_route="/v1/orders",job="orders",outcome=~"server_error|shed"}`,
		"quick":  `http_server_request_duration_seconds_bucket{http_route="/v1/orders/{id}",job="orders",le="0.07",outcome="success"}`,
	} {
		found := false
		for _, r := range rules.Groups[0].Rules {
			if r.Record == "slo:sli_bad:increase30s" && strings.Contains(r.Expr, want) {
				found = found || labelOf(r, "slo") == objective
			}
		}
		if !found {
			t.Errorf("no increase of %s reads %s", objective, want)
		}
	}
	if total := rules.Groups[0].Rules; !strings.Contains(text(total), "sli: http latency /v1/orders/{id}\n") {
		t.Errorf("the increases of a route do not contain its name:\n%s", text(total))
	}
}

func labelOf(r slo.Rule, name string) string {
	for _, l := range r.Labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

func text(rules []slo.Rule) string {
	var b strings.Builder
	for _, r := range rules {
		for _, l := range r.Labels {
			b.WriteString(l.Name + ": " + l.Value + "\n")
		}
	}
	return b.String()
}

func TestInvalidRoutes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ old, new, want string }{
		"no slash": {`route: "/v1/orders",`, `route: "v1/orders",`,
			`a.yaml:7:44: slos[1].route: "v1/orders" does not begin with a slash; write the route pattern, such as /v1/orders/{id}`},
		"lower case": {"method: POST", "method: post",
			`a.yaml:7:66: slos[1].method: unknown method "post"; write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS; did you mean "POST"?`},
		"a custom indicator": {"{latency: {threshold: 70ms}}", "{latency: {threshold: 70ms, histogram: shop_seconds}}",
			`a.yaml:8:41: slos[2].route: is only for availability and latency of the runtime; add a matcher to the selector of the indicator instead`},
	} {
		_, err := slo.Parse("a.yaml", []byte(strings.Replace(onRoutes, tc.old, tc.new, 1)))
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s: got %v\nwant %s", name, err, tc.want)
		}
	}
}

// The names of objectives on custom metrics are free.
func TestTotalsOfDifferentMetricsDiffer(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, `apiVersion: scaffold.slo/v1
service: orders
owner: a
slos:
  - {name: all, objective: 99.9, indicator: {availability: {}}}
  - {name: quick, objective: 99, indicator: {latency: {threshold: 1s}}}
  - {name: requests, objective: 99, indicator: {ratio: {total: a_total, bad: 'a_total{x="y"}'}}}
  - {name: latency, objective: 99, indicator: {latency: {threshold: 1s, histogram: b_seconds}}}
`)
	totals := map[string]bool{}
	for _, r := range rules.Groups[0].Rules {
		if r.Record == "slo:sli_total:increase30s" {
			totals[labelOf(r, "sli")] = true
		}
	}
	if len(totals) != 4 {
		t.Errorf("four objectives have the totals %v", totals)
	}
}
