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

// cycles finds records that read themselves directly or through others. It reports cycles that
// can have no series before other cycles, which they may cross.
func (l *linter) cycles() {
	edges := l.edges()
	reported := map[int]bool{}
	for _, graph := range [][][]int{l.certain(edges), edges} {
		for _, cycle := range cyclesIn(graph, len(l.all)) {
			if slices.ContainsFunc(cycle, func(i int) bool { return reported[i] }) {
				continue
			}
			for _, i := range cycle {
				reported[i] = true
			}
			l.reportCycle(cycle)
		}
	}
}

// certain returns the edges to records without which the reader has no result.
func (l *linter) certain(edges [][]int) [][]int {
	out := make([][]int, len(edges))
	for at := range l.all {
		for _, node := range edges[at] {
			if places := edges[node]; len(places) == 1 && !l.readsAnother(at, places[0]) && !l.isSupplied(at, places[0]) && !l.canRestart(at, places[0]) {
				out[at] = append(out[at], places[0])
			}
		}
	}
	return out
}

// edges returns the records that each record reads. Nodes after those of the rules are shared
// selections, since thousands of rules may read the same thousands of records.
func (l *linter) edges() [][]int {
	edges := make([][]int, len(l.all))
	nodes := map[*selection]int{}
	var selections [][]int
	for i, p := range l.all {
		if p.Record == "" || p.Tree == nil || len(p.group.Tenants) > 0 { // it reads the series of other tenants
			continue
		}
		for _, s := range lastSamples(p.Tree) {
			found := l.reads(s)
			node, known := nodes[found]
			if !known {
				node = len(edges) + len(selections)
				nodes[found] = node
				selections = append(selections, found.places)
			}
			edges[i] = append(edges[i], node)
		}
	}
	return slices.Concat(edges, selections)
}

// lastSamples returns the selectors of the last sample of series. Selectors of a range or of the
// past survive a gap.
func lastSamples(tree parser.Expr) []*parser.VectorSelector {
	var out []*parser.VectorSelector
	parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if ok && s.OriginalOffset <= 0 && s.OriginalOffsetExpr == nil && s.Timestamp == nil && !slices.ContainsFunc(path, isRange) {
			out = append(out, s)
		}
		return nil
	})
	return out
}

func isRange(n parser.Node) bool {
	switch n.(type) {
	case *parser.MatrixSelector, *parser.SubqueryExpr:
		return true
	}
	return false
}

func (l *linter) reportCycle(of []int) {
	p := l.all[of[0]]
	restarts, supplied := anyStep(of, l.canRestart), anyStep(of, l.isSupplied)
	report := func(format string, args ...any) {
		f := p.named("rule-cycle", format, args...)
		f.Warning = restarts || supplied || anyStep(of, l.readsAnother) || l.World.OtherRecords
		l.add(f)
	}
	switch {
	case len(of) > maxNamed:
		report("%d recording rules form a cycle: %s -> ... -> %s; remove one of these reads", len(of), l.way(of[:3]), p.Record)
	case len(of) > 1:
		report("the recording rules form a cycle: %s -> %s; remove one of these reads", l.way(of), p.Record)
	case supplied:
		report("the rule reads its own last sample and other series of %s; record another name", p.Record)
	case restarts:
		report("the rule reads its own last sample and loses it after a gap of 5m; write last_over_time(%s[1h])", p.Record)
	default:
		report("the rule reads its own last sample, so one gap of 5m ends the series permanently; write last_over_time(%s[1h])", p.Record)
	}
}

// maxNamed is the maximum number of records that a message about a cycle names.
const maxNamed = 5

func (l *linter) way(of []int) string {
	names := make([]string, len(of))
	for i, at := range of {
		names[i] = l.all[at].Record
	}
	return strings.Join(names, " -> ")
}

// reading returns the selectors through which a rule reads the last sample of a record.
func (l *linter) reading(at, record int) []*parser.VectorSelector {
	return slices.DeleteFunc(lastSamples(l.all[at].Tree), func(s *parser.VectorSelector) bool {
		if promlint.Name(s) != l.all[record].Record {
			return true
		}
		_, found := slices.BinarySearch(l.reads(s).places, record)
		return !found
	})
}

// anyStep reports whether condition is true for any rule of a cycle and the next one.
func anyStep(cycle []int, condition func(at, next int) bool) bool {
	for i, at := range cycle {
		if condition(at, cycle[(i+1)%len(cycle)]) {
			return true
		}
	}
	return false
}

// readsAnother reports whether the matchers of a rule may select only other series of a record,
// since the record does not set their labels.
func (l *linter) readsAnother(at, record int) bool {
	isOpen := func(m *labels.Matcher) bool {
		_, set := l.all[record].Labels[m.Name]
		return m.Name != model.MetricNameLabel && !set
	}
	return !slices.ContainsFunc(l.reading(at, record), func(s *parser.VectorSelector) bool { return !slices.ContainsFunc(s.LabelMatchers, isOpen) })
}

// isSupplied reports whether series of a record may come from a target, if the name has no colon,
// or from another rule.
func (l *linter) isSupplied(at, record int) bool {
	name := l.all[record].Record
	_, isDeclared := l.World.Metrics[name]
	return isDeclared || !strings.Contains(name, ":") ||
		slices.ContainsFunc(l.reading(at, record), func(s *parser.VectorSelector) bool { return len(l.reads(s).places) > 1 })
}

// canRestart reports whether a rule has a result without a record that it reads.
func (l *linter) canRestart(at, record int) bool {
	reading := l.reading(at, record)
	needed := false
	parser.Inspect(l.all[at].Tree, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		needed = needed || ok && slices.Contains(reading, s) && !slices.ContainsFunc(path, func(around parser.Node) bool { return resultWithout(around, s, reading) })
		return nil
	})
	return !needed
}

// resultWithout reports whether a node around a selector has a result without the series of that
// selector and of others that read the same record.
func resultWithout(around parser.Node, s *parser.VectorSelector, others []*parser.VectorSelector) bool {
	reads := func(e parser.Expr) bool {
		return slices.ContainsFunc(promlint.Selectors(e), func(s *parser.VectorSelector) bool { return slices.Contains(others, s) })
	}
	switch n := around.(type) {
	case *parser.Call:
		return n.Func.Name == "absent" || n.Func.Name == "scalar" || n.Func.Name == "info" && n.Args[0] != parser.Expr(s) && !reads(n.Args[0])
	case *parser.BinaryExpr:
		return promlint.Fills(n) ||
			n.Op == parser.LUNLESS && slices.Contains(promlint.Selectors(n.RHS), s) ||
			n.Op == parser.LOR && (!reads(n.LHS) || !reads(n.RHS))
	}
	return false
}

// rangeOf returns the range of a selector, 0 if it reads the last sample.
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

// cyclesIn returns one cycle of each strongly connected component. It omits nodes that are not
// rules.
func cyclesIn(edges [][]int, rules int) [][]int {
	set := components(edges)
	done := map[int]bool{}
	var out [][]int
	for from := range rules {
		if done[set[from]] {
			continue
		}
		if cycle := cycleFrom(edges, set, from); cycle != nil {
			done[set[from]] = true
			out = append(out, slices.DeleteFunc(cycle, func(i int) bool { return i >= rules }))
		}
	}
	return out
}

// components returns the strongly connected component of each node (Tarjan's algorithm).
func components(edges [][]int) []int {
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
	for at := range edges {
		if order[at] == 0 {
			visit(at)
		}
	}
	return set
}

// cycleFrom returns the shortest cycle through a node within its component.
func cycleFrom(edges [][]int, set []int, from int) []int {
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
			if _, seen := before[next]; !seen && set[next] == set[from] {
				before[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}
