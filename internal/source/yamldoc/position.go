package yamldoc

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// inside returns the line and column of an offset in a scalar's value. For folded scalars and flow
// scalars over several lines it returns the start of the scalar. Trailing line breaks belong to the
// last line.
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

// insideLiteral uses the lines of the file, since those of a literal scalar differ only in
// indentation.
func (d *Document) insideLiteral(n *yaml.Node, offset int) (line, column int) {
	before := n.Value[:offset]
	number := strings.Count(before, "\n")
	line = n.Line + 1 + number
	text, _, _ := strings.Cut(n.Value[strings.LastIndexByte(before, '\n')+1:], "\n")
	indent := max(utf8.RuneCountInString(d.line(line))-utf8.RuneCountInString(text), 0)
	return line, indent + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// insideFlow reads the source of a scalar up to offset bytes of its value. The function width returns
// the number of source characters and of value bytes of the next character.
func (d *Document) insideFlow(n *yaml.Node, offset, quote int, width func(source []rune) (characters, bytes int)) (line, column int) {
	source := []rune(d.line(n.Line))
	at := n.Column - 1 + quote
	for read := 0; read < offset; {
		if at >= len(source) {
			return n.Line, n.Column
		}
		characters, bytes := width(source[at:])
		at += characters
		read += bytes
	}
	return n.Line, at + 1
}

func unquoted(source []rune) (characters, bytes int) { return 1, utf8.RuneLen(source[0]) }

// singleQuoted handles the only escape of the style: a doubled quote.
func singleQuoted(source []rune) (characters, bytes int) {
	if source[0] == '\'' {
		return 2, 1
	}
	return unquoted(source)
}

// doubleQuoted handles the escapes of YAML 1.2, section 5.7.
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
