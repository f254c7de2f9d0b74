package rulelint

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint/promlint"
)

// cycles finds records that read themselves, through others or directly.
func (l *linter) cycles() {
	for _, cycle := range cyclesIn(l.edges(), len(l.all)) {
		l.reportCycle(cycle)
	}
}

// edges lists what each record that may be in a cycle reads. Nodes above those of the rules are
// selections, since thousands of rules may read the same thousands of records.
func (l *linter) edges() [][]int {
	edges := make([][]int, len(l.all))
	mayBeIn := l.readingRecords()
	nodes := map[*selection]int{}
	var selections [][]int // edges of the nodes above those of the rules
	for i, p := range l.all {
		if !mayBeIn[i] {
			continue
		}
		for _, s := range promlint.Selectors(p.Tree) {
			found := l.reads(s)
			if len(found.places) == 0 {
				continue
			}
			if _, itself := slices.BinarySearch(found.places, i); itself && remembers(p.Tree, s) {
				others := slices.DeleteFunc(slices.Clone(found.places), func(j int) bool { return i == j || !mayBeIn[j] })
				edges[i] = append(edges[i], others...)
				continue
			}
			node, known := nodes[found]
			if !known {
				node = len(l.all) + len(selections)
				nodes[found] = node
				selections = append(selections, slices.DeleteFunc(slices.Clone(found.places), func(j int) bool { return !mayBeIn[j] }))
			}
			edges[i] = append(edges[i], node)
		}
		slices.Sort(edges[i])
		edges[i] = slices.Compact(edges[i])
	}
	return slices.Concat(edges, selections)
}

// readingRecords marks the records that read records. No others are in a cycle.
func (l *linter) readingRecords() []bool {
	out := make([]bool, len(l.all))
	for i, p := range l.all {
		out[i] = p.Record != "" && p.Tree != nil && slices.ContainsFunc(promlint.Selectors(p.Tree), func(s *parser.VectorSelector) bool { return len(l.reads(s).places) > 0 })
	}
	return out
}

func (l *linter) reportCycle(of []int) {
	p := l.all[of[0]]
	begins := l.beginsAgain(of)
	report := func(format string, args ...any) {
		f := p.named("rule-cycle", format, args...)
		f.Warning = begins || !l.readsForCertain(of)
		l.add(f)
	}
	switch {
	case len(of) == 1 && begins:
		report("the rule reads its own last sample, and loses it after a gap of 5m; read it over a range: last_over_time(%s[1h])", p.Record)
		return
	case len(of) == 1:
		report("the rule reads its own last sample; one gap of 5m ends the series permanently; read it over a range: last_over_time(%s[1h])", p.Record)
		return
	}
	names := make([]string, len(of))
	for i, at := range of {
		names[i] = l.all[at].Record
	}
	report("the rules read each other in a cycle: %s -> %s", strings.Join(names, " -> "), p.Record)
}

// readsForCertain reports whether each rule of a cycle reads the last sample of the next one with
// matchers on labels that the next one sets. Other matchers may select other series only.
func (l *linter) readsForCertain(cycle []int) bool {
	for i, at := range cycle {
		next := cycle[(i+1)%len(cycle)]
		tree := l.all[at].Tree
		if !slices.ContainsFunc(promlint.Selectors(tree), func(s *parser.VectorSelector) bool {
			return slices.Contains(l.reads(s).places, next) && !remembers(tree, s) && !slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
				value, set := l.all[next].Labels[m.Name]
				return m.Name != model.MetricNameLabel && (!set || strings.Contains(value, "{{"))
			})
		}) {
			return false
		}
	}
	return true
}

// beginsAgain says whether a rule of a cycle has a result without the next one: it reads
// that on one side of an or only, behind unless, or in absent.
func (l *linter) beginsAgain(cycle []int) bool {
	for i, at := range cycle {
		tree, next := l.all[at].Tree, cycle[(i+1)%len(cycle)]
		reads := func(s *parser.VectorSelector) bool {
			return slices.Contains(l.reads(s).places, next) && !remembers(tree, s)
		}
		without := true
		parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
			s, ok := n.(*parser.VectorSelector)
			without = without && (!ok || !reads(s) || slices.ContainsFunc(path, func(around parser.Node) bool {
				switch n := around.(type) {
				case *parser.Call:
					return n.Func.Name == "absent" || n.Func.Name == "absent_over_time"
				case *parser.BinaryExpr:
					return n.Op == parser.LUNLESS && slices.Contains(promlint.Selectors(n.RHS), s) ||
						n.Op == parser.LOR && (!slices.ContainsFunc(promlint.Selectors(n.LHS), reads) || !slices.ContainsFunc(promlint.Selectors(n.RHS), reads))
				}
				return false
			}))
			return nil
		})
		if without {
			return true
		}
	}
	return false
}

// remembers says whether a selector reads a range or the past, which a rule does
// that means to remember.
func remembers(tree parser.Expr, s *parser.VectorSelector) bool {
	if s.OriginalOffset > 0 {
		return true
	}
	return rangeOf(tree, s) > 0
}

// rangeOf is the range that a selector is read over, 0 where its last sample is read.
func rangeOf(tree parser.Expr, s *parser.VectorSelector) time.Duration {
	var longest time.Duration
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		switch m := n.(type) {
		case *parser.MatrixSelector:
			if m.VectorSelector == parser.Expr(s) {
				longest = max(longest, m.Range)
			}
		case *parser.SubqueryExpr:
			if slices.Contains(promlint.Selectors(m), s) {
				longest = max(longest, m.Range)
			}
		}
		return nil
	})
	return longest
}

// cyclesIn returns one cycle through each set of rules that reach each other. Numbers from rules up
// are not rules, and are left out of the cycles.
func cyclesIn(edges [][]int, rules int) [][]int {
	edges = withinCycles(edges)
	var out [][]int
	done := make([]bool, rules)
	for from := range rules {
		if done[from] || len(edges[from]) == 0 {
			continue
		}
		if cycle := cycleFrom(edges, from); cycle != nil {
			cycle = slices.DeleteFunc(cycle, func(i int) bool { return i >= rules })
			out = append(out, cycle)
			for _, i := range cycle {
				done[i] = true
			}
		}
	}
	return out
}

// withinCycles leaves out the edges that are in no cycle, after Tarjan: numbers reach each
// other if they reach the same lowest one of those that are being visited.
func withinCycles(edges [][]int) [][]int {
	order, lowest, set := make([]int, len(edges)), make([]int, len(edges)), make([]int, len(edges))
	var open []int
	visited := 0
	var visit func(at int)
	visit = func(at int) {
		visited++
		order[at], lowest[at] = visited, visited
		open = append(open, at)
		for _, next := range edges[at] {
			if order[next] == 0 {
				visit(next)
				lowest[at] = min(lowest[at], lowest[next])
			} else if set[next] == 0 {
				lowest[at] = min(lowest[at], order[next])
			}
		}
		for lowest[at] == order[at] && set[at] == 0 {
			last := open[len(open)-1]
			open = open[:len(open)-1]
			set[last] = order[at]
		}
	}
	out := make([][]int, len(edges))
	for at := range edges {
		if order[at] == 0 {
			visit(at)
		}
	}
	for at, all := range edges {
		for _, next := range all {
			if set[at] == set[next] {
				out[at] = append(out[at], next)
			}
		}
	}
	return out
}

// cycleFrom is the shortest way from a number back to it.
func cycleFrom(edges [][]int, from int) []int {
	before := map[int]int{}
	queue := []int{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, next := range edges[at] {
			if next == from {
				cycle := []int{}
				for i := at; i != from; i = before[i] {
					cycle = append(cycle, i)
				}
				cycle = append(cycle, from)
				slices.Reverse(cycle)
				return cycle
			}
			if _, seen := before[next]; !seen {
				before[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}
