package grow

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// query is the query of a panel.
type query struct {
	text    string
	tree    parser.Expr
	placed  bool // positions in the tree are those in the text
	signals declared.Signals
}

// builtInDuration matches the durations of Grafana that a query has in place of a range.
var builtInDuration = regexp.MustCompile(`\$__(rate_interval|interval|range)\b|\$\{__(rate_interval|interval|range)\}`)

func readQuery(text string, signals declared.Signals) (query, error) {
	if strings.TrimSpace(text) == "" {
		return query{}, argument("--expr", "the query is empty; write PromQL, such as sum(rate(orders_shipped_total[$__rate_interval]))")
	}
	const end = "60s" // a duration of the same length keeps the positions
	filled := builtInDuration.ReplaceAllStringFunc(text, func(v string) string { return strings.Repeat("0", len(v)-len(end)) + end })
	tree, err := promql.Parse(filled)
	if err == nil {
		return query{text, tree, true, signals}, nil
	}
	if tree, errVariables := dashboardfile.ParsePromQL(text); errVariables == nil {
		return query{text, tree, false, signals}, nil
	}
	message, offset := rulefile.Explain(err)
	if strings.Contains(text, "[]") { // the shell has replaced the variable
		message += "; quote the query with ' so that the shell keeps $__rate_interval"
	}
	column := 1 + utf8.RuneCountInString(text[:min(offset, len(text))])
	return query{}, argument("--expr", "column %d: %s", column, dashboardfile.WithVariables(message, text))
}

// selectors returns the selectors of the query in their order.
func (q query) selectors() []*parser.VectorSelector {
	var out []*parser.VectorSelector
	parser.Inspect(q.tree, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			out = append(out, s)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b *parser.VectorSelector) int { return int(a.PosRange.Start) - int(b.PosRange.Start) })
	return out
}

// metric returns the metric that a selector reads.
func (q query) metric(s *parser.VectorSelector) (declared.Metric, bool) {
	for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
		name, found := strings.CutSuffix(s.Name, suffix)
		if m, ok := q.signals.Find(name); found && ok && (suffix == "" || m.Type == declared.Histogram || m.Type == declared.Summary) {
			return m, true
		}
	}
	return declared.Metric{}, false
}

// bind adds matchers to the selectors of the service's metrics, except for labels that they match.
func (q query) bind(matchers []dashboards.Matcher) string {
	out := q.text
	if !q.placed {
		return out
	}
	for _, s := range slices.Backward(q.selectors()) {
		begin := int(s.PosRange.Start)
		if _, found := q.metric(s); !found || !strings.HasPrefix(out[begin:], s.Name) {
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(matchers), func(m dashboards.Matcher) bool {
			for _, own := range s.LabelMatchers {
				if own.Name == m.Label {
					return true
				}
			}
			return false
		})
		if len(missing) == 0 {
			continue
		}
		list := strings.Trim(string(dashboards.Selector{Matchers: missing}.Expr()), "{}")
		at := begin + len(s.Name)
		rest := out[at:]
		trimmed := strings.TrimLeft(rest, " \t\r\n")
		inner, found := strings.CutPrefix(trimmed, "{")
		switch {
		case !found:
			rest = "{" + list + "}" + rest
		case strings.HasPrefix(strings.TrimLeft(inner, " \t\r\n"), "}"):
			rest = rest[:len(rest)-len(trimmed)] + "{" + list + inner
		default:
			rest = rest[:len(rest)-len(trimmed)] + "{" + list + "," + inner
		}
		out = out[:at] + rest
	}
	return out
}

// help returns the help texts of the metrics.
func (q query) help() string {
	var all []string
	for _, s := range q.selectors() {
		if m, found := q.metric(s); found && m.Help != "" && !slices.Contains(all, m.Help) {
			all = append(all, m.Help)
		}
	}
	if len(all) == 0 {
		return "Shows " + strings.ReplaceAll(q.text, "$", "") + "."
	}
	return strings.Join(all, " ")
}

// mayBeEmpty reports whether no selected metric has series from the start.
func (q query) mayBeEmpty() bool {
	return !slices.ContainsFunc(q.selectors(), func(s *parser.VectorSelector) bool {
		m, found := q.metric(s)
		return !found || m.Type == declared.Counter && len(m.Labels) == 0
	})
}

// legend returns the labels of the lines, or a name for a single line.
func (q query) legend(single string) string {
	labels, known := q.labels(q.tree)
	switch {
	case !known:
		return "" // Grafana writes all labels
	case len(labels) == 0:
		return single
	}
	return dashboards.Legend(labels...)
}

// labels returns the labels of the result of an expression, if they are known.
func (q query) labels(e parser.Expr) (names []string, known bool) {
	switch n := e.(type) {
	case *parser.ParenExpr:
		return q.labels(n.Expr)
	case *parser.MatrixSelector:
		return q.labels(n.VectorSelector)
	case *parser.VectorSelector:
		m, found := q.metric(n)
		return append(slices.Clone(m.Labels), semconv.LabelInstance), found && m.Name == n.Name
	case *parser.AggregateExpr:
		if n.Op == parser.TOPK || n.Op == parser.BOTTOMK {
			return q.labels(n.Expr)
		}
		return n.Grouping, !n.Without
	case *parser.BinaryExpr:
		if n.LHS.Type() == parser.ValueTypeScalar {
			return q.labels(n.RHS)
		}
		return q.labels(n.LHS)
	case *parser.Call:
		for _, arg := range n.Args {
			if t := arg.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
				names, known = q.labels(arg)
				return slices.DeleteFunc(slices.Clone(names), func(l string) bool {
					return n.Func.Name == "histogram_quantile" && l == semconv.LabelLessOrEqual
				}), known && !strings.HasPrefix(n.Func.Name, "label_")
			}
		}
	}
	return nil, true
}
