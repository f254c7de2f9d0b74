package rulesim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// block evaluates expressions at each step of a time span. It skips two kinds of operands where they do not
// change any result in the span:
//
//	a unless b    when b is empty
//	a or b and c  when a has a sample wherever b has one
//
// Rules use both for rare events, such as restarts.
type block struct {
	*sharing

	step, n     int64
	from, until int64
	parts       map[string]promql.Matrix
}

// shared evaluates an expression and caches the result for other rules.
func (b *block) shared(ctx context.Context, expr parser.Expr) (promql.Matrix, error) {
	key := sharedKey{expr.String(), b.step, b.n}
	if m, ok := b.results[key]; ok {
		return m, nil
	}
	simple, err := b.simplify(ctx, expr)
	if err != nil {
		return nil, err
	}
	m, err := b.query(ctx, simple)
	if err != nil {
		return nil, err
	}
	b.results[key] = m
	return m, nil
}

// query evaluates an expression without simplification.
func (b *block) query(ctx context.Context, expr parser.Expr) (promql.Matrix, error) {
	with := partial{Queryable: b.ev.store, parts: b.parts, step: b.step}
	m, err := b.ev.queryRange(ctx, with, expr.String(), time.UnixMilli(b.from), time.UnixMilli(b.until), time.Duration(b.step)*time.Millisecond)
	if err == nil && slices.ContainsFunc(m, func(s promql.Series) bool { return len(s.Histograms) > 0 }) {
		err = errHistograms
	}
	return m, err
}

// keep stores a result and returns a selector that reads it.
func (b *block) keep(m promql.Matrix) parser.Expr {
	if b.parts == nil {
		b.parts = map[string]promql.Matrix{}
	}
	name := fmt.Sprint(partPrefix, len(b.parts))
	b.parts[name] = m
	return selectorOf(name)
}

// simplify returns an expression that has the same results in this block.
func (b *block) simplify(ctx context.Context, expr parser.Expr) (parser.Expr, error) {
	var err error
	switch n := expr.(type) {
	case *parser.ParenExpr:
		c := *n
		c.Expr, err = b.simplify(ctx, n.Expr)
		return &c, err
	case *parser.AggregateExpr:
		c := *n
		c.Expr, err = b.simplify(ctx, n.Expr)
		return &c, err
	case *parser.BinaryExpr:
		return b.simplifyBinary(ctx, n)
	}
	return expr, nil
}

func (b *block) simplifyBinary(ctx context.Context, n *parser.BinaryExpr) (parser.Expr, error) {
	c := *n
	var err error
	if c.LHS, err = b.simplify(ctx, n.LHS); err != nil {
		return nil, err
	}
	switch {
	case n.Op == parser.LUNLESS, n.Op == parser.LAND:
		right, err := b.shared(ctx, n.RHS)
		if err != nil {
			return nil, err
		}
		if n.Op == parser.LUNLESS && len(right) == 0 {
			return c.LHS, nil
		}
		c.RHS = b.keep(right)
		return &c, nil
	case mayAddNothing(n):
		left, err := b.query(ctx, c.LHS)
		if err != nil {
			return nil, err
		}
		c.LHS = b.keep(left)
		all, err := b.query(ctx, n.RHS.(*parser.BinaryExpr).LHS)
		if err != nil || covers(left, all) {
			return c.LHS, err
		}
	}
	c.RHS, err = b.simplify(ctx, n.RHS)
	return &c, err
}

// mayAddNothing reports whether the expression is "a or b and c", which equals a if a covers b.
func mayAddNothing(or *parser.BinaryExpr) bool {
	and, ok := or.RHS.(*parser.BinaryExpr)
	return ok && or.Op == parser.LOR && and.Op == parser.LAND && len(or.VectorMatching.MatchingLabels) == 0 && cannotFail(and.RHS)
}

// cannotFail reports whether the expression returns a vector for any samples, so that skipping it cannot hide
// an error.
func cannotFail(expr parser.Expr) bool {
	switch n := expr.(type) {
	case *parser.ParenExpr:
		return cannotFail(n.Expr)
	case *parser.NumberLiteral:
		return true
	case *parser.VectorSelector:
		return n.Name != "" // several metrics can have the same labels
	case *parser.MatrixSelector:
		return cannotFail(n.VectorSelector)
	case *parser.SubqueryExpr: // functions drop names, so results of different times can collide
		return cannotFail(n.Expr) && unique(n.Expr)
	case *parser.AggregateExpr:
		return n.Param == nil && cannotFail(n.Expr)
	case *parser.Call:
		return (n.Func.Name == "time" || n.Func.Name == "timestamp" || strings.HasSuffix(n.Func.Name, "_over_time")) && !slices.ContainsFunc(n.Args, func(e parser.Expr) bool { return !cannotFail(e) })
	case *parser.BinaryExpr:
		matches := n.LHS.Type() == parser.ValueTypeVector && n.RHS.Type() == parser.ValueTypeVector
		return (!matches || n.Op.IsSetOperator() || matchesOnAllLabels(n)) && cannotFail(n.LHS) && cannotFail(n.RHS)
	}
	return false
}

// covers reports whether have has a sample with the same labels, ignoring the name, wherever others has one.
func covers(have, others promql.Matrix) bool {
	index := map[string][]promql.FPoint{}
	for _, s := range have {
		key := unnamed(s.Metric)
		if _, twice := index[key]; twice {
			return false
		}
		index[key] = s.Floats
	}
	for _, s := range others {
		points := index[unnamed(s.Metric)]
		for _, p := range s.Floats {
			for len(points) > 0 && points[0].T < p.T {
				points = points[1:]
			}
			if len(points) == 0 || points[0].T != p.T {
				return false
			}
		}
	}
	return true
}

// unnamed identifies a series the way operators without on or ignoring match it.
func unnamed(l labels.Labels) string {
	return string(l.BytesWithoutLabels(nil, model.MetricNameLabel, model.MetricTypeLabel, model.MetricUnitLabel))
}
