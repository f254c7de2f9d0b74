package rulesim

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// guard returns the guard of an alert, or "".
func (r *rule) guard() string {
	if !r.IsAlert {
		return ""
	}
	return guardOf(r.Expr)
}

// guardOf returns a part of an expression, or "". While that part has no result, the whole expression has no
// result and cannot fail. Most alerts start with a comparison and add conditions; in normal operation the
// first comparison is the only part to evaluate.
func guardOf(expr string) string {
	tree, err := newParser().ParseExpr(expr)
	if err != nil {
		return "" // the engine reports the error
	}
	part := firstOf(tree)
	if part == nil || hasSubquery(part) {
		return ""
	}
	return part.String()
}

// hasSubquery reports whether an expression has a subquery. Subqueries are evaluated once for all rules (see
// share.go), so a guard must not have one.
func hasSubquery(expr parser.Expr) bool {
	found := false
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		found = found || isSubquery(node)
		return nil
	})
	return found
}

// firstOf returns the innermost left operand without which the operators return nothing, or nil.
func firstOf(expr parser.Expr) parser.Expr {
	switch n := expr.(type) {
	case *parser.ParenExpr:
		return firstOf(n.Expr)
	case *parser.AggregateExpr:
		if n.Param == nil {
			return firstOf(n.Expr)
		}
	case *parser.BinaryExpr:
		if n.Op == parser.LOR || !cannotFail(n.RHS) {
			return nil
		}
		first := firstOf(n.LHS)
		if first == nil && (n.Op == parser.LAND || n.Op == parser.LUNLESS) {
			return n.LHS
		}
		return first
	}
	return nil
}

// matchesOnAllLabels reports whether each sample matches at most one sample of the other side.
func matchesOnAllLabels(n *parser.BinaryExpr) bool {
	return len(n.VectorMatching.MatchingLabels) == 0 && !n.VectorMatching.On && unique(n.LHS) && unique(n.RHS)
}

// unique reports whether all samples differ in labels, ignoring the name.
func unique(expr parser.Expr) bool {
	switch n := expr.(type) {
	case *parser.ParenExpr:
		return unique(n.Expr)
	case *parser.VectorSelector:
		return n.Name != ""
	case *parser.MatrixSelector:
		return unique(n.VectorSelector)
	case *parser.AggregateExpr:
		return n.Without || !slices.Contains(n.Grouping, model.MetricNameLabel)
	case *parser.SubqueryExpr:
		return unique(n.Expr)
	case *parser.Call:
		return (n.Func.Name == "timestamp" || strings.HasSuffix(n.Func.Name, "_over_time")) && len(n.Args) == 1 && unique(n.Args[0])
	}
	return false
}
