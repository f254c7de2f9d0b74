package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Insert returns the document with another operation, a JSON object that is indented by two spaces. It follows the other
// operations of its path; a new path follows the one with the longest common beginning. All other bytes stay.
func (d *Document) Insert(method, path string, operation []byte) ([]byte, error) {
	method = strings.ToLower(method)
	paths := object(d.root["paths"])
	if paths == nil {
		return nil, errors.New("the document has no object paths")
	}
	var out []byte
	if item, ok := paths[path]; ok {
		if object(item) == nil || object(item)[method] != nil {
			return nil, fmt.Errorf("the path %s cannot get an operation %s", path, method)
		}
		out = d.insert([]string{"paths", path}, d.last(slices.Collect(maps.Keys(object(item))), "paths", path), method, operation)
	} else {
		member := slices.Concat([]byte("{\n  "), quoted(method), []byte(": "), indented(operation, "  "), []byte("\n}"))
		out = d.insert([]string{"paths"}, d.nearest(path), path, member)
	}
	return out, d.onlyAdds(out, method, path)
}

// insert writes a member after another one of an object, or as the only one.
func (d *Document) insert(parent []string, after, key string, value []byte) []byte {
	unit := d.indent(d.keys[at("paths")])
	outer := d.indent(d.keys[at(parent...)])
	indent, separator, end := outer+unit, "\n", "\n"+outer
	begin, offset := d.value(parent...)
	rest := offset - 1 // the closing brace
	offset = begin + 1
	if after != "" {
		sibling := append(slices.Clone(parent), after)
		_, offset = d.value(sibling...)
		indent, separator, end, rest = d.indent(d.keys[at(sibling...)]), ",\n", "", offset
	}
	value = bytes.ReplaceAll(value, []byte("  "), []byte(unit))
	if unit == "" { // the document is one line
		var compact bytes.Buffer
		_ = json.Compact(&compact, value) // onlyAdds reports errors
		value, separator, end = compact.Bytes(), strings.TrimSuffix(separator, "\n"), ""
	}
	text := separator + indent + string(quoted(key)) + ": " + string(indented(value, indent)) + end
	if bytes.Contains(d.src, []byte("\r\n")) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return slices.Concat(d.src[:offset], []byte(text), d.src[rest:])
}

// indented adds an indentation to all lines but the first.
func indented(text []byte, by string) []byte {
	return bytes.ReplaceAll(text, []byte("\n"), []byte("\n"+by))
}

func quoted(text string) []byte {
	out, _ := json.Marshal(text) //nolint:errchkjson // text is always valid
	return out
}

// value returns the offsets of the value of a key.
func (d *Document) value(keys ...string) (begin, end int) {
	key := d.skip(d.keys[at(keys...)])
	begin = key + bytes.IndexByte(d.src[key:], ':') + 1
	return begin + bytes.IndexAny(d.src[begin:], "{["), d.skip(begin)
}

// skip returns the offset after the JSON value at another one.
func (d *Document) skip(offset int) int {
	dec := json.NewDecoder(bytes.NewReader(d.src[offset:]))
	var value json.RawMessage
	_ = dec.Decode(&value) // Parse has read it
	return offset + int(dec.InputOffset())
}

// indent returns the white space before a key that begins its line.
func (d *Document) indent(offset int) string {
	line := string(d.src[bytes.LastIndexByte(d.src[:offset], '\n')+1 : offset])
	if strings.TrimSpace(line) != "" {
		return ""
	}
	return line
}

// last returns the key that is the last one in the document, or "".
func (d *Document) last(keys []string, parents ...string) string {
	offset := func(key string) int { return d.keys[at(append(slices.Clone(parents), key)...)] }
	slices.SortFunc(keys, func(a, b string) int { return offset(a) - offset(b) })
	if len(keys) == 0 {
		return ""
	}
	return keys[len(keys)-1]
}

// nearest returns the path that has the longest beginning in common, the last one of several.
func (d *Document) nearest(path string) string {
	var nearest []string
	longest := -1
	for other := range object(d.root["paths"]) {
		n := CommonSegments(other, path)
		if n > longest {
			nearest, longest = nil, n
		}
		if n == longest {
			nearest = append(nearest, other)
		}
	}
	return d.last(nearest, "paths")
}

// CommonSegments returns how many segments two paths have in common at their beginning.
func CommonSegments(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return n
}

// onlyAdds checks that the text is the document and the operation.
func (d *Document) onlyAdds(text []byte, method, path string) error {
	grown, err := Parse(text)
	if err != nil {
		return err
	}
	paths := object(grown.root["paths"])
	item := object(paths[path])
	if object(item[method]) == nil {
		return errors.New("the document has an unusual form")
	}
	delete(item, method)
	if _, had := object(d.root["paths"])[path]; !had {
		delete(paths, path)
	}
	if !reflect.DeepEqual(d.root, grown.root) {
		return errors.New("the document has an unusual form")
	}
	return nil
}
