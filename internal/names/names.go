// Package names compares what rules and boards ask for with what a service
// declares: every metric and every label of every query.
//
// It needs no traffic and no server. A counter that has not been born yet, a
// board that nobody opened and an alert that never fired are checked all the
// same, which is the point: a query for a name that no longer exists is silent
// for ever.
package names

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/diag"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/templates"
)

// Query is one query with the place it stands at.
type Query struct {
	File string
	Line int    // 0 when unknown
	At   string // as in "panel Requests, target A" or "alert OrdersDown"
	Expr string // PromQL with the variables of Grafana in it
}

// Problem is one name that nobody declares, or a query that does not parse.
type Problem struct {
	Query
	Message string
}

// Known is every name that a query may use.
type Known struct {
	metrics map[string][]string // name, as it is scraped, to its labels
}

// NewKnown collects the names of a service: what it declares, what rules record,
// and the labels that the scrape adds to every declared series.
func NewKnown(signals templates.Signals, recorded []Recorded, target []string) Known {
	k := Known{metrics: map[string][]string{}}
	target = append([]string{model.MetricNameLabel, semconv.LabelJob, semconv.LabelInstance}, target...)
	for _, m := range signals.Metrics {
		own := slices.Concat(m.Labels, target)
		k.metrics[m.Name] = own
		switch m.Type {
		case "histogram":
			k.metrics[m.Name+"_bucket"] = append(slices.Clone(own), semconv.LabelLessOrEqual)
			k.metrics[m.Name+"_sum"], k.metrics[m.Name+"_count"] = own, own
		case "summary":
			k.metrics[m.Name] = append(slices.Clone(own), semconv.LabelQuantile)
			k.metrics[m.Name+"_sum"], k.metrics[m.Name+"_count"] = own, own
		}
	}
	for _, name := range []string{
		semconv.Up, "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added", "scrape_samples_post_metric_relabeling",
	} {
		k.metrics[name] = target
	}
	k.record(recorded)
	return k
}

// Check returns every name that the queries use and nobody declares.
func (k Known) Check(queries []Query) []Problem {
	var problems []Problem
	for _, q := range queries {
		for _, message := range k.check(q.Expr) {
			problems = append(problems, Problem{q, message})
		}
	}
	return problems
}

func (k Known) check(expr string) []string {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(withoutVariables(expr))
	if err != nil {
		return []string{"not PromQL: " + err.Error()}
	}
	var messages []string
	complain := func(format string, args ...any) {
		if m := fmt.Sprintf(format, args...); !slices.Contains(messages, m) {
			messages = append(messages, m)
		}
	}
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			k.checkSelector(n, complain)
		case *parser.AggregateExpr:
			if !n.Without {
				k.checkLabels(n.Grouping, n.Expr, complain)
			}
		case *parser.BinaryExpr:
			k.checkMatching(n, complain)
		}
		return nil
	})
	return messages
}

func (k Known) checkSelector(s *parser.VectorSelector, complain func(string, ...any)) {
	name := metricName(s)
	if name == "" || name == "ALERTS" || name == "ALERTS_FOR_STATE" {
		return // any metric, or one whose labels are those of the alerts
	}
	own, known := k.metrics[name]
	if !known {
		complain("metric %s is not declared%s", name, diag.DidYouMean(name, k.known()))
		return
	}
	for _, m := range s.LabelMatchers {
		if m.Name != model.MetricNameLabel && !slices.Contains(own, m.Name) {
			complain("metric %s has no label %s%s", name, m.Name, diag.DidYouMean(m.Name, own))
		}
	}
}

// checkMatching wants the labels of on() and group_left() where they are looked
// for. Labels of ignoring() may be absent: then there is nothing to ignore.
func (k Known) checkMatching(n *parser.BinaryExpr, complain func(string, ...any)) {
	if n.VectorMatching == nil {
		return
	}
	if n.VectorMatching.On {
		k.checkLabels(n.VectorMatching.MatchingLabels, n.LHS, complain)
		k.checkLabels(n.VectorMatching.MatchingLabels, n.RHS, complain)
	}
	switch n.VectorMatching.Card {
	case parser.CardManyToOne:
		k.checkLabels(n.VectorMatching.Include, n.RHS, complain)
	case parser.CardOneToMany:
		k.checkLabels(n.VectorMatching.Include, n.LHS, complain)
	}
}

// checkLabels wants each label on the result of the expression.
func (k Known) checkLabels(used []string, of parser.Expr, complain func(string, ...any)) {
	have := k.infer(of)
	for _, label := range used {
		if !have.has(label) {
			complain("%q has no label %s%s", of, label, diag.DidYouMean(label, have.names))
		}
	}
}

func metricName(s *parser.VectorSelector) string {
	if s.Name != "" {
		return s.Name
	}
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return ""
}

// withoutVariables puts a value for each variable of Grafana: a duration where
// its name says so, else a number, which is also a harmless text.
func withoutVariables(expr string) string {
	return grafanaVariable.ReplaceAllStringFunc(expr, func(v string) string {
		name := strings.Trim(strings.SplitN(v, ":", 2)[0], "${}[]")
		if strings.HasPrefix(name, "__") && name != "__all" {
			return "5m"
		}
		return "1"
	})
}
