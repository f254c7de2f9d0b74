// Package lint has the types that lints of rule files and dashboards share: rules, findings,
// exclusions and baselines.
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// Rule is a lint rule.
type Rule struct {
	Name    string // public, as in rate-range
	Warning bool   // all findings are warnings; those of other rules only where they depend on a guess
	Means   string // what is wrong
	Do      string // how to fix it
}

// Finding is a problem that a check or a rule found. Its JSON keys are public.
type Finding struct {
	Check  string `json:"check,omitempty"` // name of the check, as in drift
	Rule   string `json:"rule,omitempty"`  // name of a rule in docs/checks.md
	File   string `json:"path,omitempty"`
	Line   int    `json:"line,omitempty"`   // from 1; 0 if unknown
	Column int    `json:"column,omitempty"` // from 1; 0 if unknown

	// The part of the file. Empty fields do not apply.
	Dashboard string `json:"dashboard,omitempty"` // uid
	Panel     string `json:"panel,omitempty"`
	Target    string `json:"target,omitempty"`
	Group     string `json:"group,omitempty"`
	Alert     string `json:"alert,omitempty"`
	Record    string `json:"record,omitempty"`
	Part      string `json:"part,omitempty"` // another part, as in "variable job"

	Message string `json:"message"` // what is wrong and what to write instead
	Warning bool   `json:"warning"` // false: the finding is an error

	// Shape is the format of the message. Findings with the same rule and shape are grouped.
	Shape string `json:"-"`
}

// WithMessagef returns the finding with a message.
func (f Finding) WithMessagef(format string, args ...any) Finding {
	f.Message, f.Shape = fmt.Sprintf(format, args...), format
	return f
}

// At returns the part of the file, as in "panel Requests, target A".
func (f Finding) At() string {
	var parts []string
	for _, p := range []struct{ what, name string }{
		{"panel ", f.Panel}, {"target ", f.Target}, {"alert ", f.Alert}, {"record ", f.Record}, {"", f.Part},
	} {
		if p.name != "" {
			parts = append(parts, p.what+onOneLine(p.name))
		}
	}
	if len(parts) == 0 && f.Group != "" {
		return "group " + onOneLine(f.Group)
	}
	return strings.Join(parts, ", ")
}

// Place returns file, line and column as compilers write them, without unknown ones.
func (f Finding) Place() string {
	file := onOneLine(f.File)
	switch {
	case f.File == "" || f.Line == 0:
		return file
	case f.Column == 0:
		return fmt.Sprintf("%s:%d", file, f.Line)
	}
	return fmt.Sprintf("%s:%d:%d", file, f.Line, f.Column)
}

// onOneLine replaces line breaks. Text from a file must not begin a line: a pipeline may run it
// as a command.
func onOneLine(text string) string {
	return strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(text)
}

// Text returns the part of the file and the message, on one line.
func (f Finding) Text() string {
	message := onOneLine(f.Message)
	if at := f.At(); at != "" {
		return at + ": " + message
	}
	return message
}

// String returns the finding on one line.
func (f Finding) String() string {
	text := f.Text()
	if place := f.Place(); place != "" {
		text = place + ": " + text
	}
	if f.Rule != "" {
		text += " [" + f.Rule + "]"
	}
	return text
}

// ParseFindings returns the errors of a file that does not parse as findings of a rule, none if
// err is nil.
func ParseFindings(rule, file string, err error) []Finding {
	if err == nil {
		return nil
	}
	list, ok := errors.AsType[diagnostic.List](err)
	if !ok {
		return []Finding{located(rule, file, err)}
	}
	out := make([]Finding, len(list))
	for i, p := range list {
		message := p.Message
		if p.Path != "" {
			message = p.Path + ": " + message
		}
		out[i] = Finding{Rule: rule, File: cmp.Or(p.File, file), Line: p.Line, Column: p.Column, Message: message}
	}
	return out
}

// located parses an error that begins with its place, as in file:1:2.
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

// Exclusion excludes findings of one rule. An empty key matches everything, any other key is a
// name or a pattern such as orders-*.
type Exclusion struct {
	Rule      string `yaml:"rule"`
	File      string `yaml:"file"`      // path or base name
	Dashboard string `yaml:"dashboard"` // uid
	Panel     string `yaml:"panel"`
	Group     string `yaml:"group"`
	Alert     string `yaml:"alert"`
	Record    string `yaml:"record"`
	Reason    string `yaml:"reason"`

	file string // the exclusion file; the exclusion covers its directory and below
	line int
}

func (e Exclusion) covers(f Finding) bool {
	return e.Rule == f.Rule && (isFile(e.File, f.File) || isFile(e.File, path.Base(f.File))) && is(e.Dashboard, f.Dashboard) && is(e.Panel, f.Panel) &&
		is(e.Group, f.Group) && is(e.Alert, f.Alert) && is(e.Record, f.Record) && (e.file == "" || IsBelow(path.Dir(e.file), f.File))
}

// IsBelow reports whether a file is in a directory or below. Both may be relative to the
// working directory.
func IsBelow(dir, file string) bool {
	relative, err := filepath.Rel(dir, file)
	if err != nil { // one of them is relative
		absoluteDir, errDir := filepath.Abs(dir)
		absoluteFile, errFile := filepath.Abs(file)
		if errDir != nil || errFile != nil {
			return false
		}
		relative, err = filepath.Rel(absoluteDir, absoluteFile)
	}
	return err == nil && filepath.IsLocal(relative)
}

func isFile(pattern, name string) bool {
	matched, err := path.Match(pattern, name)
	return pattern == "" || pattern == name || err == nil && matched
}

// is reports whether a name matches a pattern, in which * matches any text.
func is(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	last := parts[len(parts)-1]
	if pattern == "" || pattern == name {
		return true
	}
	rest, found := strings.CutPrefix(name, parts[0])
	for _, part := range parts[1:max(1, len(parts)-1)] {
		if found {
			_, rest, found = strings.Cut(rest, part)
		}
	}
	return found && len(parts) > 1 && strings.HasSuffix(rest, last)
}

// Unused is the rule for unused exclusions.
const Unused = "exclusion-unused"

// Catalog returns the rules of this package.
func Catalog() []Rule {
	return []Rule{{
		Name: "exclusion-file", Means: "An exclusion file does not parse, names an unknown rule, or has an exclusion without a reason. A warning for .scaffold-lint.yml, which is not read.", Do: "Correct the file; a reason is one sentence.",
	}, {
		Name: Unused, Means: "An exclusion matches no finding. It may hide a later one.", Do: "Remove the exclusion.",
	}}
}

// Exclude removes the findings that the exclusions cover. It adds a finding for each unused
// exclusion for which checked is true.
func Exclude(findings []Finding, exclusions []Exclusion, checked func(Exclusion) bool) []Finding {
	used := make([]bool, len(exclusions))
	kept := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool {
		excluded := false
		for i, e := range exclusions {
			if e.covers(f) {
				used[i], excluded = true, true
			}
		}
		return excluded
	})
	for i, e := range exclusions {
		if !used[i] && e.file != "" && checked(e) {
			kept = append(kept, Finding{Rule: Unused, File: e.file, Line: e.line}.WithMessagef("the exclusion of %s matches no finding; remove it", e.Rule))
		}
	}
	return kept
}

// CountErrors counts the findings that are not warnings.
func CountErrors(found []Finding) int {
	n := 0
	for _, f := range found {
		if !f.Warning {
			n++
		}
	}
	return n
}

// WithCheck sets the check of findings.
func WithCheck(name string, found []Finding) []Finding {
	for i := range found {
		found[i].Check = name
	}
	return found
}
