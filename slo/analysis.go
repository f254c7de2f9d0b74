package slo

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// RolloutAnalysis compares a new version of a service with the objectives that
// page, by the events of its own instances since the rollout. It is the file that
// package rollout of the runtime reads and documents.
//
// Queries contain placeholders: $instances, which is the query of that name,
// $environment, $version, ${NAME} for each of Labels, and $window, the time since
// the analysis began.
type RolloutAnalysis struct {
	Service string `json:"service"`
	// Labels are those of [Spec.GroupBy]: the rollout is to one value of each.
	Labels []string `json:"labels,omitempty"`
	// Instances returns a series for each instance of the version, also for one
	// that has stopped.
	Instances  string              `json:"instances"`
	Objectives []AnalysisObjective `json:"objectives"`
	// Skipped lists the objectives that are not analyzed, with the reason.
	Skipped []string `json:"skipped,omitempty"`
}

// AnalysisObjective is one objective of a [RolloutAnalysis]. Each of its queries
// returns one number, or nothing where there is no data.
type AnalysisObjective struct {
	Name      string `json:"name"`
	Objective string `json:"objective"` // percent
	// Threshold is the ratio of bad events above which the first page of the
	// objective fires: its budget times Factor.
	Threshold json.Number `json:"threshold"`
	Factor    json.Number `json:"factor"`
	// MinBadEvents is the number of bad events below which no alert fires.
	MinBadEvents int `json:"minBadEvents"`
	AnalysisQueries
}

// AnalysisQueries count events of the version within the window.
type AnalysisQueries struct {
	Total string `json:"total"`
	Bad   string `json:"bad,omitempty"`  // those that spend the budget, or
	Good  string `json:"good,omitempty"` // those that do not
	// Idle returns a number where Total has no data because no event has happened.
	Idle string `json:"idle,omitempty"`
}

// The placeholders.
const (
	analysisEnvironment = "$environment"
	analysisVersion     = "$version"
	analysisWindow      = "$window"
	analysisInstances   = "$instances"
)

// RolloutAnalysis compiles the analysis from the objectives of the rules.
func (r Rules) RolloutAnalysis() RolloutAnalysis {
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec), limits: map[string]limit{}}
	scope := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, c.spec.EnvironmentLabel, analysisEnvironment)}
	for _, label := range c.spec.GroupBy {
		scope = append(scope, labels.MustNewMatcher(labels.MatchEqual, label, "${"+label+"}"))
	}
	version := labels.MustNewMatcher(labels.MatchEqual, semconv.LabelVersion, analysisVersion)
	a := RolloutAnalysis{Service: r.Spec.Service, Labels: r.Spec.GroupBy, Objectives: []AnalysisObjective{}}
	a.Instances = "group by (" + semconv.LabelInstance + ") (last_over_time(" +
		c.scope.metric(semconv.BuildInfo, append(slices.Clip(scope), version)...).String() + "[" + analysisWindow + "]))"
	for i := range r.Spec.SLOs {
		o := c.resolve(i)
		p, why := c.analysisPair(o)
		if why != "" {
			a.Skipped = append(a.Skipped, o.Name+": "+why)
			continue
		}
		a.Objectives = append(a.Objectives, AnalysisObjective{
			Name: o.Name, Objective: o.Target.String(),
			Threshold: json.Number(c.limit(o, p).text), Factor: json.Number(decimal(p.Factor(o.Window))),
			MinBadEvents: o.minBadEvents(), AnalysisQueries: o.events.analyzed(analyzed{scope}),
		})
	}
	return a
}

// analysisPair returns the pair whose factor a rollout analysis uses: the fastest
// page of the objective. The reason says why there is none.
func (c *compiler) analysisPair(o resolved) (_ Pair, why string) {
	if o.grouped {
		return Pair{}, "it is grouped, so it has no page"
	}
	if label, foreign := c.scope.foreign(o.events); foreign {
		return Pair{}, fmt.Sprintf("its events are counted by another job (label %s), so they have no version", label)
	}
	for _, p := range pairs() {
		if p.Tier == TierPage && p.suits(o.Window) && c.limit(o, p).ratio < 1 {
			return p, ""
		}
	}
	return Pair{}, "it has no page"
}

// foreign says whether another job counts the events, such as a gateway: their
// selectors then have another value for a label of the service.
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

// analyzed is what the queries of an analysis share.
type analyzed struct{ scope []*labels.Matcher }

// since returns the growth of counters of the version within the window. Where a
// series is younger than the window, its whole value counts: increase would lose
// the events before its first sample. Where an instance restarted or stopped,
// increase is all there is.
func (w analyzed) since(s selector) string {
	text := s.with(w.scope...).String()
	window := "[" + analysisWindow + "]"
	grown := "(" + text + " - " + text + " offset " + analysisWindow + " >= 0 or " + text + ")"
	return "sum((" + grown + " unless resets(" + text + window + ") > 0 or increase(" + text + window + ")) and on (" +
		semconv.LabelInstance + ") " + analysisInstances + ")"
}

func (e countedEvents) selectors() []selector { return []selector{e.total, e.bad} }

func (e countedEvents) analyzed(w analyzed) AnalysisQueries {
	q := AnalysisQueries{Total: w.since(e.total), Bad: w.since(e.bad)}
	if e.byRoute == nil {
		// The service's own counters may not exist before their first bad event;
		// those of the runtime exist from the start.
		q.Bad += " or 0 * " + q.Total
	}
	return q
}

func (e timedEvents) selectors() []selector { return []selector{e.histogram} }

// analyzed counts good events, so that there is no data, instead of no bad events,
// where the bucket is missing: a wrong threshold must not pass.
func (e timedEvents) analyzed(w analyzed) AnalysisQueries {
	q := AnalysisQueries{Total: w.since(e.series("_count")), Good: w.since(e.series("_bucket", atMost(e.bound)))}
	if e.idle != nil {
		q.Idle = w.since(*e.idle) // the histogram does not exist before its first event
	}
	return q
}
