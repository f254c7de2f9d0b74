package rulesim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// sharing evaluates the expressions of subqueries once for all rules of RunRange. The steps of a subquery are
// multiples of its step since the epoch, so rules that read the same expression over different ranges read
// the same results. Only subqueries that read no rule are shared, because their results do not depend on when
// they are evaluated.
//
// The engine evaluates every operator. Operands that change nothing are skipped; see [block].
type sharing struct {
	ev          *Evaluator
	from, until int64 // no times outside are read
	results     map[sharedKey]promql.Matrix
}

// sharedKey is an expression at every step of a time block.
type sharedKey struct {
	expr  string
	step  int64
	block int64
}

// errHistograms means that a result cannot be shared: subqueries change the counter reset hints of
// histograms.
var errHistograms = errors.New("native histograms are not shared")

// sharedExpr is an expression whose shared subqueries are replaced by selectors of parts.
type sharedExpr struct {
	expr  string
	parts []part
}

// part is the subquery that a selector replaces.
type part struct {
	name                string
	body                parser.Expr
	step, offset, width int64
}

// newSharing returns the cache for rules that are evaluated from their starts until to.
func newSharing(l *Evaluator, order []*rule, starts []time.Time, to time.Time) *sharing {
	from := to
	for i, r := range order {
		if first := starts[i].Add(-r.group.QueryOffset - r.in.window()); first.Before(from) {
			from = first
		}
	}
	return &sharing{ev: l, from: from.UnixMilli(), until: to.UnixMilli(), results: map[sharedKey]promql.Matrix{}}
}

// takeOut replaces the subqueries of an expression that can be shared.
func (s *sharing) takeOut(expr string) sharedExpr {
	tree, err := newParser().ParseExpr(expr)
	if err != nil {
		return sharedExpr{expr: expr} // the engine reports the error
	}
	var out sharedExpr
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		call, ok := node.(*parser.Call)
		if !ok || slices.ContainsFunc(path, isSubquery) {
			return nil
		}
		for i, arg := range call.Args {
			q, ok := arg.(*parser.SubqueryExpr)
			if !ok || !s.canShare(q) {
				continue
			}
			p := part{
				name: fmt.Sprintf("%s%d", partPrefix, len(out.parts)), body: q.Expr,
				step: q.Step.Milliseconds(), offset: q.OriginalOffset.Milliseconds(), width: q.Range.Milliseconds(),
			}
			out.parts = append(out.parts, p)
			selector := selectorOf(p.name)
			selector.OriginalOffset = q.OriginalOffset
			call.Args[i] = &parser.MatrixSelector{VectorSelector: selector, Range: q.Range}
		}
		return nil
	})
	if len(out.parts) == 0 {
		return sharedExpr{expr: expr}
	}
	out.expr = tree.String()
	return out
}

func isSubquery(n parser.Node) bool {
	_, ok := n.(*parser.SubqueryExpr)
	return ok
}

// canShare reports whether the results at each step are the same for every rule and at any time of RunRange.
func (s *sharing) canShare(q *parser.SubqueryExpr) bool {
	if q.Step <= 0 || q.Step%time.Millisecond != 0 || q.StepExpr != nil || q.RangeExpr != nil || q.OriginalOffsetExpr != nil {
		return false
	}
	in := inputsIn(q)
	return !in.future && !slices.ContainsFunc(s.ev.rulesInOrder(), in.readsRule)
}

// queryRange evaluates an expression like [Evaluator.queryRange].
func (s *sharing) queryRange(ctx context.Context, e sharedExpr, from, to time.Time, step time.Duration) (promql.Matrix, error) {
	with := partial{Queryable: s.ev.store, parts: map[string]promql.Matrix{}}
	for _, p := range e.parts {
		m, err := s.between(ctx, p, from.UnixMilli()-p.offset-p.width, to.UnixMilli()-p.offset)
		if err != nil {
			return nil, err
		}
		with.parts[p.name] = m
	}
	return s.ev.queryRange(ctx, with, e.expr, from, to, step)
}

// between returns at least the results of a part at its steps after one time, up to and including another.
func (s *sharing) between(ctx context.Context, p part, after, until int64) (promql.Matrix, error) {
	length := piece.Milliseconds() / p.step * p.step
	if length == 0 {
		length = p.step
	}
	var all []promql.Matrix
	for n := floor(after, length); n*length <= until; n++ {
		b := block{sharing: s, step: p.step, n: n, from: n * length, until: (n+1)*length - p.step}
		b.from, b.until = max(b.from, floor(s.from, p.step)*p.step), min(b.until, floor(s.until, p.step)*p.step)
		if b.from > b.until {
			continue
		}
		m, err := b.shared(ctx, p.body)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return joined(all...), nil
}

// floor divides and rounds down, also for times before the epoch.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// joined concatenates matrices that follow each other in time, without changing them.
func joined(all ...promql.Matrix) promql.Matrix {
	index := map[string]int{}
	var out promql.Matrix
	for _, m := range all {
		for _, s := range m {
			key := string(s.Metric.Bytes(nil))
			i, seen := index[key]
			if !seen {
				i = len(out)
				index[key] = i
				out = append(out, promql.Series{Metric: s.Metric, Floats: slices.Clip(s.Floats), Histograms: slices.Clip(s.Histograms)})
				continue
			}
			out[i].Floats, out[i].Histograms = append(out[i].Floats, s.Floats...), append(out[i].Histograms, s.Histograms...)
		}
	}
	return out
}
