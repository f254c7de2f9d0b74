// Package dashboardlint finds errors in dashboards that Grafana accepts, such as duplicate uids,
// wrong units, and data sources of a single Grafana. It includes the seventeen rules of Grafana's
// dashboard-linter, but skips those about job and instance for recorded series. It reads parsed
// files and does no I/O.
package dashboardlint

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/internal/source/rulefile"
)

// Input is the dashboards to check.
type Input struct {
	Dashboards []dashboardfile.Dashboard
	World      promlint.World
	// OneGrafana means that the dashboards of all directories are for one Grafana.
	OneGrafana bool
}

// linter collects the findings of a dashboard.
type linter struct {
	Input

	dashboard dashboardfile.Dashboard
	out       []lint.Finding
}

// Check runs all rules of this package and of promlint on the dashboards.
func Check(in Input) []lint.Finding {
	var out []lint.Finding
	uids := map[string]dashboardfile.Dashboard{}
	for _, b := range in.Dashboards {
		l := &linter{Input: in, dashboard: b}
		l.address(uids)
		l.conventions()
		l.variables()
		l.unknownVariables()
		l.environments()
		l.marks()
		for _, p := range b.Panels {
			l.panel(p)
		}
		out = append(out, l.out...)
	}
	lint.Sort(out)
	return out
}

func (l *linter) reportf(rule string, f lint.Finding, format string, args ...any) {
	l.reportGuessf(rule, f, false, format, args...)
}

// reportGuessf reports a finding. It is a warning if it is a guess.
func (l *linter) reportGuessf(rule string, at lint.Finding, guessed bool, format string, args ...any) {
	f := l.placed(at).WithMessagef(format, args...)
	f.Rule, f.Warning = rule, guessed
	l.out = append(l.out, f)
}

func (l *linter) placed(at lint.Finding) lint.Finding {
	at.File, at.Dashboard = l.dashboard.File, l.dashboard.UID
	return at
}

// maxUID is the maximum length of a uid, that of its column in Grafana's database.
const maxUID = 40

var uidCharacters = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (l *linter) address(seen map[string]dashboardfile.Dashboard) {
	uid := l.dashboard.UID
	other, twice := seen[uid]
	switch {
	case uid == "":
		l.reportGuessf("dashboard-uid", lint.Finding{}, true, "the dashboard has no uid, so its URL differs between Grafana servers; add one of up to %d letters, digits, - and _", maxUID)
		return
	case len(uid) > maxUID:
		l.reportf("dashboard-uid", lint.Finding{}, "the uid %s has %d characters, but Grafana allows %d; shorten it", uid, len(uid), maxUID)
	case !uidCharacters.MatchString(uid):
		l.reportf("dashboard-uid", lint.Finding{}, "invalid uid %q; use letters, digits, - and _", uid)
	}
	if twice {
		l.reportGuessf("dashboard-uid-duplicate", lint.Finding{}, path.Dir(other.File) != path.Dir(l.dashboard.File) && !l.OneGrafana, "%s has the same uid %s, and Grafana shows only one of them; change one", other.File, uid)
		return
	}
	seen[uid] = l.dashboard
}

func (l *linter) conventions() {
	if l.dashboard.Editable {
		l.reportf("uneditable-dashboard", lint.Finding{}, `the dashboard can be edited in Grafana, but the next deployment discards the changes; write "editable": false`)
	}
	if !l.readsPrometheus() {
		return
	}
	choosesPrometheus := func(v dashboardfile.Variable) bool { return v.Type == "datasource" && v.Query == "prometheus" }
	if !slices.ContainsFunc(l.dashboard.Variables, choosesPrometheus) {
		l.reportf("template-datasource", lint.Finding{}, "no variable selects the Prometheus data source; add a variable datasource of type datasource")
	}
	if !l.readsScraped() {
		return // recorded series have no job and instance
	}
	for _, name := range []string{"job", "instance"} {
		v, found := l.variable(name)
		switch {
		case !found && l.fixed(name):
			continue
		case !found:
			l.reportf("template-"+name, lint.Finding{}, "the dashboard has no variable %s; add a query variable with label_values(up, %s)", name, name)
		case v.Type != "query":
			l.reportf("template-"+name, variableAt(v), "the variable %s is of type %s; make it a query variable with label_values(up, %s)", name, v.Type, name)
		case !v.Multi && !v.IncludeAll:
			l.reportf("template-"+name, variableAt(v), "the variable %s has a single value; set multi or includeAll to show the whole service", name)
		}
	}
}

// fixed reports whether all selectors of scraped series have one value of a label, so that there is nothing to
// choose, or that of a variable with another name, such as service.
func (l *linter) fixed(label string) bool {
	for _, t := range l.dashboard.All() {
		tree, err := parse(t)
		if err != nil || tree == nil {
			continue
		}
		for _, s := range promlint.Selectors(tree) {
			one := slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
				return m.Name == label && m.Type == labels.MatchEqual
			})
			if !one && !recorded(s) && !promlint.OfCluster(promlint.Name(s)) {
				return false
			}
		}
	}
	return true
}

func (l *linter) variable(name string) (dashboardfile.Variable, bool) {
	for _, v := range l.dashboard.Variables {
		if v.Name == name {
			return v, true
		}
	}
	return dashboardfile.Variable{}, false
}

func variableAt(v dashboardfile.Variable) lint.Finding {
	return lint.Finding{Line: v.Line, Column: v.Column}
}

func (l *linter) readsPrometheus() bool {
	for _, t := range l.dashboard.All() {
		if t.Datasource.Prometheus() {
			return true
		}
	}
	return false
}

// readsScraped reports whether any query reads a scraped series.
func (l *linter) readsScraped() bool {
	for _, t := range l.dashboard.All() {
		tree, err := parse(t)
		if err != nil || tree == nil {
			continue
		}
		for _, s := range promlint.Selectors(tree) {
			if !recorded(s) {
				return true
			}
		}
	}
	return false
}

// recorded reports whether a selector reads recorded series, which often have no job and instance, or series that
// only label others, such as build_info.
func recorded(s *parser.VectorSelector) bool {
	name := promlint.Name(s)
	return strings.Contains(name, ":") || name == "ALERTS" || name == "ALERTS_FOR_STATE" || strings.HasSuffix(name, "_info")
}

// parse parses the query of a target. It returns nil, nil for queries of other data sources.
func parse(t dashboardfile.Target) (parser.Expr, error) {
	if t.Expr == "" || !t.Datasource.Prometheus() {
		return nil, nil //nolint:nilnil // documented
	}
	return dashboardfile.ParsePromQL(t.Expr)
}

const onTimeChange = 2 // Grafana's value of refresh for "on time range change"

func (l *linter) variables() {
	for _, v := range l.dashboard.Variables {
		if v.Type == "query" && v.Refresh != onTimeChange {
			l.reportf("template-on-time-change-reload", variableAt(v), "the values of variable %s are loaded once, so those of earlier time ranges are missing; set refresh to 2", v.Name)
		}
		expr, _ := v.PromQL()
		if expr == "" {
			continue
		}
		if _, err := dashboardfile.ParsePromQL(expr); err != nil {
			message, _ := rulefile.Explain(err)
			l.reportGuessf("template-label-promql", variableAt(v), promql.IsLimit(err) || v.Datasource.Type == "" || dashboardfile.Free(expr), "variable %s: %s", v.Name, dashboardfile.WithVariables(message, expr))
		}
	}
}

// maxSuggestions limits the suggestions for unknown variables, which are slow to compute.
const maxSuggestions = 1000

// groupName matches the name of a capture group.
var groupName = regexp.MustCompile(`<([A-Za-z_][A-Za-z0-9_]*)>`)

// unknownVariables reports each variable that the dashboard does not have once. Names of capture
// groups in label_replace are not variables.
func (l *linter) unknownVariables() {
	known := slices.Clone(l.dashboard.Inputs)
	for _, v := range l.dashboard.Variables {
		known = append(known, v.Name)
	}
	settled := map[string]bool{"timeFilter": true} // known, or reported
	for _, name := range known {
		settled[name] = true
	}
	suggested := 0
	report := func(expr string, at lint.Finding) {
		groups := map[string]bool{}
		for _, m := range groupName.FindAllStringSubmatch(expr, -1) {
			groups[m[1]] = true
		}
		dashboardfile.Fill(expr, func(name, _ string) (string, bool) {
			name, _, _ = strings.Cut(name, ".") // a property
			if settled[name] || groups[name] || strings.HasPrefix(name, "__") {
				return "", true
			}
			settled[name] = true
			suggestion := ""
			if suggested++; suggested <= maxSuggestions {
				suggestion = diagnostic.DidYouMean(name, known)
			}
			l.reportGuessf("unknown-variable", at, true, "the dashboard has no variable %s%s", name, suggestion)
			return "", true
		})
	}
	for _, v := range l.dashboard.Variables {
		expr, _ := v.PromQL()
		report(expr, variableAt(v))
	}
	for p, t := range l.dashboard.All() {
		if t.Datasource.Prometheus() {
			report(t.Expr, lint.Finding{Line: t.Line, Column: t.Column, Panel: p.Title, Target: t.RefID})
		}
	}
}

// Catalog returns the rules of this package, without those of promlint.
func Catalog() []lint.Rule {
	return append(answersCatalog(), []lint.Rule{
		{Name: "dashboard-file", Means: "The file is not a classic Grafana dashboard.", Do: "Export it as classic JSON."},
		{Name: "dashboard-uid", Means: "The dashboard has a uid that Grafana rejects. A warning if it has none, since its URL then differs between Grafana servers.", Do: "Write a uid of up to 40 letters, digits, - and _."},
		{Name: "dashboard-uid-duplicate", Means: "Two dashboards have the same uid, of which Grafana shows only one. A warning if they are in different directories, which may be for different Grafana servers.", Do: "Change one uid."},
		{Name: "panel-unit-mismatch", Means: "The unit of a panel differs from that of its query. A warning if the unit is a guess: of metrics whose names have no unit, of panels with a plain number, and of a rate unit for a gauge if only its name says bytes.", Do: "Set the suggested unit, or change the query."},
		{Name: "template-datasource", Warning: true, Means: "No variable selects the data source, so the dashboard works in one Grafana only.", Do: "Add a variable of type datasource."},
		{Name: "template-job", Warning: true, Means: "The dashboard has no query variable job, or one with a single value.", Do: "Add it with label_values(up, job). Dashboards of one job, of one that another variable selects (`job=\"$service\"`), or of recorded and info series need none."},
		{Name: "template-instance", Warning: true, Means: "The dashboard has no query variable instance, or one with a single value.", Do: "Add it with label_values(up, instance). Dashboards of recorded and info series need none."},
		{Name: "template-label-promql", Means: "The query of a variable is not valid PromQL. A warning in the cases of target-promql.", Do: "Correct the query."},
		{Name: "template-on-time-change-reload", Warning: true, Means: "The values of a query variable are not reloaded when the time range changes.", Do: "Set refresh to 2."},
		{Name: "unknown-variable", Warning: true, Means: "A query uses a variable that the dashboard does not have.", Do: "Correct the name, or add the variable."},
		{Name: "panel-datasource", Warning: true, Means: "A panel uses a data source by its id, which differs between Grafana servers.", Do: "Use a variable: ${datasource}."},
		{Name: "panel-title-description", Warning: true, Means: "A panel has no title or no description.", Do: "Write both; the description says what a bad value means."},
		{Name: "panel-units", Warning: true, Means: "A panel with numbers has no unit.", Do: "Set one, such as short."},
		{Name: "panel-no-targets", Means: "A panel has no query. A warning for panels of plugins.", Do: "Add one, or remove the panel."},
		{Name: "target-promql", Means: "A query is not valid PromQL. A warning if the data source has no type, if a variable may replace any part of the query, and if the query is too long or too deep to check.", Do: "Correct the query."},
		{Name: "target-logql", Means: "A query is not valid LogQL: its brackets or quotes do not match, its stream selector does not parse or selects everything, or a call has no range. A warning if a variable may replace any part of the query.", Do: "Correct the query. Each stream selector needs a matcher that does not match the empty value."},
		{Name: "target-logql-auto", Warning: true, Means: "A LogQL query has a fixed range, which causes gaps or overlaps if the step of the graph differs. Grafana variables such as $__interval and $__range are allowed.", Do: "Write [$__auto]."},
		{Name: "target-rate-interval", Warning: true, Means: "A rate has a fixed range, which skips samples when zoomed out and shows steps when zoomed in, or the range [$__interval], which may be shorter than two scrapes.", Do: "Write [$__rate_interval]."},
		{Name: "target-job", Warning: true, Means: "A query of scraped series does not use the variable job.", Do: "Add job=~\"$job\" to each selector."},
		{Name: "target-instance", Warning: true, Means: "A query of scraped series does not use the variable instance.", Do: "Add instance=~\"$instance\" to each selector."},
		{Name: "target-counter-agg", Means: "A panel shows a counter without rate. A warning if only the name says that it is a counter, if the other side of an operator has no rate, and for panels that show one number or have transformations. Dividing by the time since the start is allowed.", Do: "Use rate or increase."},
		{Name: "uneditable-dashboard", Warning: true, Means: "The dashboard can be edited in Grafana, but the next deployment discards the changes.", Do: "Write \"editable\": false."},
	}...)
}
