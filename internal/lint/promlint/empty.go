package promlint

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// choice finds topk, bottomk and limitk of zero series.
func (c *checker) choice(n *parser.AggregateExpr) {
	if !slices.Contains([]parser.ItemType{parser.TOPK, parser.BOTTOMK, parser.LIMITK}, n.Op) {
		return
	}
	if k, ok := literal(n.Param); ok && k < 1 {
		c.reportf("always-empty", n, "%s(%v, ...) selects no series; write 1 or more", n.Op, k)
	}
}

// clamp finds a lower bound above the upper one.
func (c *checker) clamp(n *parser.Call) {
	low, okLow := literal(n.Args[1])
	high, okHigh := literal(n.Args[2])
	if okLow && okHigh && low > high {
		c.reportf("always-empty", n, "clamp between %v and %v returns nothing; write the lower bound first", low, high)
	}
}

// contradiction finds selectors with two values of one label.
func (c *checker) contradiction(s *parser.VectorSelector) {
	wanted := map[string]*labels.Matcher{}
	for _, m := range s.LabelMatchers {
		if m.Type != labels.MatchEqual || dashboardfile.Varies(m.Value) || dashboardfile.Varies(m.Name) {
			continue
		}
		if other, twice := wanted[m.Name]; twice && other.Value != m.Value {
			c.reportf("always-empty", s, "%s and %s never match the same series; write %s=~\"...|...\"", other, m, m.Name)
			return
		}
		wanted[m.Name] = m
	}
}

// steps finds subqueries with fewer than two steps. Steps of a day or more are placeholders of
// Grafana variables.
func (c *checker) steps(n *parser.Call) {
	q, ok := bare(n.Args[0]).(*parser.SubqueryExpr)
	const longest = 24 * time.Hour
	if !ok || q.Range <= 0 || q.Step <= 0 || q.Step >= longest || dashboardfile.Varies(strconv.FormatInt(q.Step.Milliseconds(), 10)) {
		return
	}
	switch {
	case q.Range < q.Step:
		c.reportf("rate-range", n, "%s over %s never has two samples: the steps are %s apart; use %s or longer", n.Func.Name, model.Duration(q.Range), model.Duration(q.Step), model.Duration(2*q.Step))
	case q.Range < 2*q.Step:
		c.reportGuessf("rate-range", n, true, "%s over %s has two samples only part of the time: the steps are %s apart; use %s or longer", n.Func.Name, model.Duration(q.Range), model.Duration(q.Step), model.Duration(2*q.Step))
	}
}

// sides finds operators between aggregations by different labels. Only series without these labels
// match.
func (c *checker) sides(n *parser.BinaryExpr) {
	m := n.VectorMatching
	if m == nil || m.On || len(m.MatchingLabels) > 0 || n.Op == parser.LOR || n.ReturnBool || Fills(n) {
		return
	}
	left, right := aggregated(n.LHS), aggregated(n.RHS)
	if left == nil || right == nil {
		return
	}
	by, okLeft := groupedBy(left)
	other, okRight := groupedBy(right)
	if okLeft && okRight && !slices.Equal(by, other) {
		c.reportf("label-match", n, "the sides are grouped by different labels, %q and %q, so their series do not match; group both by the same labels, or write on (...) with group_left", by, other)
	}
}

// groupedBy returns the labels of an aggregation's result, if all are known.
func groupedBy(n *parser.AggregateExpr) ([]string, bool) {
	if n.Without || n.Op == parser.COUNT_VALUES || slices.ContainsFunc(n.Grouping, dashboardfile.Varies) {
		return nil, false
	}
	return slices.Compact(slices.Sorted(slices.Values(n.Grouping))), true
}
