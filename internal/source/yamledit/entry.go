package yamledit

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// entry is a key with its value, or an item of a list, with offsets.
type entry struct {
	key   *yaml.Node // nil for an item
	value *yaml.Node
	start int // of the key, the dash, or the item of a flow list
	after int // behind the colon or dash
	end   int // of the value
}

func isFlow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

// isBlock reports whether a node is a mapping or list in block style.
func isBlock(n *yaml.Node) bool {
	return (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && !isFlow(n)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// isEmpty reports whether a value has no text. The library gives it no useful position.
func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style == 0 && n.Anchor == ""
}

// entries returns the entries of a mapping or list.
func (d *document) entries(n *yaml.Node) ([]entry, error) {
	var out []entry
	at := d.content(n)
	if isFlow(n) && at < len(d.src) && (d.src[at] == '{' || d.src[at] == '[') {
		at++
	}
	content := n.Content
	for len(content) > 0 {
		e := entry{value: content[0]}
		content = content[1:]
		var err error
		switch {
		case n.Kind == yaml.MappingNode:
			e.key, e.value, content = e.value, content[0], content[1:]
			err = d.placeKey(&e, isFlow(n))
		case isFlow(n):
			e.start = d.at(e.value)
			e.after = e.start
		default:
			e.start = d.skip(at)
			e.after = e.start + 1
			if !bytes.HasPrefix(d.src[e.start:], []byte("-")) {
				err = d.unknown(e.value)
			}
		}
		if err != nil {
			return nil, err
		}
		if e.end = e.after; !isEmpty(e.value) {
			if e.end, err = d.end(e.value, d.column(e.start)); err != nil {
				return nil, err
			}
		}
		at = e.end
		out = append(out, e)
	}
	return out, nil
}

func (d *document) unknown(n *yaml.Node) error {
	return d.problem(n, "this way to write YAML is not supported; write key: value, or edit the file by hand")
}

// placeKey sets the offsets of a key and of the end of its colon.
func (d *document) placeKey(e *entry, flow bool) (err error) {
	e.start = d.at(e.key)
	if e.after = e.start; !isEmpty(e.key) {
		if e.after, err = d.end(e.key, 0); err != nil {
			return err
		}
	}
	colon := e.after + len(d.src[e.after:]) - len(bytes.TrimLeft(d.src[e.after:], " \t"))
	if flow {
		colon = d.skip(e.after)
	}
	switch {
	case bytes.HasPrefix(d.src[colon:], []byte(":")):
		e.after = colon + 1
	case !flow || !isEmpty(e.value):
		return d.unknown(e.key)
	}
	return nil
}

// skip returns the offset of the next token: behind spaces, line breaks and comments.
func (d *document) skip(at int) int {
	for at < len(d.src) {
		r, size := utf8.DecodeRune(d.src[at:])
		switch {
		case isSpace(r):
			at += size
		case r == '#':
			at = d.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

func isSpace(r rune) bool { return strings.ContainsRune(" \t\r\n\u0085\u2028\u2029\ufeff", r) }

// content returns the offset of a node behind its anchor and tag.
func (d *document) content(n *yaml.Node) int {
	at := d.at(n)
	for at < len(d.src) && (d.src[at] == '&' && n.Anchor != "" || d.src[at] == '!' && n.Style&yaml.TaggedStyle != 0) {
		property := bytes.IndexFunc(d.src[at:], func(r rune) bool { return isSpace(r) || n.Anchor != "" && r == ',' })
		if property < 0 {
			return len(d.src)
		}
		if at += property; n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&^yaml.TaggedStyle == 0 {
			return at
		}
		at = d.skip(at)
	}
	return at
}

// end returns the end of a node in an entry that begins at a column.
func (d *document) end(n *yaml.Node, column int) (int, error) {
	at := d.content(n)
	switch n.Kind {
	case yaml.AliasNode:
		return at + len("*"+n.Value), nil
	case yaml.ScalarNode:
		return d.scalarEnd(n, at, column)
	}
	entries, err := d.entries(n)
	if err != nil {
		return 0, err
	}
	open := isFlow(n) && (d.src[at] == '{' || d.src[at] == '[')
	if len(entries) > 0 {
		at = entries[len(entries)-1].end
	} else {
		at++
	}
	if !open {
		return at, nil
	}
	if at = d.skip(at); bytes.HasPrefix(d.src[at:], []byte(",")) {
		at = d.skip(at + 1)
	}
	if !bytes.ContainsAny(d.src[at:min(at+1, len(d.src))], "}]") {
		return 0, d.unknown(n)
	}
	return at + 1, nil
}

func (d *document) scalarEnd(n *yaml.Node, at, column int) (int, error) {
	switch n.Style &^ yaml.TaggedStyle {
	case yaml.LiteralStyle, yaml.FoldedStyle:
		return d.blockEnd(at, column), nil
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		quote := d.src[at]
		for at++; at < len(d.src); at++ {
			switch {
			case quote == '"' && d.src[at] == '\\', quote == '\'' && bytes.HasPrefix(d.src[at:], []byte("''")):
				at++
			case d.src[at] == quote:
				return at + 1, nil
			}
		}
		return 0, d.unknown(n)
	}
	for _, r := range n.Value { // line breaks and indentation may differ from the value
		if isSpace(r) {
			continue
		}
		for at < len(d.src) {
			space, size := utf8.DecodeRune(d.src[at:])
			if !isSpace(space) {
				break
			}
			at += size
		}
		if !bytes.HasPrefix(d.src[at:], []byte(string(r))) {
			return 0, d.unknown(n)
		}
		at += utf8.RuneLen(r)
	}
	return at, nil
}

// blockEnd returns the end of the last line of a literal or folded scalar.
func (d *document) blockEnd(at, column int) int {
	line, content := d.line(at), -1
	header, _, _ := strings.Cut(string(d.src[at:d.ends[line]]), " ")
	if digit := strings.IndexAny(header, "123456789"); digit >= 0 {
		content = column + int(header[digit]-'0')
	}
	end := d.ends[line]
	for line++; line < len(d.starts) && d.starts[line] < len(d.src); line++ {
		text := d.src[d.starts[line]:d.ends[line]]
		trimmed := bytes.TrimLeft(text, " ")
		indent := len(text) - len(trimmed)
		if len(trimmed) == 0 && (content < 0 || indent <= content) {
			if strings.Contains(header, "+") { // trailing line breaks belong to the value
				end = d.ends[line]
			}
			continue
		}
		if content < 0 && indent > column {
			content = indent
		}
		if indent < content || content < 0 {
			break
		}
		end = d.ends[line]
	}
	return end
}
