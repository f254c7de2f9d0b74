//go:build !race

package alertsim_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// edit replaces texts in the rules and routes of a service. Each text must exist, otherwise the edit breaks
// nothing.
type edit []string // old, new, and so on

func (e edit) and(old, new string) edit { return append(e, old, new) } //nolint:predeclared // as in strings.Replace

// Each subtle error in rules or routes fails a check, and the check describes it.
func TestBrokenRulesAreFound(t *testing.T) {
	t.Parallel()
	const everythingBad, tenth = "incident with an error ratio of 100 %", "incident with an error ratio of 10 %"
	for _, tc := range []struct {
		name     string
		edit     edit
		scenario string
		want     string // in the name and detail of failed checks
	}{
		{
			"a threshold is doubled", edit{"> 0.0144", "> 0.0288"}, tenth,
			"OrdersAvailabilityErrorBudgetBurn{long=\"1h\"} at an error ratio of 10 %: it fires after 17m53s; predicted 9m8s, within 30s",
		},
		{
			"a long window is shortened", edit{`sum_over_time(slo:sli_bad:increase30s{service="orders"}[1h])`, `2 * sum_over_time(slo:sli_bad:increase30s{service="orders"}[30m])`}, tenth,
			"OrdersAvailabilityErrorBudgetBurn{long=\"1h\"} at an error ratio of 10 %: it fires after 4m53s; predicted 9m8s",
		},
		{
			"a short window is lengthened", edit{`slo:sli_error:ratio_rate5m{service="orders",slo="availability"} > 0.0144`, `slo:sli_error:ratio_rate1h{service="orders",slo="availability"} > 0.0144`}, everythingBad,
			"OrdersAvailabilityErrorBudgetBurn{long=\"1h\"} at an error ratio of 100 %: it resolves after 59m53s; predicted 5m26s",
		},
		{
			"good and bad are swapped", edit{`outcome=~"server_error|shed"`, `outcome="success"`}, "a healthy week",
			"no alert in a healthy week: {alertname=\"OrdersAvailabilityErrorBudgetBurn\"",
		},
		{
			"the guard on bad events is gone", edit{` and ignoring (window) slo:sli_bad:increase1h{service="orders",slo="availability"} >= 4.5`, ""}, "little traffic",
			"no alert for one failure of availability",
		},
		{
			"the guard on bad events is too strict", edit{">= 4.5", ">= 450"}, "little traffic",
			"page for a total outage of availability at 60 events per hour: nothing pages within half an hour",
		},
		{
			"no failure yet is no number", edit{` or on (deployment_environment_name) 0 * slo:sli_total:increase2m{service="orders",sli="http requests"}`, ""}, "a night without traffic",
			`no NaN in a night without traffic: {alertname="OrdersSLONoData"`,
		},
		{
			"a ratio of nothing is NaN", edit{`(slo:sli_total:increase5m{service="orders"} > 0)`, `slo:sli_total:increase5m{service="orders"}`}, "a night without traffic",
			"is NaN after ",
		},
		{
			"pages no longer inhibit tickets", edit{`long=~"6h|1d|3d"`, `long="6h"`}.and(`long=~"1d|3d"`, `long="nothing"`), tenth,
			"one notification at a time for each objective, at an error ratio of 10 %: OrdersAvailabilityErrorBudgetBurn{long=\"1d\"} opens a ticket while OrdersAvailabilityErrorBudgetBurn{long=\"1h\"} pages",
		},
		{
			"a fast page no longer inhibits a slow one", edit{`long=~"6h|1d|3d"`, `long=~"1d|3d"`}, everythingBad,
			"one notification has OrdersAvailabilityErrorBudgetBurn{long=\"1h\"}, OrdersAvailabilityErrorBudgetBurn{long=\"6h\"}",
		},
		{
			"a fast ticket no longer inhibits a slow one", edit{`long=~"3d"`, `long="nothing"`}, "incident with an error ratio of 1 %",
			"one notification has OrdersAvailabilityErrorBudgetBurn{long=\"1d\"}, OrdersAvailabilityErrorBudgetBurn{long=\"3d\"}",
		},
		{
			"processes that are gone no longer inhibit what follows", edit{`alertname!="OrdersDown"`, `alertname="Nothing"`}, "the time after a loss of instances",
			"one page when most instances stop responding and the rest fail: it pages",
		},
		{
			"processes out of service no longer inhibit what follows", edit{`alertname!~"Orders(Down|CrashLooping|NotReady)"`, `alertname="Nothing"`}, "the time after a loss of instances",
			"one page when most instances run but are not ready and the rest fail: it pages",
		},
		{
			"processes that crash no longer inhibit what follows", edit{`alertname!~"Orders(Down|CrashLooping)"`, `alertname="Nothing"`}, "the time after a loss of instances",
			"one page when most instances crash repeatedly and the rest fail: it pages",
		},
		{
			"an alert on processes waits too long", edit{"for: 1m30s", "for: 10m"}, "lost and unready instances",
			"page when every instance stops responding: OrdersDown fires after 10m",
		},
		{
			"an alert on processes does not last", edit{"keep_firing_for: 5m", "keep_firing_for: 0s"}, "lost and unready instances",
			"page when every instance runs for less time than it is down: one incident pages 2 times",
		},
		{
			"the period counts days for hours", edit{"[719h:1h]", "[71h:1h]"}, "a short outage in the budget",
			"an outage of 43 minutes in the budget of availability within 5 minutes: the error ratio: ",
		},
		{
			"a dependency is not watched", edit{"runtime_health_check_up{", "runtime_health_check_dow{"}, "tickets",
			"OrdersHealthCheckFailing when a dependency fails: it never fires",
		},
		{
			"windows are read raw", edit{`sum_over_time(slo:sli_total:increase30s{service="orders"}[6h])`, `sum(increase(http_server_routed_requests_total{job="orders"}[6h]))`}, "the cost of the rules",
			"cost of the rules: ",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := broken(t, tc.edit)
			result, err := d.Some(t.Context(), tc.scenario)
			if err != nil {
				t.Fatal(err)
			}
			var failures []string
			for _, p := range result.Checks {
				if p.Failed() {
					failures = append(failures, p.Name+": "+p.Detail)
				}
			}
			if all := strings.Join(failures, "\n"); !strings.Contains(all, tc.want) {
				t.Errorf("got %d failures of %d checks:\n%s\nwant %q", len(failures), len(result.Checks), all, tc.want)
			}
		})
	}
}

// broken loads rules and routes after an edit.
func broken(t *testing.T, e edit) alertsim.Simulation {
	t.Helper()
	rules := compile(t, "15s")
	found := map[string]bool{}
	change := func(data []byte) []byte {
		for i := 0; i < len(e); i += 2 {
			found[e[i]] = found[e[i]] || bytes.Contains(data, []byte(e[i]))
		}
		return []byte(strings.NewReplacer(e...).Replace(string(data)))
	}
	// Edit the expressions before they are formatted, because rule files wrap long expressions.
	for _, g := range rules.Groups {
		for i := range g.Rules {
			g.Rules[i].Expr = string(change([]byte(g.Rules[i].Expr)))
		}
	}
	d := alertsim.Simulation{Rules: rules, Fleet: alertsim.Fleet{Routes: []string{"GET /v1/orders", "POST /v1/orders", "GET /v1/orders/{id}"}, Replicas: 3}}
	for _, f := range rules.RuleFiles() {
		groups, err := rulesim.Load(f.Name, change(f.Data))
		if err != nil {
			t.Fatal(err)
		}
		d.Groups = append(d.Groups, groups...)
	}
	routing, err := rulesim.ParseRouting(change(rules.Alertmanager()))
	if err != nil {
		t.Fatal(err)
	}
	for old, stands := range found {
		if !stands {
			t.Fatalf("%q stands in no rule and no route", old)
		}
	}
	d.Routing = routing
	return d
}

// All checks pass for a service without the runtime and with custom metrics.
func TestAllChecksPassForCustomMetrics(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "slo", "checkout.slo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, load(t, compileSpec(t, string(src))), alertsim.Simulation.Run)
}

// All checks pass for other combinations of objectives.
func TestAllChecksPassForOtherSpecifications(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"pushed metrics":                     "metrics: push\nslos:\n- {name: a, objective: 99.9, indicator: {availability: {}}}\n",
		"all routes together and each route": "slos:\n- {name: a, objective: 99.9, indicator: {availability: {}}}\n- {name: r, objective: 99, groupBy: [http_route], indicator: {availability: {}}}\n",
		"one process, each route":            "slos:\n- {name: a, objective: 99, groupBy: [http_route], indicator: {availability: {}}}\n",
		"one route":                          "slos:\n- {name: a, objective: 99, route: /v1/orders, method: GET, indicator: {latency: {threshold: 70ms}}}\n- {name: b, objective: 99.9, method: POST, indicator: {availability: {}}}\n",
		"a window of one week":               "replicas: {min: 2}\nslos:\n- {name: a, objective: 99.5, window: 7d, indicator: {latency: {threshold: 1s}}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := compileSpec(t, "apiVersion: scaffold.slo/v1\nservice: shop\nowner: team-shop\nruntime: true\n"+src)
			run(t, load(t, rules), alertsim.Simulation.Run)
		})
	}
}
