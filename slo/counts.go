package slo

import (
	"github.com/prometheus/prometheus/model/labels"
)

// Counts is how the events of one objective are counted without any recorded
// series, for stores that evaluate alerts and no recordings. Each query gives one
// number: what was counted within the window, in one environment. Whoever asks
// writes both for $window and $environment.
type Counts struct {
	Objective  string // name
	Target     Percent
	Window     Window
	Total, Bad string
	Burns      []Alert
}

// Counts gives the objectives that have burn alerts and are not grouped, in the
// order of the specification.
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

// counts has no bad events, instead of none bad, where the bucket is missing: the
// alert is then without data, and not well.
func (e timedEvents) counts(within *labels.Matcher) (total, bad string) {
	total = increased(e.series("_count"), within)
	return total, "(" + total + " - " + increased(e.series("_bucket", atMost(e.bound)), within) + ")"
}
