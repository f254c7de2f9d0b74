package yamldoc

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// inside returns the line and column of an offset into a scalar's value, or of
// the scalar's start where the value's text and the file's differ too much to
// tell: folded scalars, and flow scalars over several lines. The line breaks at the end of a value
// belong to its last line.
func (d *Document) inside(n *yaml.Node, offset int) (line, column int) {
	offset = min(offset, len(strings.TrimRight(n.Value, "\n")))
	if n.Kind != yaml.ScalarNode || offset <= 0 {
		return n.Line, n.Column
	}
	switch n.Style &^ yaml.TaggedStyle {
	case yaml.FoldedStyle:
		return n.Line, n.Column
	case yaml.LiteralStyle:
		return d.insideLiteral(n, offset)
	case yaml.SingleQuotedStyle:
		return d.insideFlow(n, offset, 1, singleQuoted)
	case yaml.DoubleQuotedStyle:
		return d.insideFlow(n, offset, 1, doubleQuoted)
	}
	return d.insideFlow(n, offset, 0, unquoted)
}

// insideLiteral relies on the lines of a literal scalar being those of the
// file, without the indentation.
func (d *Document) insideLiteral(n *yaml.Node, offset int) (line, column int) {
	before := n.Value[:offset]
	number := strings.Count(before, "\n")
	line = n.Line + 1 + number
	text, _, _ := strings.Cut(n.Value[strings.LastIndexByte(before, '\n')+1:], "\n")
	indent := max(utf8.RuneCountInString(d.line(line))-utf8.RuneCountInString(text), 0)
	return line, indent + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// insideFlow walks the source of a scalar until it has given offset bytes of
// value. The function width says how many characters of source give how many
// bytes of value.
func (d *Document) insideFlow(n *yaml.Node, offset, quote int, width func(source []rune) (characters, bytes int)) (line, column int) {
	source := []rune(d.line(n.Line))
	at := n.Column - 1 + quote
	for given := 0; given < offset; {
		if at >= len(source) {
			return n.Line, n.Column
		}
		characters, bytes := width(source[at:])
		at += characters
		given += bytes
	}
	return n.Line, at + 1
}

func unquoted(source []rune) (characters, bytes int) { return 1, utf8.RuneLen(source[0]) }

// singleQuoted knows the one escape of that style: a doubled quote.
func singleQuoted(source []rune) (characters, bytes int) {
	if source[0] == '\'' {
		return 2, 1
	}
	return unquoted(source)
}

// doubleQuoted knows the escapes of YAML 1.2, section 5.7.
func doubleQuoted(source []rune) (characters, bytes int) {
	if source[0] != '\\' || len(source) < 2 {
		return unquoted(source)
	}
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[source[1]]
	if len(source) < 2+digits {
		return unquoted(source)
	}
	code, err := strconv.ParseUint(string(source[2:2+digits]), 16, 31)
	if digits > 0 && err != nil {
		return unquoted(source)
	}
	switch source[1] {
	case 'N', '_': // next line, no-break space
		return 2, 2
	case 'L', 'P': // line and paragraph separator
		return 2, 3
	case 'x', 'u', 'U':
		return 2 + digits, max(utf8.RuneLen(rune(code)), 1)
	}
	return 2, 1
}
