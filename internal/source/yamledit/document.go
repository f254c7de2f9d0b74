package yamledit

import (
	"bytes"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// document is a parsed file. Edits change its nodes, too, for the comparison with the result.
type document struct {
	name         string
	src          []byte
	starts, ends []int // of lines, without line breaks
	lineBreak    string
	root         *yaml.Node
}

// lineBreaks matches the line breaks by which the YAML library counts lines.
var lineBreaks = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]")

func parse(name string, src []byte) (*document, error) {
	parsed, err := yamldoc.Parse(name, src)
	if err != nil {
		return nil, err
	}
	d := &document{name: name, src: src, root: parsed.Root(), lineBreak: "\n"}
	at := len(src) - len(bytes.TrimPrefix(src, []byte("\ufeff")))
	for i, found := range lineBreaks.FindAllIndex(src, -1) {
		if i == 0 && bytes.HasPrefix(src[found[0]:], []byte("\r\n")) {
			d.lineBreak = "\r\n"
		}
		d.starts, d.ends = append(d.starts, at), append(d.ends, found[0])
		at = found[1]
	}
	d.starts, d.ends = append(d.starts, at), append(d.ends, len(src))
	return d, nil
}

// splice replaces a part of a file.
type splice struct {
	from, to int
	text     string // with \n as line break
}

// edit applies an edit and compares the result with the edited nodes.
func (f *File) edit(path []string, splices func(d *document, steps []entry, rest []string) ([]splice, error)) error {
	d, err := parse(f.Name, f.Src)
	if err != nil {
		return err
	}
	steps, err := d.walk(path)
	if err != nil {
		return err
	}
	if len(path) == 0 {
		return d.problem(d.root, "the path of the edit is empty")
	}
	place := *steps[len(steps)-1].value // before the edit
	parts, err := splices(d, steps, path[len(steps)-1:])
	if err != nil {
		return err
	}
	var out []byte
	at := 0
	for _, s := range parts {
		out = append(out, d.src[at:s.from]...)
		out = append(out, strings.ReplaceAll(s.text, "\n", d.lineBreak)...)
		at = s.to
	}
	out = append(out, d.src[at:]...)
	for range 2 {
		if after, err := parse(f.Name, out); err == nil && equal(d.root, after.root) {
			f.Src = out
			return nil
		}
		out = append(out, d.lineBreak...) // a literal that is now last needs it
	}
	return d.problem(&place, "the edit of "+strings.Join(path, ".")+" would change other values, too; edit the file by hand")
}

// equal reports whether two nodes have the same values, in the same order.
func equal(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && (a.Value == b.Value || isNull(a)) && a.Anchor == b.Anchor &&
		slices.EqualFunc(a.Content, b.Content, equal)
}

// problem returns an error at a node.
func (d *document) problem(n *yaml.Node, message string) error {
	line := min(n.Line, len(d.starts)) - 1
	return diagnostic.List{{File: d.name, Line: line + 1, Column: n.Column, Message: message, Source: string(d.src[d.starts[line]:d.ends[line]])}}.Err()
}

// walk returns the entries on a path, from the root to the last one that exists.
func (d *document) walk(path []string) ([]entry, error) {
	steps := []entry{{value: d.root}}
	for _, key := range path {
		n := steps[len(steps)-1].value
		if err := d.editable(n); err != nil {
			return nil, err
		}
		i := -1
		if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
			i = slices.Index(Keys(n), key)
		}
		if i < 0 {
			return steps, nil
		}
		entries, err := d.entries(n)
		if err != nil {
			return nil, err
		}
		steps = append(steps, entries[i])
	}
	return steps, d.editable(steps[len(steps)-1].value)
}

// editable returns an error if the values below a node may depend on other nodes.
func (d *document) editable(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		return d.problem(n, "the alias *"+n.Value+" refers to a value that is written elsewhere; write the value here, or edit the file by hand")
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	lines := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		switch key := n.Content[i]; {
		case key.Kind != yaml.ScalarNode:
			return d.problem(key, "this key is not a plain word; edit the file by hand")
		case key.ShortTag() == "!!merge":
			return d.problem(key, "the merge key << adds keys that are written elsewhere; write them here, or edit the file by hand")
		case lines[key.Value] > 0:
			return d.problem(key, "duplicate key "+key.Value+"; keep one")
		default:
			lines[key.Value] = key.Line
		}
	}
	return nil
}

// unanchored returns an error if a value that will be replaced has an anchor, which aliases elsewhere may need.
func (d *document) unanchored(n *yaml.Node) error {
	if n.Anchor != "" {
		return d.problem(n, "aliases may need the anchor &"+n.Anchor+"; remove the anchor, or edit the file by hand")
	}
	for _, child := range n.Content {
		if err := d.unanchored(child); err != nil {
			return err
		}
	}
	return nil
}

// at returns the offset of a node.
func (d *document) at(n *yaml.Node) int {
	i := d.starts[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(d.src[i:])
		i += size
	}
	return i
}

// line returns the index of the line of an offset.
func (d *document) line(offset int) int { return max(sort.SearchInts(d.starts, offset+1)-1, 0) }

func (d *document) lineEnd(offset int) int { return d.ends[d.line(offset)] }

func (d *document) column(offset int) int { return offset - d.starts[d.line(offset)] }

// comment reports whether a line has only a comment, or nothing, and its indentation.
func (d *document) comment(line int) (comment, blank bool, indent int) {
	text := d.src[d.starts[line]:d.ends[line]]
	trimmed := bytes.TrimLeft(text, " \t")
	return bytes.HasPrefix(trimmed, []byte("#")), len(trimmed) == 0, len(text) - len(trimmed)
}

// tail returns the end of the last line of an entry in a block: comments that are indented more than the entry belong to it.
func (d *document) tail(end, column int) int {
	last := d.line(end)
	for line := last + 1; line < len(d.starts); line++ {
		comment, blank, indent := d.comment(line)
		if !blank && (!comment || indent <= column) {
			break
		}
		if comment {
			last = line
		}
	}
	return d.ends[last]
}

// head returns the first line of the comment above a line, which begins after another line.
func (d *document) head(line, after int) int {
	_, _, column := d.comment(line)
	for line-1 > after {
		if comment, _, indent := d.comment(line - 1); !comment || indent != column {
			break
		}
		line--
	}
	return line
}

// text returns the source of the last value, moved to column 0.
func (d *document) text(steps []entry) []byte {
	e := steps[len(steps)-1]
	if isNull(e.value) && e.end == e.after {
		return nil
	}
	at := d.at(e.value)
	if isFlow(steps[len(steps)-2].value) {
		return d.src[at:e.end]
	}
	first, column := d.line(e.start), d.column(e.start)
	out := d.src[at:d.tail(e.end, column)]
	switch {
	case d.line(at) > first:
		out, column = d.src[d.starts[d.line(e.after)+1]:d.tail(e.end, column)], d.column(at)
	case isBlock(e.value):
		column = d.column(at)
	}
	lines := strings.Split(string(lineBreaks.ReplaceAll(out, []byte("\n"))), "\n")
	for i, line := range lines {
		lines[i] = line[min(column, len(line)-len(strings.TrimLeft(line, " "))):]
	}
	return []byte(strings.Join(lines, "\n"))
}
