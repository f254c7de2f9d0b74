package slo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/slo"
)

// queueGrows is the alert of a component that only this test has.
func queueGrows() slo.ComponentAlert {
	return slo.ComponentAlert{
		Name: "QueueGrows",
		Value: func(q slo.Queries) string {
			return q.Sum("rate("+q.Metric("queue_messages_total", labels.MustNewMatcher(labels.MatchNotEqual, "topic", ""))+"[5m])", "topic")
		},
		Above: 2.5, For: 10 * time.Minute, Expect: "below 2.5",
		Where:    func(q slo.Queries) string { return q.Metric("queue_messages") + " > 0" },
		Question: "Which queue grows?", Condition: "A queue grows for 10 minutes.", Summary: "queue {{ $labels.topic }} grows",
		Description: "Messages wait.", Impact: "Customers wait.", Mitigation: "1. Read the queue.",
		Faults: []slo.Fault{{Name: "no consumer runs", Series: []slo.Growth{{Metric: "queue_messages_total", Labels: map[string]string{"topic": "a"}, Faulty: 5}}}},
	}
}

func TestComponentAlert(t *testing.T) {
	t.Parallel()
	spec, err := slo.Parse("test.slo.yaml", []byte(inClusters))
	if err != nil {
		t.Fatal(err)
	}
	spec.ComponentAlerts = []slo.ComponentAlert{queueGrows()}
	rules, err := slo.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	var rule slo.Rule
	for _, a := range rules.Alerts {
		if a.Component != nil {
			rule = a.Rule
		}
	}
	const expr = `sum by (deployment_environment_name, cluster, topic) (rate(queue_messages_total{job="orders",topic!=""}[5m])) > 2.5`
	if rule.Alert != "OrdersQueueGrows" || rule.Expr != expr || rule.For != 10*time.Minute {
		t.Errorf("got %s: %s for %s, want OrdersQueueGrows: %s for 10m", rule.Alert, rule.Expr, rule.For, expr)
	}
	books, err := rules.Runbooks(slo.RunbookOptions{
		Slot:    func(name string) (string, error) { return " [" + name + "]", nil },
		Kubectl: []slo.Command{{Purpose: "count messages", Line: "exec POD -- count"}}, Namespace: "shop", Generated: true, Dependencies: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, b := range books {
		all.Write(b.Data)
		if contains := strings.Contains(string(b.Data), "## OrdersQueueGrows"); contains != (b.Name == "resources.md") {
			t.Errorf("%s: has the section of the alert: %t", b.Name, contains)
		}
	}
	for _, want := range []string{
		"Customers wait.", "A queue grows for 10 minutes.", "Which queue grows? Healthy: no result.", "1. Read the queue.", "/d/" + slo.DashboardUID("orders", "dependencies"),
		"kubectl -n shop exec POD -- count", "[runbook.pods]", "[runbook.pending]", "[runbook.room]", "[runbook.budget]", "[runbook.scale]", "find it on the dependencies dashboard",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no runbook contains %q", want)
		}
	}
}

func TestFaultsHaveDifferentNames(t *testing.T) {
	t.Parallel()
	spec, err := slo.Parse("test.slo.yaml", []byte(inClusters))
	if err != nil {
		t.Fatal(err)
	}
	spec.ComponentAlerts = []slo.ComponentAlert{queueGrows(), queueGrows()}
	_, err = slo.Compile(spec)
	const want = `compile objectives of "orders": two faults of component alerts have the name "no consumer runs"; rename one`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
