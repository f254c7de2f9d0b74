package slo

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// maxImportDepth bounds the nesting of an imported document, which needs about
// fifteen levels.
const maxImportDepth = 50

// Importable says whether a file is of a format that [Import] reads, or of one
// like it: a list, a document that has a kind or a version, or a file of sloth without
// its version. A specification of this package has none. A file that is not YAML is of
// such a format if it has the version of one.
func Importable(src []byte) bool {
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var doc yaml.Node
		if err := decoder.Decode(&doc); err != nil {
			return !errors.Is(err, io.EOF) && importMark.Match(src)
		}
		switch root := doc.Content[0]; root.Kind {
		case yaml.SequenceNode:
			return true
		case yaml.MappingNode:
			return slothWithoutVersion(root) || child(root, "kind") != nil || child(root, "version") != nil || strings.HasPrefix(valueOf(child(root, "apiVersion")), "openslo")
		}
	}
}

// slothWithoutVersion recognises a file of sloth by the sli of an objective.
func slothWithoutVersion(root *yaml.Node) bool {
	slos := child(root, "slos")
	return slos != nil && slos.Kind == yaml.SequenceNode && child(root, "version") == nil && child(root, "apiVersion") == nil &&
		slices.ContainsFunc(slos.Content, func(n *yaml.Node) bool { return child(target(n), "sli") != nil })
}

// importMark is a version of a format that [Import] reads, or of one like it.
var importMark = regexp.MustCompile(`[vV]ersion["']?\s*:\s*["']?(?:openslo|prometheus/|sloth|pyrra|scaffold)`)

// read collects the documents of a file.
func (im *importer) read(src []byte) error {
	if err := yamldoc.Bounded(src); err != nil {
		return fmt.Errorf("%s: %w", im.file, err)
	}
	// What is wrong is quoted, which must not happen to a file of another kind.
	if len(bytes.TrimSpace(src)) > 0 && !importMark.Match(src) {
		message := "no objectives; objectives are read from " + importable
		var doc yaml.Node
		if yaml.Unmarshal(src, &doc) == nil && len(doc.Content) > 0 && slothWithoutVersion(doc.Content[0]) {
			message = fmt.Sprintf("a sloth file begins with version: %q", slothVersion)
		}
		return diagnostic.List{{File: im.file, Line: 1, Column: 1, Message: message}}.Err()
	}
	if !utf8.Valid(src) {
		return fmt.Errorf("%s: the file is not UTF-8", im.file)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return im.problems.Bounded().Err()
		}
		if err != nil {
			return diagnostic.List{yamldoc.Syntax(im.file, src, err)}.Err()
		}
		root := doc.Content[0]
		if im.wellFormed(root, "", maxImportDepth) {
			im.add(root)
		}
	}
}

// add adds a document, or those in a list.
func (im *importer) add(n *yaml.Node) {
	im.joined(n)
	switch items := entry(n, "items"); {
	case n.Kind == yaml.AliasNode:
		im.at(n, "", "a document is an alias; write it out") // it may contain itself
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			im.add(item)
		}
	case items != nil && strings.HasSuffix(valueOf(child(n, "kind")), "List"):
		im.add(items)
	case n.Kind == yaml.MappingNode:
		im.documents = append(im.documents, n)
	case n.Tag != "!!null":
		im.at(n, "", "expected a mapping")
	}
}

// joined reports objectives that are in a document of another format: without a line
// of --- the keys of two documents are one mapping.
func (im *importer) joined(doc *yaml.Node) {
	version := cmp.Or(valueOf(child(doc, "apiVersion")), valueOf(child(doc, "version")))
	own := map[string][]string{
		openSLOVersion: {"spec.objectives", "spec.indicator"},
		slothVersion:   {"slos"},
		slothResource:  {"spec.slos"},
		pyrraVersion:   {"spec.indicator"},
	}
	for _, keys := range [][]string{{"slos"}, {"spec", "slos"}, {"spec", "objectives"}, {"spec", "indicator"}} {
		path, above, key := strings.Join(keys, "."), doc, keys[len(keys)-1]
		if len(keys) > 1 {
			above = child(doc, keys[0])
		}
		switch {
		case child(above, key) == nil, slices.Contains(own[supported(version)], path):
		case len(keys) > 1 && supported(version) == "": // of a format that is not read
		case version == APIVersion:
			im.at(keyOf(above, key), path, "are objectives of "+APIVersion+"; move them to another file")
		case slothWithoutVersion(doc):
			im.at(doc, "", fmt.Sprintf("a sloth file begins with version: %q", slothVersion))
		default:
			im.at(keyOf(above, key), path, fmt.Sprintf("is not a key of %s; write --- between documents", described(valueOf(child(doc, "kind")), version)))
		}
	}
}

// wellFormed reports keys that stand twice and merge keys, which other readers take
// in different ways, and what is nested too deep.
func (im *importer) wellFormed(n *yaml.Node, path string, left int) bool {
	if left == 0 {
		im.at(n, path, "nested deeper than any document of objectives")
		return false
	}
	ok := true
	seen := map[string]int{}
	for i, c := range n.Content {
		at := path
		switch {
		case n.Kind == yaml.SequenceNode:
			at = fmt.Sprintf("%s[%d]", path, i)
		case n.Kind == yaml.MappingNode && i%2 == 1:
			at = strings.TrimPrefix(path+"."+n.Content[i-1].Value, ".")
		case c.Tag == "!!merge":
			im.at(c, path, "merge keys (<<) are not read; write the keys out")
			ok = false
		case c.Kind != yaml.ScalarNode:
			im.at(c, path, "a key is not a plain word")
			ok = false
		case seen[c.Value] > 0:
			im.at(c, strings.TrimPrefix(path+"."+c.Value, "."), fmt.Sprintf("duplicate key, first on line %d; keep one", seen[c.Value]))
			ok = false
		default:
			seen[c.Value] = c.Line
		}
		ok = im.wellFormed(c, at, left-1) && ok
	}
	return ok
}

// target is the node that an alias stands for.
func target(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func child(n *yaml.Node, key string) *yaml.Node { return target(entry(n, key)) }

// entry is the value of a key, which may be an alias.
func entry(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func valueOf(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// get follows keys down and marks each as read; nil when one is missing or empty.
func (im *importer) get(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		next := child(n, key)
		if next == nil {
			return nil
		}
		im.mark(n, key)
		n = next
	}
	if n != nil && n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	return n
}

// keyOf is the node of a key itself, which has a line of its own where its value
// begins on the next.
func keyOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return n
}

// ignore leaves keys out of what is listed as dropped, with all that is in them.
func (im *importer) ignore(n *yaml.Node, keys ...string) {
	for _, key := range keys {
		im.ignored[keyOf(n, key)] = true
	}
}

func (im *importer) mark(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			im.used[n.Content[i]] = true
		}
	}
}

// text is a scalar, or nothing. Where text is wanted, an unquoted 1.0 is text.
func (im *importer) text(n *yaml.Node, keys ...string) string { return valueOf(im.get(n, keys...)) }

// boolean is true or false in any spelling of YAML, or absent without the key.
func (im *importer) boolean(n *yaml.Node, path, key string, absent bool) bool {
	found := im.get(n, key)
	if found == nil {
		return absent
	}
	var value bool
	if err := found.Decode(&value); err != nil {
		im.at(found, path+"."+key, "expected true or false")
		return absent
	}
	return value
}

// misspelled reports a key of a mapping that is probably meant to be one of those that
// it lacks, and whether there is one.
func (im *importer) misspelled(n *yaml.Node, path string, keys ...string) bool {
	if n == nil || n.Kind != yaml.MappingNode {
		return false
	}
	missing := slices.DeleteFunc(keys, func(key string) bool { return child(n, key) != nil })
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		hint := diagnostic.DidYouMean(key.Value, missing)
		if hint == "" || im.used[key] {
			continue
		}
		im.at(key, strings.TrimPrefix(path+"."+key.Value, "."), "unknown key"+hint)
		return true
	}
	return false
}

// find is the node at the keys, or the nearest one above it.
func (im *importer) find(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		next := child(n, key)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// list gives the items of a list, none where there is no list.
func (im *importer) list(n *yaml.Node, path string, keys ...string) []*yaml.Node {
	found := im.get(n, keys...)
	if found == nil {
		return nil
	}
	if found.Kind != yaml.SequenceNode {
		im.at(found, path, "is not a list")
		return nil
	}
	items := make([]*yaml.Node, len(found.Content))
	for i, item := range found.Content {
		items[i] = target(item)
	}
	return items
}

// pairs gives the keys and values of the mapping at a key.
func (im *importer) pairs(n *yaml.Node, path, key string) (out [][2]*yaml.Node) {
	found := im.get(n, key)
	if found == nil {
		return nil
	}
	if found.Kind != yaml.MappingNode {
		im.at(found, path, "expected a mapping")
		return nil
	}
	for i := 0; i+1 < len(found.Content); i += 2 {
		im.used[found.Content[i]] = true
		out = append(out, [2]*yaml.Node{found.Content[i], target(found.Content[i+1])})
	}
	return out
}

// leftOver lists the keys that were not read, also behind aliases.
func (im *importer) leftOver(n *yaml.Node, path string) {
	n = target(n)
	if im.listed[n] {
		return // an alias may be within its own value
	}
	im.listed[n] = true
	if n.Kind == yaml.SequenceNode {
		for i, item := range n.Content {
			im.leftOver(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		switch {
		case im.ignored[key]:
		case im.used[key]:
			im.leftOver(n.Content[i+1], at)
		default:
			im.drop(key, at, "")
		}
	}
}
