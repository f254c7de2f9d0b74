// Package markdown escapes untrusted text for Markdown, and finds the anchors of documents.
package markdown

import "strings"

// Escape returns a text as one line that CommonMark renders literally, at the start of a line and
// within one. It replaces white space, including line breaks, by one space.
//
// CommonMark 0.31, section 2.4: a backslash before ASCII punctuation escapes it.
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

// beginsBlock reports whether the character at i would make the line a list, a thematic break or a
// heading underline: - + = at the start, or . ) after a number.
func beginsBlock(line string, i int) bool {
	switch line[i] {
	case '-', '+', '=':
		return i == 0
	case '.', ')':
		return i > 0 && strings.Trim(line[:i], "0123456789") == ""
	}
	return false
}

// Code returns a text of one line as a code span.
func Code(text string) string {
	if !strings.Contains(text, "`") {
		return "`" + text + "`"
	}
	fence := "``"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + " " + text + " " + fence
}
