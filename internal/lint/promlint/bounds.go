package promlint

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// span is the range of values that a result can have, except for NaN.
type span struct{ lo, hi float64 }

func anything() span         { return span{math.Inf(-1), math.Inf(1)} }
func fromZero() span         { return span{0, math.Inf(1)} }
func unitInterval() span     { return span{0, 1} }
func exactly(v float64) span { return span{v, v} }

func (s span) union(o span) span { return span{min(s.lo, o.lo), max(s.hi, o.hi)} }
func (s span) within(o span) span {
	out := span{max(s.lo, o.lo), min(s.hi, o.hi)}
	if out.lo > out.hi {
		return s // the comparison is never true, which is reported
	}
	return out
}

func (s span) String() string {
	s = span{s.lo + 0, s.hi + 0} // not -0
	switch {
	case s.lo == s.hi:
		return fmt.Sprintf("is always %v", s.lo)
	case math.IsInf(s.hi, 1):
		return fmt.Sprintf("is never below %v", s.lo)
	case math.IsInf(s.lo, -1):
		return fmt.Sprintf("is never above %v", s.hi)
	}
	return fmt.Sprintf("is between %v and %v", s.lo, s.hi)
}

func (w World) spanOf(e parser.Expr) span {
	switch n := bare(e).(type) {
	case *parser.NumberLiteral:
		if v, ok := literal(n); ok {
			return exactly(v)
		}
	case *parser.UnaryExpr:
		inner := w.spanOf(n.Expr)
		if n.Op == parser.SUB {
			return span{0 - inner.hi, 0 - inner.lo} // not -0
		}
		return inner
	case *parser.VectorSelector:
		return w.spanOfSelector(n)
	case *parser.MatrixSelector:
		return w.spanOf(n.VectorSelector)
	case *parser.SubqueryExpr:
		return w.spanOf(n.Expr)
	case *parser.AggregateExpr:
		return w.spanOfAggregate(n)
	case *parser.BinaryExpr:
		return w.spanOfBinary(n)
	case *parser.Call:
		return w.spanOfCall(n)
	}
	return anything()
}

func (w World) spanOfSelector(s *parser.VectorSelector) span {
	if Name(s) == semconv.Up || w.Metrics[Name(s)].Flag {
		return unitInterval()
	}
	if w.IsCounter(s) && w.Declared(s) && !strings.HasSuffix(Name(s), "_sum") {
		return fromZero()
	}
	records := w.recordsOf(s)
	if len(records) == 0 {
		return anything()
	}
	out := w.spanOfRecord(records[0])
	for _, r := range records[1:] {
		out = out.union(w.spanOfRecord(r))
	}
	return out
}

func (w World) spanOfRecord(r *recorded) span {
	if r.Tree == nil || r.spanned == underWay {
		return anything()
	}
	if r.spanned == fresh {
		r.spanned = underWay
		r.span = w.spanOf(r.Tree)
		r.spanned = done
	}
	return r.span
}

func (w World) spanOfAggregate(n *parser.AggregateExpr) span {
	inner := w.spanOf(n.Expr)
	switch n.Op {
	case parser.SUM:
		return summed(inner)
	case parser.AVG, parser.MIN, parser.MAX, parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		return inner
	case parser.QUANTILE:
		if q, ok := literal(n.Param); ok && q >= 0 && q <= 1 {
			return inner
		}
	case parser.COUNT, parser.COUNT_VALUES:
		return span{1, math.Inf(1)}
	case parser.GROUP:
		return exactly(1)
	case parser.STDDEV, parser.STDVAR:
		return fromZero()
	}
	return anything()
}

// spansOfSides returns the spans of both sides of an operator, including fill values.
func (w World) spansOfSides(n *parser.BinaryExpr) (l, r span) {
	l, r = w.spanOf(n.LHS), w.spanOf(n.RHS)
	if !Fills(n) {
		return l, r
	}
	if v := n.VectorMatching.FillValues.LHS; v != nil {
		l = l.union(exactly(*v))
	}
	if v := n.VectorMatching.FillValues.RHS; v != nil {
		r = r.union(exactly(*v))
	}
	return l, r
}

// summed returns the span of a sum of one or more values.
func summed(s span) span {
	if s.lo < 0 {
		s.lo = math.Inf(-1)
	}
	if s.hi > 0 {
		s.hi = math.Inf(1)
	}
	return s
}

func (w World) spanOfBinary(n *parser.BinaryExpr) span {
	l, r := w.spansOfSides(n)
	switch n.Op {
	case parser.LAND, parser.LUNLESS:
		return l
	case parser.LOR:
		return l.union(r)
	case parser.ADD:
		return arithmetic(l, r, func(a, b float64) float64 { return a + b })
	case parser.SUB:
		return arithmetic(l, r, func(a, b float64) float64 { return a - b })
	case parser.MUL:
		return arithmetic(l, r, times)
	case parser.DIV:
		return w.spanOfDivision(n, l, r)
	}
	if n.Op.IsComparisonOperator() {
		return kept(n, l, r)
	}
	return anything()
}

// arithmetic returns the span of a monotone operator, computed from the bounds of both sides.
func arithmetic(l, r span, op func(a, b float64) float64) span {
	out := span{math.Inf(1), math.Inf(-1)}
	for _, a := range []float64{l.lo, l.hi} {
		for _, b := range []float64{r.lo, r.hi} {
			v := op(a, b)
			if math.IsNaN(v) {
				return anything()
			}
			out = out.union(exactly(v))
		}
	}
	return out
}

// times multiplies two bounds. Zero times infinity is zero, since values are finite.
func times(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a * b
}

func (w World) spanOfDivision(n *parser.BinaryExpr, l, r span) span {
	if w.isRatio(n) {
		return unitInterval()
	}
	switch {
	case r == exactly(0): // may be -0
	case r.lo == r.hi:
		return arithmetic(l, r, func(a, b float64) float64 { return a / b })
	case l.lo >= 0 && !math.Signbit(r.lo):
		return fromZero()
	}
	return anything()
}

// kept returns the span of the values that pass a comparison.
func kept(n *parser.BinaryExpr, l, r span) span {
	if n.ReturnBool {
		return unitInterval()
	}
	op := n.Op
	if n.LHS.Type() == parser.ValueTypeScalar {
		l, r, op = r, l, mirrored(op)
	}
	switch op {
	case parser.GTR, parser.GTE:
		return l.within(span{r.lo, math.Inf(1)})
	case parser.LSS, parser.LTE:
		return l.within(span{math.Inf(-1), r.hi})
	case parser.EQLC:
		return l.within(r)
	}
	return l
}

// mirrored returns the comparison with exchanged sides.
func mirrored(op parser.ItemType) parser.ItemType {
	switch op {
	case parser.GTR:
		return parser.LSS
	case parser.GTE:
		return parser.LTE
	case parser.LSS:
		return parser.GTR
	case parser.LTE:
		return parser.GTE
	}
	return op
}

func (w World) spanOfCall(n *parser.Call) span {
	first := func() span { return w.spanOf(n.Args[0]) }
	switch n.Func.Name {
	case "rate", "irate", "increase":
		if s := sampled(n.Args[0]); s != nil && w.typeOf(s) == declared.Counter && !strings.HasSuffix(Name(s), "_sum") {
			return fromZero()
		}
	case "resets", "changes", "abs", "sqrt", "exp", "stddev_over_time", "stdvar_over_time", "time", "timestamp":
		return fromZero()
	case "histogram_count":
		if s := sampled(n.Args[0]); w.isHistogramRate(n.Args[0]) || s != nil && w.typeOf(s) == declared.Histogram {
			return fromZero()
		}
	case "count_over_time":
		return span{1, math.Inf(1)}
	case "absent", "absent_over_time", "present_over_time":
		return exactly(1)
	case "histogram_fraction":
		if w.isHistogramRate(n.Args[2]) {
			return unitInterval()
		}
	case "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time",
		"label_replace", "label_join", "sort", "sort_desc", "scalar", "vector":
		return first()
	case "sum_over_time":
		return summed(first())
	case "clamp_min", "clamp_max", "clamp":
		return w.spanOfClamp(n, first())
	case "hour":
		return span{0, 23}
	case "minute":
		return span{0, 59}
	case "day_of_week":
		return span{0, 6}
	case "day_of_month":
		return span{1, 31}
	case "day_of_year":
		return span{1, 366}
	case "days_in_month":
		return span{28, 31}
	case "month":
		return span{1, 12}
	case "sgn":
		s := first()
		return span{float64(cmp.Compare(s.lo, 0)), float64(cmp.Compare(s.hi, 0))}
	}
	return anything()
}

// isHistogramRate reports whether an expression is a rate of a histogram or a sum of such rates,
// which have no negative buckets, unlike differences.
func (w World) isHistogramRate(e parser.Expr) bool {
	switch n := bare(e).(type) {
	case *parser.AggregateExpr:
		return (n.Op == parser.SUM || n.Op == parser.AVG) && w.isHistogramRate(n.Expr)
	case *parser.Call:
		if !slices.Contains([]string{"rate", "irate", "increase"}, n.Func.Name) {
			return false
		}
		s := sampled(n.Args[0])
		return s != nil && w.typeOf(s) != declared.Gauge && !strings.Contains(Name(s), ":")
	}
	return false
}

func (w World) spanOfClamp(n *parser.Call, s span) span {
	var bounds []float64
	for _, arg := range n.Args[1:] {
		v, ok := literal(arg)
		if !ok {
			return anything()
		}
		bounds = append(bounds, v)
	}
	switch n.Func.Name {
	case "clamp_min":
		return span{max(s.lo, bounds[0]), max(s.hi, bounds[0])}
	case "clamp_max":
		return span{min(s.lo, bounds[0]), min(s.hi, bounds[0])}
	}
	if bounds[0] > bounds[1] {
		return s
	}
	return span{min(max(s.lo, bounds[0]), bounds[1]), max(min(s.hi, bounds[1]), bounds[0])}
}

// isRatio reports whether a division is of a part by its whole: sums of the same counter over the
// same time, where the series of the dividend are a subset of those of the divisor.
func (w World) isRatio(n *parser.BinaryExpr) bool {
	part, okPart := w.summedRate(n.LHS)
	whole, okWhole := w.summedRate(n.RHS)
	if !okPart || !okWhole || Fills(n) || part.how != whole.how || Name(part.of) == "" {
		return false // a name pattern may select other series on each side
	}
	sameMetric := Name(part.of) == Name(whole.of)
	bucket := Name(part.of) == family(Name(whole.of))+"_bucket" && strings.HasSuffix(Name(whole.of), "_count") && oneBucket(part.of)
	if !sameMetric && !bucket || sameMetric && strings.HasSuffix(Name(part.of), "_bucket") && !oneBucket(part.of) {
		return false
	}
	for _, m := range whole.of.LabelMatchers {
		if m.Name != model.MetricNameLabel && !slices.ContainsFunc(part.of.LabelMatchers, func(p *labels.Matcher) bool { return p.String() == m.String() }) {
			return false
		}
	}
	return true
}

func oneBucket(s *parser.VectorSelector) bool {
	return slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
		return m.Name == semconv.LabelLessOrEqual && m.Type == labels.MatchEqual
	})
}

// rated is a sum of a rate of a counter.
type rated struct {
	of  *parser.VectorSelector
	how string // function, range, time and grouping
}

func (w World) summedRate(e parser.Expr) (rated, bool) {
	switch n := bare(e).(type) {
	case *parser.BinaryExpr:
		// x > 0 and x or 0 * y have the bounds of x.
		if n.Op.IsComparisonOperator() && !n.ReturnBool && n.RHS.Type() == parser.ValueTypeScalar {
			return w.summedRate(n.LHS)
		}
		if n.Op == parser.LOR && w.spanOf(n.RHS) == exactly(0) {
			return w.summedRate(n.LHS)
		}
	case *parser.AggregateExpr:
		call, isCall := bare(n.Expr).(*parser.Call)
		if n.Op != parser.SUM || !isCall || !slices.Contains([]string{"rate", "increase"}, call.Func.Name) {
			return rated{}, false
		}
		m, isMatrix := bare(call.Args[0]).(*parser.MatrixSelector)
		if !isMatrix {
			return rated{}, false
		}
		s, isSelector := bare(m.VectorSelector).(*parser.VectorSelector)
		if !isSelector || !w.mayCount(s) {
			return rated{}, false
		}
		grouping := slices.Sorted(slices.Values(n.Grouping))
		return rated{s, fmt.Sprint(call.Func.Name, m.ShortString(), s.Anchored, s.Smoothed, n.Without, grouping)}, true
	}
	return rated{}, false
}

// mayCount returns true for counters and for undeclared metrics, which are likely counters since
// a rate reads them.
func (w World) mayCount(s *parser.VectorSelector) bool {
	is := w.typeOf(s)
	return (is == declared.Counter || is == unknown) && !strings.HasSuffix(Name(s), "_sum") && !strings.Contains(Name(s), ":")
}
