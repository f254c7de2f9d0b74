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

// node is one JSON value with the place where it begins.
type node struct {
	value        any             // string, bool, json.Number or nil; unused for the two below
	fields       map[string]node // of an object; of a key that is there twice the last counts, as in browsers
	items        []node          // of a list
	line, column int             // from 1; columns count characters
}

// get follows keys; what is not there is the empty node.
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

// text is a string, and "" for anything else.
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

// texts is a list of strings, or one string as a list.
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

// maxDepth is how deep values may nest. Dashboards nest a dozen levels; a file with
// more was made to break its readers.
const maxDepth = 200

// reader makes nodes from tokens.
type reader struct {
	src   []byte
	dec   *json.Decoder
	lines []int // offset at which each line begins

	// at is an offset up to which columns of its line were counted: a file of one
	// line would be counted from its start for each of its values.
	at, column int
}

// place is where the next token begins: behind what the decoder has read, and
// behind what JSON has between tokens.
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

// read reads one value. The source is known to be JSON, so that tokens come in
// an order that makes sense.
func (r *reader) read(depth int) (node, error) {
	if depth > maxDepth {
		return node{}, fmt.Errorf("values nest deeper than %d levels; Grafana writes no such dashboard", maxDepth)
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

// parse reads one JSON document. Errors have the line and column.
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

// located adds the place of a mistake, whose offset is one behind the culprit.
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
	return fmt.Errorf("%s:%d:%d: not JSON: %w; export the dashboard again, or correct it there", name, line, column, err)
}

// endOfInput is what package json says of half a document.
const endOfInput = "unexpected end of JSON input"
