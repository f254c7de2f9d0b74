package promlint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// overTime lists functions whose results do not depend on the total of a counter.
func overTime() []string {
	return []string{
		"rate", "irate", "increase", "delta", "idelta", "deriv", "resets", "changes", "absent", "absent_over_time", "present_over_time",
		"count_over_time", "timestamp", "start_timestamp", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time", "predict_linear", "histogram_quantile", "label_replace", "label_join",
	}
}

// bareCounter finds comparisons and calculations with the total of a counter. Counting the series
// and multiplying by zero are allowed.
func (c *checker) bareCounter(s *parser.VectorSelector, path []parser.Node) {
	if !c.IsCounter(s) || slices.ContainsFunc(path, CountsSeries) {
		return
	}
	for _, around := range slices.Backward(path) {
		switch n := around.(type) {
		case *parser.SubqueryExpr:
			return // rate-sum checks it
		case *parser.Call:
			if slices.Contains(overTime(), n.Func.Name) {
				return
			}
		case *parser.BinaryExpr:
			if n.Op.IsSetOperator() {
				return
			}
			if n.Op == parser.MUL && (IsZero(n.LHS) || IsZero(n.RHS)) {
				return
			}
			other := otherSide(n, s)
			if sameCounter(other, s) {
				return // a ratio of counters of one family, or a difference over time
			}
			if multiple(n, other) {
				continue // still a counter
			}
			if other == n.RHS && SinceStart(n) {
				return // the mean since the start
			}
			c.reportGuessf("counter-rate", s, !c.Declared(s) || MayMeanTotal(n, s), "%s is a counter; use rate(%s[...]) or increase(...)", Name(s), Name(s))
			return
		}
	}
}

// multiple reports whether an operator only scales or labels a counter: the other side is a
// factor or has labels to join.
func multiple(n *parser.BinaryExpr, other parser.Expr) bool {
	factor := other.Type() == parser.ValueTypeScalar
	switch n.Op {
	case parser.DIV:
		return factor && other == n.RHS
	case parser.MUL:
		return factor || n.VectorMatching != nil && len(n.VectorMatching.Include) > 0 || information(other)
	}
	return false
}

// readsStart reports whether an expression reads a start time or an uptime.
func readsStart(e parser.Expr) bool {
	return slices.ContainsFunc(Selectors(e), func(s *parser.VectorSelector) bool {
		return strings.HasSuffix(Name(s), "_created") || slices.ContainsFunc([]string{"start_time", "boot_time", "uptime"}, func(word string) bool { return strings.Contains(Name(s), word) })
	})
}

// SinceStart reports whether a node divides by the time since a start.
func SinceStart(n parser.Node) bool {
	b, ok := n.(*parser.BinaryExpr)
	return ok && b.Op == parser.DIV && readsStart(b.RHS)
}

// MayMeanTotal reports whether an operator around a counter may use its total on purpose: to
// compare it with a quota, to subtract two counters of one process such as allocations and frees,
// or to multiply it by a measured constant. A rate is compared with rates.
func MayMeanTotal(around parser.Node, s *parser.VectorSelector) bool {
	n, ok := around.(*parser.BinaryExpr)
	if !ok {
		return false
	}
	other := otherSide(n, s)
	return !multiple(n, other) && (n.Op == parser.MUL || !takesRate(other))
}

func otherSide(n *parser.BinaryExpr, s *parser.VectorSelector) parser.Expr {
	if slices.Contains(Selectors(n.LHS), s) {
		return n.RHS
	}
	return n.LHS
}

// takesRate reports whether an expression has a rate or a difference over time.
func takesRate(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		call, ok := n.(*parser.Call)
		found = found || ok && slices.Contains([]string{"rate", "irate", "increase", "delta", "idelta", "deriv"}, call.Func.Name)
		return nil
	})
	return found
}

// information reports whether all series of an expression are info metrics, whose value is 1.
func information(e parser.Expr) bool {
	all := Selectors(e)
	return len(all) > 0 && !slices.ContainsFunc(all, func(s *parser.VectorSelector) bool { return !strings.HasSuffix(Name(s), "_info") })
}

// CountsSeries reports whether a node depends on the existence of series, not on their values.
func CountsSeries(n parser.Node) bool {
	a, ok := n.(*parser.AggregateExpr)
	return ok && (a.Op == parser.COUNT || a.Op == parser.GROUP || a.Op == parser.COUNT_VALUES)
}

// IsZero reports whether an expression is the number zero.
func IsZero(e parser.Expr) bool {
	v, ok := literal(e)
	return ok && v == 0
}

// sameCounter reports whether the expression reads a metric of the same family, as in
// x_sum / x_count and x - x offset 1h.
func sameCounter(e parser.Expr, s *parser.VectorSelector) bool {
	for _, other := range Selectors(e) {
		if family(Name(other)) == family(Name(s)) {
			return true
		}
	}
	return false
}

func family(name string) string {
	for _, suffix := range []string{"_sum", "_count", "_bucket"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

func (c *checker) gauge(n *parser.Call) {
	if s := sampled(n.Args[0]); s != nil && c.typeOf(s) == declared.Gauge {
		c.reportf("rate-gauge", n, "%s of the gauge %s counts each decrease as a restart; use delta or deriv", n.Func.Name, Name(s))
	}
}

// sampled returns the selector whose samples an expression returns unchanged or filtered, or nil.
func sampled(e parser.Expr) *parser.VectorSelector {
	switch n := bare(e).(type) {
	case *parser.VectorSelector:
		return n
	case *parser.MatrixSelector:
		return sampled(n.VectorSelector)
	case *parser.SubqueryExpr:
		return sampled(n.Expr)
	case *parser.BinaryExpr:
		switch {
		case n.Op == parser.LAND, n.Op == parser.LUNLESS:
			return sampled(n.LHS)
		case n.Op.IsComparisonOperator() && !n.ReturnBool && n.LHS.Type() == parser.ValueTypeScalar:
			return sampled(n.RHS)
		case n.Op.IsComparisonOperator() && !n.ReturnBool:
			return sampled(n.LHS)
		}
	}
	return nil
}

// sumFirst finds rates of sums of counters, in subqueries and through records.
func (c *checker) sumFirst(n *parser.Call) {
	switch arg := bare(n.Args[0]).(type) {
	case *parser.SubqueryExpr:
		if across, guessed := c.sumsInstances(arg.Expr); across {
			c.reportGuessf("rate-sum", n, guessed, "%s of a sum of counters counts one restart as a restart of all; write sum(%s(x[5m]))", n.Func.Name, n.Func.Name)
		}
	case *parser.MatrixSelector:
		s, ok := bare(arg.VectorSelector).(*parser.VectorSelector)
		if !ok {
			return
		}
		for _, r := range c.recordsOf(s) {
			if r.Tree == nil {
				continue
			}
			if across, guessed := c.sumsInstances(r.Tree); across {
				c.reportGuessf("rate-sum", n, guessed, "%s of %s, a recorded sum of counters, counts one restart as a restart of all; record the sum of the rate", n.Func.Name, r.Name)
			}
		}
	}
}

// sumsInstances reports whether an expression adds counters of several processes. It is a guess if
// only the name says that it is a counter, or if a label may identify the process.
func (c *checker) sumsInstances(e parser.Expr) (sums, guessed bool) {
	var aggregates []*parser.AggregateExpr
	for {
		a, ok := bare(e).(*parser.AggregateExpr)
		if !ok || a.Op != parser.SUM && a.Op != parser.AVG {
			break
		}
		aggregates, e = append(aggregates, a), a.Expr
	}
	s, ok := bare(e).(*parser.VectorSelector)
	if !ok || !c.IsCounter(s) {
		return false, false
	}
	selected := selectedLabels(s)
	guessed = true
	for _, a := range aggregates {
		mixes, sure := mixesProcesses(a, selected)
		sums, guessed = sums || mixes, guessed && (!mixes || !sure)
	}
	return sums, guessed || !c.Declared(s)
}

// selectedLabels returns the labels for which a selector may select a single value.
func selectedLabels(s *parser.VectorSelector) []string {
	var out []string
	for _, m := range s.LabelMatchers {
		isOne := m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp && (dashboardfile.Varies(m.Value) || regexp.QuoteMeta(m.Value) == m.Value)
		if isOne && m.Value != "" && m.Name != model.MetricNameLabel {
			out = append(out, m.Name)
		}
	}
	return out
}

// mixesProcesses reports whether an aggregation may add series of several processes, given labels
// with a single value, and whether it is certain that no label identifies the process.
func mixesProcesses(a *parser.AggregateExpr, selected []string) (mixes, sure bool) {
	kept := selected
	if !a.Without {
		kept = slices.Concat(selected, a.Grouping)
	}
	for _, label := range kept {
		if label == semconv.LabelInstance || label == "pod" || dashboardfile.Varies(label) {
			return false, false
		}
	}
	if a.Without {
		return slices.Contains(a.Grouping, semconv.LabelInstance), false
	}
	return true, !slices.ContainsFunc(kept, func(label string) bool { return !slices.Contains(sharedLabels(), label) })
}

// sharedLabels returns labels that all instances of a service share. Others may identify an
// instance, such as task or worker_id.
func sharedLabels() []string {
	return []string{
		semconv.LabelJob, semconv.LabelServiceName, semconv.LabelEnvironment, semconv.LabelLessOrEqual,
		"service", "service_namespace", "app", "namespace", "cluster", "environment", "env", "stage", "region",
	}
}

// falling finds deltas of counters. It allows expressions that handle restarts.
func (c *checker) falling(n *parser.Call, path []parser.Node) {
	s := sampled(n.Args[0])
	if s == nil || !c.IsCounter(s) || separatesRestarts(path) {
		return
	}
	c.reportGuessf("delta-counter", n, !c.Declared(s), "%s of the counter %s is negative after a restart; use increase or rate", n.Func.Name, Name(s))
}

// separatesRestarts reports whether the enclosing expression keeps only values of at least zero,
// or only negative ones, which are restarts.
func separatesRestarts(path []parser.Node) bool {
	for _, around := range slices.Backward(path) {
		switch n := around.(type) {
		case *parser.ParenExpr:
			continue
		case *parser.UnaryExpr:
			return true // selects decreases
		case *parser.Call:
			if n.Func.Name != "clamp_min" && n.Func.Name != "clamp" {
				return false
			}
			least, ok := literal(n.Args[1])
			return ok && least >= 0
		case *parser.BinaryExpr:
			op, other := n.Op, n.RHS
			if n.LHS.Type() == parser.ValueTypeScalar {
				op, other = mirrored(n.Op), n.LHS
			}
			bound, isNumber := literal(other)
			switch {
			case (op == parser.MUL || op == parser.DIV) && (bound > 0 || dashboardfile.Varies(other.String())):
				continue
			case dashboardfile.Varies(other.String()):
				return true
			case !isNumber:
				return false
			}
			switch op {
			case parser.GTR, parser.GTE, parser.EQLC:
				return bound >= 0
			case parser.LSS:
				return bound <= 0
			case parser.LTE:
				return bound < 0
			case parser.NEQ:
				return bound == 0
			}
		}
		return false
	}
	return false
}
