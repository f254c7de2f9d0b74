package dashboards

import (
	"maps"
	"slices"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// Names of the dashboard variables. They are part of links to dashboards.
const (
	varMetrics     = "datasource"
	varTraces      = "tempo"
	varLogs        = "loki"
	varProfiles    = "pyroscope"
	varEnvironment = "environment"
	varJob         = "job"
	varInstance    = "instance"
	varObjective   = "slo"
	varService     = "service"
)

// Scope selects the series of one service. Its methods return selectors and common
// panels.
type Scope struct {
	in       Input
	spec     slo.Spec
	matchers []Matcher
	shared   bool // the service is a variable
}

// NewScope returns the scope of a service.
func NewScope(in Input) Scope {
	s := Scope{in: in, spec: in.Rules.Spec}
	for _, label := range slices.Sorted(maps.Keys(s.spec.Selector)) {
		s.matchers = append(s.matchers, Is(label, s.spec.Selector[label]))
	}
	s.matchers = append(s.matchers, s.chosenInstances()...)
	s.matchers = append(s.matchers, Matches(semconv.LabelInstance, "$"+varInstance))
	if !s.hasJob() {
		s.matchers = append(s.matchers, Matches(semconv.LabelJob, "$"+varJob))
	}
	return s
}

// hasJob reports whether the selector has the job, which is then no variable.
func (s Scope) hasJob() bool { return s.spec.Selector[semconv.LabelJob] != "" }

// chosenInstances match the values that the dashboard's variables select for the
// environment label and for the labels of groupBy.
func (s Scope) chosenInstances() []Matcher {
	ms := []Matcher{Is(s.spec.EnvironmentLabel, "$"+varEnvironment)}
	for _, label := range s.spec.GroupBy {
		ms = append(ms, Matches(label, "$"+label))
	}
	return ms
}

// Metric selects a metric of the service, restricted by the variables of the dashboard.
func (s Scope) Metric(name string, more ...Matcher) Selector {
	return Selector{Metric: name}.With(s.matchers...).With(more...)
}

// Histogram selects a histogram in the form that the service exposes.
func (s Scope) Histogram(name string, more ...Matcher) Distribution {
	return Distribution{Selector: s.Metric(name, more...), native: s.in.Histograms == Native}
}

// classic selects a histogram that is always classic, such as those of the Go collector.
func (s Scope) classic(name string) Distribution { return Distribution{Selector: s.Metric(name)} }

// recorded selects a recorded series of the service's SLOs.
func (s Scope) recorded(name string, more ...Matcher) Selector {
	return Selector{Metric: name}.With(Is(slo.LabelService, s.spec.Service)).With(s.chosenInstances()...).With(more...)
}

// alerts selects the firing alerts of the selected environment.
func (s Scope) alerts(more ...Matcher) Selector {
	return s.alertsOf(Is(slo.LabelEnvironment, "$"+varEnvironment), more...)
}

// anyEnvironment also matches the alerts of no environment: that of a service which was never scraped. In ALERTS, its label has
// the text of the template, since Prometheus does not write an empty result of it.
func anyEnvironment() Matcher { return Matches(slo.LabelEnvironment, "$"+varEnvironment+"|[{].*") }

func (s Scope) alertsOf(environment Matcher, more ...Matcher) Selector {
	sel := Selector{Metric: metricAlerts}.With(Is(labelAlertState, "firing"), environment)
	return sel.With(s.chosenInstances()[1:]...).With(more...)
}

// presence is the metric that exists while an instance runs.
func (s Scope) presence() string {
	if s.spec.Metrics == slo.MetricsPush {
		return semconv.TargetInfo
	}
	return semconv.Up
}

// routed selects the sum of the requests on all known routes, whose cost does not grow with the routes.
func (s Scope) routed(more ...Matcher) Selector {
	return s.Metric(semconv.HTTPServerRoutedRequests, more...)
}

// requests selects the requests by route on known routes. No objective counts unmatched ones.
func (s Scope) requests(more ...Matcher) Selector {
	return s.Metric(semconv.HTTPServerRequests, Not(semconv.LabelRoute, semconv.RouteUnmatched)).With(more...)
}

// bad matches the outcomes that spend the error budget of availability.
func bad() Matcher { return OneOf(semconv.LabelOutcome, semconv.BadOutcomes()...) }

// badRatio is the ratio of requests that spend the error budget, by labels other than those of routes.
func (s Scope) badRatio(by ...string) Expr { return s.badRatioOver(rateInterval, by...) }

func (s Scope) badRatioOver(window string, by ...string) Expr {
	total := s.routed().RateOver(window).Sum(by...)
	return s.routed(bad()).RateOver(window).Sum(by...).OrZero(total).Over(total)
}

// latencies is the duration of the successful requests on all known routes. Native histograms have no sum of the routes.
func (s Scope) latencies() Distribution {
	if s.in.Histograms == Native {
		return s.succeeded()
	}
	return s.Histogram(semconv.HTTPServerRoutedRequestDuration, Is(semconv.LabelOutcome, semconv.OutcomeSuccess))
}

// succeeded is the duration of successful requests by route.
func (s Scope) succeeded() Distribution {
	return s.Histogram(semconv.HTTPServerRequestDuration, Is(semconv.LabelOutcome, semconv.OutcomeSuccess))
}

// dashboard returns a link to another dashboard, with the same time range and variables.
func (s Scope) dashboard(name, title string) Link {
	return Link{Title: title, URL: "/d/" + s.uid(name) + "?${__url_time_range}&${__all_variables}"}
}

// OverviewLink returns a link to the overview, with the same time range and variables.
func (s Scope) OverviewLink() Link { return s.dashboard(dashboardOverview, "Overview") }

// selectorOf selects a metric of the service without dashboard variables, for the
// queries of the variables.
func (s Scope) selectorOf(metric string, more ...Matcher) Selector {
	sel := Selector{Metric: metric}
	for _, label := range slices.Sorted(maps.Keys(s.spec.Selector)) {
		sel = sel.With(Is(label, s.spec.Selector[label]))
	}
	return sel.With(more...)
}
