package markdown

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

var (
	// atx matches a heading of CommonMark 0.31, section 4.2.
	atx = regexp.MustCompile(`^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$`)
	// underline matches the second line of a heading of section 4.3.
	underline = regexp.MustCompile(`^ {0,3}(?:=+|-+)[ \t]*$`)
	// fence matches the first and last line of a code block.
	fence = regexp.MustCompile("^ {0,3}(?:```+|~~~+)")
	// inlineLink matches a link, whose text is part of a heading.
	inlineLink = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	// target matches the anchor of an HTML element.
	target = regexp.MustCompile(`<[a-zA-Z][^>]*\b(?:id|name)="([^"]+)"`)
)

// Anchor returns the anchor that GitHub and GitLab build from a heading: in lower case, with
// hyphens for spaces and without punctuation.
func Anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(inlineLink.ReplaceAllString(heading, "$1"))) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsMark(r), unicode.IsNumber(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Anchors returns the anchors of a document: those of its headings, the second of a name with
// the suffix -1, and those of HTML elements. Code blocks have none.
func Anchors(document string) []string {
	var out []string
	seen := map[string]int{}
	add := func(heading string) {
		anchor := Anchor(heading)
		if n := seen[anchor]; n > 0 {
			out = append(out, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			out = append(out, anchor)
		}
		seen[anchor]++
	}
	code, previous := "", ""
	for line := range strings.Lines(document) {
		line = strings.TrimRight(line, "\r\n")
		marker := strings.TrimLeft(fence.FindString(line), " ")
		switch {
		case code != "":
			if strings.HasPrefix(marker, code) && strings.Trim(line, "`~ \t") == "" {
				code = ""
			}
			line = ""
		case marker != "":
			code, line = marker, ""
		case atx.MatchString(line):
			add(atx.FindStringSubmatch(line)[1])
			line = ""
		case underline.MatchString(line) && strings.TrimSpace(previous) != "":
			add(previous)
			line = ""
		default:
			for _, m := range target.FindAllStringSubmatch(line, -1) {
				out = append(out, m[1])
			}
		}
		previous = line
	}
	return out
}
