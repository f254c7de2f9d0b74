// Package dashboardlint finds mistakes in dashboards that Grafana loads without an error: a uid
// that two dashboards have, a unit that is not that of the query, a data source that only one
// Grafana has. It includes the seventeen rules of Grafana's dashboard-linter, without those about
// job and instance where a dashboard reads recorded series. It reads parsed files and does no I/O.
package dashboardlint

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/internal/source/rulefile"
)

// Input is what there is to check.
type Input struct {
	Dashboards []dashboardfile.Dashboard
	World      promlint.World
	// OneGrafana says that all dashboards are for one Grafana, in whatever directories.
	OneGrafana bool
}

// linter collects findings about one dashboard.
type linter struct {
	Input

	dashboard dashboardfile.Dashboard
	out       []lint.Finding
}

// Check runs every rule of this package and of promlint on the dashboards.
func Check(in Input) []lint.Finding {
	var out []lint.Finding
	uids := map[string]dashboardfile.Dashboard{}
	for _, b := range in.Dashboards {
		l := &linter{Input: in, dashboard: b}
		l.address(uids)
		l.conventions()
		l.variables()
		l.unknownVariables()
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

// reportGuessf reports a finding, which is a warning if it is a guess.
func (l *linter) reportGuessf(rule string, at lint.Finding, guessed bool, format string, args ...any) {
	f := l.placed(at).WithMessagef(format, args...)
	f.Rule, f.Warning = rule, guessed
	l.out = append(l.out, f)
}

func (l *linter) placed(at lint.Finding) lint.Finding {
	at.File, at.Dashboard = l.dashboard.File, l.dashboard.UID
	return at
}

// maxUID is how long an address may be: Grafana's database has 40 characters.
const maxUID = 40

var uidCharacters = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (l *linter) address(seen map[string]dashboardfile.Dashboard) {
	uid := l.dashboard.UID
	other, twice := seen[uid]
	switch {
	case uid == "":
		l.reportGuessf("dashboard-uid", lint.Finding{}, true, "the dashboard has no uid, so that its address differs with each Grafana; give it one of up to %d letters, digits, - and _", maxUID)
		return
	case len(uid) > maxUID:
		l.reportf("dashboard-uid", lint.Finding{}, "the uid %s has %d characters; Grafana takes up to %d", uid, len(uid), maxUID)
	case !uidCharacters.MatchString(uid):
		l.reportf("dashboard-uid", lint.Finding{}, "the uid %q has other characters than letters, digits, - and _", uid)
	}
	if twice {
		l.reportGuessf("dashboard-uid-duplicate", lint.Finding{}, path.Dir(other.File) != path.Dir(l.dashboard.File) && !l.OneGrafana, "%s has the uid %s, too; Grafana shows one of them, and not always the same; give one another uid", other.File, uid)
		return
	}
	seen[uid] = l.dashboard
}

func (l *linter) conventions() {
	if l.dashboard.Editable {
		l.reportf("uneditable-dashboard", lint.Finding{}, `the dashboard can be edited in Grafana, where the next deployment would lose it; write "editable": false`)
	}
	if !l.readsPrometheus() {
		return
	}
	choosesPrometheus := func(v dashboardfile.Variable) bool { return v.Type == "datasource" && v.Query == "prometheus" }
	if !slices.ContainsFunc(l.dashboard.Variables, choosesPrometheus) {
		l.reportf("template-datasource", lint.Finding{}, "no variable chooses the Prometheus; add one of type datasource called datasource")
	}
	if !l.readsScraped() {
		return // recorded series have no job and no instance to choose from
	}
	for _, name := range []string{"job", "instance"} {
		v, found := l.variable(name)
		switch {
		case !found:
			l.reportf("template-"+name, lint.Finding{}, "no variable %s chooses among the series; add a query variable with label_values(up, %s)", name, name)
		case v.Type != "query":
			l.reportf("template-"+name, variableAt(v), "the variable %s is of type %s; make it a query variable with label_values(up, %s)", name, v.Type, name)
		case !v.Multi && !v.IncludeAll:
			l.reportf("template-"+name, variableAt(v), "the variable %s takes one value only; set multi or includeAll, so that the whole service can be seen", name)
		}
	}
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

// readsScraped says whether a query reads a scraped series, and not only recorded ones.
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

// recorded says whether a selector selects recorded series, which often have no job and instance.
func recorded(s *parser.VectorSelector) bool {
	name := promlint.Name(s)
	return strings.Contains(name, ":") || name == "ALERTS" || name == "ALERTS_FOR_STATE" || strings.HasSuffix(name, "_slo_info")
}

// parse reads the query of a target. It returns neither a tree nor an error for queries of
// other data sources.
func parse(t dashboardfile.Target) (parser.Expr, error) {
	if t.Expr == "" || !t.Datasource.Prometheus() {
		return nil, nil //nolint:nilnil // documented
	}
	return dashboardfile.ParsePromQL(t.Expr)
}

const onTimeChange = 2 // Grafana's number for "when the time range changes"

func (l *linter) variables() {
	for _, v := range l.dashboard.Variables {
		if v.Type == "query" && v.Refresh != onTimeChange {
			l.reportf("template-on-time-change-reload", variableAt(v), "the variable %s is read once; last week's values are missing when last week is shown; set refresh to 2", v.Name)
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

// maxSuggestions is the number of unknown variables that get a suggestion: to compute one is slow.
const maxSuggestions = 1000

// groupName is the name of a group of a regular expression.
var groupName = regexp.MustCompile(`<([A-Za-z_][A-Za-z0-9_]*)>`)

// unknownVariables finds variables that the dashboard does not have, each once. Grafana leaves
// them in the query as they are, as label_replace wants the names of groups.
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

// Catalog lists the rules of this package, without promlint's.
func Catalog() []lint.Rule {
	return []lint.Rule{
		{Name: "dashboard-file", Means: "The file is not a classic Grafana dashboard.", Do: "Export it as classic JSON."},
		{Name: "dashboard-uid", Means: "The dashboard has no uid, or one that Grafana rejects. A warning without any: its address differs with each Grafana.", Do: "Give it a uid of up to 40 letters, digits, - and _."},
		{Name: "dashboard-uid-duplicate", Means: "Two dashboards have the same uid: Grafana shows one of them, and not always the same. A warning where they are in two directories, which may be for two Grafanas.", Do: "Give one another uid."},
		{Name: "panel-unit-mismatch", Means: "The unit of a panel is not that of what its query gives. A warning where a unit is a guess: of metrics whose names say none, of panels with a plain number, and of a rate unit for a gauge where only the name says bytes.", Do: "Set the unit that is named, or change the query."},
		{Name: "template-datasource", Warning: true, Means: "No variable chooses the data source, so that the dashboard is bound to one Grafana.", Do: "Add a variable of type datasource."},
		{Name: "template-job", Warning: true, Means: "No query variable job, or one that takes a single value.", Do: "Add it with label_values(up, job); dashboards of recorded series need none."},
		{Name: "template-instance", Warning: true, Means: "No query variable instance, or one that takes a single value.", Do: "Add it with label_values(up, instance); dashboards of recorded series need none."},
		{Name: "template-label-promql", Means: "The query of a variable does not parse as PromQL. A warning as with target-promql.", Do: "Correct it."},
		{Name: "template-on-time-change-reload", Warning: true, Means: "A query variable is not read again when the time range changes.", Do: "Set its refresh to 2."},
		{Name: "unknown-variable", Warning: true, Means: "A query uses a variable that the dashboard does not have, so that Grafana leaves it in the query as it is.", Do: "Correct the name, or add the variable."},
		{Name: "panel-datasource", Warning: true, Means: "A panel names a data source by its id, which only one Grafana has.", Do: "Use a variable: ${datasource}."},
		{Name: "panel-title-description", Warning: true, Means: "A panel has no title or no description: nobody knows what a bad value means.", Do: "Write both."},
		{Name: "panel-units", Warning: true, Means: "A panel of numbers has no unit.", Do: "Set one; short is a unit, too."},
		{Name: "panel-no-targets", Means: "A panel has no query. A warning for panels of plugins.", Do: "Give it one, or remove it."},
		{Name: "target-promql", Means: "A query does not parse as PromQL. A warning where the data source has no type, or a variable may stand for any part of the query, and for one that is too long or too deep to be checked.", Do: "Correct it."},
		{Name: "target-logql", Means: "A query does not parse as LogQL: its brackets or quotes do not match, its stream selector does not parse or selects everything, or a call has no range. A warning where a variable may stand for any part of it.", Do: "Correct it; each stream selector needs a matcher that is not empty."},
		{Name: "target-logql-auto", Warning: true, Means: "A LogQL query counts over a fixed time, which leaves gaps or overlaps when the step of the graph differs. Variables of Grafana such as $__interval and $__range are allowed.", Do: "Write [$__auto]."},
		{Name: "target-rate-interval", Warning: true, Means: "A rate over a fixed time: zoomed out it skips samples, zoomed in it draws stairs. Or over [$__interval], which may be shorter than two scrapes.", Do: "Write [$__rate_interval]."},
		{Name: "target-job", Warning: true, Means: "A query of scraped series is not bound to the variable job.", Do: "Add job=~\"$job\" to each selector."},
		{Name: "target-instance", Warning: true, Means: "A query of scraped series is not bound to the variable instance.", Do: "Add instance=~\"$instance\" to each selector."},
		{Name: "target-counter-agg", Means: "A panel draws a counter as it stands, which only ever rises. A warning where only the name says that it is a counter, where it is compared or calculated with anything but a rate, and of panels that show one number or have transformations. Dividing by the time since the start is allowed.", Do: "Use rate or increase."},
		{Name: "uneditable-dashboard", Warning: true, Means: "The dashboard can be edited in Grafana, where the next deployment would lose it.", Do: "Write \"editable\": false."},
	}
}
