// Package lint has what the lints of rules and dashboards share: rules, findings with their places,
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

// Rule is one thing that a lint looks for. Names are public.
type Rule struct {
	Name    string // as in rate-range
	Warning bool   // never an error; a finding of any rule is a warning where it rests on a guess
	Means   string // what it found, one sentence
	Do      string // what to do about it, one sentence
}

// Finding is one place that a check or a rule objects to. The JSON names are public.
type Finding struct {
	Check  string `json:"check,omitempty"` // the kind of check, as in drift
	Rule   string `json:"rule,omitempty"`  // of those in docs/checks.md
	File   string `json:"path,omitempty"`
	Line   int    `json:"line,omitempty"`   // from 1; 0 when unknown
	Column int    `json:"column,omitempty"` // the same

	// Where inside of the file, as far as it applies.
	Dashboard string `json:"dashboard,omitempty"` // the uid
	Panel     string `json:"panel,omitempty"`
	Target    string `json:"target,omitempty"`
	Group     string `json:"group,omitempty"`
	Alert     string `json:"alert,omitempty"`
	Record    string `json:"record,omitempty"`
	Part      string `json:"part,omitempty"` // anything else, as in "variable job"

	Message string `json:"message"` // what is wrong; what to write instead
	Warning bool   `json:"warning"` // worth knowing, but no error

	// Shape is the format that made the message. Findings of one rule and shape are
	// the same mistake at several places.
	Shape string `json:"-"`
}

// Sayf returns the finding with a message.
func (f Finding) Sayf(format string, args ...any) Finding {
	f.Message, f.Shape = fmt.Sprintf(format, args...), format
	return f
}

// At says where inside of the file, as in "panel Requests, target A".
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

// Place is file, line and column as compilers write them, as far as they are known.
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

// onOneLine keeps text of files from beginning a line, which a pipeline may take for a command.
func onOneLine(text string) string {
	return strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(text)
}

// Text is the message with where inside of the file, on one line.
func (f Finding) Text() string {
	message := onOneLine(f.Message)
	if at := f.At(); at != "" {
		return at + ": " + message
	}
	return message
}

// String is the finding on one line.
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

// Broken are the mistakes of a file that does not parse, as findings of a rule. There
// are none without an error.
func Broken(rule, file string, err error) []Finding {
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

// Exclusion excuses findings of one rule, for a reason. An empty key matches everything; the
// others are names, or patterns such as orders-*.
type Exclusion struct {
	Rule      string `yaml:"rule"`
	File      string `yaml:"file"`      // path, or its last part
	Dashboard string `yaml:"dashboard"` // uid
	Panel     string `yaml:"panel"`
	Group     string `yaml:"group"`
	Alert     string `yaml:"alert"`
	Record    string `yaml:"record"`
	Reason    string `yaml:"reason"`

	file string // the exclusion's own; it covers findings in the directory of this file and below
	line int
}

func (e Exclusion) covers(f Finding) bool {
	return e.Rule == f.Rule && (isFile(e.File, f.File) || isFile(e.File, path.Base(f.File))) && is(e.Dashboard, f.Dashboard) && is(e.Panel, f.Panel) &&
		is(e.Group, f.Group) && is(e.Alert, f.Alert) && is(e.Record, f.Record) && (e.file == "" || IsBelow(path.Dir(e.file), f.File))
}

// IsBelow says whether a file is in a directory or below. Either may be relative to the working
// directory.
func IsBelow(dir, file string) bool {
	relative, err := filepath.Rel(dir, file)
	if err != nil { // which depends on the working directory
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

// is says whether a name matches a pattern, in which * stands for any text.
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

// Unused is the rule for exclusions that exclude nothing.
const Unused = "exclusion-unused"

// Catalog lists the rules of this package.
func Catalog() []Rule {
	return []Rule{{
		Name: "exclusion-file", Means: "A file of exclusions does not parse, names a rule that does not exist, or gives no reason. A warning for a file .scaffold-lint.yml, which is not read.", Do: "Correct it; a reason is one sentence.",
	}, {
		Name: Unused, Means: "An exclusion excludes nothing: what it excused is gone, and it would hide the next one.", Do: "Remove the exclusion.",
	}}
}

// Exclude removes what the exclusions excuse, and reports each exclusion of a file that
// excused nothing, unless what it is for was not checked.
func Exclude(findings []Finding, exclusions []Exclusion, checked func(Exclusion) bool) []Finding {
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
		if !used[i] && e.file != "" && checked(e) {
			kept = append(kept, Finding{Rule: Unused, File: e.file, Line: e.line}.Sayf("the exclusion of %s excludes nothing; remove it", e.Rule))
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
