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

// events is what an indicator counts.
type events interface {
	// names tells the total and the bad events of one service apart from others.
	names() (total, bad string)
	// increases lists the recordings of one interval in the order in which they read
	// each other. Each group that has a total has a bad increase too.
	increases(t counting) []increase
	// badRate is the number of bad events per second over five minutes, by the
	// given labels and within the given matchers.
	badRate(by string, within ...*labels.Matcher) string
	// counts are the numbers of all and of bad events within $window.
	counts(within *labels.Matcher) (total, bad string)
	// flows lists the series that events make grow, for tests of the rules.
	flows() []flow
	// openSLO lists the metrics of an OpenSLO ratio.
	openSLO() []part
	// routed says whether the events carry semconv.LabelRoute.
	routed() bool
	// selectors are what is counted.
	selectors() []selector
	// reads are the metrics behind the selectors.
	reads() []Read
	// analyzed returns the queries of a rollout analysis, for the instances of one version.
	analyzed(w analyzed) rollout.Objective
}

// scope is the part of a specification that stands in every query.
type scope struct {
	matchers    []*labels.Matcher
	environment string
	presence    string // metric that exists as long as an instance reports
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

// ofTarget selects a metric of the targets that a series comes from. Its author may
// have named another job than that of the service.
func (sc scope) ofTarget(metric string, series selector) selector {
	return selector{metric: metric}.with(slices.DeleteFunc(slices.Clone(series.matchers), func(m *labels.Matcher) bool {
		return !slices.ContainsFunc(sc.matchers, func(own *labels.Matcher) bool { return own.Name == m.Name })
	})...)
}

// own selects what the author wrote, within the service.
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

// events resolves an indicator. This is the one place that knows the kinds.
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

// availability reads the counter of the whole service unless routes are told apart:
// it has a few series for any number of routes.
func (sc scope) availability(o Objective) events {
	name, routes := sc.onRoutes("http requests", semconv.HTTPServerRequests, o)
	bad := labels.MustNewMatcher(labels.MatchRegexp, semconv.LabelOutcome, strings.Join(semconv.BadOutcomes(), "|"))
	total := routes
	if !o.byRoute() {
		total = sc.metric(semconv.HTTPServerRoutedRequests)
	}
	return countedEvents{name: name, badName: name, total: total, bad: total.with(bad), byRoute: new(routes.with(bad))}.withGood()
}

func (sc scope) latency(o Objective) events {
	name, routes := sc.onRoutes("http latency", semconv.HTTPServerRequestDuration, o)
	_, requests := sc.onRoutes("http requests", semconv.HTTPServerRequests, o)
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

// onRoutes selects a metric on the routes of an objective, and says so in the name.
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

// countedEvents are counters of which some are bad.
type countedEvents struct {
	name, badName string
	total, bad    selector
	// good selects the events that are not bad, where one selector can say so. It
	// is for its text alone: what tells them apart is written and not compiled.
	good    *selector
	apart   *labels.Matcher // as in bad
	byRoute *selector       // bad events that tell routes apart; nil where none do
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

// withGood finds the selector of the events that are not bad, where the bad ones
// differ from the total in one matcher that can be turned round.
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

// timedEvents are the observations of a histogram; those above a bound are bad.
type timedEvents struct {
	name      string
	histogram selector
	bound     float64
	// idle selects a counter that exists before the first observation, when the
	// histogram is born with it.
	idle    *selector
	byRoute *selector // the histogram that tells routes apart; nil where none does
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
	// Without the bucket there is no bad increase while there are events, and the
	// alert on missing data says so: silence would hide a wrong threshold.
	all := ref(total.record, t.service, t.sli(e.name))
	bad := all + " - " + t.on() + t.counted(e.series("_bucket", atMost(e.bound))) + " or " + t.on() + "(" + all + " == 0)"
	return []increase{total, {record: t.bad(), expr: bad}}
}

// atMost matches the bucket up to a bound, in its own spellings and those written. A
// whole number has two of its own: le="1" in the classic text format, le="1.0" in
// OpenMetrics and Prometheus 3.
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

// BucketBound returns a threshold in the unit that the name of a histogram ends in, or
// else in seconds: the le of the bucket with the good events.
func BucketBound(metric string, threshold time.Duration) float64 {
	unit, timed := TimeUnit(metric)
	if !timed {
		unit = time.Second
	}
	f, _ := big.NewRat(int64(threshold), int64(unit)).Float64()
	return f
}

// TimeUnit returns the unit of time that the name of a histogram ends in, and whether it
// ends in one.
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
