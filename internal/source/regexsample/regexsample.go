// Package regexsample generates texts that match regular expressions.
package regexsample

import (
	"regexp/syntax"
	"strings"
)

// Of returns a short text that matches a regular expression. It may not match an expression with
// assertions such as \b; callers must check it.
func Of(expr string) string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return ""
	}
	var b strings.Builder
	writeSample(&b, re.Simplify())
	return b.String()
}

func writeSample(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			b.WriteRune(ofClass(re.Rune))
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('0')
	case syntax.OpAlternate, syntax.OpCapture, syntax.OpPlus:
		writeSample(b, re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			writeSample(b, sub)
		}
	case syntax.OpRepeat:
		for range re.Min {
			writeSample(b, re.Sub[0])
		}
	}
}

// ofClass chooses a character from pairs of first and last characters. It prefers letters and digits,
// since a class such as [^/] begins with control characters.
func ofClass(pairs []rune) rune {
	for _, r := range "a0A" {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] <= r && r <= pairs[i+1] {
				return r
			}
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] >= ' ' {
			return max(pairs[i], ' ')
		}
	}
	return pairs[0]
}
