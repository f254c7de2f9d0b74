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

// RuleQueries returns the queries and the recording rules of a rule file.
func RuleQueries(file rulefile.File) (queries []Query, recorded []Recorded) {
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Record != "" {
				recorded = append(recorded, Recorded{rule.Record, rule.Expr, slices.Sorted(maps.Keys(rule.Labels))})
			}
			if rule.Tree == nil {
				continue // reported by rule-file
			}
			at := lint.Finding{File: file.Name, Group: group.Name, Alert: rule.Alert, Record: rule.Record}
			at.Line, at.Column = rule.ExprPlace(0)
			queries = append(queries, Query{At: at, Expr: rule.Expr})
			queries = append(queries, textQueries(at, rule)...)
		}
	}
	return queries, recorded
}

// action matches an action of a template.
var action = regexp.MustCompile(`(?s)\{\{.*?\}\}`)

// recordedName matches a name of the form level:metric:operations.
var recordedName = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*(?::[A-Za-z_][A-Za-z0-9_]*){2,}`)

// format matches the format of a query in a template.
var format = regexp.MustCompile("(?s)query \\(printf `([^`]*)`")

// formatted returns the queries in an action of a template, with a placeholder for each %q.
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

// textQueries returns the queries in the annotations of an alert: formatted queries and names of
// recorded series.
func textQueries(at lint.Finding, rule rulefile.Rule) []Query {
	var queries []Query
	for _, key := range slices.Sorted(maps.Keys(rule.Annotations)) {
		seen := map[string]bool{}
		for _, code := range action.FindAllString(rule.Annotations[key], -1) {
			for _, name := range append(formatted(code), recordedName.FindAllString(code, -1)...) {
				if seen[name] {
					continue
				}
				seen[name] = true
				at.Part = key
				at.Line, at.Column = rule.TextPlace("annotations." + key)
				queries = append(queries, Query{At: at, Expr: name})
			}
		}
	}
	return queries
}

// DashboardQueries returns the Prometheus queries of a dashboard.
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
