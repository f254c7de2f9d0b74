package metricnames

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/internal/source/rulefile"
)

// RuleQueries are the queries of a rule file that was read, and what it records.
func RuleQueries(file rulefile.File) (queries []Query, recorded []Recorded) {
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Record != "" {
				recorded = append(recorded, Recorded{rule.Record, rule.Expr, slices.Sorted(maps.Keys(rule.Labels))})
			}
			if rule.Tree == nil {
				continue // the file does not parse there, which is told of it
			}
			at := lint.Finding{File: file.Name, Group: group.Name, Alert: rule.Alert, Record: rule.Record}
			at.Line, at.Column = rule.ExprPlace(0)
			queries = append(queries, Query{At: at, Expr: rule.Expr})
			queries = append(queries, textQueries(at, rule)...)
		}
	}
	return queries, recorded
}

// action is what a template does between its braces.
var action = regexp.MustCompile(`(?s)\{\{.*?\}\}`)

// recordedName is a name with a level, a metric and what was done to it.
var recordedName = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*(?::[A-Za-z_][A-Za-z0-9_]*){2,}`)

// format is what a template makes a query of, with places for what it knows when the
// alert fires.
var format = regexp.MustCompile("(?s)query \\(printf `([^`]*)`")

// formatted are the queries in an action of a template, with any value at each %q.
func formatted(code string) (queries []string) {
	fill := strings.NewReplacer("%q", strconv.Quote(dashboardfile.Chosen), "%s", "", "%%", "%")
	for _, m := range format.FindAllStringSubmatch(code, -1) {
		query := fill.Replace(m[1])
		if _, err := promql.Parse(query); err == nil {
			queries = append(queries, query)
		}
	}
	return queries
}

// textQueries are the queries that the texts of an alert ask. Those that are put
// together otherwise are known by the recorded series that they name.
func textQueries(at lint.Finding, rule rulefile.Rule) []Query {
	var queries []Query
	for _, key := range slices.Sorted(maps.Keys(rule.Annotations)) {
		told := map[string]bool{}
		for _, code := range action.FindAllString(rule.Annotations[key], -1) {
			for _, name := range append(formatted(code), recordedName.FindAllString(code, -1)...) {
				if told[name] {
					continue
				}
				told[name] = true
				at.Part = key
				at.Line, at.Column = rule.TextPlace("annotations." + key)
				queries = append(queries, Query{At: at, Expr: name})
			}
		}
	}
	return queries
}

// DashboardQueries are the Prometheus queries of a dashboard that was read.
func DashboardQueries(b dashboardfile.Dashboard) []Query {
	var queries []Query
	for _, v := range b.Variables {
		if expr, label := v.PromQL(); expr != "" {
			at := lint.Finding{File: b.File, Line: v.Line, Column: v.Column, Dashboard: b.UID, Part: "variable " + v.Name}
			queries = append(queries, Query{At: at, Expr: expr, Label: label})
		}
	}
	for p, t := range b.All() {
		if t.Expr != "" && t.Datasource.Prometheus() {
			at := lint.Finding{File: b.File, Line: t.Line, Column: t.Column, Dashboard: b.UID, Panel: p.Title, Target: t.RefID}
			queries = append(queries, Query{At: at, Expr: t.Expr})
		}
	}
	for _, a := range b.Annotations {
		if a.Expr != "" && a.Datasource.Prometheus() {
			at := lint.Finding{File: b.File, Line: a.Line, Column: a.Column, Dashboard: b.UID, Part: "annotation " + a.RefID}
			queries = append(queries, Query{At: at, Expr: a.Expr})
		}
	}
	return queries
}
