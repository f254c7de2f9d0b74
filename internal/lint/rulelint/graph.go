package rulelint

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint/promlint"
)

// labelSet is the labels of a result. If it is open, others are possible.
type labelSet struct {
	names []string
	open  bool
}

// labelsOf returns the labels of the series that a rule records.
func (l *linter) labelsOf(at int) labelSet {
	if l.Known == nil || l.all[at].Tree == nil {
		return labelSet{open: true}
	}
	if l.labels == nil {
		l.labels = make([]labelSet, len(l.all))
	}
	set := &l.labels[at]
	if set.names == nil && !set.open {
		names, closed := l.Known.LabelsOf(l.all[at].Tree)
		*set = labelSet{slices.Concat(names, slices.Collect(maps.Keys(l.all[at].Labels)), []string{model.MetricNameLabel}), !closed}
	}
	return *set
}

// selection is the records that a selector may select. It is cached, since many rules may have the
// same selector and many records the same name.
type selection struct {
	places       []int // indexes of linter.all, ascending
	firstOfGroup []int // the first place of each group
}

// reads returns the records that a selector may select.
func (l *linter) reads(s *parser.VectorSelector) *selection {
	if len(l.records[promlint.Name(s)]) == 0 {
		return &selection{}
	}
	key := s.String()
	out, known := l.selected[key]
	if !known {
		out = l.selection(s)
		l.selected[key] = out
	}
	return out
}

func (l *linter) selection(s *parser.VectorSelector) *selection {
	var out selection
	add := func(mayHave func(at int) bool) {
		for _, i := range l.records[promlint.Name(s)] {
			if promlint.Admits(s, l.all[i].Labels) && mayHave(i) {
				out.places = append(out.places, i)
			}
		}
	}
	add(func(at int) bool { return l.mayHave(at, s.LabelMatchers) })
	if len(out.places) == 0 && l.Known != nil && l.Known.LabelsMayBeAdded(s) {
		add(func(int) bool { return true }) // a ruler may add the labels
	}
	seen := map[groupKey]bool{}
	for _, i := range out.places {
		if key := l.groupOf(i); !seen[key] {
			seen[key] = true
			out.firstOfGroup = append(out.firstOfGroup, i)
		}
	}
	return &out
}

// mayHave returns false if a matcher needs a label that the result cannot have.
func (l *linter) mayHave(at int, matchers []*labels.Matcher) bool {
	return !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool {
		if m.Matches("") || m.Name == model.MetricNameLabel {
			return false
		}
		set := l.labelsOf(at)
		return !set.open && !slices.Contains(set.names, m.Name)
	})
}

// groupKey identifies a group.
type groupKey struct {
	document int
	name     string
}

func (l *linter) groupOf(at int) groupKey {
	return groupKey{l.all[at].document, l.all[at].group.Name}
}

// dependencies finds rules that read records of other groups.
func (l *linter) dependencies() {
	for at, p := range l.all {
		if p.Tree == nil || len(p.group.Tenants) > 0 { // it reads series of other tenants
			continue
		}
		reported := map[groupKey]bool{}
		for _, s := range promlint.Selectors(p.Tree) {
			slowest, groups := l.waitsFor(at, s)
			if groups == 0 || reported[l.groupOf(slowest)] {
				continue
			}
			reported[l.groupOf(slowest)] = true
			l.dependency(p, l.all[slowest], groups, s)
		}
	}
}

// waitsFor returns the number of other groups that a rule waits for if it reads a selector, and a
// rule of the slowest one. It is 0 if its own group records the series, too, or if an offset
// covers the delay.
func (l *linter) waitsFor(at int, s *parser.VectorSelector) (slowest, groups int) {
	var longest time.Duration
	for _, i := range l.reads(s).firstOfGroup {
		if l.groupOf(i) == l.groupOf(at) {
			return 0, 0
		}
		delay := delayOf(l.all[at], l.all[i])
		if delay > s.OriginalOffset {
			groups++
		}
		if delay > longest {
			slowest, longest = i, delay
		}
	}
	return slowest, groups
}

// dependency reports that a rule reads a record of other groups.
func (l *linter) dependency(p, of place, groups int, s *parser.VectorSelector) {
	from := fmt.Sprintf("group %s, evaluated %s", of.group.Name, every(of.group.Interval))
	which := "both"
	if groups > 1 {
		from, which = fmt.Sprintf("%d groups, such as %s", groups, of.group.Name), "all"
	}
	l.add(p.finding("rule-dependency", int(s.PosRange.Start), "reads %s of %s, so changes arrive up to %s later; put %s into one group",
		of.Record, from, model.Duration(delayOf(p, of)), which))
}

// defaultInterval is Prometheus's default evaluation interval.
const defaultInterval = time.Minute

// delayOf returns the delay of a record from another group compared with one from the reader's
// group: the other group's interval and the difference of their query offsets.
func delayOf(reader, of place) time.Duration {
	interval := of.group.Interval
	if interval == 0 {
		interval = defaultInterval
	}
	return interval + max(0, of.group.QueryOffset-reader.group.QueryOffset)
}

func every(interval time.Duration) string {
	if interval == 0 {
		return "at the server's interval (default 1m)"
	}
	return "every " + model.Duration(interval).String()
}

// Forms of a metric name in a text: a word, a word with dots, or quoted text.
var (
	word   = regexp.MustCompile(`[A-Za-z_:][A-Za-z0-9_:]*`)
	dotted = regexp.MustCompile(`[A-Za-z_:][A-Za-z0-9_:.]*`)
	quoted = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	nested = regexp.MustCompile(`\\"[^"\\]*\\"`) // in a string of a template
)

// texts is the set of names in texts.
type texts map[string]bool

func (t texts) add(text string) {
	for _, form := range []*regexp.Regexp{word, dotted, quoted, nested} {
		for _, name := range form.FindAllString(text, -1) {
			t[strings.Trim(name, `\"'.`)] = true
		}
	}
}

// unused finds recorded series that nothing reads.
func (l *linter) unused() {
	if l.Elsewhere == nil {
		return
	}
	used := map[string]bool{}
	named := texts{}
	for _, p := range l.all {
		for _, text := range slices.Concat(slices.Collect(maps.Values(p.Annotations)), slices.Collect(maps.Values(p.Labels))) {
			named.add(text)
		}
		if p.Tree == nil {
			named.add(p.Expr)
			continue
		}
		for _, s := range promlint.Selectors(p.Tree) {
			if name := promlint.Name(s); name != p.Record {
				used[name] = true
			}
		}
	}
	reported := map[string]bool{}
	for _, p := range l.all {
		if p.Record == "" || p.Tree == nil || used[p.Record] || named[p.Record] || l.named[p.Record] || reported[p.Record] {
			continue
		}
		reported[p.Record] = true
		l.add(p.named("record-unused", "no rule, alert or dashboard reads it; remove the rule, or exclude it in .scaffold-lint.yaml"))
	}
}
