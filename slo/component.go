package slo

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// ComponentAlert is a ticket on metrics of a component that only some services have, such as a database. It is in the
// rules of services on the runtime and in the runbook of resources, and the alert simulation checks it with [ComponentAlert.Faults].
type ComponentAlert struct {
	// Name follows the service in the name of the alert, such as DBConnectionPoolSaturated.
	Name string
	// Value is the query that is above Above, for at least For, during an incident.
	Value func(Queries) string
	Above float64
	For   time.Duration
	// Expect is the value without an incident, in English.
	Expect string
	// Where is a query that narrows down the cause. It answers Question, and has no result without an incident.
	Where    func(Queries) string
	Question string
	// Condition is the condition in English, a sentence.
	Condition string
	// Summary follows the name of the service in the notification. It may contain $value and $labels.
	Summary string
	// Description says in the notification what happens and what the cause may be.
	Description string
	// Impact is the impact on users.
	Impact string
	// Mitigation is a numbered list in Markdown. It may link to #commands and #common-queries of its runbook.
	Mitigation string
	Faults     []Fault
}

// Fault is an incident that an alert must report.
type Fault struct {
	Name   string // in English, such as "requests wait for connections"
	Series []Growth
}

// Growth is how fast a counter of each instance grows, per second. During another fault it grows as without one.
type Growth struct {
	Metric          string
	Labels          map[string]string // besides those of the target
	Healthy, Faulty float64
}

// Queries writes queries on the series of one service.
type Queries struct{ compiler *compiler }

// Metric selects a metric of the service.
func (q Queries) Metric(name string, matchers ...*labels.Matcher) string {
	return q.compiler.scope.metric(name, matchers...).String()
}

// Sum sums an expression by labels, within each environment.
func (q Queries) Sum(expr string, by ...string) string { return q.aggregate("sum", expr, by) }

// Max returns the maximum of an expression by labels, within each environment.
func (q Queries) Max(expr string, by ...string) string { return q.aggregate("max", expr, by) }

func (q Queries) aggregate(op, expr string, by []string) string {
	return op + " by (" + q.compiler.kept(by...) + ") (" + expr + ")"
}

// repeatedFault returns a name that two faults have: the alert simulation identifies them by it.
func repeatedFault(alerts []ComponentAlert) (string, bool) {
	seen := map[string]bool{}
	for _, a := range alerts {
		for _, f := range a.Faults {
			if seen[f.Name] {
				return f.Name, true
			}
			seen[f.Name] = true
		}
	}
	return "", false
}

func (c *compiler) componentAlerts() {
	for i := range c.spec.ComponentAlerts {
		component, q := &c.spec.ComponentAlerts[i], Queries{c}
		value := component.Value(q)
		c.alert(Alert{
			Kind: KindComponent, Tier: TierTicket, SLO: -1, Component: component,
			Check: value, Expect: component.Expect, Where: component.Where(q), Condition: component.Condition,
		}, Rule{
			Alert: camel(c.spec.Service) + component.Name, Expr: value + " > " + number(component.Above), For: component.For,
			Labels: c.alertLabels(TierTicket),
		}, texts{
			summary:     c.subject() + ": " + component.Summary,
			description: component.Description + " " + c.sinceText(component.For),
		})
	}
}
