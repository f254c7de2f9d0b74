package yamledit

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// put sets the value below the last step.
func (d *document) put(steps []entry, rest []string, v value, order []string) ([]splice, error) {
	last := steps[len(steps)-1]
	switch {
	case len(rest) == 0 || isNull(last.value):
		return d.replace(steps, nest(rest, v, d.step(d.root)))
	case last.value.Kind == yaml.SequenceNode && slices.Equal(Keys(&yaml.Node{Content: []*yaml.Node{v.node}}), rest):
		return d.insert(steps, "", v.like(last.value.Content), position(Keys(last.value), rest[0], order))
	case last.value.Kind != yaml.MappingNode:
		return nil, d.problem(last.value, "this value has no key "+rest[0]+"; edit the file by hand")
	}
	return d.insert(steps, rest[0], nest(rest[1:], v, d.step(d.root)), position(Keys(last.value), rest[0], order))
}

// position returns the index of a new key; see [File.Set].
func position(keys []string, key string, order []string) int {
	at := slices.Index(order, key)
	for i := at - 1; i >= 0; i-- {
		if before := slices.Index(keys, order[i]); before >= 0 {
			return before + 1
		}
	}
	for i := at + 1; at >= 0 && i < len(order); i++ {
		if after := slices.Index(keys, order[i]); after >= 0 {
			return after
		}
	}
	return len(keys)
}

// step returns the indentation of the first block below a key, else two spaces.
func (d *document) step(n *yaml.Node) string {
	for i := 1; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		key, child := n.Content[i-1], n.Content[i]
		if isBlock(child) && child.Line > key.Line && child.Column > key.Column {
			return strings.Repeat(" ", child.Column-key.Column)
		}
	}
	return "  "
}

// replace replaces the last value.
func (d *document) replace(steps []entry, v value) ([]splice, error) {
	e, flow := steps[len(steps)-1], isFlow(steps[len(steps)-2].value)
	if err := d.unanchored(e.value); err != nil {
		return nil, err
	}
	column, at := d.column(e.start), e.after
	if !isEmpty(e.value) {
		at = d.at(e.value)
	}
	below := d.line(at) > d.line(e.after)
	end, step := e.end, d.step(d.root)
	*e.value = *v.node
	switch {
	case flow && e.key != nil && d.src[e.after-1] != ':':
		return []splice{{at, end, ": " + v.flow()}}, nil
	case flow:
		return []splice{{at, end, behind(d.src[:at], v.flow())}}, nil
	case below:
		end = d.tail(end, column)
	}
	margin := strings.Repeat(" ", column)
	keyEnd := d.lineEnd(e.after)
	if v.below && e.key == nil { // an item begins behind its dash
		v.below, step = false, "  "
		if !below && at > e.after {
			margin, step = strings.Repeat(" ", d.column(at)), ""
		}
	}
	if v.below {
		text := "\n" + indented(v.text, margin+step)
		if below {
			return []splice{{keyEnd, end, text}}, nil
		}
		return []splice{{e.after, end, ""}, {d.tail(end, column), d.tail(end, column), text}}, nil
	}
	text := v.hanging(margin, step)
	if strings.ContainsAny(text, "#\n") { // its comment replaces the old one
		keyEnd = e.after
		end = max(end, d.lineEnd(end))
	}
	if below && keyEnd > e.after {
		return []splice{{e.after, e.after, " " + text}, {keyEnd, end, ""}}, nil
	}
	if below {
		at = e.after
	}
	return []splice{{at, end, behind(d.src[:at], text)}}, nil
}

// behind returns a text that follows others, with a space if one is needed.
func behind(src []byte, text string) string {
	if text != "" && bytes.ContainsAny(src[len(src)-1:], ":-") {
		return " " + text
	}
	return text
}

// insert adds an entry to the last value, a mapping or list, at an index.
func (d *document) insert(steps []entry, key string, v value, index int) ([]splice, error) {
	last := steps[len(steps)-1]
	n := last.value
	entries, err := d.entries(n)
	if err != nil {
		return nil, err
	}
	step := d.step(d.root)
	text, added := item(v), []*yaml.Node{v.node}
	if n.Kind == yaml.MappingNode {
		text, added = pair(key, v, step), []*yaml.Node{word(key), v.node}
	}
	n.Content = slices.Insert(n.Content, index*len(added), added...)
	if isFlow(n) {
		inside := &yaml.Node{Kind: n.Kind, Content: added}
		text = value{node: inside}.flow()
		return d.insertFlow(n, entries, text[1:len(text)-1], index), nil
	}
	column := d.column(entries[0].start)
	text = indented(text, strings.Repeat(" ", column))
	if index > 0 {
		at := d.tail(entries[index-1].end, column)
		return []splice{{at, at, "\n" + text}}, nil
	}
	first := entries[0].start
	switch line := d.line(first); {
	case !d.startsLine(first): // behind the dash of an item
		return []splice{{first, first, strings.TrimLeft(text, " ") + "\n" + strings.Repeat(" ", column)}}, nil
	case len(steps) == 1:
		at := d.starts[d.head(line, -1)]
		return []splice{{at, at, text + "\n"}}, nil
	}
	at := d.tail(last.after, column)
	return []splice{{at, at, "\n" + text}}, nil
}

// startsLine reports whether only spaces precede an offset in its line.
func (d *document) startsLine(at int) bool {
	return len(bytes.TrimLeft(d.src[d.starts[d.line(at)]:at], " ")) == 0
}

func (d *document) insertFlow(n *yaml.Node, entries []entry, text string, index int) []splice {
	if len(entries) == 0 {
		at := d.content(n) + 1
		return []splice{{at, at, text}}
	}
	if index == 0 {
		at := entries[0].start
		return []splice{{at, at, text + ", "}}
	}
	previous := entries[index-1]
	separator := ", "
	if d.startsLine(previous.start) && !bytes.Contains(d.src[previous.end:d.lineEnd(previous.end)], []byte("#")) {
		separator = ",\n" + strings.Repeat(" ", d.column(previous.start))
	}
	return []splice{{previous.end, previous.end, separator + text}}
}

// remove removes the last step.
func (d *document) remove(steps []entry) ([]splice, error) {
	e, parent := steps[len(steps)-1], steps[len(steps)-2].value
	if err := d.unanchored(e.value); err != nil {
		return nil, err
	}
	entries, err := d.entries(parent)
	if err != nil {
		return nil, err
	}
	width := len(parent.Content) / len(entries)
	index := slices.IndexFunc(entries, func(other entry) bool { return other.value == e.value })
	if len(entries) > 1 || isFlow(parent) {
		parent.Content = slices.Delete(parent.Content, index*width, (index+1)*width)
		if isFlow(parent) {
			return d.removeFlow(entries, index), nil
		}
		return d.removeBlock(steps, entries, index), nil
	}
	if len(steps) > 2 && steps[len(steps)-2].key != nil {
		return d.remove(steps[:len(steps)-1])
	}
	// The mapping is the document or an item.
	*parent = yaml.Node{Kind: parent.Kind, Tag: parent.Tag, Style: yaml.FlowStyle}
	empty := "{}"
	if parent.Kind == yaml.SequenceNode {
		empty = "[]"
	}
	return []splice{{e.start, d.tail(e.end, d.column(e.start)), empty}}, nil
}

func (d *document) removeBlock(steps, entries []entry, index int) []splice {
	e := entries[index]
	column := d.column(e.start)
	to := d.tail(e.end, column)
	if !d.startsLine(e.start) {
		next := d.starts[d.line(to)+1]
		for d.src[next] == ' ' || isSpace(rune(d.src[next])) {
			next++
		}
		return []splice{{e.start, next, ""}}
	}
	line, first := d.line(e.start), d.first(steps, entries, index)
	if index == 0 && len(steps) == 2 {
		return []splice{{d.starts[line], d.starts[d.line(to)+1], ""}}
	}
	return []splice{{d.ends[first-1], to, ""}}
}

// first returns the first line of the last step, which is an entry of a block: that of the comment above it.
func (d *document) first(steps, entries []entry, index int) int {
	line := d.line(entries[index].start)
	above := line // the comment at the beginning of a file may be a license
	switch {
	case index > 0:
		above = d.line(d.tail(entries[index-1].end, d.column(entries[index-1].start)))
	case len(steps) > 2:
		above = d.line(steps[len(steps)-2].after)
	}
	return d.head(line, above)
}

func (d *document) removeFlow(entries []entry, index int) []splice {
	e := entries[index]
	switch {
	case len(entries) == 1:
		to := e.end
		if comma := d.skip(to); d.src[comma] == ',' {
			to = comma + 1
		}
		return []splice{{e.start, to, ""}}
	case index == 0:
		return []splice{{e.start, entries[1].start, ""}}
	}
	previous := entries[index-1].end
	if !bytes.Contains(d.src[previous:e.start], []byte("#")) {
		return []splice{{previous, e.end, ""}}
	}
	// The comma before a comment stays.
	to := e.end
	if comma := d.skip(to); d.src[comma] == ',' {
		to = comma + 1
	}
	if line := d.line(e.start); d.startsLine(e.start) && (len(bytes.TrimSpace(d.src[to:d.lineEnd(to)])) == 0 || d.src[d.skipSpaces(to)] == '#') {
		return []splice{{d.ends[line-1], d.lineEnd(to), ""}}
	}
	return []splice{{e.start, to, ""}}
}

func (d *document) skipSpaces(at int) int {
	return at + len(d.src[at:]) - len(bytes.TrimLeft(d.src[at:], " \t"))
}
