package slo

import (
	"github.com/prometheus/prometheus/model/labels"
)

// Counts has queries for the events of an objective without recorded series, for systems
// that evaluate alerts but not recording rules. Each query returns one number. The caller
// replaces $window and $environment.
type Counts struct {
	Objective  string // name
	Target     Percent
	Window     Window
	Total, Bad string
	Burns      []Alert
}

// Counts returns the objectives with burn alerts and without GroupBy, in the order of the
// specification.
func (r Rules) Counts() []Counts {
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec)}
	within := labels.MustNewMatcher(labels.MatchEqual, r.Spec.EnvironmentLabel, "$environment")
	var all []Counts
	for i, o := range r.Spec.SLOs {
		counts := Counts{Objective: o.Name, Target: o.Target, Window: o.Window}
		for _, a := range r.Alerts {
			if a.Kind == KindErrorBudgetBurn && a.SLO == i {
				counts.Burns = append(counts.Burns, a)
			}
		}
		if len(o.GroupBy) > 0 || len(counts.Burns) == 0 {
			continue
		}
		counts.Total, counts.Bad = c.resolve(i).events.counts(within)
		all = append(all, counts)
	}
	return all
}

func increased(s selector, within *labels.Matcher) string {
	return "sum(increase(" + s.with(within).String() + "[$window]))"
}

func (e countedEvents) counts(within *labels.Matcher) (total, bad string) {
	return increased(e.total, within), increased(e.bad, within)
}

// counts returns no data instead of no bad events if the bucket is missing, so that a wrong
// threshold is not hidden.
func (e timedEvents) counts(within *labels.Matcher) (total, bad string) {
	total = increased(e.series("_count"), within)
	return total, "(" + total + " - " + increased(e.series("_bucket", atMost(e.bound)), within) + ")"
}
