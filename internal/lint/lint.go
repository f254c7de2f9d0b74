// Package lint holds what the lints of rules and boards have in common: what a
// rule is, what it found and where, and which findings a user excused.
package lint

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/diag"
)

// Rule is one thing that a lint looks for. Names are public.
type Rule struct {
	Name    string // as in rate-range
	Warning bool   // worth knowing, but no fault
	Means   string // what it found, one sentence
	Do      string // what to do about it, one sentence
}

// Finding is one place that a rule objects to.
type Finding struct {
	Rule         string
	File         string
	Line, Column int // 0 when unknown
	// Where inside of the file, as far as it applies. Board is the uid.
	Board, Panel, Target, Group, Alert, Record string
	Message                                    string
}

// At says where inside of the file, as in "panel Requests, target A".
func (f Finding) At() string {
	var parts []string
	for _, p := range []struct{ what, name string }{
		{"panel", f.Panel}, {"target", f.Target}, {"alert", f.Alert}, {"record", f.Record},
	} {
		if p.name != "" {
			parts = append(parts, p.what+" "+p.name)
		}
	}
	if len(parts) == 0 && f.Group != "" {
		return "group " + f.Group
	}
	return strings.Join(parts, ", ")
}

// Broken are the mistakes of a file that does not parse, as findings of a rule.
func Broken(rule, file string, err error) []Finding {
	list, ok := errors.AsType[diag.List](err)
	if !ok {
		return []Finding{located(rule, file, err)}
	}
	out := make([]Finding, len(list))
	for i, p := range list {
		message := p.Message
		if p.Path != "" {
			message = p.Path + ": " + message
		}
		out[i] = Finding{Rule: rule, File: p.File, Line: p.Line, Column: p.Column, Message: message}
	}
	return out
}

// located takes the place out of an error that begins with it, as file:1:2.
func located(rule, file string, err error) Finding {
	f := Finding{Rule: rule, File: file, Message: err.Error()}
	rest, found := strings.CutPrefix(f.Message, file+":")
	if !found {
		return f
	}
	parts := strings.SplitN(rest, ":", 3)
	line, errLine := strconv.Atoi(parts[0])
	if errLine != nil || len(parts) < 3 {
		f.Message = strings.TrimSpace(rest)
		return f
	}
	column, errColumn := strconv.Atoi(parts[1])
	if errColumn != nil {
		return f
	}
	f.Line, f.Column, f.Message = line, column, strings.TrimSpace(parts[2])
	return f
}

// Sort orders findings by place.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Rule, b.Rule))
	})
}

// Exclusion excuses findings of one rule, for a reason. A key that is empty
// excludes nothing; the others are names, or patterns such as orders-*.
type Exclusion struct {
	Rule   string `yaml:"rule"`
	File   string `yaml:"file"` // path, or its last part
	Board  string `yaml:"board"`
	Panel  string `yaml:"panel"`
	Group  string `yaml:"group"`
	Alert  string `yaml:"alert"`
	Record string `yaml:"record"`
	Reason string `yaml:"reason"`

	file string // that it stands in
	line int
}

func (e Exclusion) covers(f Finding) bool {
	return e.Rule == f.Rule && (is(e.File, f.File) || is(e.File, path.Base(f.File))) && is(e.Board, f.Board) && is(e.Panel, f.Panel) &&
		is(e.Group, f.Group) && is(e.Alert, f.Alert) && is(e.Record, f.Record)
}

func is(pattern, name string) bool {
	if pattern == "" || pattern == name {
		return true
	}
	matched, err := path.Match(pattern, name)
	return err == nil && matched
}

// Unused is the rule for exclusions that exclude nothing.
const Unused = "exclusion-unused"

// Catalog lists the rules of this package.
func Catalog() []Rule {
	return []Rule{{
		Name: "exclusion-file", Means: "A file of exclusions does not parse, names a rule that does not exist, or gives no reason.", Do: "Correct it; a reason is one sentence.",
	}, {
		Name: Unused, Means: "An exclusion excludes nothing: what it excused is gone, and it would hide the next one.", Do: "Remove the exclusion.",
	}}
}

// Exclude removes what the exclusions excuse, and reports each exclusion of a
// file that excused nothing.
func Exclude(findings []Finding, exclusions []Exclusion) []Finding {
	used := make([]bool, len(exclusions))
	kept := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool {
		excused := false
		for i, e := range exclusions {
			if e.covers(f) {
				used[i], excused = true, true
			}
		}
		return excused
	})
	for i, e := range exclusions {
		if !used[i] && e.file != "" {
			kept = append(kept, Finding{Rule: Unused, File: e.file, Line: e.line, Message: "the exclusion of " + e.Rule + " excludes nothing; remove it"})
		}
	}
	return kept
}
