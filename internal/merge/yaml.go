package merge

import (
	"bytes"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/yamledit"
)

// byNode applies what changed from Base to New to the user's YAML, value by value, so that its comments and its order
// stay. Of the comments in New, it has those of new and changed values. It returns false if both sides changed the same
// value, if a comment would be lost, or if an edit is not possible.
func byNode(name string, s Sides) ([]byte, bool) {
	base, mine, next := root(s.Base), root(s.Mine), root(s.New)
	if base == nil || mine == nil || next == nil {
		return nil, false
	}
	out, from := yamledit.File{Name: name, Src: s.Mine}, yamledit.File{Name: name, Src: s.New}
	applied := changes(base, next, nil)
	for _, path := range applied {
		if len(path) == 0 {
			return nil, false
		}
		has, will := lookup(mine, path), lookup(next, path)
		order := yamledit.Keys(lookup(next, path[:len(path)-1]))
		switch {
		case same(has, will):
		case !same(has, lookup(base, path)),
			will == nil && out.Delete(path...) != nil,
			will != nil && out.Copy(from, path, order...) != nil:
			return nil, false
		}
	}
	// Nothing else may have changed. Removing the last key of a mapping removes the mapping, too, and adding a key adds the
	// mapping that the user removed.
	for _, path := range changes(mine, root(out.Src), nil) {
		if !slices.ContainsFunc(applied, func(p []string) bool { return len(p) <= len(path) && slices.Equal(p, path[:len(p)]) }) {
			return nil, false
		}
	}
	return out.Src, keepsComments(s, out.Src)
}

// keepsComments reports whether a merge has each comment that a side added: a list is replaced with its comments, and
// comments at values that the template did not change are left out.
func keepsComments(s Sides, merged []byte) bool {
	for line := range bytes.Lines(slices.Concat(s.Mine, []byte("\n"), s.New)) {
		at := bytes.IndexByte(line, '#')
		if at < 0 {
			continue
		}
		if comment := bytes.TrimSpace(line[at:]); !bytes.Contains(s.Base, comment) && !bytes.Contains(merged, comment) {
			return false
		}
	}
	return true
}

func root(src []byte) *yaml.Node {
	var doc yaml.Node
	if yaml.Unmarshal(src, &doc) != nil || len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

// changes returns the paths of the values that differ. A list without keys, or with items in another order, is one value.
func changes(from, to *yaml.Node, path []string) (out [][]string) {
	if same(from, to) {
		return nil
	}
	if from == nil || to == nil || from.Kind != to.Kind {
		return [][]string{path}
	}
	before, after := yamledit.Keys(from), yamledit.Keys(to)
	moved := from.Kind == yaml.SequenceNode && !slices.Equal(common(before, after), common(after, before))
	if before == nil || after == nil || moved {
		return [][]string{path}
	}
	for _, key := range append(before, after...) {
		at := append(slices.Clone(path), key)
		if !slices.ContainsFunc(out, func(p []string) bool { return p[len(path)] == key }) {
			out = append(out, changes(lookup(from, at[len(path):]), lookup(to, at[len(path):]), at)...)
		}
	}
	return out
}

// common returns the keys that another list has, too.
func common(keys, other []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !slices.Contains(other, key) })
}

// lookup returns the node of a path, or nil.
func lookup(n *yaml.Node, path []string) *yaml.Node {
	for _, key := range path {
		i := slices.Index(yamledit.Keys(n), key)
		switch {
		case i < 0:
			return nil
		case n.Kind == yaml.MappingNode:
			i = 2*i + 1
		}
		n = n.Content[i]
	}
	return n
}

// same reports whether two nodes have the same value. The order of keys does not matter.
func same(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	var left, right any
	return a.Decode(&left) == nil && b.Decode(&right) == nil && reflect.DeepEqual(left, right)
}
