package yamldoc

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// Bounds of a document. The YAML library takes about 200 bytes for each value,
// and what aliases stand for is decoded once for each of them.
const (
	maxValues  = 1 << 20
	maxAliased = 100_000
)

// Expect says why a text must not be parsed as the kind of document that has one
// of the marks, as [Parse] takes them, or returns nil. It is for readers that leave
// parsing to another package, whose messages quote the text.
func Expect(src []byte, marks ...string) error {
	if err := Bounded(src); err != nil {
		return err
	}
	if len(marks) > 0 && !blank(src) && !userfile.Marked(src, marks...) {
		return errors.New(userfile.Unmarked(marks...))
	}
	return nil
}

// Bounded says why a text has too many values to be parsed, or returns nil. It
// counts the characters that can begin a value, so that it does not parse.
func Bounded(src []byte) error {
	values := 0
	for _, indicator := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029", ",", "[", "{", ": ", ":\n", "- "} {
		if values += bytes.Count(src, []byte(indicator)); values > maxValues {
			return fmt.Errorf("more than %d values; split the file", maxValues)
		}
	}
	return nil
}

// boundAliases says why aliases make too much of a document, or returns nil.
func boundAliases(root *yaml.Node) error {
	left := maxAliased
	var visit func(n *yaml.Node, aliased bool, depth int) error
	visit = func(n *yaml.Node, aliased bool, depth int) error {
		if depth > maxDepth {
			return errTooDeep
		}
		if n.Kind == yaml.AliasNode {
			n, aliased = n.Alias, true
		}
		if aliased {
			if left--; left < 0 {
				return errAliases
			}
		}
		for _, child := range n.Content {
			if err := visit(child, aliased, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return visit(root, false, 0)
}

// maxDepth is far below what the stack of this package takes, and ends an anchor
// that contains its own alias.
const maxDepth = 1000

var (
	errAliases = fmt.Errorf("aliases stand for more than %d values; write fewer of them", maxAliased)
	errTooDeep = errors.New("nested too deeply, or an anchor contains its own alias; write the values out")
)
