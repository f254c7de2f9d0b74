package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/markdown"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/slo"
)

// rules checks that each recording rule has recorded, and that each alert reads existing series: an alert
// without series never fires.
func (s *session) rules(ctx context.Context) {
	for _, cycle := range rulesim.Cycles(s.subject.Rules) {
		s.checks.Failf(sectionRules, "no rules read each other in a cycle", "%s", cycle)
	}
	for _, g := range s.subject.Rules {
		for _, r := range g.Rules {
			p := report.Check{Section: sectionRules, File: g.File, Status: report.Passed}
			var problem error
			if r.IsAlert {
				p.Name = "alert " + r.Name
				if long := r.Labels.Get(slo.LabelLong); long != "" {
					p.Name += " " + long
				}
				p.Detail, problem = s.watches(ctx, r)
			} else {
				p.Name = "record " + r.Name + setLabels(r)
				p.Detail, problem = s.records(ctx, r)
			}
			if problem != nil {
				p.Status, p.Detail = report.Failed, problem.Error()
			}
			s.checks.Add(p)
		}
	}
}

// objectiveSeries finds counters of ratios that have no series: a label value is wrong, or the first failures
// will not be counted.
func (s *session) objectiveSeries(ctx context.Context) {
	if s.subject.Simulation == nil {
		return
	}
	for _, read := range s.subject.Simulation.Rules.Spec.Reads() {
		if !strings.Contains(read.Path, ".ratio.") {
			continue
		}
		name := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, read.Series())
		selector := &parser.VectorSelector{Name: read.Series(), LabelMatchers: append(slices.Clone(read.Matchers), name)}
		if missing := s.prober.missing(ctx, selector); missing != "" {
			s.checks.Failf(sectionRules, "objectives select series that exist",
				"%s: %s\ncorrect the selector in scaffold.yaml, or create the series with the value 0 when the service starts", read.Path, missing)
		}
	}
}

// setLabels distinguishes recording rules with the same name.
func setLabels(r rulesim.Rule) string {
	if r.Labels.IsEmpty() {
		return ""
	}
	return r.Labels.String()
}

func (s *session) records(ctx context.Context, r rulesim.Rule) (evidence string, problem error) {
	ms := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, r.Name)}
	r.Labels.Range(func(l labels.Label) { ms = append(ms, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value)) })
	if n := len(s.prober.series(ctx, ms...)); n > 0 {
		return fmt.Sprintf("%d series", n), nil
	}
	return "", errors.New("it recorded no series: " + cmp.Or(s.notCounted(ctx, r), s.prober.why(ctx, r.Expr)))
}

// notCounted returns which counter of a rule's objective exists but did not increase in the run, so that it
// has no ratio. It is empty for other rules.
func (s *session) notCounted(ctx context.Context, r rulesim.Rule) string {
	if s.subject.Simulation == nil {
		return ""
	}
	spec := s.subject.Simulation.Rules.Spec
	objective := slices.IndexFunc(spec.SLOs, func(o slo.Objective) bool { return o.Name == r.Labels.Get(slo.LabelObjective) })
	for _, read := range spec.Reads() {
		series := read.Metric
		switch read.Path {
		case fmt.Sprintf("slos[%d].indicator.ratio.total", objective):
		case fmt.Sprintf("slos[%d].indicator.latency.histogram", objective):
			series += "_count"
		default:
			continue
		}
		selector := &parser.VectorSelector{Name: series, LabelMatchers: read.Matchers}
		name := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, series)
		if len(s.prober.series(ctx, append(slices.Clone(read.Matchers), name)...)) == 0 {
			continue
		}
		// The service starts with the run, and its counters at 0.
		if n, err := s.prober.look(ctx, "max_over_time("+selector.String()+"[1d]) > 0", true); err == nil && n == 0 {
			return fmt.Sprintf("%s did not increase during this run; add a request that increases it to %s", selector, RequestFile)
		}
	}
	return ""
}

func (s *session) watches(ctx context.Context, r rulesim.Rule) (evidence string, problem error) {
	tree, err := promql.Parse(r.Expr)
	if err != nil {
		return "", err
	}
	all := selectors(tree)
	evidence = fmt.Sprintf("all %d selectors have series", len(all))
	for _, selector := range all {
		switch missing := s.prober.missing(ctx, selector); {
		case missing == "":
		case s.bornLater(selector.Name):
			evidence = "no series yet: the gauge " + selector.Name + " appears with what it measures"
		default:
			counted := ""
			if s.isRecorded(selector.Name) {
				counted = s.notCounted(ctx, r)
			}
			return "", errors.New(cmp.Or(counted, "it can never fire: "+missing))
		}
	}
	return evidence, nil
}

// bornLater reports whether a metric without series is a declared gauge: gauges appear with what they
// measure, such as a first health check. Counters must exist at zero, otherwise the first event is not
// counted.
func (s *session) bornLater(metric string) bool {
	m, declared := s.signals.Find(metric)
	return declared && m.Type == "gauge" && slices.Contains(s.prober.known, metric)
}

// fence matches a PromQL block in a runbook.
var fence = regexp.MustCompile("(?ms)^```promql\n(.*?)\n```$")

// runbooks runs the queries of the runbooks. Most have no result in normal operation, but the names in them
// must exist.
func (s *session) runbooks(ctx context.Context) {
	known := s.known()
	for _, book := range s.subject.Runbooks {
		text := string(book.Data)
		if strings.Contains(text, slo.FactsBegin) && !s.hasAlertOf(book) {
			s.checks.Add(report.Check{
				Section: sectionRules, Name: "the runbook belongs to an alert", File: book.File, Status: report.Failed,
				Detail: "no heading is the name of an alert; delete the runbook if its alerts were removed",
			})
			continue // its queries belong to rules that no longer exist
		}
		for i, m := range fence.FindAllStringSubmatchIndex(text, -1) {
			query := text[m[2]:m[3]]
			p := report.Check{
				Section: sectionRules, Name: fmt.Sprintf("query %d of the runbook", i+1), File: book.File,
				Line: strings.Count(text[:m[2]], "\n") + 1, Status: report.Passed, Detail: "runs",
			}
			_, err := s.watch.query(ctx, query)
			if unknown := s.prober.unknown(ctx, query); err == nil && unknown != "" {
				err = errors.New(unknown)
			}
			if problems := known.Check([]metricnames.Query{{Expr: query}}); err == nil && len(problems) > 0 {
				err = errors.New(problems[0].Message)
			}
			if err != nil {
				p.Status, p.Detail = report.Failed, err.Error()
			}
			s.checks.Add(p)
		}
	}
}

// known returns the labels of all declared and recorded metrics.
func (s *session) known() metricnames.Known {
	var recorded []metricnames.Recorded
	for _, g := range s.subject.Rules {
		for _, r := range g.Rules {
			if !r.IsAlert {
				one := metricnames.Recorded{Name: r.Name, Expr: r.Expr}
				r.Labels.Range(func(l labels.Label) { one.Labels = append(one.Labels, l.Name) })
				recorded = append(recorded, one)
			}
		}
	}
	target := append(slices.Collect(maps.Keys(s.subject.Selector)), s.subject.EnvironmentLabel)
	return metricnames.NewKnown(exposition.Declared(s.signals), recorded, target)
}

func (s *session) isRecorded(name string) bool {
	return slices.ContainsFunc(s.subject.Rules, func(g rulesim.Group) bool {
		return slices.ContainsFunc(g.Rules, func(r rulesim.Rule) bool { return !r.IsAlert && r.Name == name })
	})
}

// hasAlertOf reports whether a rule defines an alert of a runbook.
func (s *session) hasAlertOf(book Runbook) bool {
	anchors := markdown.Anchors(string(book.Data))
	return slices.ContainsFunc(s.subject.Rules, func(g rulesim.Group) bool {
		return slices.ContainsFunc(g.Rules, func(r rulesim.Rule) bool {
			return r.IsAlert && slices.Contains(anchors, markdown.Anchor(r.Name))
		})
	})
}
