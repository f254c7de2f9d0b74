package slo

import (
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/rollout"
)

// goodEvents counts all events and the good ones. The difference is bad.
type goodEvents struct {
	name        string
	total, good selector
}

func (e goodEvents) names() (total, bad string) { return e.name, e.name }
func (e goodEvents) routed() bool               { return false }
func (e goodEvents) selectors() []selector      { return []selector{e.total, e.good} }
func (e goodEvents) openSLO() []part            { return []part{{"good", e.good}, {"total", e.total}} }

// badRate is empty, because the events have no routes.
func (e goodEvents) badRate(string, ...*labels.Matcher) string { return "" }

// increases counts all events as bad while the counter of good events does not exist,
// which may begin with the first good event.
func (e goodEvents) increases(t counting) []increase {
	total := increase{record: t.total(), expr: t.counted(e.total) + t.idle()}
	all := ref(total.record, t.service, t.sli(e.name))
	bad := all + " - " + t.on() + "(" + t.counted(e.good) + " or " + t.on() + "0 * " + all + ")"
	return []increase{total, {record: t.bad(), expr: bad}}
}

func (e goodEvents) counts(within *labels.Matcher) (total, bad string) {
	total = increased(e.total, within)
	return total, "(" + total + " - (" + increased(e.good, within) + " or 0 * " + total + "))"
}

func (e goodEvents) analyzed(w analyzed) rollout.Objective {
	total := w.since(e.total)
	return rollout.Objective{Total: total, Good: w.since(e.good) + " or 0 * " + total}
}

func (e goodEvents) flows() []flow {
	good := e.good
	if good.metric == e.total.metric {
		good = good.with(e.total.matchers...)
	}
	return []flow{{selector: e.total, good: true, bad: true}, {selector: good, good: true}}
}
