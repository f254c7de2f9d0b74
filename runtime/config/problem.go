package config

import (
	"strconv"
	"strings"
)

// Problem is an invalid environment variable or line of a file.
type Problem struct {
	EnvVar  string // empty if the line has no name
	Value   string // as set, shortened; "[hidden]" for secrets; empty if not set
	Where   string // "environment", or file:line
	Message string // what is wrong and what to write
}

// Error returns the problem on one line:
//
//	HTTP_PORT="eighty" (environment): not a whole number; write one such as 10
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.EnvVar)
	if p.Value != "" {
		b.WriteString("=")
		if p.Value == hidden {
			b.WriteString(p.Value)
		} else {
			b.WriteString(strconv.Quote(p.Value))
		}
	}
	if p.Where != "" {
		if b.Len() == 0 {
			b.WriteString(p.Where)
		} else {
			b.WriteString(" (" + p.Where + ")")
		}
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Error has all problems of a load, in the order of the struct's fields.
type Error struct{ Problems []Problem }

// Error returns each problem on a separate line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// problems returns nil for an empty list, so that the error is nil.
func problems(list []Problem) error {
	if len(list) == 0 {
		return nil
	}
	return &Error{Problems: list}
}

// shown returns a value in the form that a problem may show: secrets hidden, long values
// shortened.
func shown(value string, secret bool) string {
	const most = 64 // runes
	if secret && value != "" {
		return hidden
	}
	if runes := []rune(value); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return value
}
