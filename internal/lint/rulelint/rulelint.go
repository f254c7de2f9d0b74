// Package rulelint finds errors in rules that Prometheus accepts, such as alerts that never fire,
// cycles of records, and duplicates. It reads parsed files and does no I/O.
package rulelint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/rulefile"
)

// Input is the rule files to check.
type Input struct {
	Files []rulefile.File
	World promlint.World
	// Known has the labels of metrics, nil if nothing is declared.
	Known *metricnames.Known
	// Elsewhere has the queries of dashboards. If nil, record-unused is not checked.
	Elsewhere []string
	// Runbooks means that each alert needs a runbook_url.
	Runbooks bool
}

// place is a rule with its file and group.
type place struct {
	rulefile.Rule

	file     string
	document int // index in Input.Files; a file with several resources has several
	group    rulefile.Group
}

// at returns a finding at an offset of the expression.
func (p place) at(offset int) lint.Finding {
	line, column := p.ExprPlace(offset)
	return lint.Finding{File: p.file, Line: line, Column: column, Group: p.group.Name, Alert: p.Alert, Record: p.Record}
}

func (p place) finding(rule string, offset int, format string, args ...any) lint.Finding {
	f := p.at(offset).WithMessagef(format, args...)
	f.Rule = rule
	return f
}

// named returns a finding about the whole rule.
func (p place) named(rule, format string, args ...any) lint.Finding {
	f := p.finding(rule, 0, format, args...)
	f.Line, f.Column = p.Line, 0
	return f
}

// text returns a finding about a label or annotation.
func (p place) text(rule, key, format string, args ...any) lint.Finding {
	f := p.finding(rule, 0, format, args...)
	f.Line, f.Column = p.TextPlace(key)
	return f
}

// linter collects the findings of an input.
type linter struct {
	Input

	all      []place
	records  map[string][]int           // indexes of all by recorded name
	selected map[string]*selection      // by selector
	labels   []labelSet                 // of the results of all; computed on demand
	readers  map[string][]time.Duration // ranges by the name that is read; computed on demand
	named    texts                      // names in Elsewhere
	out      []lint.Finding
}

// Check runs all rules of this package and of promlint on the files.
func Check(in Input) []lint.Finding {
	l := &linter{Input: in, records: map[string][]int{}, selected: map[string]*selection{}, named: texts{}}
	for _, text := range in.Elsewhere {
		l.named.add(text)
	}
	for i, f := range in.Files {
		for _, g := range f.Groups {
			for _, r := range g.Rules {
				if r.Record != "" {
					l.records[r.Record] = append(l.records[r.Record], len(l.all))
				}
				l.all = append(l.all, place{r, f.Name, i, g})
			}
		}
	}
	l.groups()
	l.duplicates()
	l.dependencies()
	l.cycles()
	l.unused()
	for _, p := range l.all {
		l.rule(p)
	}
	lint.Sort(l.out)
	return l.out
}

// rule checks the expression of a rule and its alert.
func (l *linter) rule(p place) {
	switch {
	case p.Unread != "":
		f := p.finding("rule-file", 0, "%s", p.Unread)
		f.Warning = true // Prometheus reads it
		l.add(f)
		return
	case p.Tree == nil:
		return
	case p.Tree.Type() != parser.ValueTypeVector && p.Tree.Type() != parser.ValueTypeScalar:
		l.add(p.finding("rule-result", 0, "the result is a %s, so each evaluation fails; write an expression that returns an instant vector or a scalar", parser.DocumentedType(p.Tree.Type())))
		return
	}
	l.out = append(l.out, promlint.Unquoted(p.Expr, p.at(0))...)
	l.out = append(l.out, l.World.Check(p.Tree, p.at)...)
	if p.Alert != "" {
		l.alert(p)
	}
}

func (l *linter) add(f lint.Finding) { l.out = append(l.out, f) }

// lookback is Prometheus's default of --query.lookback-delta.
const lookback = 5 * time.Minute

func (l *linter) groups() {
	first := map[string]string{} // group to file
	for _, f := range l.Files {
		here := map[string]bool{}
		for _, g := range f.Groups {
			report := func(rule, format string, args ...any) {
				found := lint.Finding{File: f.Name, Line: g.Line, Group: g.Name}.WithMessagef(format, args...)
				found.Rule = rule
				l.add(found)
			}
			switch other, seen := first[g.Name]; {
			case here[g.Name]:
				report("group-duplicate", "duplicate group name in this file, which Prometheus rejects; rename one")
			case seen && other == f.Name:
				report("group-shared-name", "a group of another resource in this file has the same name, so metrics by group name show them as one; rename one")
			case seen:
				report("group-shared-name", "a group of %s has the same name, so metrics by group name show them as one; rename one", other)
			default:
				first[g.Name] = f.Name
			}
			here[g.Name] = true
			isGappy := func(r rulefile.Rule) bool { return r.Record != "" && !l.readOverRanges(r.Record, g.Interval) }
			if g.Interval > lookback && slices.ContainsFunc(g.Rules, isGappy) {
				report("group-interval", "evaluated every %s, but queries see samples for 5m only, so records have gaps; write 5m or less", model.Duration(g.Interval))
			}
		}
	}
}

// readOverRanges reports whether rules read a record only over ranges of at least its interval,
// which always have a sample.
func (l *linter) readOverRanges(record string, interval time.Duration) bool {
	if l.named[record] {
		return false
	}
	if l.readers == nil {
		l.readers = map[string][]time.Duration{}
		for _, p := range l.all {
			if p.Tree == nil {
				continue
			}
			for _, s := range promlint.Selectors(p.Tree) {
				l.readers[promlint.Name(s)] = append(l.readers[promlint.Name(s)], rangeOf(p.Tree, s))
			}
		}
	}
	ranges := l.readers[record]
	return len(ranges) > 0 && slices.Min(ranges) >= interval
}

// duplicates finds rules that return the same series. It is certain if they are in one file and
// have the same expression.
func (l *linter) duplicates() {
	seen := map[string][]ruleMatchers{} // by name and labels, with different matchers
	same := map[string]place{}          // by name, labels and matchers
	for _, p := range l.all {
		key := fmt.Sprint(p.Name(), labelText(p.Labels), p.group.Tenants)
		here := ruleMatchers{p, matchersByLabel(p.Tree)}
		full := key + fmt.Sprint(here.byLabel) // sorted by label
		other, found := same[full]
		if !found {
			if i := slices.IndexFunc(seen[key], here.mayOverlap); i >= 0 {
				other, found = seen[key][i].place, true
			}
		}
		if found {
			l.duplicate(p, other)
		}
		if _, known := same[full]; known {
			continue
		}
		same[full] = p
		if len(seen[key]) < maxCompared {
			seen[key] = append(seen[key], here)
		}
	}
}

// maxCompared is the maximum number of rules with the same name and labels, but other matchers,
// that a rule is compared with.
const maxCompared = 200

func (l *linter) duplicate(p, other place) {
	rule, means := "record-duplicate", "Prometheus drops the samples of one"
	if p.Alert != "" {
		rule, means = "alert-duplicate", "Alertmanager treats them as one"
	}
	f := p.named(rule, "same name and labels as line %d of %s; if both return the same series, %s; rename one or add a label", other.Line, other.file, means)
	f.Warning = p.document != other.document || p.Tree == nil || other.Tree == nil || p.Tree.String() != other.Tree.String()
	l.add(f)
}

func labelText(of map[string]string) string {
	var parts []string
	for name, value := range of {
		parts = append(parts, fmt.Sprintf("%s=%q", name, value))
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ",") + "}"
}

// ruleMatchers is a rule with the sorted matchers of its selectors by label.
type ruleMatchers struct {
	place

	byLabel map[string][]string
}

// mayOverlap returns false for rules that likely return different series, since they select
// different values of a label.
func (a ruleMatchers) mayOverlap(b ruleMatchers) bool {
	for label, matchers := range a.byLabel {
		if others, both := b.byLabel[label]; both && !slices.Equal(matchers, others) {
			return false
		}
	}
	return true
}

func matchersByLabel(e parser.Expr) map[string][]string {
	if e == nil {
		return nil
	}
	out := map[string][]string{}
	for _, s := range promlint.Selectors(e) {
		for _, m := range s.LabelMatchers {
			if m.Name != model.MetricNameLabel {
				out[m.Name] = append(out[m.Name], m.String())
			}
		}
	}
	for label := range out {
		slices.Sort(out[label])
		out[label] = slices.Compact(out[label])
	}
	return out
}

// Catalog returns the rules of this package, without those of promlint.
func Catalog() []lint.Rule {
	return []lint.Rule{
		{Name: "rule-file", Means: "The file does not parse: invalid YAML, an unknown key, an invalid duration or query, or an unknown function. A warning for a query that is too long or too deep to check.", Do: "Correct the given line and column."},
		{Name: "rule-result", Means: "The result of an expression is a range vector or a string, so each evaluation fails.", Do: "Write an expression that returns an instant vector or a scalar."},
		{Name: "group-duplicate", Means: "Two groups of one file have the same name, which Prometheus rejects.", Do: "Rename one."},
		{Name: "group-shared-name", Warning: true, Means: "Groups of two files have the same name, so metrics by group name show them as one.", Do: "Rename one."},
		{Name: "group-interval", Warning: true, Means: "The interval of a group with records is longer than 5 minutes, the default of --query.lookback-delta, so its records have gaps. Allowed for records that are only read over ranges of at least the interval.", Do: "Write an interval of 5m or less."},
		{Name: "record-duplicate", Means: "Two rules record the same series. A warning if their expressions differ or they are in different files or resources, since their results may differ, too.", Do: "Rename one or add a label."},
		{Name: "alert-duplicate", Means: "Two alerts have the same name and labels, so Alertmanager treats them as one. A warning if their expressions differ or they are in different files or resources.", Do: "Rename one or add a label."},
		{Name: "rule-cycle", Means: "Recording rules read each other in a cycle, or a rule reads its own last sample, so one gap ends the series permanently. A warning if the series can restart through or, unless, absent or scalar, if the selector may match only other series, and if targets or other rules may have series of that name. Not checked in groups with source_tenants.", Do: "Break the cycle, or read the last value with last_over_time."},
		{Name: "rule-dependency", Warning: true, Means: "A rule reads a record of another group, which delays changes by up to the interval of that group.", Do: "Move both rules into one group, or exclude the finding."},
		{Name: "record-unused", Warning: true, Means: "No rule, alert text or dashboard reads a recorded series.", Do: "Remove the rule, or exclude the finding with its reader as the reason."},
		{Name: "alert-comparison", Warning: true, Means: "An alert has no condition and fires as long as its series exist.", Do: "Compare with a bound. vector(1) alone is an alert that always fires on purpose."},
		{Name: "alert-template", Means: "A label or annotation is not a valid template, calls an unknown function, or reads a label that the expression's result cannot have. A warning if a label is formatted as a number, if the template tests the label, as with if, and if a ruler may add the label to a recorded series.", Do: "Correct the text, or keep the label in by (...)."},
		{Name: "alert-annotations", Warning: true, Means: "An alert has no summary or description, or no runbook_url although other alerts have one.", Do: "Write the effect on users, likely causes, and the link to the runbook."},
		{Name: "alert-for", Warning: true, Means: "for or keep_firing_for is shorter than the group's interval and waits for one evaluation.", Do: "Write at least the interval, or remove it."},
	}
}
