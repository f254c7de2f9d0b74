package yamledit

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// value is a new value.
type value struct {
	node  *yaml.Node
	text  string // begins at column 0; line breaks are \n
	below bool   // on lines below the key
	head  string // comment above a new key or item, with its line breaks
	line  string // comment on the line of a new key whose value is below
}

// copied returns the last value with its comments.
func (d *document) copied(steps []entry) (value, error) {
	v, err := parseValue(d.name, d.text(steps))
	e, parent := steps[len(steps)-1], steps[len(steps)-2].value
	if err == nil && !equal(v.node, e.value) {
		err = d.unknown(e.value)
	}
	if err != nil || isFlow(parent) {
		return v, err
	}
	entries, err := d.entries(parent)
	if err != nil {
		return v, err
	}
	index := slices.IndexFunc(entries, func(other entry) bool { return other.value == e.value })
	for line := d.first(steps, entries, index); line < d.line(e.start); line++ {
		v.head += strings.TrimLeft(string(d.src[d.starts[line]:d.ends[line]]), " \t") + "\n"
	}
	if v.below && d.line(d.at(e.value)) > d.line(e.after) {
		v.line = strings.TrimRight(string(d.src[e.after:d.lineEnd(e.after)]), " \t")
	}
	return v, nil
}

func parseValue(name string, src []byte) (value, error) {
	text := strings.Trim(string(lineBreaks.ReplaceAll(src, []byte("\n"))), "\n")
	if err := yamldoc.Bounded(src); err != nil {
		return value{}, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text+"\n"), &doc); err != nil {
		return value{}, yamldoc.Syntax("new value for "+name, src, err)
	}
	v := value{node: null(), text: text}
	if len(doc.Content) > 0 {
		v.node = doc.Content[0]
	}
	v.below = isBlock(v.node) || strings.HasPrefix(v.text, "#")
	return v, nil
}

func null() *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"} }

func word(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// list returns the list with one item.
func list(v value) value {
	return value{node: &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{v.node}}, text: item(v), below: true}
}

// nest returns the value below keys.
func nest(keys []string, v value, step string) value {
	for _, key := range slices.Backward(keys) {
		node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{word(key), v.node}}
		v = value{node: node, text: pair(key, v, step), below: true}
	}
	return v
}

// pair returns a key with its value.
func pair(key string, v value, step string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{word(key), null()}}), "null"), " ")
	switch {
	case v.below:
		return v.head + name + v.line + "\n" + indented(v.text, step)
	case v.text == "":
		return v.head + name
	}
	return v.head + name + " " + v.hanging("", step)
}

// item returns an item of a block list. A comment that begins the value comes above the item.
func item(v value) string {
	comment := v.head
	for v.below && strings.HasPrefix(v.text, "#") {
		line, rest, _ := strings.Cut(v.text, "\n")
		comment, v.text = comment+line+"\n", rest
	}
	if v.below {
		return comment + "- " + hang(v.text, "  ")
	}
	return strings.TrimSuffix(comment+"- "+v.hanging("", "  "), " ")
}

// hanging returns the text of a value that begins behind its key: lines after the first are indented.
func (v value) hanging(indent, step string) string {
	if v.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		indent += step
	}
	return hang(v.text, indent)
}

// lineStart matches the beginning of a line that is not empty.
var lineStart = regexp.MustCompile(`(?m)^(.)`)

func indented(text, indent string) string { return lineStart.ReplaceAllString(text, indent+"$1") }

func hang(text, indent string) string {
	first, rest, more := strings.Cut(text, "\n")
	if !more {
		return text
	}
	return first + "\n" + indented(rest, indent)
}

// like returns the value in the style of the last item of a list, if both are mappings or both are lists.
func (v value) like(items []*yaml.Node) value {
	if len(items) == 0 {
		return v
	}
	other := items[len(items)-1]
	if v.node.Kind != other.Kind || v.node.Kind == yaml.ScalarNode || isFlow(v.node) == isFlow(other) || len(v.node.Content) == 0 {
		return v
	}
	if isFlow(other) {
		return value{node: v.node, text: v.flow(), head: v.head}
	}
	block := restyled(v.node, 0)
	block.Style &^= yaml.FlowStyle
	return value{node: v.node, text: encode(block), below: true, head: v.head}
}

// flow returns the value on one line.
func (v value) flow() string {
	inside := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{restyled(v.node, yaml.FlowStyle)}}
	text := encode(inside)
	return text[1 : len(text)-1]
}

// restyled returns a copy without comments and line breaks. Collections have one more style.
func restyled(n *yaml.Node, style yaml.Style) *yaml.Node {
	c := *n
	c.HeadComment, c.LineComment, c.FootComment, c.Content = "", "", "", nil
	switch {
	case n.Kind != yaml.ScalarNode:
		c.Style |= style
	case strings.Contains(n.Value, "\n") || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		c.Style = n.Style&yaml.TaggedStyle | yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		c.Content = append(c.Content, restyled(child, style))
	}
	return &c
}

func encode(n *yaml.Node) string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	// Encoding into memory cannot fail; the result is parsed and compared.
	_ = enc.Encode(n)
	_ = enc.Close()
	return strings.TrimRight(b.String(), "\n")
}
