// Package yamldoc decodes YAML strictly and remembers where everything stood.
//
// [Parse] reads one document, [Document.Decode] fills a struct and records each
// unknown key, duplicate key and wrong type, and [Document.Problemf] lets later
// validation report at the position of a key. [Document.Err] gives everything
// that was found, all at once, sorted by position.
//
// Fields are named by the `yaml:"name"` tag. Supported are strings, booleans,
// integers, floats, time.Duration (Prometheus notation, such as 30d),
// pointers, slices, maps with string keys, nested and inlined (embedded)
// (`yaml:",inline"`) structs, and types that implement [Unmarshaler]. The tag `synonym:"other"` is a
// word that authors write instead of the key; it is suggested, and not read.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// Document is one YAML document with its problems so far. It is not safe for
// concurrent use.
type Document struct {
	name     string
	before   int // lines of the file before those of the document
	lines    []string
	root     *yaml.Node
	nodes    map[string]*yaml.Node // by path, as in slos[0].objective
	empty    map[string]bool       // paths of structs with nothing behind the key
	rejected map[string]int        // paths of values that were not decoded, with the index of the problem
	problems diagnostic.List
	schema   schema // what is decoded into
}

// Parse reads src. Text that is not UTF-8, a syntax error, an empty document, a
// second document, or one that grows too large through aliases is reported as a
// problem in the returned error.
//
// Marks are the keys by which the kind of document is recognised, each with the
// beginning of a value where the key alone is common, as in "apiVersion: scaffold".
// A document without any of them is an error that quotes nothing of it: the file
// may be any, such as one with passwords. Without marks every document is read.
func Parse(name string, src []byte, marks ...string) (*Document, error) {
	return ParsePart(name, 0, src, marks...)
}

// ParsePart is [Parse] for a part of a file, which has that many lines before it.
func ParsePart(name string, before int, src []byte, marks ...string) (*Document, error) {
	d := &Document{name: name, before: before, nodes: map[string]*yaml.Node{}, empty: map[string]bool{}, rejected: map[string]int{}}
	if err := Expect(src, marks...); err != nil {
		return nil, diagnostic.List{{File: name, Message: err.Error()}}.Err()
	}
	d.lines = splitLines(string(src))
	if !utf8.Valid(src) {
		return nil, d.notUTF8(string(src))
	}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, d.syntax(err)
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		second.Line += before
		return nil, d.problemAt(&second, "a second document; put each document into a file of its own")
	case !errors.Is(err, io.EOF):
		return nil, d.syntax(err)
	}
	d.root = doc.Content[0]
	moveDown(d.root, before)
	if d.root.Kind == yaml.ScalarNode && d.root.Tag == tagNull {
		return nil, d.syntax(io.EOF)
	}
	if d.root.Kind != yaml.MappingNode {
		return nil, d.problemAt(d.root, "the document is "+kindName(d.root)+"; write keys and values")
	}
	if err := boundAliases(d.root); err != nil {
		return nil, d.problemAt(d.root, err.Error())
	}
	return d, nil
}

// moveDown adds to the line numbers of a node and those below it.
func moveDown(n *yaml.Node, lines int) {
	n.Line += lines
	for _, child := range n.Content {
		moveDown(child, lines)
	}
}

// blank says whether a text has nothing but comments and document markers.
func blank(src []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(src, []byte("\ufeff"))) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return false
		}
	}
	return true
}

const (
	tagNull  = "!!null"
	tagBool  = "!!bool"
	tagInt   = "!!int"
	tagFloat = "!!float"
	tagMerge = "!!merge"
)

// lineBreaks are the characters that end a line for the YAML library, which
// counts lines as YAML 1.1 does.
var lineBreaks = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]")

func splitLines(src string) []string {
	return lineBreaks.Split(strings.TrimPrefix(src, "\ufeff"), -1)
}

// Root returns the top mapping, for callers that read a key before they know
// what to decode into. It must not be modified.
func (d *Document) Root() *yaml.Node { return d.root }

// Has says whether the document gives the path, as in slos[0].objective, a
// value; a key with nothing behind it has none, except where it stands for a
// struct with all its defaults. It answers only after Decode.
func (d *Document) Has(path string) bool {
	n := d.nodes[path]
	return n != nil && (n.Tag != tagNull || d.empty[path])
}

// Problemf records a problem at the path's value, or at its nearest ancestor
// when the document does not hold the path. If the value could not be decoded, its problem is
// reported already, and Problemf only adds the advice of this message: the text after "; ".
func (d *Document) Problemf(path, format string, args ...any) {
	d.ProblemAtf(path, 0, format, args...)
}

// ProblemAtf is Problemf for a place inside a scalar: offset counts bytes from
// the start of its value, as parsers of embedded languages report them.
func (d *Document) ProblemAtf(path string, offset int, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if d.mergeIntoRejected(path, message) {
		return
	}
	p := d.problem(d.nearest(path), path, message)
	p.Line, p.Column = d.Place(path, offset)
	p.Source = d.line(p.Line)
	d.problems = append(d.problems, p)
}

// mergeIntoRejected adds the advice of a message to the problem of a value that could not be
// decoded. It says whether the path has such a value, or an ancestor of it.
func (d *Document) mergeIntoRejected(path, message string) bool {
	for above := path; above != ""; above = parent(above) {
		i, rejected := d.rejected[above]
		if !rejected {
			continue
		}
		known := &d.problems[i].Message
		if _, advice, ok := strings.Cut(message, "; "); ok && above == path && !strings.Contains(*known, "; ") {
			*known += "; " + advice
		}
		return true
	}
	return false
}

// Place is where ProblemAtf would report: the line and the column of an offset
// into a path's value. It answers only after Decode.
func (d *Document) Place(path string, offset int) (line, column int) {
	return d.within(d.inside(d.nearest(path), offset))
}

// nearest is the node of the path or of its nearest ancestor.
func (d *Document) nearest(path string) *yaml.Node {
	for p := path; p != ""; p = parent(p) {
		if n := d.nodes[p]; n != nil {
			return n
		}
	}
	return d.root
}

// Err returns every problem so far, or nil, as [diagnostic.List.Bounded].
func (d *Document) Err() error { return d.problems.Bounded().Err() }

func (d *Document) problem(n *yaml.Node, path, message string) diagnostic.Problem {
	line, column := d.within(n.Line, n.Column)
	return diagnostic.Problem{
		File: d.name, Line: line, Column: column,
		Path: path, Message: message, Source: d.line(line),
	}
}

func (d *Document) problemAt(n *yaml.Node, message string) error {
	return diagnostic.List{d.problem(n, "", message)}.Err()
}

// within moves a position to the nearest one that the file has: the library
// places an empty value behind the last line.
func (d *Document) within(line, column int) (int, int) {
	if last := d.before + len(d.lines); line > last {
		line, column = last, math.MaxInt
	}
	return line, min(max(column, 1), utf8.RuneCountInString(d.line(line))+1)
}

func (d *Document) line(n int) string {
	n -= d.before
	if n < 1 || n > len(d.lines) {
		return ""
	}
	return d.lines[n-1]
}

func (d *Document) syntax(err error) error {
	if errors.Is(err, io.EOF) {
		return d.problemAt(&yaml.Node{Line: d.before + 1, Column: 1}, "the file is empty")
	}
	p := syntax(d.name, d.lines, err)
	p.Line += d.before
	return diagnostic.List{p}.Err()
}

func (d *Document) notUTF8(src string) error {
	valid := 0
	for valid < len(src) {
		r, size := utf8.DecodeRuneInString(src[valid:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		valid += size
	}
	before := splitLines(src[:valid])
	last := before[len(before)-1]
	return diagnostic.List{{
		File: d.name, Line: d.before + len(before), Column: utf8.RuneCountInString(last) + 1,
		Message: fmt.Sprintf("the byte 0x%02x is not UTF-8; save the file as UTF-8", src[valid]),
	}}.Err()
}

func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.Tag {
	case tagNull:
		return "an empty value"
	case tagInt, tagFloat:
		return "the number " + n.Value
	case tagBool:
		return "the boolean " + n.Value
	}
	return strconv.Quote(n.Value)
}
