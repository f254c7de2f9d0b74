package slo

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// maxImportDepth bounds the nesting of documents, which need about 15 levels.
const maxImportDepth = 50

// Importable reports whether a file has a format of [Import] or a similar one: a list, a
// document with a kind or a version, or a sloth file without version. Specifications of
// this package have none of these. Invalid YAML is importable if it contains a version of
// such a format.
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

// slothWithoutVersion reports whether an objective has an sli, as in sloth files.
func slothWithoutVersion(root *yaml.Node) bool {
	slos := child(root, "slos")
	return slos != nil && slos.Kind == yaml.SequenceNode && child(root, "version") == nil && child(root, "apiVersion") == nil &&
		slices.ContainsFunc(slos.Content, func(n *yaml.Node) bool { return child(target(n), "sli") != nil })
}

// importMark matches a version of a format of [Import] or a similar one.
var importMark = regexp.MustCompile(`[vV]ersion["']?\s*:\s*["']?(?:openslo|prometheus/|sloth|pyrra|scaffold)`)

// read collects the documents of a file.
func (im *importer) read(src []byte) error {
	if err := yamldoc.Bounded(src); err != nil {
		return fmt.Errorf("%s: %w", im.file, err)
	}
	// Messages quote the file, so reject other kinds of files first.
	if len(bytes.TrimSpace(src)) > 0 && !importMark.Match(src) {
		message := "no objectives; objectives are read from " + importable
		var doc yaml.Node
		if yaml.Unmarshal(src, &doc) == nil && len(doc.Content) > 0 && slothWithoutVersion(doc.Content[0]) {
			message = fmt.Sprintf("a sloth file begins with version: %q", slothVersion)
		}
		return diagnostic.List{{File: im.file, Line: 1, Column: 1, Message: message}}.Err()
	}
	if !utf8.Valid(src) {
		return fmt.Errorf("%s: the file is not valid UTF-8", im.file)
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

// add adds a document, or the documents of a list.
func (im *importer) add(n *yaml.Node) {
	im.joined(n)
	switch items := entry(n, "items"); {
	case n.Kind == yaml.AliasNode:
		im.at(n, "", "a document must not be an alias") // it may contain itself
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

// joined reports objectives in a document of another format: without a line with ---, two
// documents become one mapping.
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
		case len(keys) > 1 && supported(version) == "": // of an unknown format
		case version == APIVersion:
			im.at(keyOf(above, key), path, "are objectives of "+APIVersion+"; move them to another file")
		case slothWithoutVersion(doc):
			im.at(doc, "", fmt.Sprintf("a sloth file begins with version: %q", slothVersion))
		default:
			im.at(keyOf(above, key), path, fmt.Sprintf("is not a key of %s; write --- between documents", described(valueOf(child(doc, "kind")), version)))
		}
	}
}

// wellFormed reports duplicate keys and merge keys, which YAML parsers treat differently,
// and values that are nested too deeply.
func (im *importer) wellFormed(n *yaml.Node, path string, left int) bool {
	if left == 0 {
		im.at(n, path, "nested too deeply; the maximum is "+strconv.Itoa(maxImportDepth)+" levels")
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
			im.at(c, path, "merge keys (<<) are not supported; write the keys instead")
			ok = false
		case c.Kind != yaml.ScalarNode:
			im.at(c, path, "a key must be text")
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

// target resolves an alias.
func target(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func child(n *yaml.Node, key string) *yaml.Node { return target(entry(n, key)) }

// entry returns the value of a key, which may be an alias.
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

// get returns the value at nested keys and marks them as read, or nil if there is none.
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

// keyOf returns the node of a key, whose line may differ from that of its value.
func keyOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return n
}

// ignore excludes keys and their values from [Imported.Dropped].
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

// text returns a scalar as text, even an unquoted 1.0, or "" if there is none.
func (im *importer) text(n *yaml.Node, keys ...string) string { return valueOf(im.get(n, keys...)) }

// boolean returns a boolean in any spelling of YAML, or absent without the key.
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

// misspelled reports an unknown key that is similar to a missing one, and returns whether
// there is one.
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

// find returns the node at nested keys, or the last one that exists.
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

// list returns the items of a list, or nil.
func (im *importer) list(n *yaml.Node, path string, keys ...string) []*yaml.Node {
	found := im.get(n, keys...)
	if found == nil {
		return nil
	}
	if found.Kind != yaml.SequenceNode {
		im.at(found, path, "expected a list")
		return nil
	}
	items := make([]*yaml.Node, len(found.Content))
	for i, item := range found.Content {
		items[i] = target(item)
	}
	return items
}

// pairs returns the keys and values of the mapping at a key.
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

// leftOver adds unread keys to dropped, also behind aliases.
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
