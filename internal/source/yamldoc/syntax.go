package yamldoc

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// yamlLine finds the line that the YAML library puts into its message.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// unclosed are the messages for a flow collection that a { in a plain value ends too early.
var unclosed = []string{"did not find expected ',' or ']'", "did not find expected ',' or '}'"}

var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// ofCollection are the messages for a block mapping or list. Their line is the one on which that
// begins, or that of the mistake if it begins on the first line.
var ofCollection = []string{"did not find expected key", "did not find expected '-' indicator"}

// ofTab are the messages for a tab in the indentation of their line or of the next one.
var ofTab = []string{"found character that cannot start any token", "found a tab character that violates indentation"}

var tabIndent = regexp.MustCompile(`^ *\t`)

// parserMessages are those of the library's parser, whose lines count from 0 in the messages. Those of
// its scanner count from 1.
var parserMessages = append([]string{
	"did not find expected <stream-start>",
	"did not find expected <document start>",
	"did not find expected node content",
	"found undefined tag handle",
	"found duplicate %YAML directive",
	"found incompatible YAML document",
	"found duplicate %TAG directive",
}, slices.Concat(unclosed, ofCollection)...)

// Syntax is the problem that the YAML library found in a file.
func Syntax(name string, src []byte, err error) diagnostic.Problem {
	return syntax(name, splitLines(string(src)), err)
}

func syntax(name string, lines []string, err error) diagnostic.Problem {
	first, _, _ := strings.Cut(err.Error(), "\n")
	m := yamlLine.FindStringSubmatch(strings.TrimSpace(first))
	message := m[2]
	line, _ := strconv.Atoi(m[1])
	if line > 0 && slices.Contains(parserMessages, message) {
		line++
	}
	if anchor := unknownAnchor.FindStringSubmatch(message); anchor != nil { // which has no line
		if line = lineOfAlias(lines, anchor[1]); line == 0 {
			return diagnostic.Problem{File: name, Message: "not valid YAML: " + message}
		}
	}
	line = min(max(line, 1), len(lines))
	for line > 1 && strings.TrimSpace(lines[line-1]) == "" { // the end of the file
		line--
	}
	if slices.Contains(ofTab, message) {
		for number := line; number <= min(line+1, len(lines)); number++ {
			if at := tabIndent.FindString(lines[number-1]); at != "" {
				return diagnostic.Problem{File: name, Line: number, Column: len(at), Message: "not valid YAML: a tab in the indentation; indent with spaces", Source: lines[number-1]}
			}
		}
	}
	p := diagnostic.Problem{File: name, Line: line, Column: 1, Message: "not valid YAML: " + message, Source: lines[line-1]}
	if slices.Contains(ofCollection, message) {
		p.Message += "; correct the mapping or list that contains this line"
	}
	if column := braceInValue(p.Source); column > 0 && slices.Contains(unclosed, message) {
		p.Column = column
		p.Message += "; quote a value that contains { or }, as in '/v1/orders/{id}'"
	}
	return p
}

// lineOfAlias is the only line with the alias, outside of comments and quotes. It is 0 if several have it.
func lineOfAlias(lines []string, name string) int {
	alias := regexp.MustCompile(`(?:^|[\s\[{,:])\*` + regexp.QuoteMeta(name) + `(?:[\s,\]}:]|$)`)
	found := 0
	for i, line := range lines {
		line = comment.ReplaceAllString(quotedValue.ReplaceAllString(line, `""`), "")
		if !alias.MatchString(line) {
			continue
		}
		if found > 0 {
			return 0
		}
		found = i + 1
	}
	return found
}

var comment = regexp.MustCompile(`(?:^|\s)#.*`)

// quotedValue is a value that may contain braces.
var quotedValue = regexp.MustCompile(`'[^']*'|"(?:\\.|[^"\\])*"`)

// plainBrace is a brace that follows a character of the same plain value.
var plainBrace = regexp.MustCompile(`[^\s,:{}\[\]]\{`)

// braceInValue is the column of the first { within a plain value; 0 when the line has none.
func braceInValue(line string) int {
	masked := quotedValue.ReplaceAllStringFunc(line, func(quoted string) string {
		return strings.Repeat(" ", len(quoted))
	})
	at := plainBrace.FindStringIndex(masked)
	if at == nil {
		return 0
	}
	return utf8.RuneCountInString(line[:at[1]-1]) + 1
}
