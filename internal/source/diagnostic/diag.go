// Package diagnostic describes what is wrong with a file so that its author can fix it: where, what,
// and what to write instead.
//
// A [Problem] is one mistake. A [List] is every mistake of one run, sorted by
// position, and is itself an error: nobody should fix ten mistakes in ten runs.
package diagnostic

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one mistake at one place. The keys are public.
type Problem struct {
	File    string `json:"file,omitempty"`   // as the user named it
	Line    int    `json:"line,omitempty"`   // from 1; 0 when the problem has no line
	Column  int    `json:"column,omitempty"` // from 1, in runes; 0 when the problem has no column
	Path    string `json:"path,omitempty"`   // the key, as in slos[0].objective; may be empty
	Message string `json:"message"`          // what is wrong and what to write instead
	Source  string `json:"-"`                // the line itself, for the caret; may be empty
}

// Error gives the problem on one line, as compilers do:
//
//	scaffold.yaml:12:9: slos[0].objective: 0.999 looks like a ratio; write 99.9
func (p Problem) Error() string {
	// A name or a key must not begin a line, which a pipeline may take for a command.
	lineBreaks := strings.NewReplacer("\r", `\r`, "\n", `\n`)
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Column)
			}
		}
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return lineBreaks.Replace(b.String())
}

// maxSource is the longest line that is shown, in bytes.
const maxSource = 2000

// Render gives the problem with its source line and a caret under the culprit.
func (p Problem) Render() string {
	// A line that is longer than any terminal shows no place.
	if p.Source == "" || p.Column < 1 || len(p.Source) > maxSource {
		return p.Error()
	}
	// Tabs stay tabs under a tab, so that the caret lines up in any terminal.
	var pad strings.Builder
	for i, r := range []rune(p.Source) {
		if i >= p.Column-1 {
			break
		}
		if r == '\t' {
			pad.WriteRune('\t')
		} else {
			pad.WriteByte(' ')
		}
	}
	return p.Error() + "\n    " + printable(p.Source) + "\n    " + pad.String() + "^"
}

// printable replaces what a terminal would act on, one character for one, so
// that the caret stays right and a hostile file cannot write escape sequences.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, line)
}

// List is every problem of one run.
type List []Problem

// Error gives each problem on a line of its own.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, p := range l {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Render gives each problem with its source line and caret.
func (l List) Render() string {
	parts := make([]string, len(l))
	for i, p := range l {
		parts[i] = p.Render()
	}
	return strings.Join(parts, "\n")
}

// maxProblems is how many problems are reported: a file with more of them is not the
// expected one, or has one mistake that aliases repeat.
const maxProblems = 100

// Bounded returns each problem once, and counts those beyond the first hundred.
func (l List) Bounded() List {
	var once List
	seen := map[Problem]bool{}
	for _, p := range l {
		if !seen[p] {
			once = append(once, p)
		}
		seen[p] = true
	}
	if more := len(once) - maxProblems; more > 0 {
		next := once[maxProblems]
		once = append(once[:maxProblems:maxProblems], Problem{File: next.File, Line: next.Line, Message: fmt.Sprintf("%d more problems; fix those above first", more)})
	}
	return once
}

// Err returns the list sorted by file and position, or nil when it is empty.
// Use it instead of returning the list, so that an empty list is no error.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	sorted := slices.Clone(l)
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
		)
	})
	return sorted
}
