package promlint

import (
	"math"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// comparison finds comparisons that are never true.
func (c *checker) comparison(n *parser.BinaryExpr) {
	if !n.Op.IsComparisonOperator() || dashboardfile.Varies(n.String()) {
		return
	}
	left, leftConstant := literal(n.LHS)
	right, rightConstant := literal(n.RHS)
	switch {
	case n.Op == parser.NEQ && (math.IsNaN(left) || math.IsNaN(right)):
		c.reportGuessf("impossible-comparison", n, true, "%s is always true: NaN equals nothing, not even NaN; write x == x to drop NaN", n)
		return
	case math.IsNaN(left) || math.IsNaN(right):
		c.reportf("impossible-comparison", n, "%s is never true: NaN equals nothing, not even NaN; write x != x to find NaN", n)
		return
	case leftConstant && rightConstant:
		c.reportf("impossible-comparison", n, "%s compares two constants, so its result never changes; compare a metric", n)
		return
	case n.ReturnBool:
		return
	}
	l, r := c.spansOfSides(n)
	if !never(n.Op, l, r) || n.Op == parser.NEQ && (mayBeNaN(n.LHS) || mayBeNaN(n.RHS)) {
		return
	}
	guessed := c.OtherRecords && !c.neverWithoutRecords(n)
	switch {
	case l == anything():
		c.reportGuessf("impossible-comparison", n, guessed, "%s is never true: %s", n, beyond(r.lo))
	case r == anything():
		c.reportGuessf("impossible-comparison", n, guessed, "%s is never true: %s", n, beyond(l.lo))
	case r.lo == r.hi:
		c.reportGuessf("impossible-comparison", n, guessed, "%s is never true: the left side %s", n, l)
	default:
		c.reportGuessf("impossible-comparison", n, guessed, "%s is never true: the left side %s, the right side %s", n, l, r)
	}
}

// neverWithoutRecords reports whether a comparison is never true for any recorded values.
func (w World) neverWithoutRecords(n *parser.BinaryExpr) bool {
	w.records = nil
	l, r := w.spansOfSides(n)
	return never(n.Op, l, r)
}

// beyond describes the empty range beyond an infinity.
func beyond(infinity float64) string {
	if infinity > 0 {
		return "no value is above +Inf"
	}
	return "no value is below -Inf"
}

// mayBeNaN reports whether a value may be NaN, such as zero times infinity or a scalar of no
// series. Spans exclude NaN, and NaN differs from every value.
func mayBeNaN(e parser.Expr) bool {
	switch n := bare(e).(type) {
	case *parser.NumberLiteral:
		return math.IsNaN(n.Val)
	case *parser.AggregateExpr:
		return n.Op != parser.GROUP && n.Op != parser.COUNT && n.Op != parser.COUNT_VALUES
	case *parser.BinaryExpr:
		return n.Op != parser.EQLC && (n.Op != parser.LAND && n.Op != parser.LUNLESS || mayBeNaN(n.LHS))
	case *parser.Call:
		switch n.Func.Name {
		case "absent", "absent_over_time", "present_over_time", "count_over_time":
			return false
		case "vector":
			return mayBeNaN(n.Args[0])
		}
	}
	return true
}

func never(op parser.ItemType, l, r span) bool {
	switch op {
	case parser.GTR:
		return l.hi <= r.lo
	case parser.GTE:
		return l.hi < r.lo
	case parser.LSS:
		return l.lo >= r.hi
	case parser.LTE:
		return l.lo > r.hi
	case parser.EQLC:
		return l.hi < r.lo || l.lo > r.hi
	case parser.NEQ:
		return l.lo == l.hi && l == r
	}
	return false
}
