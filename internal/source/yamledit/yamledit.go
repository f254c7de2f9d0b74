// Package yamledit edits a YAML file at a node and leaves every other byte as it is: comments, order, blank lines, flow
// style, indentation and line ends. It never encodes the file again: it computes what to replace from the positions of
// nodes. The result is parsed, and an edit that changed anything but its node is an error.
//
// A path has the keys of mappings. The key of an item of a list is its name, id or key; see [Keys].
package yamledit

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a YAML file with one document, which has to be a mapping. After an error, Src is unchanged. Errors are problems of
// package diagnostic.
type File struct {
	Name string // for errors
	Src  []byte
}

// Set sets the value of a path to YAML that begins at column 0. It adds missing keys and their parents. A new key or item comes
// after the nearest present key before it in the order, else before the nearest one after it, else last. In a flow
// mapping, the value is written on one line without comments.
func (f *File) Set(path []string, src []byte, order ...string) error {
	v, err := parseValue(f.Name, src)
	if err != nil {
		return err
	}
	return f.edit(path, func(d *document, steps []entry, rest []string) ([]splice, error) {
		return d.put(steps, rest, v, order)
	})
}

// Copy is [File.Set] with the value of another file. A new key or item has the comment above it, too.
func (f *File) Copy(from File, path []string, order ...string) error {
	other, err := parse(from.Name, from.Src)
	if err != nil {
		return err
	}
	found, err := other.walk(path)
	if err != nil {
		return err
	}
	if len(path) == 0 || len(found) <= len(path) {
		return other.problem(found[len(found)-1].value, "the key "+strings.Join(path, ".")+" is missing")
	}
	v, err := other.copied(found)
	if err != nil {
		return err
	}
	return f.edit(path, func(d *document, steps []entry, rest []string) ([]splice, error) {
		return d.put(steps, rest, v, order)
	})
}

// Append adds an item to a list, in the style of its last item. A missing list is created.
func (f *File) Append(path []string, src []byte) error {
	v, err := parseValue(f.Name, src)
	if err != nil {
		return err
	}
	return f.edit(path, func(d *document, steps []entry, rest []string) ([]splice, error) {
		last := steps[len(steps)-1].value
		if len(rest) > 0 || isNull(last) {
			return d.put(steps, rest, list(v), nil)
		}
		if last.Kind != yaml.SequenceNode {
			return nil, d.problem(last, "this is not a list; edit the file by hand")
		}
		return d.insert(steps, "", v.like(last.Content), len(last.Content))
	})
}

// Delete removes a key or item with the comment above it and the one on its line. A comment at the beginning of the file
// stays. If a block mapping or list gets empty, its key is removed, too. A flow mapping becomes {}.
func (f *File) Delete(path ...string) error {
	return f.edit(path, func(d *document, steps []entry, rest []string) ([]splice, error) {
		if len(rest) > 0 {
			return nil, d.problem(steps[len(steps)-1].value, "the key "+rest[0]+" is missing")
		}
		return d.remove(steps)
	})
}

// Get returns the value of a path as YAML that begins at column 0, with its comments, and the line of its key. The line is
// 0 if the path is missing.
func (f *File) Get(path ...string) (src []byte, line int, err error) {
	d, err := parse(f.Name, f.Src)
	if err != nil {
		return nil, 0, err
	}
	steps, err := d.walk(path)
	if err != nil || len(steps) <= len(path) {
		return nil, 0, err
	}
	if len(path) == 0 {
		return f.Src, 1, nil
	}
	return d.text(steps), d.line(steps[len(path)].start) + 1, nil
}

// Keys returns the path elements of the values in a mapping or list, in their order. Those of a list are the values of
// name, id or key that all items have. Without unique keys it returns nil.
func Keys(n *yaml.Node) []string {
	if n.Kind == yaml.MappingNode {
		return unique(n.Content, 2, func(key *yaml.Node) *yaml.Node { return key })
	}
	for _, name := range []string{"name", "id", "key"} {
		keys := unique(n.Content, 1, func(item *yaml.Node) *yaml.Node {
			for i := 0; item.Kind == yaml.MappingNode && i < len(item.Content); i += 2 {
				if item.Content[i].Value == name {
					return item.Content[i+1]
				}
			}
			return nil
		})
		if keys != nil {
			return keys
		}
	}
	return nil
}

// unique returns the scalars of each of the nodes, nil if one is missing or not unique.
func unique(nodes []*yaml.Node, step int, key func(*yaml.Node) *yaml.Node) []string {
	var keys []string
	for i := 0; i < len(nodes); i += step {
		k := key(nodes[i])
		if k == nil || k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge" || slices.Contains(keys, k.Value) {
			return nil
		}
		keys = append(keys, k.Value)
	}
	return keys
}
