package metricnames

import (
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/promql"
)

// Recorded is a recording rule.
type Recorded struct {
	Name   string
	Expr   string
	Labels []string // that the rule sets
}

// labelSet is the labels that the result of an expression can have. With anyLabel it can have
// others, as of an undeclared metric.
type labelSet struct {
	names    []string
	anyLabel bool
}

func (s labelSet) has(name string) bool { return s.anyLabel || slices.Contains(s.names, name) }

func (s labelSet) union(o labelSet) labelSet {
	all := slices.Concat(s.names, o.names)
	slices.Sort(all)
	return labelSet{slices.Compact(all), s.anyLabel || o.anyLabel}
}

func (s labelSet) without(names []string) labelSet {
	return labelSet{slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return slices.Contains(names, n) }), s.anyLabel}
}

// only removes all labels except the named ones, or none if a name is a variable.
func (s labelSet) only(names []string) labelSet {
	if slices.ContainsFunc(names, dashboardfile.Varies) {
		return s
	}
	return labelSet{names: slices.DeleteFunc(slices.Clone(names), func(l string) bool { return !s.has(l) })}
}

// named returns a set of labels, with anyLabel if a name is a variable.
func named(names ...string) labelSet {
	return labelSet{names, slices.ContainsFunc(names, dashboardfile.Varies)}
}

// infer returns the labels of an expression's result.
func (k Known) infer(expr parser.Node) labelSet {
	switch n := expr.(type) {
	case *parser.VectorSelector:
		return k.ofSelector(n)
	case *parser.MatrixSelector:
		return k.infer(n.VectorSelector)
	case *parser.SubqueryExpr:
		return k.infer(n.Expr)
	case *parser.ParenExpr:
		return k.infer(n.Expr)
	case *parser.UnaryExpr:
		return k.infer(n.Expr)
	case *parser.StepInvariantExpr:
		return k.infer(n.Expr)
	case *parser.AggregateExpr:
		return k.ofAggregate(n)
	case *parser.BinaryExpr:
		return k.ofBinary(n)
	case *parser.Call:
		return k.ofCall(n)
	}
	return labelSet{}
}

func (k Known) ofSelector(s *parser.VectorSelector) labelSet {
	name := promlint.Name(s)
	own, known := k.metrics[name]
	if slices.Contains(fromScraper(), name) {
		own = append(slices.Clone(own), "namespace", "pod") // which the Prometheus operator adds
	}
	return labelSet{own, !known || k.anyLabel[name]}
}

func (k Known) ofAggregate(n *parser.AggregateExpr) labelSet {
	inner := k.infer(n.Expr)
	switch n.Op {
	case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		return inner
	}
	out := inner.without(n.Grouping)
	if !n.Without {
		out = inner.only(n.Grouping)
	}
	if value, ok := n.Param.(*parser.StringLiteral); ok { // of count_values("v", x)
		out = out.union(named(value.Val))
	}
	return out
}

func (k Known) ofBinary(n *parser.BinaryExpr) labelSet {
	left, right := k.infer(n.LHS), k.infer(n.RHS)
	if promlint.Fills(n) { // an unmatched series has the labels of its side
		left = left.union(right)
		right = left
	}
	m := n.VectorMatching
	switch {
	case m == nil: // at least one scalar
		return left.union(right)
	case n.Op == parser.LOR:
		return left.union(right)
	case n.Op.IsSetOperator():
		return left
	case m.Card == parser.CardManyToOne:
		return left.union(named(m.Include...))
	case m.Card == parser.CardOneToMany:
		return right.union(named(m.Include...))
	case m.On:
		return left.only(m.MatchingLabels)
	}
	return left.without(m.MatchingLabels)
}

func (k Known) ofCall(n *parser.Call) labelSet {
	switch n.Func.Name {
	case "absent", "absent_over_time":
		return ofAbsent(n)
	case "scalar", "time", "vector", "pi":
		return labelSet{}
	case "info", "histogram_quantiles": // add labels of info metrics, or a named label
		return labelSet{anyLabel: true}
	}
	var all labelSet
	for _, arg := range n.Args {
		all = all.union(k.infer(arg))
	}
	// label_replace(v, dst, ...) and label_join(v, dst, ...) add a label.
	if n.Func.Name == "label_replace" || n.Func.Name == "label_join" {
		if dst, ok := n.Args[1].(*parser.StringLiteral); ok {
			all = all.union(named(dst.Val))
		}
	}
	if n.Func.Name == "histogram_quantile" {
		all = all.without([]string{labels.BucketLabel})
	}
	return all
}

// ofAbsent returns the labels that a selector requires to have one value. Other arguments have no
// labels.
func ofAbsent(n *parser.Call) labelSet {
	arg := n.Args[0]
	for {
		switch inner := arg.(type) {
		case *parser.ParenExpr:
			arg = inner.Expr
			continue
		case *parser.StepInvariantExpr:
			arg = inner.Expr
			continue
		case *parser.MatrixSelector:
			arg = inner.VectorSelector
			continue
		case *parser.VectorSelector:
			var out labelSet
			for _, m := range inner.LabelMatchers {
				if m.Type == labels.MatchEqual && m.Name != model.MetricNameLabel {
					out.names = append(out.names, m.Name)
				}
			}
			return out
		}
		return labelSet{}
	}
}

// LabelsOf returns the labels that the result of an expression can have. If closed, it can have no
// others.
func (k Known) LabelsOf(expr parser.Expr) (names []string, closed bool) {
	if k.lenient != nil {
		k = *k.lenient
	}
	set := k.infer(expr)
	return set.names, !set.anyLabel
}

// LabelsMayBeAdded reports whether the result of an expression may have labels that a server adds
// to recorded series, such as external labels of Thanos and Mimir. It is false if the labels of
// targets are known.
func (k Known) LabelsMayBeAdded(expr parser.Expr) bool {
	return k.added != nil && k.added.infer(expr).anyLabel
}

// record computes the labels of all recorded series. If a series gets more labels, it computes
// those of its readers again, since rules may be in any order.
func (k Known) record(rules []Recorded) {
	trees := make([]parser.Expr, len(rules))
	readers := map[string][]int{} // indexes of rules by the names that they read
	var queue []int
	queued := make([]bool, len(rules))
	enqueue := func(i int) {
		if !queued[i] {
			queue, queued[i] = append(queue, i), true
		}
	}
	for i, r := range rules {
		if _, known := k.metrics[r.Name]; !known {
			k.metrics[r.Name] = nil // known without labels
		}
		k.add(r.Name, labelSet{names: r.Labels})
		enqueue(i)
		tree, err := promql.Parse(r.Expr)
		if err != nil {
			continue // reported when the query is checked
		}
		trees[i] = tree
		for _, s := range promlint.Selectors(tree) {
			readers[promlint.Name(s)] = append(readers[promlint.Name(s)], i)
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue, queued[i] = queue[1:], false
		if trees[i] == nil || !k.add(rules[i].Name, k.infer(trees[i])) {
			continue
		}
		for _, reader := range readers[rules[i].Name] {
			enqueue(reader)
		}
	}
}

// add adds labels to a series and reports whether any was new.
func (k Known) add(name string, labels labelSet) (added bool) {
	if labels.anyLabel && !k.anyLabel[name] {
		k.anyLabel[name], added = true, true
	}
	for _, label := range labels.names {
		if !slices.Contains(k.metrics[name], label) {
			k.metrics[name] = append(k.metrics[name], label)
			added = true
		}
	}
	return added
}
