package dashboards

import (
	"maps"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// Names of the variables that every dashboard has, as they stand in addresses.
const (
	varMetrics     = "datasource"
	varTraces      = "tempo"
	varLogs        = "loki"
	varProfiles    = "pyroscope"
	varEnvironment = "environment"
	varJob         = "job"
	varInstance    = "instance"
	varObjective   = "slo"
)

// Scope is how the series of one service are found. It makes selectors and the
// panels that most dashboards have.
type Scope struct {
	in       Input
	spec     slo.Spec
	matchers []Matcher
}

// NewScope makes the scope of a service.
func NewScope(in Input) Scope {
	s := Scope{in: in, spec: in.Rules.Spec}
	for _, label := range slices.Sorted(maps.Keys(s.spec.Selector)) {
		if label != semconv.LabelJob {
			s.matchers = append(s.matchers, Is(label, s.spec.Selector[label]))
		}
	}
	s.matchers = append(s.matchers, s.chosenInstances()...)
	s.matchers = append(s.matchers, Matches(semconv.LabelInstance, "$"+varInstance), Matches(semconv.LabelJob, "$"+varJob))
	return s
}

// chosenInstances match what the dashboard's variables chose of the labels that keep
// instances of the service apart: the environment, and what the specification adds.
func (s Scope) chosenInstances() []Matcher {
	ms := []Matcher{Matches(s.spec.EnvironmentLabel, "$"+varEnvironment)}
	for _, label := range s.spec.GroupBy {
		ms = append(ms, Matches(label, "$"+label))
	}
	return ms
}

// Metric selects a metric of the service, within the variables of the dashboard.
func (s Scope) Metric(name string, more ...Matcher) Selector {
	return Selector{Metric: name}.With(s.matchers...).With(more...)
}

// Histogram selects a histogram of the service as its settings expose it.
func (s Scope) Histogram(name string, more ...Matcher) Distribution {
	return Distribution{Selector: s.Metric(name, more...), native: s.in.Histograms == Native}
}

// classic selects a histogram that its library exposes with fixed buckets,
// whatever the service chose for its own.
func (s Scope) classic(name string) Distribution { return Distribution{Selector: s.Metric(name)} }

// recorded selects a recorded series of the service's objectives.
func (s Scope) recorded(name string, more ...Matcher) Selector {
	return Selector{Metric: name}.With(Is(slo.LabelService, s.spec.Service)).With(s.chosenInstances()...).With(more...)
}

// alerts selects the alerts of the chosen environment that fire.
func (s Scope) alerts(more ...Matcher) Selector {
	sel := Selector{Metric: metricAlerts}.With(Is(labelAlertState, "firing"), Matches(slo.LabelEnvironment, "$"+varEnvironment))
	return sel.With(s.chosenInstances()[1:]...).With(more...)
}

// presence is the metric that exists while a process runs.
func (s Scope) presence() string {
	if s.spec.Metrics == slo.MetricsPush {
		return semconv.TargetInfo
	}
	return semconv.Up
}

// requests selects the requests on known routes. Unmatched ones are noise of
// the internet and in no objective.
func (s Scope) requests(more ...Matcher) Selector {
	return s.Metric(semconv.HTTPServerRequests, Not(semconv.LabelRoute, semconv.RouteUnmatched)).With(more...)
}

// bad are the outcomes that spend an availability budget.
func bad() Matcher { return OneOf(semconv.LabelOutcome, semconv.BadOutcomes()...) }

// badShare is the share of requests that spend the budget, by labels.
func (s Scope) badShare(by ...string) Expr {
	total := s.requests().Rate().Sum(by...)
	return s.requests(bad()).Rate().Sum(by...).OrZero(total).Over(total)
}

// answered is how long successful requests took.
func (s Scope) answered() Distribution {
	return s.Histogram(semconv.HTTPServerRequestDuration, Is(semconv.LabelOutcome, semconv.OutcomeSuccess))
}

// dashboard links to another dashboard of the service at the same time and variables.
func (s Scope) dashboard(name, title string) Link {
	return Link{Title: title, URL: "/d/" + slo.DashboardUID(s.spec.Service, name) + "?${__url_time_range}&${__all_variables}"}
}

// selectorOf writes the service's own matchers without variables, for the
// queries of variables.
func (s Scope) selectorOf(metric string, more ...Matcher) Selector {
	sel := Selector{Metric: metric}
	for _, label := range slices.Sorted(maps.Keys(s.spec.Selector)) {
		sel = sel.With(Is(label, s.spec.Selector[label]))
	}
	return sel.With(more...)
}

// anyJob is what the job variable means while all jobs are chosen: those of the
// selector, so that a service that is down is still asked for.
func (s Scope) anyJob() string {
	if job, ok := s.spec.Selector[semconv.LabelJob]; ok {
		return strings.NewReplacer(".", `\.`, "+", `\+`, "*", `\*`, "(", `\(`, ")", `\)`, "|", `\|`).Replace(job)
	}
	return ".*"
}
