// Package yamldoc decodes YAML strictly and keeps the positions of values.
//
// [Parse] parses a document. [Document.Decode] fills a struct and records unknown keys, duplicate
// keys and wrong types. [Document.Problemf] adds problems of later validation at the position of a
// key. [Document.Err] returns all problems, sorted by position.
//
// Fields are named by the `yaml:"name"` tag. Supported are strings, booleans, integers, floats,
// time.Duration (Prometheus notation, such as 30d), pointers, slices, maps with string keys, nested
// and inlined (`yaml:",inline"`) structs, and types that implement [Unmarshaler]. The tag
// `synonym:"other"` is a key that authors may write by mistake, for which the field is suggested.
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

// Document is a YAML document with its problems. It is not safe for concurrent use.
type Document struct {
	name     string
	before   int // number of lines before the document in its file
	lines    []string
	root     *yaml.Node
	nodes    map[string]*yaml.Node // by path, as in slos[0].objective
	empty    map[string]bool       // paths of structs without a value
	misread  map[string]bool       // paths of structs with unknown keys only
	rejected map[string]int        // indexes in problems by path of values that were not decoded
	problems diagnostic.List
	schema   schema // of the value being decoded
}

// Parse parses src. The error is a [diagnostic.List] for text that is not UTF-8, syntax errors, an
// empty document, several documents, or too many values.
//
// Marks are the keys by which the kind of document is recognized, with the beginning of the value if
// the key alone is common, as in "apiVersion: scaffold". The error of a document without a mark does
// not quote it, since it may have secrets. Without marks, all documents are parsed.
func Parse(name string, src []byte, marks ...string) (*Document, error) {
	return ParsePart(name, 0, src, marks...)
}

// ParsePart is [Parse] for a part of a file with a number of lines before it.
func ParsePart(name string, before int, src []byte, marks ...string) (*Document, error) {
	d := &Document{name: name, before: before, nodes: map[string]*yaml.Node{}, empty: map[string]bool{}, misread: map[string]bool{}, rejected: map[string]int{}}
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
		return nil, d.problemAt(&second, "several documents; write each document to its own file")
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

// moveDown adds to the line numbers of a node and its children.
func moveDown(n *yaml.Node, lines int) {
	n.Line += lines
	for _, child := range n.Content {
		moveDown(child, lines)
	}
}

// blank reports whether a text has only comments and document markers.
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

// lineBreaks matches the line breaks of YAML 1.1, by which the YAML library counts lines.
var lineBreaks = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]")

func splitLines(src string) []string {
	return lineBreaks.Split(strings.TrimPrefix(src, "\ufeff"), -1)
}

// Root returns the top mapping, for callers that choose a type by a key. It must not be modified.
func (d *Document) Root() *yaml.Node { return d.root }

// Has reports whether the document has a value for the path, as in slos[0].objective. A key without a
// value counts only for a struct. Call it after Decode.
func (d *Document) Has(path string) bool {
	n := d.nodes[path]
	return n != nil && (n.Tag != tagNull || d.empty[path])
}

// Problemf records a problem at the value of a path, or at its nearest ancestor. If the value was not
// decoded, its problem is already recorded, and Problemf only adds the text after "; " to it. A problem of
// a struct with unknown keys only is not recorded: these are the cause.
func (d *Document) Problemf(path, format string, args ...any) {
	d.ProblemAtf(path, 0, format, args...)
}

// ProblemAtf is Problemf for a byte offset in the value of a scalar.
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

// mergeIntoRejected adds the advice of a message to the problem of a value that was not decoded. It
// reports whether the path or an ancestor has such a value.
func (d *Document) mergeIntoRejected(path, message string) bool {
	if d.misread[path] {
		return true // the unknown keys are the cause
	}
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

// Place returns the line and column of an offset in the value of a path. Call it after Decode.
func (d *Document) Place(path string, offset int) (line, column int) {
	return d.within(d.inside(d.nearest(path), offset))
}

// nearest returns the node of the path or of its nearest ancestor.
func (d *Document) nearest(path string) *yaml.Node {
	for p := path; p != ""; p = parent(p) {
		if n := d.nodes[p]; n != nil {
			return n
		}
	}
	return d.root
}

// Err returns all problems, limited by [diagnostic.List.Bounded], or nil.
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

// within moves a position into the file. The library places an empty value after the last line.
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
