package slo

import (
	"encoding/json"
	"fmt"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Gate is how a new version of a service is judged while it is watched after its
// roll-out: by what its own processes did, held against the objectives that page.
// It is the file that package rollout of the runtime reads.
//
// Queries hold names that whoever asks fills in: $processes, which is the query
// of that name, $environment, $version and $window, the time since the watch
// began.
type Gate struct {
	Service string `json:"service"`
	// Processes has a series for each process of the version, also for one that
	// is gone by now.
	Processes  string          `json:"processes"`
	Objectives []GateObjective `json:"objectives"`
	// LeftOut says which objectives judge no roll-out, and why.
	LeftOut []string `json:"leftOut,omitempty"`
}

// GateObjective is one objective of a [Gate]. Its queries give one number each,
// or nothing where there is no data.
type GateObjective struct {
	Name      string `json:"name"`
	Objective string `json:"objective"` // percent
	// Threshold is the share of bad events above which the first page of the
	// objective fires: its budget times Factor.
	Threshold json.Number `json:"threshold"`
	Factor    json.Number `json:"factor"`
	// MinBadEvents is the number of bad events below which no alert fires.
	MinBadEvents int `json:"minBadEvents"`
	GateQueries
}

// GateQueries count events of the version within the window.
type GateQueries struct {
	Total string `json:"total"`
	Bad   string `json:"bad,omitempty"`  // those that spend the budget, or
	Good  string `json:"good,omitempty"` // those that do not
	// Idle gives a number where there is no total because nothing has happened.
	Idle string `json:"idle,omitempty"`
}

// The names that whoever asks fills in.
const (
	gateEnvironment = "$environment"
	gateVersion     = "$version"
	gateWindow      = "$window"
	gateProcesses   = "$processes"
)

// Gate compiles what judges a roll-out from the objectives of the rules.
func (r Rules) Gate() Gate {
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec), limits: map[string]limit{}}
	environment := labels.MustNewMatcher(labels.MatchEqual, c.spec.EnvironmentLabel, gateEnvironment)
	version := labels.MustNewMatcher(labels.MatchEqual, semconv.LabelVersion, gateVersion)
	g := Gate{Service: r.Spec.Service, Objectives: []GateObjective{}}
	g.Processes = "group by (" + semconv.LabelInstance + ") (last_over_time(" +
		c.scope.metric(semconv.BuildInfo, environment, version).String() + "[" + gateWindow + "]))"
	for i := range r.Spec.SLOs {
		o := c.resolve(i)
		p, why := c.gatePair(o)
		if why != "" {
			g.LeftOut = append(g.LeftOut, o.Name+": "+why)
			continue
		}
		g.Objectives = append(g.Objectives, GateObjective{
			Name: o.Name, Objective: o.Target.String(),
			Threshold: json.Number(c.limit(o, p).text), Factor: json.Number(decimal(p.Factor(o.Window))),
			MinBadEvents: o.minBadEvents(), GateQueries: o.events.watched(watched{environment}),
		})
	}
	return g
}

// gatePair is the pair whose factor judges a roll-out: the fastest page that the
// objective has. The reason says why there is none.
func (c *compiler) gatePair(o resolved) (_ Pair, why string) {
	if o.grouped {
		return Pair{}, "it is grouped and pages nobody"
	}
	if label, foreign := c.scope.foreign(o.events); foreign {
		return Pair{}, fmt.Sprintf("its events are not the service's own (label %s), so that no version can be told from them", label)
	}
	for _, p := range pairs() {
		if p.Tier == TierPage && p.suits(o.Window) && c.limit(o, p).ratio < 1 {
			return p, ""
		}
	}
	return Pair{}, "it has no page"
}

// foreign says whether events are counted by somebody else, such as a gateway:
// their selectors then name another value for a label of the service.
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

// watched is what the queries of a gate share.
type watched struct{ environment *labels.Matcher }

// since is how far counters of the version grew within the window. Where a
// series is younger than the window, all of its value counts: increase would
// lose what came before its first sample. Only where a process began again, or
// is gone, is the increase what is left to ask for.
func (w watched) since(s selector) string {
	text := s.with(w.environment).String()
	window := "[" + gateWindow + "]"
	grown := "(" + text + " - " + text + " offset " + gateWindow + " >= 0 or " + text + ")"
	return "sum((" + grown + " unless resets(" + text + window + ") > 0 or increase(" + text + window + ")) and on (" +
		semconv.LabelInstance + ") " + gateProcesses + ")"
}

func (e countedEvents) selectors() []selector { return []selector{e.total, e.bad} }

func (e countedEvents) watched(w watched) GateQueries {
	q := GateQueries{Total: w.since(e.total), Bad: w.since(e.bad)}
	if e.byRoute == nil {
		// A counter of the service's own may be born with its first bad event;
		// those of the runtime exist from the start.
		q.Bad += " or 0 * " + q.Total
	}
	return q
}

func (e timedEvents) selectors() []selector { return []selector{e.histogram} }

// watched has good events, so that there is nothing, instead of none bad, where
// the bucket is missing: a wrong threshold must not read as a good version.
func (e timedEvents) watched(w watched) GateQueries {
	q := GateQueries{Total: w.since(e.series("_count")), Good: w.since(e.series("_bucket", atMost(e.bound)))}
	if e.idle != nil {
		q.Idle = w.since(*e.idle) // the histogram is born with its first event
	}
	return q
}
