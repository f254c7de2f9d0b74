package yamldoc

import (
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// yamlLine matches the line number in a message of the YAML library.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// unclosed are the messages for a flow collection that contains a { in a plain value.
var unclosed = []string{"did not find expected ',' or ']'", "did not find expected ',' or '}'"}

const unknownAnchor = "unknown anchor '"

// ofCollection are the messages for a block mapping or list. Their line is its first line, or that of
// the error if it begins on line 1.
var ofCollection = []string{"did not find expected key", "did not find expected '-' indicator"}

// ofTab are the messages for a tab in the indentation of the line or the next one.
var ofTab = []string{"found character that cannot start any token", "found a tab character that violates indentation"}

var tabIndent = regexp.MustCompile(`^ *\t`)

// reserved matches a value that begins with a reserved character. If a line has a tab, too, the
// reserved character is the error, since tabs are valid inside brackets.
var reserved = regexp.MustCompile("^(?:[^#'\"]*(?:[,\\[{]|[:-]\\s))?\\s*[@`%]")

// parserMessages are the messages of the library's parser, whose lines start at 0. Lines of its
// scanner start at 1.
var parserMessages = append([]string{
	"did not find expected <stream-start>",
	"did not find expected <document start>",
	"did not find expected node content",
	"found undefined tag handle",
	"found duplicate %YAML directive",
	"found incompatible YAML document",
	"found duplicate %TAG directive",
}, slices.Concat(unclosed, ofCollection)...)

// Syntax returns the problem for an error of the YAML library.
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
	if strings.HasPrefix(message, unknownAnchor) {
		line = lineOfAlias(lines, message)
	}
	line = min(max(line, 1), len(lines))
	for line > 1 && strings.TrimSpace(lines[line-1]) == "" { // the end of the file
		line--
	}
	if slices.Contains(ofTab, message) {
		for number := line; number <= min(line+1, len(lines)); number++ {
			if reserved.MatchString(lines[number-1]) {
				break
			}
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

// lineOfAlias returns the line of an unknown anchor, which the message does not have. It is the last
// line of the shortest text with the same message.
func lineOfAlias(lines []string, message string) int {
	alias := "*" + strings.TrimSuffix(strings.TrimPrefix(message, unknownAnchor), "' referenced")
	var candidates []int // some may be in comments or texts
	for i, line := range lines {
		if strings.Contains(line, alias) {
			candidates = append(candidates, i+1)
		}
	}
	first := sort.Search(len(candidates)-1, func(i int) bool {
		dec := yaml.NewDecoder(strings.NewReader(strings.Join(lines[:candidates[i]], "\n")))
		err := error(nil)
		for err == nil {
			err = dec.Decode(&yaml.Node{})
		}
		return strings.HasSuffix(err.Error(), message)
	})
	return candidates[first]
}

// quotedValue matches a quoted value, which may contain braces.
var quotedValue = regexp.MustCompile(`'[^']*'|"(?:\\.|[^"\\])*"`)

// plainBrace matches a brace after a character of a plain value.
var plainBrace = regexp.MustCompile(`[^\s,:{}\[\]]\{`)

// braceInValue returns the column of the first { in a plain value, or 0.
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
