package config

import (
	"strconv"
	"strings"
)

// Problem is one variable, or one line of the file, that is wrong.
type Problem struct {
	EnvVar  string // its name; empty when a line of the file names none
	Value   string // as it was given, shortened; "[hidden]" for secrets; empty when not set
	Where   string // "environment", or file:line
	Message string // what is wrong and what to write instead
}

// Error gives the problem on one line:
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

// Error is every problem of one load, in the order of the struct's fields.
type Error struct{ Problems []Problem }

// Error gives each problem on a line of its own.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// problems returns nil for none, so that an empty list is no error.
func problems(list []Problem) error {
	if len(list) == 0 {
		return nil
	}
	return &Error{Problems: list}
}

// shown is a value as a problem may repeat it: secrets hidden, long ones cut.
func shown(value string, secret bool) string {
	const most = 64 // runes; enough to recognise a value, short enough for one line
	if secret && value != "" {
		return hidden
	}
	if runes := []rune(value); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return value
}
