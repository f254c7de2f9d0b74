// Package markdown writes text of others into Markdown so that it is shown and
// never read: [Escape] is all there is to it.
package markdown

import "strings"

// Escape makes any text one line that a renderer of CommonMark shows as it was
// written, at the start of a line and within one. Runs of white space, line
// ends among them, become one space.
//
// CommonMark 0.31, section 2.4: a backslash before ASCII punctuation is that
// character itself.
func Escape(text string) string {
	line := strings.Join(strings.Fields(text), " ")
	var b strings.Builder
	for i, r := range line {
		if strings.ContainsRune("\\`*_{}[]<>#|!&~", r) || beginsBlock(line, i) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// beginsBlock says whether the character would make a line that begins so a
// list, a ruler or the underline of a heading: - + = at its start, or the mark
// behind a number.
func beginsBlock(line string, i int) bool {
	switch line[i] {
	case '-', '+', '=':
		return i == 0
	case '.', ')':
		return i > 0 && strings.Trim(line[:i], "0123456789") == ""
	}
	return false
}
