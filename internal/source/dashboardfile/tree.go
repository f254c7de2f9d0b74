package dashboardfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// node is a JSON value with its place.
type node struct {
	value        any             // string, bool, json.Number or nil; nil for objects and lists
	fields       map[string]node // of an object; the last of duplicate keys, as in browsers
	items        []node          // of a list
	line, column int             // from 1; columns count characters
}

// get returns the value of nested keys, or the empty node.
func (n node) get(keys ...string) node {
	for _, key := range keys {
		n = n.fields[key]
	}
	return n
}

func (n node) has(key string) bool {
	_, ok := n.fields[key]
	return ok
}

// text returns a string, or "" for other values.
func (n node) text() string {
	s, _ := n.value.(string)
	return s
}

func (n node) yes() bool {
	b, _ := n.value.(bool)
	return b
}

func (n node) number() int {
	num, _ := n.value.(json.Number)
	i, err := num.Int64()
	if err != nil {
		return 0
	}
	return int(i)
}

// texts returns a list of strings. A single string is a list of one.
func (n node) texts() []string {
	if s := n.text(); s != "" {
		return []string{s}
	}
	var out []string
	for _, item := range n.items {
		if s := item.text(); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// maxDepth is the maximum nesting of values. Dashboards have a dozen levels; deeper files are
// malicious.
const maxDepth = 200

// reader builds nodes from tokens.
type reader struct {
	src   []byte
	dec   *json.Decoder
	lines []int // offsets of the starts of lines

	// at is the offset up to which column was counted. Counting from the start of the line for each
	// value is quadratic in minified files.
	at, column int
}

// place returns the place of the next token.
func (r *reader) place() (line, column int) {
	at := int(r.dec.InputOffset())
	for at < len(r.src) && strings.IndexByte(" \t\r\n,:", r.src[at]) >= 0 {
		at++
	}
	line = sort.Search(len(r.lines), func(i int) bool { return r.lines[i] > at })
	if begin := r.lines[line-1]; begin > r.at || r.at == 0 {
		r.at, r.column = begin, 1
	}
	r.column += utf8.RuneCount(r.src[r.at:at])
	r.at = at
	return line, r.column
}

// read reads a value. The source is valid JSON.
func (r *reader) read(depth int) (node, error) {
	if depth > maxDepth {
		return node{}, fmt.Errorf("values are nested deeper than %d levels; export the dashboard again", maxDepth)
	}
	line, column := r.place()
	token, err := r.dec.Token()
	if err != nil {
		return node{}, err
	}
	n := node{value: token, line: line, column: column}
	switch token {
	case json.Delim('{'):
		n.value, n.fields = nil, map[string]node{}
		for r.dec.More() {
			key, err := r.dec.Token()
			if err != nil {
				return node{}, err
			}
			name, _ := key.(string)
			if n.fields[name], err = r.read(depth + 1); err != nil {
				return node{}, err
			}
		}
		_, err = r.dec.Token()
	case json.Delim('['):
		n.value, n.items = nil, []node{}
		for r.dec.More() {
			item, err := r.read(depth + 1)
			if err != nil {
				return node{}, err
			}
			n.items = append(n.items, item)
		}
		_, err = r.dec.Token()
	}
	return n, err
}

// parse reads a JSON document. Errors have the line and column.
func parse(name string, src []byte) (node, error) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	var whole json.RawMessage
	if err := json.Unmarshal(src, &whole); err != nil {
		return node{}, located(name, src, err)
	}
	r := &reader{src: src, dec: json.NewDecoder(bytes.NewReader(src)), lines: []int{0}, column: 1}
	r.dec.UseNumber()
	for i, b := range src {
		if b == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	root, err := r.read(0)
	if err != nil {
		return node{}, fmt.Errorf("%s: %w", name, err)
	}
	return root, nil
}

// located adds the place to an error. Offset of a [json.SyntaxError] is one after the wrong byte.
func located(name string, src []byte, err error) error {
	if len(src) > 0 && !userfile.IsJSON(src) {
		return fmt.Errorf("%s: not JSON; export the dashboard again, or pass another file", name)
	}
	at := len(src)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && syntax.Offset > 0 && syntax.Error() != endOfInput {
		at = min(int(syntax.Offset)-1, len(src))
	}
	before := src[:at]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Errorf("%s:%d:%d: not JSON: %w; correct it, or export the dashboard again", name, line, column, err)
}

// endOfInput is the message of package json for a truncated document.
const endOfInput = "unexpected end of JSON input"
