package promlint

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/runtime/semconv"
)

func (c *checker) quantile(n *parser.Call) {
	c.quantileRange(n, n.Args[0])
	a := aggregated(n.Args[1])
	if a == nil || !c.buckets(a) || !a.Without && slices.ContainsFunc(a.Grouping, dashboardfile.Varies) {
		return
	}
	switch listed := slices.Contains(a.Grouping, semconv.LabelLessOrEqual); {
	case a.Without && listed:
		c.reportf("quantile-le", a, "histogram_quantile needs the label le; remove le from without (...)")
	case !a.Without && !listed:
		c.reportf("quantile-le", a, "histogram_quantile needs the label le; write sum by (%s) (...)",
			strings.Join(append([]string{semconv.LabelLessOrEqual}, a.Grouping...), ", "))
	}
}

// quantileRange finds quantiles outside of 0 to 1, whose result is infinite.
func (c *checker) quantileRange(n parser.Node, quantile parser.Expr) {
	if q, ok := literal(quantile); ok && (q < 0 || q > 1) {
		c.reportf("quantile-le", n, "the quantile %v is not between 0 and 1; write 0.99 for the 99th percentile", q)
	}
}

// aggregated returns the aggregation that determines the labels of a result, or nil. Filters,
// factors and topk keep labels.
func aggregated(e parser.Expr) *parser.AggregateExpr {
	switch n := bare(e).(type) {
	case *parser.AggregateExpr:
		if keepsLabels(n.Op) {
			return aggregated(n.Expr)
		}
		return n
	case *parser.BinaryExpr:
		switch {
		case n.Op == parser.LAND, n.Op == parser.LUNLESS, n.RHS.Type() == parser.ValueTypeScalar:
			return aggregated(n.LHS)
		case n.LHS.Type() == parser.ValueTypeScalar:
			return aggregated(n.RHS)
		}
	}
	return nil
}

// keepsLabels reports whether an aggregation returns series with all their labels.
func keepsLabels(op parser.ItemType) bool {
	return slices.Contains([]parser.ItemType{parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO}, op)
}

// buckets reports whether all selectors read classic buckets.
func (c *checker) buckets(tree parser.Expr) bool {
	all := Selectors(tree)
	return len(all) > 0 && !slices.ContainsFunc(all, func(s *parser.VectorSelector) bool { return !strings.HasSuffix(Name(s), "_bucket") })
}

// groupReference matches $$ (a dollar sign), $name and ${name}. Names are as long as possible: $1a
// is the group 1a.
var groupReference = regexp.MustCompile(`\$(?:\$|([\pL\p{Nd}_]+)|\{([\pL\p{Nd}_]+)\})`)

var leadingDigits = regexp.MustCompile(`^\d+`)

func (c *checker) replace(n *parser.Call) {
	texts := make([]string, len(n.Args))
	for i, arg := range n.Args {
		if s, ok := bare(arg).(*parser.StringLiteral); ok {
			texts[i] = s.Val
		}
	}
	if len(texts) != 5 || dashboardfile.Varies(texts[2]) || dashboardfile.Varies(texts[4]) {
		return
	}
	pattern, err := regexp.Compile("^(?s:" + texts[4] + ")$")
	if err != nil {
		why := err.Error()
		if mistake, ok := errors.AsType[*syntax.Error](err); ok {
			why = mistake.Code.String()
		}
		c.reportf("label-replace", n, "invalid regular expression %q: %s", texts[4], why)
		return
	}
	for _, m := range groupReference.FindAllStringSubmatch(texts[2], -1) {
		name := m[1] + m[2]
		group, err := strconv.Atoi(name)
		switch digits := leadingDigits.FindString(name); {
		case m[0] == "$$", err == nil && group <= pattern.NumSubexp(), slices.Contains(pattern.SubexpNames(), name):
		case err == nil:
			c.reportf("label-replace", n, "%q reads group %s, but %q has %d groups; the label is always empty", texts[2], name, texts[4], pattern.NumSubexp())
		case digits != "" && m[1] != "":
			c.reportf("label-replace", n, "%q reads group %s, which %q does not have; write ${%s}%s", texts[2], name, texts[4], digits, name[len(digits):])
		default:
			c.reportf("label-replace", n, "%q reads group %s, which %q does not have; the label is always empty", texts[2], name, texts[4])
		}
	}
	if !model.LegacyValidation.IsValidLabelName(texts[1]) && !dashboardfile.Varies(texts[1]) {
		c.reportGuessf("label-replace", n, model.UTF8Validation.IsValidLabelName(texts[1]), "not every Prometheus accepts the label name %q; use letters, digits and underscores", texts[1])
	}
}
