package slo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/source/regexsample"
)

// Query is one query of the rules.
type Query struct {
	Group string // name of the rule group
	Rule  string // name of the record or alert
	Alert bool
	Expr  string
}

// Queries lists the queries of all rules, in order.
func (r Rules) Queries() []Query {
	var out []Query
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			out = append(out, Query{Group: g.Name, Rule: rule.Name(), Alert: rule.Alert != "", Expr: rule.Expr})
		}
	}
	return out
}

// Usage is a metric that the rules read but do not record, and the labels of their matchers
// and groupings.
type Usage struct {
	Metric string
	Labels []string // sorted
}

// Uses lists the metrics that the rules read but do not record, sorted by name.
func (r Rules) Uses() []Usage {
	recorded := map[string]bool{}
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			recorded[rule.Record] = true
		}
	}
	used := map[string]map[string]bool{}
	for _, q := range r.Queries() {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(q.Expr)
		if err != nil {
			continue // a test parses every query
		}
		collect(expr, nil, func(metric string, names []string) {
			if recorded[metric] {
				return
			}
			if used[metric] == nil {
				used[metric] = map[string]bool{}
			}
			for _, name := range names {
				used[metric][name] = true
			}
		})
	}
	var out []Usage
	for _, metric := range slices.Sorted(maps.Keys(used)) {
		out = append(out, Usage{Metric: metric, Labels: slices.Sorted(maps.Keys(used[metric]))})
	}
	return out
}

// collect calls use with each metric of an expression and the labels of its matchers and
// of the aggregations around it.
func collect(node parser.Node, grouping []string, use func(metric string, labels []string)) {
	switch n := node.(type) {
	case *parser.VectorSelector:
		names := slices.Clone(grouping)
		for _, m := range n.LabelMatchers {
			if m.Name != model.MetricNameLabel {
				names = append(names, m.Name)
			}
		}
		use(n.Name, names)
		return
	case *parser.AggregateExpr:
		if !n.Without {
			grouping = n.Grouping
		}
	case *parser.BinaryExpr:
		if n.Op == parser.LAND || n.Op == parser.LUNLESS {
			// The right side only filters the left one.
			collect(n.LHS, grouping, use)
			collect(n.RHS, n.VectorMatching.MatchingLabels, use)
			return
		}
	}
	for child := range parser.ChildrenIter(node) {
		collect(child, grouping, use)
	}
}

// example returns a series that the selector matches, with additional labels, and whether
// it found one.
func (s selector) example(more map[string]string) (string, bool) {
	values := map[string]string{}
	maps.Copy(values, more)
	for _, m := range s.matchers {
		if _, fixed := values[m.Name]; !fixed && m.Type == labels.MatchEqual {
			values[m.Name] = m.Value
		}
	}
	for _, m := range s.matchers {
		if value, fixed := values[m.Name]; fixed && m.Matches(value) {
			continue
		}
		value, ok := s.valueOf(m.Name)
		if !ok {
			return "", false
		}
		values[m.Name] = value
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] != "" {
			pairs = append(pairs, fmt.Sprintf("%s=%q", name, values[name]))
		}
	}
	return s.metric + "{" + strings.Join(pairs, ",") + "}", true
}

// valueOf finds a value that all matchers of a label accept.
func (s selector) valueOf(label string) (string, bool) {
	candidates := []string{"", "x", "1", "ok", "200"}
	var on []*labels.Matcher
	for _, m := range s.matchers {
		if m.Name != label {
			continue
		}
		on = append(on, m)
		if m.Type == labels.MatchEqual {
			candidates = append(candidates, m.Value)
		}
		if m.Type == labels.MatchRegexp {
			candidates = append(candidates, m.SetMatches()...)
			candidates = append(candidates, regexsample.Of(m.Value))
		}
	}
	i := slices.IndexFunc(candidates, func(value string) bool {
		return !slices.ContainsFunc(on, func(m *labels.Matcher) bool { return !m.Matches(value) })
	})
	if i < 0 {
		return "", false
	}
	return candidates[i], true
}
