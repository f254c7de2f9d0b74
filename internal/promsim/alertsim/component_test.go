//go:build !race

package alertsim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/slo"
)

// The alert of a component must report each of its faults, and nothing without one.
func TestFaultsOfComponents(t *testing.T) {
	t.Parallel()
	failing := func(reason string) slo.Fault {
		of := func(reason string) map[string]string { return map[string]string{"reason": reason} }
		return slo.Fault{Name: reason, Series: []slo.Growth{
			{Metric: "calls_total", Labels: of(""), Healthy: 5},
			{Metric: "calls_total", Labels: of(reason), Faulty: 5},
		}}
	}
	for name, tc := range map[string]struct {
		above float64
		want  []string // results of the checks of the alert
	}{
		"it fires":    {0.5, []string{"OrdersCallsFail when refused: ok", "OrdersCallsFail when slow: ok"}},
		"too high":    {20, []string{"OrdersCallsFail when refused: it never fires", "OrdersCallsFail when slow: it never fires"}},
		"always true": {-1, []string{"OrdersCallsFail when refused: it fires 1h2", "OrdersCallsFail when slow: it fires 1h2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := compile(t, "15s")
			other := failing("other")
			other.Series[1].Labels = map[string]string{"reason": "slow"} // an alert that shares a counter with the other
			rules.Spec.ComponentAlerts = []slo.ComponentAlert{{
				Name: "Other", Value: func(slo.Queries) string { return "vector(0)" }, For: time.Minute, Where: func(slo.Queries) string { return "calls_total" },
				Faults: []slo.Fault{other},
			}, {
				Name:  "CallsFail",
				Value: func(q slo.Queries) string { return q.Sum(`rate(calls_total{reason!=""}[5m])`) },
				Above: tc.above, For: 5 * time.Minute, Where: func(slo.Queries) string { return "calls_total" },
				Faults: []slo.Fault{failing("refused"), failing("slow")},
			}}
			rules, err := slo.Compile(rules.Spec)
			if err != nil {
				t.Fatal(err)
			}
			d := alertsim.Simulation{Rules: rules, Fleet: alertsim.Fleet{Routes: []string{"GET /v1/orders"}, Replicas: 3}}
			for _, f := range rules.RuleFiles() {
				groups, err := rulesim.Load(f.Name, f.Data)
				if err != nil {
					t.Fatal(err)
				}
				d.Groups = append(d.Groups, groups...)
			}
			result, err := d.Some(t.Context(), "tickets")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range result.Checks {
				if detail, ok := strings.CutPrefix(c.Name, "OrdersCallsFail"); ok && c.Failed() {
					got = append(got, "OrdersCallsFail"+detail+": "+c.Detail)
				} else if ok {
					got = append(got, c.Name+": ok")
				}
			}
			if !slices.EqualFunc(got, tc.want, strings.HasPrefix) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
