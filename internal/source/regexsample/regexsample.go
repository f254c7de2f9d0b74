// Package regexsample makes up texts that regular expressions match, for values that
// nobody gave.
package regexsample

import (
	"regexp/syntax"
	"strings"
)

// Of gives a short text that a regular expression matches, or one that it
// does not where the expression looks around itself. Callers check.
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

// ofClass chooses from pairs of first and last characters. Letters and digits are valid in any
// value; a class such as [^/] begins with characters that few values may hold.
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
