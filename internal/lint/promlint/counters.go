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

// overTime are functions that make a counter comparable, or only ask whether it
// is there.
func overTime() []string {
	return []string{
		"rate", "irate", "increase", "delta", "idelta", "deriv", "resets", "changes", "absent", "absent_over_time", "present_over_time",
		"count_over_time", "timestamp", "start_timestamp", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time", "predict_linear", "histogram_quantile", "label_replace", "label_join",
	}
}

// bareCounter finds a comparison or a calculation with the total of a counter. Counting its
// series and multiplying them by zero are allowed.
func (c *checker) bareCounter(s *parser.VectorSelector, path []parser.Node) {
	if !c.IsCounter(s) || slices.ContainsFunc(path, CountsSeries) {
		return
	}
	for _, around := range slices.Backward(path) {
		switch n := around.(type) {
		case *parser.SubqueryExpr:
			return // rate-sum looks there
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
				return // a share of one counter in another, or a difference in time
			}
			if multiple(n, other) {
				continue // a counter still
			}
			if other == n.RHS && SinceStart(n) {
				return // the mean since the process started
			}
			c.reportGuessf("counter-rate", s, !c.Declared(s) || MayMeanTotal(n, s), "%s is a counter; compare or calculate with rate(%s[...]) or increase(...)", Name(s), Name(s))
			return
		}
	}
}

// multiple says whether an operator changes the scale or the labels of one side only: the
// other is a factor, or has labels to join.
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

// readsStart says whether an expression reads when something started, or how long ago.
func readsStart(e parser.Expr) bool {
	return slices.ContainsFunc(Selectors(e), func(s *parser.VectorSelector) bool {
		return strings.HasSuffix(Name(s), "_created") || slices.ContainsFunc([]string{"start_time", "boot_time", "uptime"}, func(word string) bool { return strings.Contains(Name(s), word) })
	})
}

// SinceStart says whether a node divides what counts by the time since something started.
func SinceStart(n parser.Node) bool {
	b, ok := n.(*parser.BinaryExpr)
	return ok && b.Op == parser.DIV && readsStart(b.RHS)
}

// MayMeanTotal says whether a node around a counter is an operator that may be for its total. How
// often it has ever happened may be the question, or the share of a quota. Two counters of one
// process count the same time: allocations minus frees. What a counter is multiplied with may be a
// constant that someone measures. A rate is compared with rates.
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

// takesRate says whether a part of an expression is a change over time.
func takesRate(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		call, ok := n.(*parser.Call)
		found = found || ok && slices.Contains([]string{"rate", "irate", "increase", "delta", "idelta", "deriv"}, call.Func.Name)
		return nil
	})
	return found
}

// information says whether an expression is of series whose value is 1, for their labels.
func information(e parser.Expr) bool {
	all := Selectors(e)
	return len(all) > 0 && !slices.ContainsFunc(all, func(s *parser.VectorSelector) bool { return !strings.HasSuffix(Name(s), "_info") })
}

// CountsSeries says whether a node depends on which series there are, and not on their values.
func CountsSeries(n parser.Node) bool {
	a, ok := n.(*parser.AggregateExpr)
	return ok && (a.Op == parser.COUNT || a.Op == parser.GROUP || a.Op == parser.COUNT_VALUES)
}

// IsZero says whether an expression is the number zero.
func IsZero(e parser.Expr) bool {
	v, ok := literal(e)
	return ok && v == 0
}

// sameCounter says whether the expression reads a metric of the same family at
// face value, as in x_sum / x_count or x - x offset 1h.
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
		c.reportf("rate-gauge", n, "%s of %s, which is a gauge: each fall counts as a restart; use delta or deriv", n.Func.Name, Name(s))
	}
}

// sampled is the selector whose samples an expression has as they are, some left out at
// most, or nil.
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

// sumFirst finds a rate of a sum of counters, in a subquery or through a record.
func (c *checker) sumFirst(n *parser.Call) {
	switch arg := bare(n.Args[0]).(type) {
	case *parser.SubqueryExpr:
		if across, guessed := c.sumsInstances(arg.Expr); across {
			c.reportGuessf("rate-sum", n, guessed, "%s of a sum: one restart looks like a restart of all; take the rate first, then the sum", n.Func.Name)
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
				c.reportGuessf("rate-sum", n, guessed, "%s of %s, which records a sum of counters: one restart looks like a restart of all; record the rate", n.Func.Name, r.Name)
			}
		}
	}
}

// sumsInstances says whether an expression adds counters of several processes as they are. It
// is a guess where the counter is known by its name, or a label may tell the processes apart.
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

// selectedLabels are the labels of which a selector may select one value.
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

// mixesProcesses reports whether an aggregation of series with one value of the selected labels may
// add series of several processes, and whether no label may tell them apart.
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

// sharedLabels are labels that all instances of a service have in common. Others, such as task, may
// have one value for each instance, even labels of the metric such as worker_id.
func sharedLabels() []string {
	return []string{
		semconv.LabelJob, semconv.LabelServiceName, semconv.LabelEnvironment, semconv.LabelLessOrEqual,
		"service", "service_namespace", "app", "namespace", "cluster", "environment", "env", "stage", "region",
	}
}

// falling finds a delta of a counter. Where only results from zero up count, or only those below,
// the author has thought of restarts.
func (c *checker) falling(n *parser.Call, path []parser.Node) {
	s := sampled(n.Args[0])
	if s == nil || !c.IsCounter(s) || separatesRestarts(path) {
		return
	}
	c.reportGuessf("delta-counter", n, !c.Declared(s), "%s of %s, which is a counter: it goes below zero at a restart; use increase or rate", n.Func.Name, Name(s))
}

// separatesRestarts reports whether the enclosing expression has a result only for values from zero
// up, or only for those below, which are restarts.
func separatesRestarts(path []parser.Node) bool {
	for _, around := range slices.Backward(path) {
		switch n := around.(type) {
		case *parser.ParenExpr:
			continue
		case *parser.UnaryExpr:
			return true // of falls
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
