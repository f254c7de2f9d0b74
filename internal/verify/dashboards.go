package verify

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/promql"
)

// maxChoices is the maximum number of values that are used for a dashboard variable.
const maxChoices = 10

// dashboards runs every query of every dashboard, with values for its variables.
func (s *session) dashboards(ctx context.Context) {
	for _, b := range s.subject.Dashboards {
		choices, problems := s.variables(ctx, b)
		for _, p := range problems {
			s.checks.Add(p)
		}
		s.skippedPanels(b)
		for panel, target := range b.All() {
			claim := fmt.Sprintf("panel %s, target %s", panel.Title, target.RefID)
			until, _ := panel.EmptyUntil()
			s.ask(ctx, b, question{claim, target, until}, choices)
		}
		for _, a := range b.Annotations {
			if a.Expr != "" && !a.Hidden {
				s.ask(ctx, b, question{"annotation " + a.RefID, a, untilEvent}, choices)
			}
		}
	}
}

// untilEvent is for annotations: they mark events, which may not happen in a run.
const untilEvent = "such an event happens"

// skippedPanels reports the panels that the file does not fully describe: plugin panels and library panels.
func (s *session) skippedPanels(b dashboardfile.Dashboard) {
	for _, p := range b.Panels {
		one := report.Check{Section: sectionDashboards, Name: "panel " + p.Title, Status: report.Skipped, File: b.File, Line: p.Line}
		switch {
		case p.Library:
			one.Detail = "library panel: its queries are stored in Grafana, not in the file"
		case !slices.Contains(coreTypes(), p.Type):
			one.Detail = fmt.Sprintf("panel of the plugin %q: its queries run, its drawing is not checked", p.Type)
		default:
			continue
		}
		s.checks.Add(one)
	}
}

// coreTypes returns the panel types of Grafana 11 and 12, and older types that it converts.
func coreTypes() []string {
	return []string{
		"alertlist", "annolist", "barchart", "bargauge", "candlestick", "canvas", "dashlist", "datagrid", "debug", "flamegraph", "gauge",
		"geomap", "gettingstarted", "graph", "heatmap", "histogram", "live", "logs", "news", "nodeGraph", "piechart", "row", "singlestat", "stat",
		"state-timeline", "status-history", "table", "table-old", "text", "timeseries", "traces", "trend", "welcome", "xychart",
	}
}

// question is one query of a dashboard.
type question struct {
	claim      string
	target     dashboardfile.Target
	emptyUntil string // declared by the dashboard
}

// ask checks one query with each combination of variable values that it depends on.
func (s *session) ask(ctx context.Context, b dashboardfile.Dashboard, q question, choices []choice) {
	p := report.Check{Section: sectionDashboards, Name: q.claim, Kind: report.Query, File: b.File, Line: q.target.Line}
	if q.target.Hidden {
		return // Grafana does not run it either
	}
	if i := slices.IndexFunc(choices, func(c choice) bool { return c.skipped && c.in(q.target.Expr) }); i >= 0 {
		p.Status, p.Detail = report.Skipped, fmt.Sprintf("it depends on $%s, whose values come from another store than Prometheus", choices[i].name)
		s.checks.Add(p)
		return
	}
	for _, fill := range fillings(q.target.Expr, choices) {
		expr, unknown := dashboardfile.Fill(q.target.Expr, s.filler(fill))
		switch {
		case len(unknown) > 0:
			p.Status, p.Detail = report.Failed, fmt.Sprintf("$%s has no value; declare the variable on the dashboard", strings.Join(unknown, ", $"))
		case q.target.Datasource.Prometheus():
			p.Status, p.Detail = s.askMetrics(ctx, expr, q)
		default:
			p.Status, p.Detail = s.askOther(expr, q)
		}
		if p.Failed() {
			p.Detail += chosen(q.target.Expr, fill, choices)
			break
		}
	}
	if p.Status == report.Passed && (strings.HasPrefix(p.Detail, noData) || p.Detail == earlier) {
		p.Kind = "" // it has no data, and may have none
	}
	s.checks.Add(p)
}

// Evidence of queries that may be empty: noData is its start, and earlier is all of it.
const (
	noData  = "empty until "
	earlier = "it reads data from before the run"
)

func (s *session) askMetrics(ctx context.Context, expr string, q question) (report.Status, string) {
	series, err := s.prober.look(ctx, expr, q.target.Instant)
	switch {
	case err != nil:
		return report.Failed, err.Error()
	case series > 0:
		return report.Passed, fmt.Sprintf("%d series", series)
	case s.prober.readsBefore(expr):
		return report.Passed, earlier
	case q.emptyUntil == "":
		return report.Failed, "no data: " + s.prober.why(ctx, expr)
	}
	if unknown := s.prober.unknown(ctx, expr); unknown != "" {
		return report.Failed, "no data, and there never will be: " + unknown
	}
	return report.Passed, noData + q.emptyUntil
}

// choice is one variable of a dashboard with its values.
type choice struct {
	name    string
	values  []string
	all     bool // the dashboard opens with all values selected
	skipped bool // its values are not known here
}

// in reports whether a query uses the variable.
func (c choice) in(expr string) bool {
	names := false
	_, _ = dashboardfile.Fill(expr, func(name, _ string) (string, bool) {
		names = names || name == c.name
		return "", true
	})
	return names
}

// variables returns a dashboard's variables with the values that the run has seen.
func (s *session) variables(ctx context.Context, b dashboardfile.Dashboard) (choices []choice, problems []report.Check) {
	for _, v := range b.Variables {
		values, err := s.valuesOf(ctx, v, choices)
		p := report.Check{Section: sectionDashboards, Name: "variable " + v.Name, File: b.File, Line: v.Line, Status: report.Passed, Detail: readable(values)}
		reason := skippedVariable(v)
		switch {
		case reason != "":
			p.Status, p.Detail = report.Skipped, reason
		case err != nil:
			p.Status, p.Detail = report.Failed, err.Error()
		case len(values) == 0:
			p.Status, p.Detail = report.Failed, "it has no values: "+v.Query
		}
		problems = append(problems, p)
		choices = append(choices, choice{v.Name, values, v.IncludeAll || v.Multi, reason != ""})
	}
	return choices, problems
}

// skippedVariable returns why a valid variable has no values in this run.
func skippedVariable(v dashboardfile.Variable) string {
	switch {
	case v.Type == "adhoc" || v.Type == "groupby":
		return "ad-hoc filters"
	case v.Type == "query" && !v.Datasource.Prometheus():
		return "verify does not run queries of " + v.Datasource.Type
	}
	return ""
}

// valuesOf returns the values of a variable, given the variables before it.
func (s *session) valuesOf(ctx context.Context, v dashboardfile.Variable, before []choice) ([]string, error) {
	switch v.Type {
	case "datasource":
		return []string{v.Query}, nil
	case "custom":
		return customValues(v.Query), nil
	case "constant", "textbox", "interval":
		if len(v.Current) > 0 {
			return v.Current[:1], nil
		}
		return customValues(v.Query)[:1], nil
	}
	expr, label := v.PromQL()
	if expr == "" && label == "" {
		return nil, fmt.Errorf("%s variable %q is not supported; use label_values(metric, label), custom or constant", v.Type, v.Query)
	}
	expr, unknown := dashboardfile.Fill(expr, s.filler(first(before)))
	if len(unknown) > 0 {
		return nil, fmt.Errorf("$%s is used in %s before it has a value; declare it above", strings.Join(unknown, ", $"), v.Query)
	}
	if expr == "" {
		return valuesOf(s.prober.series(ctx), label), nil
	}
	tree, err := promql.Parse(expr)
	if err != nil {
		return nil, err
	}
	if selector, ok := tree.(*parser.VectorSelector); ok && label != "" {
		return valuesOf(s.prober.series(ctx, selector.LabelMatchers...), label), nil
	}
	found, err := s.watch.query(ctx, expr)
	var out []string
	for _, sample := range found {
		if label == "" {
			out = append(out, sample.String())
		} else if value := sample.Metric.Get(label); value != "" && !slices.Contains(out, value) {
			out = append(out, value)
		}
	}
	return out, err
}

// customValues parses "a, b, Text : c".
func customValues(query string) []string {
	var out []string
	for part := range strings.SplitSeq(query, ",") {
		if _, value, named := strings.Cut(part, " : "); named {
			part = value
		}
		out = append(out, strings.TrimSpace(part))
	}
	return out
}

// first returns the values with which the dashboard opens: all values of a variable that selects all, else
// its first value.
func first(choices []choice) map[string][]string {
	out := map[string][]string{}
	for _, c := range choices {
		switch {
		case c.all:
			out[c.name] = c.values
		case len(c.values) > 0:
			out[c.name] = c.values[:1]
		default:
			out[c.name] = nil
		}
	}
	return out
}

// fillings returns the variable values to run a query with: those with which the dashboard opens, and one set
// for each other value of a single-value variable that the query uses.
func fillings(expr string, choices []choice) []map[string][]string {
	all := []map[string][]string{first(choices)}
	for _, c := range choices {
		if c.all || len(c.values) < 2 || !c.in(expr) {
			continue
		}
		for _, value := range c.values[1:min(maxChoices, len(c.values))] {
			fill := first(choices)
			fill[c.name] = []string{value}
			all = append(all, fill)
		}
	}
	return all
}

// filler returns the values of the dashboard's variables and of Grafana's built-in variables.
func (s *session) filler(fill map[string][]string) func(name, format string) (string, bool) {
	interval := s.subject.ScrapeInterval
	span := s.prober.to.Sub(s.prober.from)
	return func(name, _ string) (string, bool) {
		switch name {
		case "__rate_interval": // four scrape intervals, as in Grafana
			return (4 * interval).String(), true
		case "__interval", "__auto":
			return interval.String(), true
		case "__interval_ms":
			return strconv.FormatInt(interval.Milliseconds(), 10), true
		case "__range":
			return strconv.Itoa(int(span.Seconds())) + "s", true
		case "__range_s":
			return strconv.Itoa(int(span.Seconds())), true
		case "__range_ms":
			return strconv.FormatInt(span.Milliseconds(), 10), true
		case "__from":
			return strconv.FormatInt(s.prober.from.UnixMilli(), 10), true
		case "__to":
			return strconv.FormatInt(s.prober.to.UnixMilli(), 10), true
		}
		values, ok := fill[name]
		return dashboardfile.Alternatives(values), ok
	}
}

// chosen describes the values that a query ran with.
func chosen(expr string, fill map[string][]string, choices []choice) string {
	var out []string
	for _, c := range choices {
		if c.in(expr) {
			out = append(out, c.name+"="+strings.Join(fill[c.name], "|"))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (with " + strings.Join(out, ", ") + ")"
}
