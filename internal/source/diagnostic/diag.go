// Package diagnostic describes errors in files: the place, the error and the correction. A [List]
// has all errors of a file, so that its author can fix them in one run.
package diagnostic

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is an error at a place. The JSON keys are public.
type Problem struct {
	File    string `json:"file,omitempty"`   // as the user passed it
	Line    int    `json:"line,omitempty"`   // from 1; 0 if unknown
	Column  int    `json:"column,omitempty"` // from 1, in runes; 0 if unknown
	Path    string `json:"path,omitempty"`   // key, as in slos[0].objective; may be empty
	Message string `json:"message"`          // what is wrong and what to write instead
	Source  string `json:"-"`                // the source line; may be empty
}

// Error returns the problem on one line, as compilers do:
//
//	scaffold.yaml:12:9: slos[0].objective: 0.999 looks like a ratio; write 99.9
func (p Problem) Error() string {
	// Text from a file must not begin a line: a pipeline may run it as a command.
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

// Render returns the problem with its source line and a caret under the place.
func (p Problem) Render() string {
	// In a very long line, a caret does not help.
	if p.Source == "" || p.Column < 1 || len(p.Source) > maxSource {
		return p.Error()
	}
	// A tab under a tab aligns the caret in any terminal.
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

// credentials are the user and the password in a URL, such as http://user:password@host or user:password@host.
var credentials = regexp.MustCompile(`(\w*:/*)([^\s'"]+)@`)

// printable replaces control characters, so that a malicious file cannot write escape sequences, and credentials in URLs,
// which a log of a pipeline would show. It keeps the number of characters for the caret.
func printable(line string) string {
	line = credentials.ReplaceAllStringFunc(line, func(text string) string {
		parts := credentials.FindStringSubmatch(text)
		return parts[1] + strings.Repeat("x", utf8.RuneCountInString(parts[2])) + "@"
	})
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, line)
}

// List is the problems of a run.
type List []Problem

// Error returns one line for each problem.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, p := range l {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Render returns each problem with its source line and caret.
func (l List) Render() string {
	parts := make([]string, len(l))
	for i, p := range l {
		parts[i] = p.Render()
	}
	return strings.Join(parts, "\n")
}

// maxProblems is the maximum number of reported problems. A file with more is likely the wrong file,
// or has an error that aliases repeat.
const maxProblems = 100

// Bounded removes duplicates and replaces problems after the first hundred by their number.
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

// Err returns the list sorted by file and position, or nil if it is empty. Return it instead of the
// list, since an empty List is not a nil error.
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
