package slo

import (
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/rollout"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// events are the events of an indicator.
type events interface {
	// names returns the names of all and of the bad events, unique within the service.
	names() (total, bad string)
	// increases returns the records of one interval, in order of evaluation.
	increases(t counting) []increase
	// badRate returns the query for bad events per second over five minutes, by labels and
	// with more matchers.
	badRate(by string, within ...*labels.Matcher) string
	// counts returns the queries for all and for bad events within $window.
	counts(within *labels.Matcher) (total, bad string)
	// flows returns the series that events increase, for tests of the rules.
	flows() []flow
	// openSLO returns the metrics of an OpenSLO ratio.
	openSLO() []part
	// routed reports whether the events have the label semconv.LabelRoute.
	routed() bool
	// selectors returns the selectors of the counted metrics.
	selectors() []selector
	// reads returns the metrics of the selectors.
	reads() []Read
	// analyzed returns the queries of a rollout analysis, for the instances of one version.
	analyzed(w analyzed) rollout.Objective
}

// scope is the part of a specification that all queries have in common.
type scope struct {
	matchers    []*labels.Matcher
	environment string
	presence    string // metric that exists while an instance runs
	parsed      selectors
}

func newScope(s Spec) scope {
	sc := scope{environment: s.EnvironmentLabel, presence: semconv.Up, parsed: s.parsed}
	if s.Metrics == MetricsPush {
		sc.presence = semconv.TargetInfo
	}
	for name, value := range s.Selector {
		sc.matchers = append(sc.matchers, labels.MustNewMatcher(labels.MatchEqual, name, value))
	}
	return sc
}

// metric selects one metric of the service.
func (sc scope) metric(name string, more ...*labels.Matcher) selector {
	return selector{metric: name}.with(sc.matchers...).with(more...)
}

// ofTarget selects a metric of the targets of a series, whose selector may have another job
// than the service.
func (sc scope) ofTarget(metric string, series selector) selector {
	return selector{metric: metric}.with(slices.DeleteFunc(slices.Clone(series.matchers), func(m *labels.Matcher) bool {
		return !slices.ContainsFunc(sc.matchers, func(own *labels.Matcher) bool { return own.Name == m.Name })
	})...)
}

// own parses a selector of the specification, and adds the matchers of the service.
func (sc scope) own(text string) selector {
	written, ok := sc.parsed[text]
	if !ok {
		var err error
		if written, err = parseSelector(text); err != nil {
			return selector{} // Validate has reported it.
		}
	}
	return written.within(sc.matchers)
}

// events returns the events of an objective.
func (sc scope) events(o Objective) events {
	in := o.Indicator
	switch {
	case in.Availability != nil:
		return sc.availability(o)
	case in.Latency != nil && in.Latency.Histogram == "":
		return sc.latency(o)
	case in.Latency != nil:
		histogram := sc.own(in.Latency.Histogram)
		return timedEvents{
			name: o.Name, histogram: histogram,
			bound: BucketBound(histogram.metric, in.Latency.Threshold),
		}
	case in.Ratio.Good != "":
		return goodEvents{name: o.Name, total: sc.own(in.Ratio.Total), good: sc.own(in.Ratio.Good)}
	default:
		return countedEvents{name: o.Name, badName: o.Name, total: sc.own(in.Ratio.Total), bad: sc.own(in.Ratio.Bad)}.withGood()
	}
}

// availability uses the counter without routes if possible, which has few series.
func (sc scope) availability(o Objective) events {
	name, routes := sc.onRoutes(SLIRequests, semconv.HTTPServerRequests, o)
	bad := labels.MustNewMatcher(labels.MatchRegexp, semconv.LabelOutcome, strings.Join(semconv.BadOutcomes(), "|"))
	total := routes
	if !o.byRoute() {
		total = sc.metric(semconv.HTTPServerRoutedRequests)
	}
	return countedEvents{name: name, badName: name, total: total, bad: total.with(bad), byRoute: new(routes.with(bad))}.withGood()
}

func (sc scope) latency(o Objective) events {
	name, routes := sc.onRoutes(SLILatency, semconv.HTTPServerRequestDuration, o)
	_, requests := sc.onRoutes(SLIRequests, semconv.HTTPServerRequests, o)
	success := labels.MustNewMatcher(labels.MatchEqual, semconv.LabelOutcome, semconv.OutcomeSuccess)
	e := timedEvents{
		name: name, histogram: routes.with(success), byRoute: new(routes.with(success)),
		bound: BucketBound(semconv.HTTPServerRequestDuration, o.Indicator.Latency.Threshold), idle: &requests,
	}
	if !o.byRoute() {
		e.histogram, e.idle = sc.metric(semconv.HTTPServerRoutedRequestDuration, success), nil
	}
	return e
}

// onRoutes selects a metric on the routes of an objective, and adds these to the name.
func (sc scope) onRoutes(name, metric string, o Objective) (string, selector) {
	route := labels.MustNewMatcher(labels.MatchNotEqual, semconv.LabelRoute, semconv.RouteUnmatched)
	if o.Route != "" {
		route = labels.MustNewMatcher(labels.MatchEqual, semconv.LabelRoute, o.Route)
	}
	sel := sc.metric(metric, route)
	if o.Method != "" {
		name += " " + o.Method
		sel = sel.with(labels.MustNewMatcher(labels.MatchEqual, semconv.LabelMethod, o.Method))
	}
	if o.Route != "" {
		name += " " + o.Route
	}
	return name, sel
}

func rate(by string, s selector) string { return "sum by (" + by + ") (rate(" + s.String() + "[5m]))" }

// countedEvents counts all events and the bad ones.
type countedEvents struct {
	name, badName string
	total, bad    selector
	// good selects the events that are not bad, if one selector can. It is only for text:
	// its last matcher is not compiled.
	good    *selector
	apart   *labels.Matcher // the matcher that only bad has
	byRoute *selector       // bad events with the route label; may be nil
}

func (e countedEvents) names() (total, bad string) { return e.name, e.badName }
func (e countedEvents) routed() bool               { return e.byRoute != nil }

func (e countedEvents) badRate(by string, within ...*labels.Matcher) string {
	return rate(by, e.byRoute.with(within...))
}

func (e countedEvents) increases(t counting) []increase {
	total := increase{record: t.total(), expr: t.counted(e.total)}
	if e.byRoute == nil {
		total.expr += t.idle()
	}
	bad := t.counted(e.bad) + " or " + t.on() + "0 * " + ref(total.record, t.service, t.sli(e.name))
	return []increase{total, {record: t.bad(), expr: bad}}
}

// withGood sets good, if bad differs from total in a single matcher, which can be inverted.
func (e countedEvents) withGood() countedEvents {
	extra := slices.DeleteFunc(slices.Clone(e.bad.matchers), func(m *labels.Matcher) bool {
		return slices.ContainsFunc(e.total.matchers, func(n *labels.Matcher) bool { return m.Name == n.Name && m.Type == n.Type && m.Value == n.Value })
	})
	if e.bad.metric != e.total.metric || len(extra) != 1 || len(e.bad.matchers) != len(e.total.matchers)+1 {
		return e
	}
	e.apart = extra[0]
	e.good = new(e.total.with(&labels.Matcher{Type: inverse(e.apart.Type), Name: e.apart.Name, Value: e.apart.Value}))
	return e
}

func inverse(t labels.MatchType) labels.MatchType {
	return map[labels.MatchType]labels.MatchType{
		labels.MatchEqual: labels.MatchNotEqual, labels.MatchNotEqual: labels.MatchEqual,
		labels.MatchRegexp: labels.MatchNotRegexp, labels.MatchNotRegexp: labels.MatchRegexp,
	}[t]
}

// timedEvents counts the observations of a histogram; those above a bound are bad.
type timedEvents struct {
	name      string
	histogram selector
	bound     float64
	// idle selects a counter that exists before the first observation, if the histogram does
	// not.
	idle    *selector
	byRoute *selector // the histogram with the route label; may be nil
}

func (e timedEvents) names() (total, bad string) {
	return e.name, e.name + "-" + strconv.FormatFloat(e.bound, 'g', -1, 64)
}
func (e timedEvents) routed() bool { return e.byRoute != nil }

func (e timedEvents) series(suffix string, more ...*labels.Matcher) selector {
	return selector{metric: e.histogram.metric + suffix, matchers: e.histogram.matchers}.with(more...)
}

func (e timedEvents) badRate(by string, within ...*labels.Matcher) string {
	byRoute := timedEvents{histogram: *e.byRoute}
	return rate(by, byRoute.series("_count", within...)) + " - " + rate(by, byRoute.series("_bucket", within...).with(atMost(e.bound)))
}

func (e timedEvents) increases(t counting) []increase {
	total := increase{record: t.total(), expr: t.counted(e.series("_count"))}
	switch {
	case e.idle != nil:
		total.expr += " or " + t.on() + "0 * " + t.sumBy() + "(" + e.idle.String() + ")"
	case e.byRoute == nil:
		total.expr += t.idle()
	}
	// If the bucket is missing because of a wrong threshold, there is no bad increase while
	// there are events, and SLONoData fires.
	all := ref(total.record, t.service, t.sli(e.name))
	bad := all + " - " + t.on() + t.counted(e.series("_bucket", atMost(e.bound))) + " or " + t.on() + "(" + all + " == 0)"
	return []increase{total, {record: t.bad(), expr: bad}}
}

// atMost matches the bucket of a bound, in its spellings and those of written. Integers have
// two spellings: le="1" in the text format, le="1.0" in OpenMetrics and Prometheus 3.
func atMost(bound float64, written ...string) *labels.Matcher {
	spellings := []string{strconv.FormatFloat(bound, 'g', -1, 64)}
	if !strings.ContainsAny(spellings[0], ".e") && !math.IsInf(bound, 0) {
		spellings = append(spellings, spellings[0]+".0")
	}
	for _, text := range written {
		if !slices.Contains(spellings, text) {
			spellings = append(spellings, text)
		}
	}
	if len(spellings) == 1 {
		return labels.MustNewMatcher(labels.MatchEqual, semconv.LabelLessOrEqual, spellings[0])
	}
	for i := range spellings {
		spellings[i] = regexp.QuoteMeta(spellings[i]) // 5.0 would match 500 too
	}
	return labels.MustNewMatcher(labels.MatchRegexp, semconv.LabelLessOrEqual, strings.Join(spellings, "|"))
}

// BucketBound returns the le of a threshold, in the unit of the histogram's name or else in
// seconds.
func BucketBound(metric string, threshold time.Duration) float64 {
	unit, timed := TimeUnit(metric)
	if !timed {
		unit = time.Second
	}
	f, _ := big.NewRat(int64(threshold), int64(unit)).Float64()
	return f
}

// TimeUnit returns the unit of time at the end of a metric name, and whether there is one.
func TimeUnit(metric string) (unit time.Duration, ok bool) {
	switch {
	case strings.HasSuffix(metric, "_seconds"):
		return time.Second, true
	case strings.HasSuffix(metric, "_milliseconds"), strings.HasSuffix(metric, "_millis"), strings.HasSuffix(metric, "_ms"):
		return time.Millisecond, true
	case strings.HasSuffix(metric, "_microseconds"), strings.HasSuffix(metric, "_us"):
		return time.Microsecond, true
	}
	return 0, false
}
