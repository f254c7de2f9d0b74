// Package boardlint finds mistakes in Grafana boards that Grafana shows without a
// word: an address that two boards share, a unit that is not the query's, a panel
// that one Grafana alone can draw. Its conventions are the seventeen rules of
// Grafana's dashboard-linter, which it knows better than to ask of recorded
// series. It is pure: parsed boards in, findings out.
package boardlint

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/boardfile"
	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/promlint"
)

// Input is what there is to check.
type Input struct {
	Boards []boardfile.Board
	World  promlint.World
}

// linter collects findings about one board.
type linter struct {
	World promlint.World

	board boardfile.Board
	out   []lint.Finding
}

// Check runs every rule of this package and of promlint on the boards.
func Check(in Input) []lint.Finding {
	var out []lint.Finding
	uids := map[string]boardfile.Board{}
	for _, b := range in.Boards {
		l := &linter{World: in.World, board: b}
		l.address(uids)
		l.conventions()
		l.variables()
		for _, p := range b.Panels {
			l.panel(p)
		}
		out = append(out, l.out...)
	}
	lint.Sort(out)
	return out
}

func (l *linter) reportf(rule string, f lint.Finding, format string, args ...any) {
	f.Rule, f.File, f.Board, f.Message = rule, l.board.File, l.board.UID, fmt.Sprintf(format, args...)
	l.out = append(l.out, f)
}

// maxUID is how long an address may be: Grafana's database has 40 characters.
const maxUID = 40

var uidCharacters = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (l *linter) address(seen map[string]boardfile.Board) {
	uid := l.board.UID
	other, twice := seen[uid]
	switch {
	case uid == "":
		l.reportf("board-uid", lint.Finding{}, "the board has no uid, so that its address differs with each Grafana; give it one of up to %d letters, digits, - and _", maxUID)
		return
	case len(uid) > maxUID:
		l.reportf("board-uid", lint.Finding{}, "the uid %s has %d characters; Grafana takes up to %d", uid, len(uid), maxUID)
	case !uidCharacters.MatchString(uid):
		l.reportf("board-uid", lint.Finding{}, "the uid %q has other characters than letters, digits, - and _", uid)
	}
	if twice {
		l.reportf("board-uid-duplicate", lint.Finding{}, "%s has the uid %s, too; Grafana shows one of them, and not always the same; give one another uid", other.File, uid)
		return
	}
	seen[uid] = l.board
}

func (l *linter) conventions() {
	if l.board.Editable {
		l.reportf("uneditable-dashboard", lint.Finding{}, `the board can be edited in Grafana, where the next deployment would lose it; write "editable": false`)
	}
	if len(l.prometheusPanels()) == 0 {
		return
	}
	if !l.hasVariable("datasource", "prometheus") && l.usesVariable() {
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
			l.reportf("template-"+name, lint.Finding{Line: v.Line}, "the variable %s is of type %s; make it a query variable with label_values(up, %s)", name, v.Type, name)
		case !v.Multi && !v.IncludeAll:
			l.reportf("template-"+name, lint.Finding{Line: v.Line}, "the variable %s takes one value only; set multi or includeAll, so that the whole service can be seen", name)
		}
	}
}

func (l *linter) variable(name string) (boardfile.Variable, bool) {
	for _, v := range l.board.Variables {
		if v.Name == name {
			return v, true
		}
	}
	return boardfile.Variable{}, false
}

func (l *linter) hasVariable(kind, query string) bool {
	for _, v := range l.board.Variables {
		if v.Type == kind && v.Query == query {
			return true
		}
	}
	return false
}

// usesVariable is false for boards without any target that could use one.
func (l *linter) usesVariable() bool {
	for _, t := range l.board.All() {
		if t.Datasource.Prometheus() {
			return true
		}
	}
	return false
}

func (l *linter) prometheusPanels() []boardfile.Panel {
	var out []boardfile.Panel
	for _, p := range l.board.Panels {
		for _, t := range p.Targets {
			if t.Datasource.Prometheus() {
				out = append(out, p)
				break
			}
		}
	}
	return out
}

// readsScraped says whether a query reads a series that was scraped, and not one
// that rules wrote.
func (l *linter) readsScraped() bool {
	for _, t := range l.board.All() {
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

// recorded says whether rules write what a selector finds: they sum job and
// instance away.
func recorded(s *parser.VectorSelector) bool {
	name := promlint.Name(s)
	return strings.Contains(name, ":") || name == "ALERTS" || name == "ALERTS_FOR_STATE" || strings.HasSuffix(name, "_slo_info")
}

// parse reads a target's query. It gives neither a tree nor an error where the
// query is none of Prometheus.
func parse(t boardfile.Target) (parser.Expr, error) {
	if t.Expr == "" || !t.Datasource.Prometheus() {
		return nil, nil //nolint:nilnil // documented
	}
	return parser.NewParser(parser.Options{}).ParseExpr(boardfile.PromQL(t.Expr))
}

const onTimeChange = 2 // Grafana's number for "when the time range changes"

func (l *linter) variables() {
	for _, v := range l.board.Variables {
		if v.Type == "query" && v.Refresh != onTimeChange {
			l.reportf("template-on-time-change-reload", lint.Finding{Line: v.Line}, "the variable %s is read once; last week's values are missing when last week is shown; set refresh to 2", v.Name)
		}
		expr, _ := v.PromQL()
		if expr == "" {
			continue
		}
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(boardfile.PromQL(expr)); err != nil {
			l.reportf("template-label-promql", lint.Finding{Line: v.Line}, "the query of the variable %s is no PromQL: %v", v.Name, err)
		}
	}
}

// Catalog lists the rules of this package, without promlint's.
func Catalog() []lint.Rule {
	return []lint.Rule{
		{Name: "board-file", Means: "The file is no classic Grafana board.", Do: "Export it as classic JSON."},
		{Name: "board-uid", Means: "The board has no uid, or one that Grafana does not take: its address is not the same everywhere.", Do: "Give it a uid of up to 40 letters, digits, - and _."},
		{Name: "board-uid-duplicate", Means: "Two boards have the same uid: Grafana shows one of them, and not always the same.", Do: "Give one another uid."},
		{Name: "panel-unit-mismatch", Means: "The unit of a panel is not that of what its query gives.", Do: "Set the unit that is named, or change the query."},
		{Name: "template-datasource", Warning: true, Means: "No variable chooses the data source, so that the board is bound to one Grafana.", Do: "Add a variable of type datasource."},
		{Name: "template-job", Warning: true, Means: "No query variable job, or one that takes a single value.", Do: "Add it with label_values(up, job); boards of recorded series need none."},
		{Name: "template-instance", Warning: true, Means: "No query variable instance, or one that takes a single value.", Do: "Add it with label_values(up, instance); boards of recorded series need none."},
		{Name: "template-label-promql", Means: "The query of a variable is no PromQL.", Do: "Correct it."},
		{Name: "template-on-time-change-reload", Warning: true, Means: "A query variable is not read again when the time range changes.", Do: "Set its refresh to 2."},
		{Name: "panel-datasource", Warning: true, Means: "A panel names a data source by its id, which only one Grafana has.", Do: "Use a variable: ${datasource}."},
		{Name: "panel-title-description", Warning: true, Means: "A panel has no title or no description: nobody knows what a bad value means.", Do: "Write both."},
		{Name: "panel-units", Warning: true, Means: "A panel of numbers has no unit.", Do: "Set one; short is a unit, too."},
		{Name: "panel-no-targets", Means: "A panel has no query.", Do: "Give it one, or remove it."},
		{Name: "target-promql", Means: "A query is no PromQL.", Do: "Correct it."},
		{Name: "target-logql", Means: "A query is no LogQL: its brackets or quotes do not match, or its stream selector is none.", Do: "Correct it; each stream selector needs a matcher that is not empty."},
		{Name: "target-logql-auto", Warning: true, Means: "A LogQL query counts over a fixed time, which leaves gaps or overlaps when the step of the graph differs.", Do: "Write [$__auto]."},
		{Name: "target-rate-interval", Warning: true, Means: "A rate over a fixed time: zoomed out it skips samples, zoomed in it draws stairs.", Do: "Write [$__rate_interval]."},
		{Name: "target-job", Warning: true, Means: "A query of scraped series is not bound to the variable job.", Do: "Add job=~\"$job\" to each selector."},
		{Name: "target-instance", Warning: true, Means: "A query of scraped series is not bound to the variable instance.", Do: "Add instance=~\"$instance\" to each selector."},
		{Name: "target-counter-agg", Means: "A panel draws a counter as it stands, which only ever rises.", Do: "Use rate or increase."},
		{Name: "uneditable-dashboard", Warning: true, Means: "The board can be edited in Grafana, where the next deployment would lose it.", Do: "Write \"editable\": false."},
	}
}
