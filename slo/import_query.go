package slo

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// ratioSyntax is an objective as a ratio, with the precision of [Percent].
var ratioSyntax = regexp.MustCompile(`^([01]|[01]?\.[0-9]{1,8})$`)

// rangeTemplate matches the template of sloth for the range of a query.
var rangeTemplate = regexp.MustCompile(`\[\s*\{\{-?\s*\.[wW]indow\s*-?\}\}`)

// counter reads a query of a counter: its rate or increase, or the sum of these. With bare,
// because the file declares a counter, it may be a selector alone.
func (im *importer) counter(n *yaml.Node, path string, bare bool) (selector, bool) {
	expr, ok := im.expr(n, path)
	if !ok {
		return selector{}, false
	}
	if sel, _, err := counterOf(expr); bare && err == nil {
		return sel, true
	}
	return im.growth(n, path, expr)
}

// growth reads the rate or increase of a counter, or the sum of these. A bare selector may
// be a gauge.
func (im *importer) growth(n *yaml.Node, path string, expr parser.Expr) (selector, bool) {
	sel, growth, err := counterOf(expr)
	if err == nil && !growth {
		err = notCounter(expr)
	}
	if err != nil {
		im.at(n, path, err.Error())
	}
	return sel, err == nil
}

// templateRange replaces the template of a range when a query is parsed.
const templateRange = 5*time.Minute + 7*time.Millisecond

// withTemplate replaces templateRange by the template.
func withTemplate(text string) string {
	return strings.ReplaceAll(text, window(templateRange), "{{.window}}")
}

// expr parses a query, with templateRange in place of the template.
func (im *importer) expr(n *yaml.Node, path string) (parser.Expr, bool) {
	query := rangeTemplate.ReplaceAllString(valueOf(n), "["+window(templateRange))
	switch {
	case strings.TrimSpace(query) == "":
		im.at(n, path, "is empty; write a query")
		return nil, false
	case strings.Contains(query, "{{"):
		im.at(n, path, "templates are not supported, except [{{.window}}] as a range")
		return nil, false
	}
	expr, err := promql.Parse(query)
	if err == nil {
		im.queries = append(im.queries, parsed{n, path, expr})
		return expr, true
	}
	if _, tooLarge := errors.AsType[promql.LimitError](err); tooLarge {
		im.at(n, path, err.Error())
		return nil, false
	}
	message := err.Error()
	if parseErrs := (parser.ParseErrors)(nil); errors.As(err, &parseErrs) && len(parseErrs) > 0 {
		message = parseErrs[0].Err.Error()
	}
	im.at(n, path, "not PromQL: "+withTemplate(message))
	return nil, false
}

// parsed is a query of an objective.
type parsed struct {
	node *yaml.Node
	path string
	expr parser.Expr
}

// compareQueries reports queries of the current objective that are not sums, or that have
// another range or function than the first one.
func (im *importer) compareQueries() {
	var first time.Duration
	var function string
	for _, q := range im.queries {
		parser.Inspect(q.expr, func(n parser.Node, above []parser.Node) error {
			switch n := n.(type) {
			case *parser.MatrixSelector:
				if first == 0 {
					first = n.Range
				}
				if n.Range != first {
					im.change(q.node, q.path, withTemplate(fmt.Sprintf("counts over %s, and another query of the objective over %s; the rules count both over the same windows", window(n.Range), window(first))))
				}
			case *parser.Call:
				if n.Func.Name != "rate" && n.Func.Name != "increase" {
					return nil
				}
				function = cmp.Or(function, n.Func.Name)
				if n.Func.Name != function {
					im.change(q.node, q.path, fmt.Sprintf("uses %s, and another query of the objective uses %s; the rules count events for both", n.Func.Name, function))
				}
				if !slices.ContainsFunc(above, isSum) {
					im.change(q.node, q.path, "has one value for each series; the rules use the sum")
				}
			}
			return nil
		})
	}
	im.queries = nil
}

// isSum reports whether a node sums series; "sum without ()" does not.
func isSum(n parser.Node) bool {
	sum, ok := n.(*parser.AggregateExpr)
	return ok && (!sum.Without || len(sum.Grouping) > 0)
}

// counterOf returns the selector within a sum and a rate or increase, and whether there is
// a rate or increase.
func counterOf(expr parser.Expr) (sel selector, growth bool, err error) {
	for {
		switch e := expr.(type) {
		case *parser.ParenExpr:
			expr = e.Expr
		case *parser.BinaryExpr:
			if e.Op != parser.LOR || !isZero(e.RHS) {
				return selector{}, false, notCounter(expr)
			}
			expr = e.LHS // the rules also count no events without series
		case *parser.AggregateExpr:
			if e.Op != parser.SUM {
				return selector{}, false, fmt.Errorf("%s is not supported; write the sum of the rate of a counter", e.Op)
			}
			if len(e.Grouping) > 0 {
				return selector{}, false, errors.New("a sum by labels is not supported, because an objective has one budget; write a sum without them")
			}
			expr = e.Expr
		case *parser.Call:
			if e.Func.Name != "rate" && e.Func.Name != "increase" {
				return selector{}, false, fmt.Errorf("%s is not supported, because rules count the growth of counters; write the rate of a counter", e.Func.Name)
			}
			expr, growth = e.Args[0], true
		case *parser.MatrixSelector:
			expr = e.VectorSelector
		case *parser.VectorSelector:
			if e.OriginalOffset != 0 || e.OriginalOffsetExpr != nil || e.Timestamp != nil || e.StartOrEnd != 0 || e.Anchored || e.Smoothed {
				return selector{}, false, errors.New("offset, @ and other modifiers are not supported; write the selector without them")
			}
			sel, err = selectorOf(e.LabelMatchers)
			switch {
			case errors.Is(err, errNoMetric):
				return selector{}, false, fmt.Errorf("%s has no metric name; write one", e)
			case err != nil:
				return selector{}, false, err
			case strings.Contains(sel.metric, ":"):
				return selector{}, false, fmt.Errorf("%s is recorded by a rule; write the rate of the counter that the rule reads", sel.metric)
			}
			sel, err = bucket(sel)
			return sel, growth, err
		default:
			return selector{}, false, notCounter(expr)
		}
	}
}

func notCounter(expr parser.Expr) error {
	return fmt.Errorf("%s is not supported; write the rate of a counter", shorten(withTemplate(expr.String()), 60))
}

// isZero reports whether an expression is vector(0).
func isZero(expr parser.Expr) bool {
	call, ok := bare(expr).(*parser.Call)
	if !ok || call.Func.Name != "vector" {
		return false
	}
	number, ok := bare(call.Args[0]).(*parser.NumberLiteral)
	return ok && number.Val == 0
}

// hasZero reports whether an expression ends in or vector(0).
func hasZero(expr parser.Expr) bool {
	binary, ok := bare(expr).(*parser.BinaryExpr)
	return ok && binary.Op == parser.LOR && isZero(binary.RHS)
}

// bare returns an expression without parentheses around it.
func bare(expr parser.Expr) parser.Expr {
	for {
		paren, ok := expr.(*parser.ParenExpr)
		if !ok {
			return expr
		}
		expr = paren.Expr
	}
}

// operands returns the operands of a binary operator, which "or vector(0)" may follow.
func operands(expr parser.Expr, op parser.ItemType) (left, right parser.Expr, ok bool) {
	binary, ok := bare(expr).(*parser.BinaryExpr)
	if hasZero(expr) {
		binary, ok = bare(binary.LHS).(*parser.BinaryExpr)
	}
	if !ok || binary.Op != op {
		return nil, nil, false
	}
	return binary.LHS, binary.RHS, true
}

// ratio reads a query of the ratio of bad events, or with good, of good events.
func (im *importer) ratio(n *yaml.Node, path string, good bool) Indicator {
	expr, ok := im.expr(n, path)
	if !ok {
		return Indicator{}
	}
	defaulted := good && hasZero(expr)
	if one, rest, minus := operands(expr, parser.SUB); minus {
		if number, isNumber := bare(one).(*parser.NumberLiteral); isNumber && number.Val == 1 {
			expr, good = rest, !good
		}
	}
	if defaulted || good && hasZero(expr) {
		im.change(n, path, "is 100 % errors without data, because of vector(0); the rules then count no events")
	}
	part, whole, ok := operands(expr, parser.DIV)
	if !ok {
		im.at(n, path, "is not a quotient of events and all events; write queries of both")
		return Indicator{}
	}
	total, ok := im.growth(n, path, whole)
	if !ok {
		return Indicator{}
	}
	if good {
		sel, ok := im.growth(n, path, part)
		return im.indicatorIf(ok, total, sel, true)
	}
	return im.badOf(n, path, part, total)
}

// indicatorIf returns the indicator of all and of the good or bad events, if ok.
func (im *importer) indicatorIf(ok bool, total, part selector, good bool) Indicator {
	switch {
	case !ok:
		return Indicator{}
	case wider(part, total):
		im.Problemf(fmt.Sprintf("slos[%d].indicator.ratio.bad", len(im.spec.SLOs)),
			"%s counts all events, and the total %s only some of them; swap the two", part, total)
		return Indicator{}
	case good:
		return indicatorOf(total, part)
	}
	return Indicator{Ratio: &Ratio{Total: total.String(), Bad: part.String()}}
}

// wider reports whether part includes more events than total.
func wider(part, total selector) bool {
	if base, isCount := strings.CutSuffix(part.metric, "_count"); isCount && total.metric == base+"_bucket" {
		return !slices.ContainsFunc(total.matchers, func(m *labels.Matcher) bool { return isBound(m) && m.Matches("+Inf") })
	}
	return part.metric == total.metric && len(part.matchers) < len(total.matchers) &&
		!slices.ContainsFunc(part.matchers, func(m *labels.Matcher) bool {
			return !slices.ContainsFunc(total.matchers, func(n *labels.Matcher) bool { return m.String() == n.String() })
		})
}

// badOf reads the bad events, which may be the total minus the good ones.
func (im *importer) badOf(n *yaml.Node, path string, expr parser.Expr, total selector) Indicator {
	whole, part, minus := operands(expr, parser.SUB)
	if !minus {
		bad, ok := im.growth(n, path, expr)
		return im.indicatorIf(ok, total, bad, false)
	}
	all, ok := im.growth(n, path, whole)
	if !ok {
		return Indicator{}
	}
	good, ok := im.growth(n, path, part)
	if ok && all.String() != total.String() {
		im.at(n, path, fmt.Sprintf("subtracts good events from %s instead of the total %s; write the total in both", all, total))
		return Indicator{}
	}
	return im.indicatorIf(ok, total, good, true)
}

// indicatorOf returns the indicator of all and of the good events. If these differ in one
// matcher, it counts the bad ones.
func indicatorOf(total, good selector) Indicator {
	if latency, ok := latencyOf(good, total); ok {
		return Indicator{Latency: &latency}
	}
	if bad := (countedEvents{total: total, bad: good}).withGood().good; bad != nil {
		return Indicator{Ratio: &Ratio{Total: total.String(), Bad: bad.String()}}
	}
	return Indicator{Ratio: &Ratio{Total: total.String(), Good: good.String()}}
}

// latencyOf returns the latency if good is a bucket and total the count of a histogram.
func latencyOf(good, total selector) (Latency, bool) {
	base, isCount := strings.CutSuffix(total.metric, "_count")
	unit, timed := TimeUnit(base)
	if !isCount || !timed || good.metric != base+"_bucket" {
		return Latency{}, false
	}
	var spellings []string
	rest := selector{metric: base}
	for _, m := range good.matchers {
		if isBound(m) {
			_, spellings = oneBound(m)
			continue
		}
		rest.matchers = append(rest.matchers, m)
	}
	same := selector{metric: base, matchers: total.matchers}
	if len(spellings) == 0 || !boundSyntax.MatchString(spellings[0]) || rest.String() != same.String() {
		return Latency{}, false
	}
	// Exact: with floats, 0.29 would become 289.999999ms.
	value, ok := new(big.Rat).SetString(spellings[0])
	if !ok || value.Sign() <= 0 || value.Cmp(big.NewRat(1e6, 1)) > 0 {
		return Latency{}, false
	}
	value.Mul(value, big.NewRat(int64(unit), 1))
	if !value.IsInt() {
		return Latency{}, false
	}
	latency := Latency{Histogram: same.String(), Threshold: time.Duration(value.Num().Int64())}
	// A threshold selects only its own spellings.
	selected := atMost(BucketBound(base, latency.Threshold))
	return latency, !slices.ContainsFunc(spellings, func(text string) bool { return !selected.Matches(text) })
}

// boundSyntax excludes exponents, which could make numbers very long.
var boundSyntax = regexp.MustCompile(`^[0-9]{1,7}(\.[0-9]{1,9})?$`)

// oneBound returns the bound that a matcher selects and its spellings, or no spellings if
// the matcher selects none or several.
func oneBound(m *labels.Matcher) (bound float64, spellings []string) {
	switch m.Type {
	case labels.MatchEqual:
		spellings = []string{m.Value}
	case labels.MatchRegexp:
		spellings = strings.Split(strings.ReplaceAll(m.Value, `\`, ""), "|")
	default:
		return 0, nil
	}
	for i, text := range spellings {
		next, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(next, 0) || math.IsNaN(next) || i > 0 && next != bound {
			return 0, nil
		}
		bound = next
	}
	return bound, spellings
}

func isBound(m *labels.Matcher) bool { return m.Name == semconv.LabelLessOrEqual }

// bucket extends the matcher of a bound to all spellings.
func bucket(sel selector) (selector, error) {
	sel.matchers = slices.Clone(sel.matchers)
	first := slices.IndexFunc(sel.matchers, isBound)
	if first >= 0 && slices.ContainsFunc(sel.matchers[first+1:], isBound) {
		return selector{}, errors.New("duplicate matcher for le; keep one")
	}
	for i, m := range sel.matchers {
		bound, err := strconv.ParseFloat(m.Value, 64)
		if !isBound(m) || m.Type != labels.MatchEqual || err != nil {
			continue
		}
		if math.IsNaN(bound) {
			return selector{}, fmt.Errorf("%s is not the bound of a bucket; write a number or +Inf", m)
		}
		sel.matchers[i] = atMost(bound, m.Value)
	}
	return sel, nil
}
