// Package rulelint finds mistakes in rules that Prometheus loads without an error: alerts that
// never fire, records that depend on each other, duplicates. It reads parsed files and does no I/O.
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

// Input is what there is to check.
type Input struct {
	Files []rulefile.File
	World promlint.World
	// Known has the labels of results. Nil when nothing is declared.
	Known *metricnames.Known
	// Elsewhere are queries of dashboards, which read what rules record. Nil without
	// dashboards: record-unused is not checked then.
	Elsewhere []string
	// Runbooks says that alerts have runbooks, so that each must name its own.
	Runbooks bool
}

// place is one rule with its file and group.
type place struct {
	rulefile.Rule

	file     string
	document int // of the input; resources of one file are several
	group    rulefile.Group
}

// at is the place of an offset into the expression.
func (p place) at(offset int) lint.Finding {
	line, column := p.ExprPlace(offset)
	return lint.Finding{File: p.file, Line: line, Column: column, Group: p.group.Name, Alert: p.Alert, Record: p.Record}
}

func (p place) finding(rule string, offset int, format string, args ...any) lint.Finding {
	f := p.at(offset).WithMessagef(format, args...)
	f.Rule = rule
	return f
}

// named is a finding about the rule as such.
func (p place) named(rule, format string, args ...any) lint.Finding {
	f := p.finding(rule, 0, format, args...)
	f.Line, f.Column = p.Line, 0
	return f
}

// text is a finding about a label or annotation.
func (p place) text(rule, key, format string, args ...any) lint.Finding {
	f := p.finding(rule, 0, format, args...)
	f.Line, f.Column = p.TextPlace(key)
	return f
}

// linter collects findings about one input.
type linter struct {
	Input

	all      []place
	records  map[string][]int           // places in all by the name that they record
	selected map[string]*selection      // by selector
	labels   []labelSet                 // of the results of all; nil until one is needed
	readers  map[string][]time.Duration // by the name that they read, over which range; nil until one is needed
	named    texts                      // in Elsewhere
	out      []lint.Finding
}

// Check runs every rule of this package and of promlint on the files.
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

// rule runs the rules that are for the expression of one rule, or its alert.
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
		l.add(p.finding("rule-result", 0, "the result is a %s, so that each evaluation fails; write an expression that returns an instant vector or a scalar", parser.DocumentedType(p.Tree.Type())))
		return
	}
	l.out = append(l.out, promlint.Unquoted(p.Expr, p.at(0))...)
	l.out = append(l.out, l.World.Check(p.Tree, p.at)...)
	if p.Alert != "" {
		l.alert(p)
	}
}

func (l *linter) add(f lint.Finding) { l.out = append(l.out, f) }

// lookback is how long a sample is seen by queries; Prometheus's default.
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
				report("group-duplicate", "the group is in this file twice, which Prometheus rejects; rename one")
			case seen && other == f.Name:
				report("group-shared-name", "a group of another resource of this file has the same name, so that graphs of the two are one; rename one")
			case seen:
				report("group-shared-name", "a group of %s has the same name, so that graphs of the two are one; rename one", other)
			default:
				first[g.Name] = f.Name
			}
			here[g.Name] = true
			isGappy := func(r rulefile.Rule) bool { return r.Record != "" && !l.readOverRanges(r.Record, g.Interval) }
			if g.Interval > lookback && slices.ContainsFunc(g.Rules, isGappy) {
				report("group-interval", "evaluated every %s; after 5m a sample is no longer seen, so that records come and go; write 5m or less", model.Duration(g.Interval))
			}
		}
	}
}

// readOverRanges says whether rules read a record, and all over a range that has a sample
// of it at all times.
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

// duplicates finds rules that give the same series. It is certain of those in one
// file whose expressions are the same, too.
func (l *linter) duplicates() {
	seen := map[string][]ruleMatchers{} // by name and labels, each with other matchers
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

// maxCompared bounds with how many rules of the same name and labels, each about other series,
// a rule is compared.
const maxCompared = 200

func (l *linter) duplicate(p, other place) {
	rule, means := "record-duplicate", "the samples of one are dropped"
	if p.Alert != "" {
		rule, means = "alert-duplicate", "Alertmanager treats the two as one"
	}
	f := p.named(rule, "line %d of %s has the same name and labels; where both have a result with the same labels, %s; rename one or give it a label", other.Line, other.file, means)
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

// ruleMatchers is a rule with the matchers of its selectors by label, sorted.
type ruleMatchers struct {
	place

	byLabel map[string][]string
}

// mayOverlap is false for rules that probably return different series, since they select
// different values of one label.
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

// Catalog lists the rules of this package, without promlint's.
func Catalog() []lint.Rule {
	return []lint.Rule{
		{Name: "rule-file", Means: "The file does not parse: YAML, an unknown key, a duration, a query, a function that does not exist. A warning for a query that is too long or too deep to be checked.", Do: "Correct it at the line and column that are given."},
		{Name: "rule-result", Means: "The expression of a rule has a range of samples or a string as its result, so that each evaluation fails.", Do: "Write an expression of an instant vector or a scalar."},
		{Name: "group-duplicate", Means: "Two groups of one file have the same name, which Prometheus rejects.", Do: "Rename one."},
		{Name: "group-shared-name", Warning: true, Means: "Groups of two files have the same name, so that their own metrics are told apart by file only.", Do: "Rename one."},
		{Name: "group-interval", Warning: true, Means: "The group records and is evaluated less often than every 5 minutes, after which a server with the default --query.lookback-delta no longer sees its samples. Allowed for records that are read only over ranges at least as long.", Do: "Write an interval of 5m or less."},
		{Name: "record-duplicate", Means: "Two rules record the same series. A warning where their expressions differ or they are in two files or resources, since their results may differ, too.", Do: "Rename one or give it a label."},
		{Name: "alert-duplicate", Means: "Two alerts have the same name and labels, so that Alertmanager treats them as one. A warning where their expressions differ or they are in two files or resources.", Do: "Rename one or give it a label."},
		{Name: "rule-cycle", Means: "Recording rules read each other in a cycle, or a rule reads its own last sample: one gap ends the series permanently. A warning where the series can restart, through or, unless, absent or scalar, where the selector may match only other series, and where targets or other rules may have series of the name. Not checked in groups with source_tenants.", Do: "Break the cycle, or read the last value with last_over_time."},
		{Name: "rule-dependency", Warning: true, Means: "A rule reads what another group records, so that it sees a change later than its own interval says.", Do: "Move both into one group, or write an exclusion that says why the delay is fine."},
		{Name: "record-unused", Warning: true, Means: "A series is recorded and no rule, alert text or dashboard reads it.", Do: "Remove the rule, or write an exclusion that says who reads it."},
		{Name: "alert-comparison", Warning: true, Means: "The alert has no condition: it fires as long as its series exist.", Do: "Compare with a bound; vector(1) alone is read as an alert that is to fire always."},
		{Name: "alert-template", Means: "A label or annotation is not a template, calls a function that does not exist, or reads a label that the result of the expression cannot have. A warning where a label is used as a number, where the template tests the label, as with if, and where a ruler may have added the label to a recorded series.", Do: "Correct the text; keep the label in by (...) of the expression."},
		{Name: "alert-annotations", Warning: true, Means: "The alert says neither what is wrong nor what to do: summary, description, and runbook_url where runbooks are kept.", Do: "Write what users feel, what it may be, and where the runbook is."},
		{Name: "alert-for", Warning: true, Means: "for or keep_firing_for is shorter than the group's interval and waits as long as one evaluation.", Do: "Write the interval or longer, or leave it out."},
	}
}
