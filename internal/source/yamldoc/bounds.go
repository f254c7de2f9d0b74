package yamldoc

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// Limits of a document. The YAML library needs about 200 bytes for each value, and decodes the value
// of each alias.
const (
	maxValues  = 1 << 20
	maxAliased = 100_000
)

// Expect returns an error if a text has too many values or none of the marks (see [Parse]). It is for
// callers that parse with another package, whose messages quote the text.
func Expect(src []byte, marks ...string) error {
	if err := Bounded(src); err != nil {
		return err
	}
	if len(marks) > 0 && !blank(src) && !userfile.Marked(src, marks...) {
		return errors.New(userfile.Unmarked(marks...))
	}
	return nil
}

// Bounded returns an error if a text has too many values to parse. It counts the characters that can
// begin a value.
func Bounded(src []byte) error {
	values := 0
	for _, indicator := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029", ",", "[", "{", ": ", ":\n", "- "} {
		if values += bytes.Count(src, []byte(indicator)); values > maxValues {
			return fmt.Errorf("more than %d values; split the file", maxValues)
		}
	}
	return nil
}

// boundAliases returns an error if aliases expand to too many values.
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

// maxDepth protects the stack, and limits anchors that contain their own alias.
const maxDepth = 1000

var (
	errAliases = fmt.Errorf("aliases expand to more than %d values; use fewer aliases", maxAliased)
	errTooDeep = errors.New("nested too deeply, or an anchor contains its own alias; write the values without aliases")
)
