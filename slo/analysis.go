package slo

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/rollout"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// The placeholders of the queries; see [rollout.Analysis].
const (
	analysisEnvironment = "$environment"
	analysisVersion     = "$version"
	analysisWindow      = "$window"
	analysisInstances   = "$instances"
)

// RolloutAnalysis returns the analysis of a new version: it compares the events of the new
// instances since the rollout with the objectives that page. The threshold of an objective
// is its error budget times the burn rate of its first page.
func (r Rules) RolloutAnalysis() rollout.Analysis {
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec), limits: map[string]limit{}}
	scope := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, c.spec.EnvironmentLabel, analysisEnvironment)}
	for _, label := range c.spec.GroupBy {
		scope = append(scope, labels.MustNewMatcher(labels.MatchEqual, label, "${"+label+"}"))
	}
	version := labels.MustNewMatcher(labels.MatchEqual, semconv.LabelVersion, analysisVersion)
	a := rollout.Analysis{Service: r.Spec.Service, Labels: r.Spec.GroupBy, Objectives: []rollout.Objective{}}
	a.Instances = "group by (" + semconv.LabelInstance + ") (last_over_time(" +
		c.scope.metric(semconv.BuildInfo, append(slices.Clip(scope), version)...).String() + "[" + analysisWindow + "]))"
	for i := range r.Spec.SLOs {
		o := c.resolve(i)
		p, why := c.analysisPair(o)
		if why != "" {
			a.Skipped = append(a.Skipped, o.Name+": "+why)
			continue
		}
		objective := o.events.analyzed(analyzed{scope})
		objective.Name, objective.Objective = o.Name, o.Target.String()
		objective.Threshold = c.limit(o, p).ratio
		objective.Factor, _ = p.Factor(o.Window).Float64()
		objective.MinBadEvents = float64(o.minBadEvents())
		a.Objectives = append(a.Objectives, objective)
	}
	return a
}

// analysisPair returns the pair whose burn rate the analysis uses, the fastest page of the
// objective, or why there is none.
func (c *compiler) analysisPair(o resolved) (_ Pair, why string) {
	if o.grouped {
		return Pair{}, "it is grouped, so it has no page"
	}
	if label, foreign := c.scope.foreign(o.events); foreign {
		return Pair{}, fmt.Sprintf("its events are counted by another job (label %s), so they have no version", label)
	}
	for _, p := range Pairs() {
		if p.Tier == TierPage && p.Suits(o.Window) && c.limit(o, p).ratio < 1 {
			return p, ""
		}
	}
	return Pair{}, "it has no page"
}

// foreign reports whether another job counts the events, such as a gateway: then a selector
// has another value for a label of the service.
func (sc scope) foreign(e events) (label string, foreign bool) {
	for _, f := range e.selectors() {
		for _, own := range sc.matchers {
			for _, m := range f.matchers {
				if m.Name == own.Name && !m.Matches(own.Value) {
					return m.Name, true
				}
			}
		}
	}
	return "", false
}

// analyzed is the scope of the queries of an analysis.
type analyzed struct{ scope []*labels.Matcher }

// since returns the increase of the version's counters within the window. For a series
// younger than the window this is its whole value, because increase() would lose the events
// before the first sample. If an instance restarted or stopped, it is increase().
func (w analyzed) since(s selector) string {
	text := s.with(w.scope...).String()
	window := "[" + analysisWindow + "]"
	grown := "(" + text + " - " + text + " offset " + analysisWindow + " >= 0 or " + text + ")"
	return "sum((" + grown + " unless resets(" + text + window + ") > 0 or increase(" + text + window + ")) and on (" +
		semconv.LabelInstance + ") " + analysisInstances + ")"
}

func (e countedEvents) selectors() []selector { return []selector{e.total, e.bad} }

func (e countedEvents) analyzed(w analyzed) rollout.Objective {
	q := rollout.Objective{Total: w.since(e.total), Bad: w.since(e.bad)}
	if e.byRoute == nil {
		// Counters of the service may not exist before the first bad event; those of the
		// runtime exist from the start.
		q.Bad += " or 0 * " + q.Total
	}
	return q
}

func (e timedEvents) selectors() []selector { return []selector{e.histogram} }

// analyzed counts good events: if the bucket is missing because of a wrong threshold, there
// is no data instead of no bad events, and the analysis does not pass.
func (e timedEvents) analyzed(w analyzed) rollout.Objective {
	q := rollout.Objective{Total: w.since(e.series("_count")), Good: w.since(e.series("_bucket", atMost(e.bound)))}
	if e.idle != nil {
		q.Idle = w.since(*e.idle) // the histogram does not exist before the first event
	}
	return q
}
