package rulesim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Cycles returns a message for each chain of rules in one group that read each other's current results. One
// rule of such a chain always reads a result of the previous evaluation. A rule that reads its own past, or a
// chain with an offset of at least one evaluation, is intentional and not a cycle.
func Cycles(groups []Group) []string {
	var out []string
	for _, g := range groups {
		reads := g.reads()
		seen := make([]bool, len(g.Rules))
		for i := range g.Rules {
			if seen[i] {
				continue
			}
			chain := loop(reads, i)
			for _, j := range chain {
				seen[j] = true
			}
			if len(chain) > 0 {
				out = append(out, g.describe(chain))
			}
		}
	}
	return out
}

func (g Group) describe(chain []int) string {
	var names []string
	for _, i := range append(chain, chain[0]) {
		names = append(names, g.Rules[i].Name)
	}
	return fmt.Sprintf("%s: group %s: rules read each other in a cycle: %s; one of them reads results of the last evaluation: put the expression that it needs into it, or read it with offset %s",
		g.File, g.Name, strings.Join(names, " reads "), model.Duration(g.Interval))
}

// reads returns, for each rule, the indices of the rules in the group that it reads.
func (g Group) reads() [][]int {
	out := make([][]int, len(g.Rules))
	for i, reader := range g.Rules {
		selectors := reader.readsNow(g)
		for j, writer := range g.Rules {
			if i != j && slices.ContainsFunc(selectors, writer.writes) {
				out[i] = append(out[i], j)
			}
		}
	}
	return out
}

// readsNow returns the selectors of a rule that read the current evaluation.
func (r Rule) readsNow(g Group) []*parser.VectorSelector {
	expr, err := newParser().ParseExpr(r.Expr)
	if err != nil {
		return nil // Load has reported the error
	}
	var out []*parser.VectorSelector
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		offset := v.OriginalOffset
		for _, p := range path {
			if sub, ok := p.(*parser.SubqueryExpr); ok {
				offset += sub.OriginalOffset
			}
		}
		if offset < g.Interval && v.Timestamp == nil {
			out = append(out, v)
		}
		return nil
	})
	return out
}

// writes reports whether the rule can write series that the selector matches. Labels that come from the
// rule's results are unknown and always match.
func (r Rule) writes(v *parser.VectorSelector) bool {
	names, known := []string{r.Name}, r.Labels
	if r.IsAlert {
		names, known = []string{alertsSeries, forStateSeries}, labels.FromStrings(labels.AlertName, r.Name)
	}
	for _, m := range v.LabelMatchers {
		switch {
		case m.Name == model.MetricNameLabel:
			if !slices.ContainsFunc(names, m.Matches) {
				return false
			}
		case known.Has(m.Name) && !m.Matches(known.Get(m.Name)):
			return false
		}
	}
	return true
}

// loop returns the shortest path from a rule back to itself, or nil.
func loop(reads [][]int, start int) []int {
	before := map[int]int{}
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		for _, next := range reads[queue[0]] {
			if next == start {
				return wayTo(queue[0], start, before)
			}
			if _, ok := before[next]; !ok {
				before[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	return nil
}

func wayTo(at, start int, before map[int]int) []int {
	way := []int{at}
	for at != start {
		at = before[at]
		way = append(way, at)
	}
	slices.Reverse(way)
	return way
}
