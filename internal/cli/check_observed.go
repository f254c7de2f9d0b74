package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/boardfile"
	"github.com/observability-first/scaffold/internal/boardlint"
	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/names"
	"github.com/observability-first/scaffold/internal/promlint"
	"github.com/observability-first/scaffold/internal/rulefile"
	"github.com/observability-first/scaffold/internal/rulelint"
	"github.com/observability-first/scaffold/templates"
)

// observed is rules and boards with what is known of the metrics that they read.
type observed struct {
	rules      []rulefile.File
	boards     []boardfile.Board
	broken     []lint.Finding // files that do not parse
	exclusions []lint.Exclusion
	// signals are nil when nobody declares metrics.
	signals *templates.Signals
	target  []string // labels that a scrape adds
	scrape  time.Duration
	// complete says that the rules are all that there are.
	complete bool
	runbooks bool
}

// lintRules lists every rule that rules and boards are checked by, in the order
// of their documentation.
func lintRules() []lint.Rule {
	return slices.Concat(names.Catalog(), rulelint.Catalog(), promlint.Catalog(), boardlint.Catalog(), lint.Catalog())
}

func ruleNames(of []lint.Rule) []string {
	out := make([]string, len(of))
	for i, r := range of {
		out[i] = r.Name
	}
	return out
}

// addRules reads one file of rules.
func (o *observed) addRules(name string, src []byte) {
	file, err := rulefile.Parse(name, src)
	if err != nil {
		o.broken = append(o.broken, lint.Broken("rule-file", name, err)...)
	}
	o.rules = append(o.rules, file)
}

func (o *observed) addBoard(name string, src []byte) {
	board, err := boardfile.Parse(name, src)
	if err != nil {
		o.broken = append(o.broken, lint.Broken("board-file", name, err)...)
		return
	}
	o.boards = append(o.boards, board)
}

func (o *observed) addExclusions(name string, src []byte) {
	exclusions, err := lint.ParseExclusions(name, src, ruleNames(lintRules()))
	if err != nil {
		o.broken = append(o.broken, lint.Broken("exclusion-file", name, err)...)
		return
	}
	o.exclusions = append(o.exclusions, exclusions...)
}

// known is every name that a query may use.
func (o *observed) known() names.Known {
	_, recorded := o.queries()
	if o.signals == nil {
		return names.OnlyRecords(recorded)
	}
	return names.NewKnown(*o.signals, recorded, o.target)
}

func (o *observed) queries() (queries []names.Query, recorded []names.Recorded) {
	for _, f := range o.rules {
		q, r := names.RuleQueries(f)
		queries, recorded = append(queries, q...), append(recorded, r...)
	}
	return queries, recorded
}

// unknownNames compares every query with what is declared and recorded.
func (o *observed) unknownNames() []Finding {
	queries, _ := o.queries()
	uids := map[string]string{}
	for _, b := range o.boards {
		queries = append(queries, names.BoardQueries(b)...)
		uids[b.File] = b.UID
	}
	known := o.known()
	if !o.complete {
		known = known.WithoutRules()
	}
	var found []lint.Finding
	for _, p := range known.Check(queries) {
		if p.Rule == "query-syntax" && p.Panel != "" {
			continue // target-promql tells of it
		}
		f := lint.Finding{
			Rule: p.Rule, File: p.File, Line: p.Line, Board: uids[p.File], Panel: p.Panel, Target: p.Target, Alert: p.Alert, Record: p.Record, Message: p.Message,
		}
		if f.At() == "" {
			f.Message = p.At + ": " + f.Message
		}
		found = append(found, f)
	}
	return o.judge(found, names.Catalog())
}

// lints runs every lint of rules and boards.
func (o *observed) lints() []Finding {
	world := promlint.NewWorld(o.declared(), o.scrape)
	for _, f := range o.rules {
		for _, g := range f.Groups {
			for _, r := range g.Rules {
				if r.Record != "" {
					world.Record(promlint.Record{Name: r.Record, Labels: r.Labels, Tree: r.Tree, Interval: g.Interval})
				}
			}
		}
	}
	known := o.known()
	found := slices.Concat(o.broken, rulelint.Check(rulelint.Input{
		Files: o.rules, World: world, Known: &known, Elsewhere: o.elsewhere(), Runbooks: o.runbooks,
	}), boardlint.Check(boardlint.Input{Boards: o.boards, World: world}))
	return o.judge(found, slices.Concat(rulelint.Catalog(), promlint.Catalog(), boardlint.Catalog()))
}

func (o *observed) declared() []promlint.Declared {
	if o.signals == nil {
		return nil
	}
	out := make([]promlint.Declared, len(o.signals.Metrics))
	for i, m := range o.signals.Metrics {
		out[i] = promlint.Declared{Name: m.Name, Type: m.Type, Unit: m.Unit}
	}
	return out
}

// elsewhere are the queries of boards, nil without boards.
func (o *observed) elsewhere() []string {
	var out []string
	for _, b := range o.boards {
		out = append(out, "")
		for _, t := range b.All() {
			out = append(out, t.Expr)
		}
		for _, a := range b.Annotations {
			out = append(out, a.Expr)
		}
		for _, v := range b.Variables {
			out = append(out, v.Query)
		}
	}
	return out
}

// judge leaves out what is excluded and says which of the rest are faults.
// Exclusions of rules that are not of this catalog are somebody else's.
func (o *observed) judge(found []lint.Finding, catalog []lint.Rule) []Finding {
	mine := ruleNames(catalog)
	var exclusions []lint.Exclusion
	for _, e := range o.exclusions {
		if slices.Contains(mine, e.Rule) {
			exclusions = append(exclusions, e)
		}
	}
	found = lint.Exclude(found, exclusions)
	lint.Sort(found)
	var out []Finding
	for _, f := range found {
		i := slices.IndexFunc(catalog, func(r lint.Rule) bool { return r.Name == f.Rule })
		message := f.Message
		if at := f.At(); at != "" {
			message = at + ": " + message
		}
		out = append(out, Finding{Rule: f.Rule, Path: f.File, Line: f.Line, Column: f.Column, Message: message, Warning: i >= 0 && catalog[i].Warning})
	}
	return out
}

// isTest says whether a file tests rules instead of holding any.
func isTest(name string) bool {
	return slices.ContainsFunc([]string{".test.yaml", ".test.yml", "_test.yaml", "_test.yml"}, func(ending string) bool {
		return strings.HasSuffix(name, ending)
	})
}
