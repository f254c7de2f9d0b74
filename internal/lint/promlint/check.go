package promlint

import (
	"cmp"
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// checker collects what the rules say about one expression.
type checker struct {
	World

	at    func(offset int) lint.Finding
	found []lint.Finding
}

// Check runs every rule of this package on an expression. at is the place of an
// offset into it, in bytes, as a finding without a rule.
func (w World) Check(tree parser.Expr, at func(offset int) lint.Finding) []lint.Finding {
	c := &checker{World: w, at: at}
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			c.matchers(n)
			c.bareCounter(n, path)
		case *parser.Call:
			c.call(n, path)
		case *parser.AggregateExpr:
			if n.Op == parser.QUANTILE {
				c.share(n, n.Param)
			}
		case *parser.BinaryExpr:
			c.comparison(n)
		}
		return nil
	})
	return c.found
}

func (c *checker) reportf(rule string, at parser.Node, format string, args ...any) {
	c.reportGuessf(rule, at, false, format, args...)
}

// reportGuessf reports a finding, which is a warning if it is a guess.
func (c *checker) reportGuessf(rule string, at parser.Node, guessed bool, format string, args ...any) {
	f := c.at(start(at)).Sayf(format, args...)
	f.Rule, f.Warning = rule, guessed
	if !slices.Contains(c.found, f) {
		c.found = append(c.found, f)
	}
}

// matchers finds regular expressions that need not be any.
func (c *checker) matchers(s *parser.VectorSelector) {
	for _, m := range s.LabelMatchers {
		if m.Type != labels.MatchRegexp && m.Type != labels.MatchNotRegexp || dashboardfile.Varies(m.Value) {
			continue
		}
		plain := "="
		if m.Type == labels.MatchNotRegexp {
			plain = "!="
		}
		switch {
		case m.Value == ".*" && m.Type == labels.MatchRegexp:
			c.reportf("regex-equality", s, "%s matches anything; leave it out", m)
		case regexp.QuoteMeta(m.Value) == m.Value && m.Value != "":
			c.reportf("regex-equality", s, "%s is not a pattern; write %s%s%q", m, m.Name, plain, m.Value)
		}
	}
}

// overTime are functions that make a counter comparable, or only ask whether it
// is there.
func overTime() []string {
	return []string{
		"rate", "irate", "increase", "delta", "idelta", "deriv", "resets", "changes", "absent", "absent_over_time", "present_over_time",
		"count_over_time", "timestamp", "predict_linear", "histogram_quantile", "label_replace", "label_join",
	}
}

// bareCounter finds a counter that is compared or calculated with as it stands.
// What only counts series, or multiplies them with zero, is no such use.
func (c *checker) bareCounter(s *parser.VectorSelector, path []parser.Node) {
	if !c.IsCounter(s) || slices.ContainsFunc(path, countsSeries) {
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
			if n.Op == parser.MUL && (isZero(n.LHS) || isZero(n.RHS)) {
				return
			}
			other := n.LHS
			if inside(n.LHS, s) {
				other = n.RHS
			}
			if sameCounter(other, s) {
				return // a share of one counter in another, or a difference in time
			}
			if multiple(n, other) {
				continue // a counter still
			}
			// Above zero means that it has ever happened, which may be the question. Two
			// counters of one process count the same time: allocations minus frees.
			// What a counter is multiplied with may be a constant that someone measures.
			guessed := !c.Declared(s) || isZero(other) || c.ReadsCounter(other) || n.Op == parser.MUL
			c.reportGuessf("counter-rate", s, guessed, "%s is a counter; compare or calculate with rate(%s[...]) or increase(...)", Name(s), Name(s))
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
		return factor || len(n.VectorMatching.Include) > 0 || information(other)
	}
	return false
}

// information says whether an expression is of series whose value is 1, for their labels.
func information(e parser.Expr) bool {
	all := Selectors(e)
	return len(all) > 0 && !slices.ContainsFunc(all, func(s *parser.VectorSelector) bool { return !strings.HasSuffix(Name(s), "_info") })
}

// ReadsCounter says whether an expression reads a counter without taking its rate.
func (w World) ReadsCounter(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		found = found || ok && w.IsCounter(s) && !slices.ContainsFunc(path, func(n parser.Node) bool {
			call, ok := n.(*parser.Call)
			return ok && slices.Contains(overTime(), call.Func.Name) || countsSeries(n)
		})
		return nil
	})
	return found
}

// countsSeries says whether a node asks how many series there are, whatever their
// values.
func countsSeries(n parser.Node) bool {
	a, ok := n.(*parser.AggregateExpr)
	return ok && (a.Op == parser.COUNT || a.Op == parser.GROUP || a.Op == parser.COUNT_VALUES)
}

func isZero(e parser.Expr) bool {
	v, ok := number(e)
	return ok && v == 0
}

func inside(tree parser.Expr, s *parser.VectorSelector) bool {
	return slices.Contains(Selectors(tree), s)
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

func (c *checker) call(n *parser.Call, path []parser.Node) {
	switch n.Func.Name {
	case "rate", "irate", "increase":
		c.rangeOf(n)
		c.gauge(n)
		c.sumFirst(n)
	case "delta", "idelta", "deriv":
		c.rangeOf(n)
		c.falling(n, path)
	case "histogram_quantile":
		c.quantile(n)
	case "quantile_over_time":
		c.share(n, n.Args[0])
	case "label_replace":
		c.replace(n)
	case "absent":
		if a, ok := bare(n.Args[0]).(*parser.AggregateExpr); ok {
			c.reportf("absent-aggregate", n, "absent(%s) holds only when every series is gone, and has no labels; ask for each one: absent(x{...})", a)
		}
	}
}

// rangeOf wants two samples in the range of a rate.
func (c *checker) rangeOf(n *parser.Call) {
	m, ok := bare(n.Args[0]).(*parser.MatrixSelector)
	if !ok || m.Range <= 0 {
		return
	}
	s, ok := bare(m.VectorSelector).(*parser.VectorSelector)
	if !ok {
		return
	}
	apart, what, guessed := c.Scrape, "scrapes are", c.ScrapeGuessed
	if records := c.recordsOf(s); len(records) > 0 {
		shortest := slices.MinFunc(records, func(a, b *recorded) int { return cmp.Compare(a.Interval, b.Interval) })
		apart, what, guessed = shortest.Interval, "records are", false
	} else if strings.Contains(Name(s), ":") {
		return // recorded by someone else, at an interval of theirs
	}
	switch {
	case m.Range <= apart:
		c.reportGuessf("rate-range", n, guessed, "%s over %s never has two samples, since %s %s apart; use %s or longer",
			n.Func.Name, short(m.Range), what, short(apart), short(4*apart))
	case m.Range < 2*apart:
		c.reportGuessf("rate-range", n, true, "%s over %s has two samples only part of the time, since %s %s apart; use %s or longer",
			n.Func.Name, short(m.Range), what, short(apart), short(4*apart))
	}
}

func short(d time.Duration) string { return model.Duration(d).String() }

func (c *checker) gauge(n *parser.Call) {
	if s := sampled(n.Args[0]); s != nil && c.kindOf(s) == Gauge {
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
		if c.sumOfCounter(arg.Expr) {
			c.reportf("rate-sum", n, "%s of a sum: one restart looks like a restart of all; take the rate first, then the sum", n.Func.Name)
		}
	case *parser.MatrixSelector:
		s, ok := bare(arg.VectorSelector).(*parser.VectorSelector)
		if !ok {
			return
		}
		for _, r := range c.recordsOf(s) {
			if r.Tree != nil && c.sumOfCounter(r.Tree) {
				c.reportf("rate-sum", n, "%s of %s, which records a sum of counters: one restart looks like a restart of all; record the rate", n.Func.Name, r.Name)
			}
		}
	}
}

// sumOfCounter says whether an expression is an aggregation of counters at face
// value.
func (c *checker) sumOfCounter(e parser.Expr) bool {
	a, ok := bare(e).(*parser.AggregateExpr)
	if !ok || a.Op != parser.SUM && a.Op != parser.AVG {
		return false
	}
	switch inner := bare(a.Expr).(type) {
	case *parser.VectorSelector:
		return c.IsCounter(inner)
	case *parser.AggregateExpr:
		return c.sumOfCounter(inner)
	}
	return false
}

// falling finds a delta of a counter. Where its result counts only from zero up,
// a restart is left out, which is what its author means.
func (c *checker) falling(n *parser.Call, path []parser.Node) {
	for _, around := range slices.Backward(path) {
		if b, ok := around.(*parser.BinaryExpr); ok {
			bound, isNumber := number(b.RHS)
			upwards := isNumber && bound >= 0 || dashboardfile.Varies(b.RHS.String())
			if upwards && (b.Op == parser.GTE || b.Op == parser.GTR) && !b.ReturnBool {
				return
			}
		}
		if _, ok := around.(*parser.ParenExpr); !ok {
			break
		}
	}
	if s := sampled(n.Args[0]); s != nil && c.IsCounter(s) {
		c.reportGuessf("delta-counter", n, !c.Declared(s), "%s of %s, which is a counter: it goes below zero at a restart; use increase or rate", n.Func.Name, Name(s))
	}
}

func (c *checker) quantile(n *parser.Call) {
	c.share(n, n.Args[0])
	a := aggregated(n.Args[1])
	if a == nil || !c.buckets(a) || !a.Without && slices.ContainsFunc(a.Grouping, dashboardfile.Varies) {
		return
	}
	switch listed := slices.Contains(a.Grouping, semconv.LabelLessOrEqual); {
	case a.Without && listed:
		c.reportf("quantile-le", a, "the buckets are summed without le, which histogram_quantile reads; leave le out of without (...)")
	case !a.Without && !listed:
		c.reportf("quantile-le", a, "the buckets are summed without le, which histogram_quantile reads; write sum by (%s) (...)",
			strings.Join(append([]string{semconv.LabelLessOrEqual}, a.Grouping...), ", "))
	}
}

// share wants a quantile between 0 and 1: the result is infinite otherwise.
func (c *checker) share(n parser.Node, quantile parser.Expr) {
	if q, ok := number(quantile); ok && (q < 0 || q > 1) {
		c.reportf("quantile-le", n, "the share %v is outside of 0 to 1; the 99th percentile is 0.99", q)
	}
}

// aggregated is the aggregation that makes the labels of a result, or nil: filters, factors
// and the choice of some series leave labels as they are.
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

// keepsLabels says whether an aggregation gives some of its series with all their labels.
func keepsLabels(op parser.ItemType) bool {
	return slices.Contains([]parser.ItemType{parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO}, op)
}

// buckets says whether every selector finds classic buckets.
func (c *checker) buckets(tree parser.Expr) bool {
	all := Selectors(tree)
	return len(all) > 0 && !slices.ContainsFunc(all, func(s *parser.VectorSelector) bool { return !strings.HasSuffix(Name(s), "_bucket") })
}

// groupReference is $$, which is a dollar sign, or $name or ${name}. The name is as long as
// it can be, so that $1a is the group 1a.
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
		c.reportf("label-replace", n, "%q is not a regular expression: %s", texts[4], why)
		return
	}
	for _, m := range groupReference.FindAllStringSubmatch(texts[2], -1) {
		name := m[1] + m[2]
		group, err := strconv.Atoi(name)
		switch digits := leadingDigits.FindString(name); {
		case m[0] == "$$", err == nil && group <= pattern.NumSubexp(), slices.Contains(pattern.SubexpNames(), name):
		case err == nil:
			c.reportf("label-replace", n, "%q reads group %s of %q, which has %d; the label would be empty", texts[2], name, texts[4], pattern.NumSubexp())
		case digits != "" && m[1] != "":
			c.reportf("label-replace", n, "%q reads a group called %s, which %q does not have; write ${%s}%s", texts[2], name, texts[4], digits, name[len(digits):])
		default:
			c.reportf("label-replace", n, "%q reads a group called %s, which %q does not have; the label would be empty", texts[2], name, texts[4])
		}
	}
	if !model.LegacyValidation.IsValidLabelName(texts[1]) && !dashboardfile.Varies(texts[1]) {
		c.reportGuessf("label-replace", n, model.UTF8Validation.IsValidLabelName(texts[1]), "%q is not a label name that every Prometheus accepts; use letters, digits and underscores", texts[1])
	}
}
