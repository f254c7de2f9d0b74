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

// maxChoices is how many values of a variable a dashboard is tried with.
const maxChoices = 10

// dashboards asks every query of every dashboard, with its variables filled in.
func (s *session) dashboards(ctx context.Context) {
	for _, b := range s.subject.Dashboards {
		choices, problems := s.variables(ctx, b)
		for _, p := range problems {
			s.checks.Add(p)
		}
		s.foreignPanels(b)
		for panel, target := range b.All() {
			claim := fmt.Sprintf("panel %s, target %s", panel.Title, target.RefID)
			until, _ := panel.EmptyUntil()
			s.ask(ctx, b, question{claim, target, until}, choices)
		}
		for _, a := range b.Annotations {
			if a.Expr != "" && !a.Hidden {
				s.ask(ctx, b, question{"annotation " + a.RefID, a, ""}, choices)
			}
		}
	}
}

// foreignPanels reports the panels of which not everything can be told from the
// file: those of plugins, and those that only Grafana holds.
func (s *session) foreignPanels(b dashboardfile.Dashboard) {
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

// coreTypes are the panels that come with Grafana 11 and 12, and those that it
// still turns into others.
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

// ask checks one query, with each combination of choices that it depends on.
func (s *session) ask(ctx context.Context, b dashboardfile.Dashboard, q question, choices []choice) {
	p := report.Check{Section: sectionDashboards, Name: q.claim, File: b.File, Line: q.target.Line}
	if q.target.Hidden {
		return // Grafana does not ask it either
	}
	if i := slices.IndexFunc(choices, func(c choice) bool { return c.foreign && c.in(q.target.Expr) }); i >= 0 {
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
	s.checks.Add(p)
}

func (s *session) askMetrics(ctx context.Context, expr string, q question) (report.Status, string) {
	series, err := s.prober.look(ctx, expr, q.target.Instant)
	switch {
	case err != nil:
		return report.Failed, err.Error()
	case series > 0:
		return report.Passed, fmt.Sprintf("%d series", series)
	case q.emptyUntil == "":
		return report.Failed, "no data: " + s.prober.why(ctx, expr)
	}
	if unknown := s.prober.unknown(ctx, expr); unknown != "" {
		return report.Failed, "no data, and there never will be: " + unknown
	}
	return report.Passed, "empty until " + q.emptyUntil
}

// choice is one variable of a dashboard with the values that it offers.
type choice struct {
	name    string
	values  []string
	all     bool // all of them together, as the dashboard opens
	foreign bool // its values come from elsewhere
}

// in says whether a query names the variable.
func (c choice) in(expr string) bool {
	names := false
	_, _ = dashboardfile.Fill(expr, func(name, _ string) (string, bool) {
		names = names || name == c.name
		return "", true
	})
	return names
}

// variables fills a dashboard's variables from what was seen.
func (s *session) variables(ctx context.Context, b dashboardfile.Dashboard) (choices []choice, problems []report.Check) {
	for _, v := range b.Variables {
		values, err := s.valuesOf(ctx, v, choices)
		p := report.Check{Section: sectionDashboards, Name: "variable " + v.Name, File: b.File, Line: v.Line, Status: report.Passed, Detail: readable(values)}
		foreign := foreignVariable(v)
		switch {
		case foreign != "":
			p.Status, p.Detail = report.Skipped, foreign
		case err != nil:
			p.Status, p.Detail = report.Failed, err.Error()
		case len(values) == 0:
			p.Status, p.Detail = report.Failed, "it has no values: "+v.Query
		}
		problems = append(problems, p)
		choices = append(choices, choice{v.Name, values, v.IncludeAll || v.Multi, foreign != ""})
	}
	return choices, problems
}

// foreignVariable says why a variable is not filled in here although nothing is
// wrong with it.
func foreignVariable(v dashboardfile.Variable) string {
	switch {
	case v.Type == "adhoc" || v.Type == "groupby":
		return "ad-hoc filters"
	case v.Type == "query" && !v.Datasource.Prometheus():
		return "verify does not run " + v.Datasource.Type
	}
	return ""
}

// valuesOf lists what a variable offers, given those before it.
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

// customValues reads "a, b, Text : c".
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

// first is the dashboard as it opens: all values of a variable that offers all, else
// its first.
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

// fillings are the ways to fill a query: the dashboard as it opens, and one for each
// further value of a variable that the query names and that takes one at a time.
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

// filler gives variables their values: the dashboard's, and Grafana's own.
func (s *session) filler(fill map[string][]string) func(name, format string) (string, bool) {
	interval := s.subject.ScrapeInterval
	span := s.prober.to.Sub(s.prober.from)
	return func(name, _ string) (string, bool) {
		switch name {
		case "__rate_interval": // four scrapes, as Grafana works it out
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

// chosen says which values a query was asked with.
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
