package dashboardlint

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/internal/source/rulefile"
)

// withoutQuery returns the types of panels that have no query.
func withoutQuery() []string {
	return []string{"text", "row", "alertlist", "dashlist", "news", "welcome", "gettingstarted", "annolist", "canvas"}
}

// withQuery returns the types of panels that need a query. Plugins may need none.
func withQuery() []string {
	return []string{"timeseries", "graph", "stat", "singlestat", "gauge", "bargauge", "barchart", "piechart", "heatmap", "histogram", "table", "logs", "state-timeline", "status-history"}
}

// withoutNumbers returns the types of panels that need no unit.
func withoutNumbers() []string {
	return append(withoutQuery(), "logs", "state-timeline", "status-history", "flamegraph", "traces", "nodeGraph", "geomap", "table", "table-old")
}

func (l *linter) panel(p dashboardfile.Panel) {
	at := lint.Finding{Line: p.Line, Column: p.Column, Panel: p.Title}
	if p.Title == "" {
		l.reportf("panel-title-description", at, "the panel has no title; write one")
	}
	if strings.TrimSpace(p.Description) == "" {
		l.reportf("panel-title-description", at, "the panel has no description; write what a bad value means")
	}
	if len(p.Targets) == 0 && !p.Library && !slices.Contains(withoutQuery(), p.Type) {
		l.reportGuessf("panel-no-targets", at, !slices.Contains(withQuery(), p.Type), "the panel has no query; add one or remove the panel")
	}
	if len(p.Targets) > 0 && p.Unit == "" && !p.Units && !slices.Contains(withoutNumbers(), p.Type) {
		l.reportf("panel-units", at, "the panel has no unit; set one, such as short")
	}
	l.datasource(p, at)
	l.answers(p, at)
	for _, t := range p.Targets {
		l.target(p, t)
	}
}

func (l *linter) datasource(p dashboardfile.Panel, at lint.Finding) {
	for _, d := range append([]dashboardfile.Datasource{p.Datasource}, targetSources(p)...) {
		if d.UID != "" && !strings.Contains(d.UID, "$") && !d.BuiltIn() {
			l.reportf("panel-datasource", at, "the data source id %s exists in one Grafana only; use a variable such as ${datasource}", d.UID)
			return
		}
	}
}

func targetSources(p dashboardfile.Panel) []dashboardfile.Datasource {
	out := make([]dashboardfile.Datasource, len(p.Targets))
	for i, t := range p.Targets {
		out[i] = t.Datasource
	}
	return out
}

func (l *linter) target(p dashboardfile.Panel, t dashboardfile.Target) {
	if strings.TrimSpace(t.Expr) == "" {
		return
	}
	at := lint.Finding{Line: t.Line, Column: t.Column, Panel: p.Title, Target: t.RefID}
	before := len(l.out)
	defer func() {
		for i := range l.out[before:] {
			f := &l.out[before+i]
			f.Message = dashboardfile.WithVariables(f.Message, t.Expr)
		}
	}()
	if t.Datasource.Type == "loki" {
		l.logQL(t, at)
		return
	}
	tree, err := parse(t)
	if err != nil {
		message, _ := rulefile.Explain(err)
		l.reportGuessf("target-promql", at, promql.IsLimit(err) || t.Datasource.Type == "" || dashboardfile.Free(t.Expr), "%s", message)
		return
	}
	if tree == nil {
		return
	}
	l.out = append(l.out, promlint.Unquoted(dashboardfile.PromQL(t.Expr), l.placed(at))...)
	for _, f := range l.World.Check(tree, func(int) lint.Finding { return l.placed(at) }) {
		if f.Rule == "counter-rate" || f.Rule == "regex-equality" && strings.Contains(f.Message, ".*") {
			continue // target-counter-agg reports it; Grafana writes .* for all values of a variable
		}
		l.out = append(l.out, f)
	}
	if !t.Hidden {
		l.unit(p, tree, at)
		l.counters(p, tree, at)
	}
	l.intervals(t, at)
	l.bound(tree, at)
}

// bound finds selectors of scraped series that use neither the variables job and instance nor fixed
// values. template-job and template-instance report missing variables.
func (l *linter) bound(tree parser.Expr, at lint.Finding) {
	for _, label := range []string{"job", "instance"} {
		if _, found := l.variable(label); !found {
			continue
		}
		for _, s := range promlint.Selectors(tree) {
			if recorded(s) || label == "instance" && promlint.Name(s) == "" || promlint.OfCluster(promlint.Name(s)) {
				continue
			}
			if !slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
				return (m.Name == label || dashboardfile.Varies(m.Name)) && m.Type != labels.MatchNotEqual
			}) {
				l.reportf("target-"+label, at, "%s does not use the variable %s; add %s=~\"$%s\"", promlint.Name(s), label, label, label)
				break
			}
		}
	}
}

// counters finds panels that show the total of a counter. It is certain for time series of declared
// metrics. A single number may be the total on purpose, and a transformation may subtract totals.
func (l *linter) counters(p dashboardfile.Panel, tree parser.Expr, at lint.Finding) {
	drawn := slices.Contains([]string{"timeseries", "graph"}, p.Type)
	parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok || !l.World.IsCounter(s) || counted(path) {
			return nil
		}
		meant := slices.ContainsFunc(path, func(around parser.Node) bool { return promlint.MayMeanTotal(around, s) })
		l.reportGuessf("target-counter-agg", at, !drawn || p.Transformed || !l.World.Declared(s) || meant, "%s is a counter; show rate(%s[$__rate_interval])", promlint.Name(s), promlint.Name(s))
		return nil
	})
}

// counted reports whether the nodes around a counter make its total irrelevant, such as a rate or a
// count of series.
func counted(path []parser.Node) bool {
	for _, n := range path {
		switch n := n.(type) {
		case *parser.Call:
			return true
		case *parser.AggregateExpr:
			if promlint.CountsSeries(n) {
				return true
			}
		case *parser.BinaryExpr:
			if n.Op.IsSetOperator() || promlint.IsZero(n.LHS) || promlint.IsZero(n.RHS) || promlint.SinceStart(n) {
				return true
			}
		}
	}
	return false
}

// intervals finds ranges of rates that do not follow the step of the graph or may be shorter than
// two scrapes.
func (l *linter) intervals(t dashboardfile.Target, at lint.Finding) {
	for _, m := range rates.FindAllStringSubmatch(dashboardfile.WithoutTexts(t.Expr), -1) {
		switch {
		case isBuiltIn(m[2], "rate_interval"), isBuiltIn(m[2], "range"), t.Instant:
			continue
		case isBuiltIn(m[2], "interval"):
			l.reportf("target-rate-interval", at, "%s over %s may cover fewer than two scrapes; write [$__rate_interval]", m[1], m[2])
		default:
			l.reportf("target-rate-interval", at, "%s over %s does not follow the step of the graph; write [$__rate_interval]", m[1], m[2])
		}
		return
	}
}
