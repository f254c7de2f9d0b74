package openapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Position returns the line and column of an operation, from 1. If the document does not have it, it
// returns those of the path or of paths.
func (d *Document) Position(path, method string) (line, column int) {
	for _, key := range []string{at("paths", path, strings.ToLower(method)), at("paths", path), at("paths")} {
		if offset, ok := d.keys[key]; ok {
			before := d.src[:offset]
			return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
		}
	}
	return 1, 1
}

// at joins nested keys.
func at(keys ...string) string { return strings.Join(keys, "\x00") }

// keyOffsets returns the offsets of the keys of a JSON document.
func keyOffsets(src []byte) map[string]int {
	w := keyWalk{src: src, dec: json.NewDecoder(bytes.NewReader(src)), offsets: map[string]int{}}
	w.walk(nil)
	return w.offsets
}

type keyWalk struct {
	src     []byte
	dec     *json.Decoder
	offsets map[string]int
}

// walk reads a value below the given keys.
func (w *keyWalk) walk(parents []string) {
	token, err := w.dec.Token()
	if err != nil || token != json.Delim('{') && token != json.Delim('[') {
		return
	}
	for w.dec.More() {
		keys := parents
		if token == json.Delim('{') {
			before := int(w.dec.InputOffset())
			key, _ := w.dec.Token()
			name, _ := key.(string)
			keys = append(slices.Clone(parents), name)
			w.offsets[at(keys...)] = before + bytes.IndexByte(w.src[before:], '"')
		}
		w.walk(keys)
	}
	_, _ = w.dec.Token() // the end of the object or array
}
