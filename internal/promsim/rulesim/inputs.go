package rulesim

import (
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// inputs are the series that an expression reads.
type inputs struct {
	selectors []input
	future    bool
	unknown   bool // RunRange cannot evaluate the expression
}

// input is one selector with its minimum and maximum look-back.
type input struct {
	*parser.VectorSelector

	offset, most time.Duration
}

// reads reports whether r may record a series that the expression reads.
func (in inputs) reads(r Rule) bool {
	return slices.ContainsFunc(in.selectors, func(i input) bool { return r.writes(i.VectorSelector) })
}

func (in inputs) readsRule(r *rule) bool { return in.reads(r.Rule) }

// matchesAny reports whether the expression reads any of the series.
func (in inputs) matchesAny(series map[uint64]labels.Labels) bool {
	for _, l := range series {
		for _, i := range in.selectors {
			if !slices.ContainsFunc(i.LabelMatchers, func(m *labels.Matcher) bool { return !m.Matches(l.Get(m.Name)) }) {
				return true
			}
		}
	}
	return false
}

// reach returns the maximum look-back at series that r records, and whether the expression reads any.
func (in inputs) reach(r Rule) (most time.Duration, reads bool) {
	for _, i := range in.selectors {
		if r.writes(i.VectorSelector) {
			most, reads = max(most, i.most), true
		}
	}
	return most, reads
}

// window returns the maximum look-back of the expression.
func (in inputs) window() time.Duration {
	most := time.Duration(0)
	for _, i := range in.selectors {
		most = max(most, i.most)
	}
	return most
}

// aheadOf returns a function that reports whether a rule of another group records later than the reader
// reads.
func (in inputs) aheadOf(reader *rule) func(*rule) bool {
	return func(r *rule) bool {
		return slices.ContainsFunc(in.selectors, func(i input) bool {
			return r.writes(i.VectorSelector) && reader.group.QueryOffset+i.offset < r.group.QueryOffset
		})
	}
}

// inputsOf returns the inputs of an expression that rulefmt has already parsed.
func inputsOf(expr string) inputs {
	tree, err := newParser().ParseExpr(expr)
	if err != nil {
		return inputs{selectors: []input{{VectorSelector: &parser.VectorSelector{}}}} // any series
	}
	return inputsIn(tree)
}

func inputsIn(tree parser.Expr) inputs {
	var in inputs
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		if q, ok := node.(*parser.SubqueryExpr); ok {
			in.future = in.future || q.Timestamp != nil || q.StartOrEnd != 0
		}
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		least, ranges := s.OriginalOffset, time.Duration(0)
		for _, outer := range path {
			switch outer := outer.(type) {
			case *parser.SubqueryExpr:
				least += outer.OriginalOffset
				ranges += outer.Range
			case *parser.MatrixSelector:
				ranges += outer.Range
			}
		}
		in.future = in.future || least < 0 || s.Timestamp != nil || s.StartOrEnd != 0
		in.selectors = append(in.selectors, input{s, least, least + ranges})
		return nil
	})
	return in
}

// Inputs returns the names of the given rules and of every rule that they read, directly or through others.
func Inputs(groups []Group, names ...string) map[string]bool {
	out := map[string]bool{}
	for _, name := range names {
		out[name] = true
	}
	var all []Rule
	for _, g := range groups {
		all = append(all, g.Rules...)
	}
	parsed := make([]*inputs, len(all))
	for grown := true; grown; {
		grown = false
		for i, r := range all {
			if !out[r.Name] {
				continue
			}
			if parsed[i] == nil {
				parsed[i] = new(inputsOf(r.Expr))
			}
			in := parsed[i]
			for _, other := range all {
				if !out[other.Name] && in.reads(other) {
					out[other.Name], grown = true, true
				}
			}
		}
	}
	return out
}
