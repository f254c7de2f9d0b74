package yamldoc

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

// schema is the type that a value is decoded into, and the path of the value.
type schema struct {
	path   string
	of     reflect.Type
	places map[string][]string // paths by key; computed for the first unknown key
}

// unknownKey returns the message for an unknown key of the struct at a path, and the key that the
// author likely meant.
func (d *Document) unknownKey(path, key string, of reflect.Type, known []string) (message, meant string) {
	if instead := d.schema.otherLevel(path, key); instead != "" {
		return "unknown key; " + instead, ""
	}
	if meant = synonym(of, key); meant == "" {
		meant = diagnostic.Suggest(key, known)
	}
	switch {
	case meant != "":
		return fmt.Sprintf("unknown key; did you mean %q?", meant), meant
	case len(known) == 0:
		return "unknown key; no keys are known here", ""
	}
	return "unknown key; known here: " + strings.Join(known, ", "), ""
}

// listIndex matches the index of a list entry in a path.
var listIndex = regexp.MustCompile(`\[\d+\]`)

// otherLevel returns advice for a key that is known at another level: the nearest one above, or the
// only one below or elsewhere.
func (s *schema) otherLevel(path, key string) string {
	level := listIndex.ReplaceAllString(path, "[]")
	if s.places == nil {
		s.places = map[string][]string{}
		collectPlaces(s.places, s.of, s.path, nil)
	}
	places := s.places[key]
	for above := level; above != ""; {
		above = parent(above)
		if slices.Contains(places, join(above, key)) {
			way := strings.TrimPrefix(level[len(above):], ".")
			sibling := way[:strings.IndexAny(way+".", ".[")]
			return fmt.Sprintf("write %s next to %s", key, sibling)
		}
	}
	below := slices.DeleteFunc(slices.Clone(places), func(place string) bool { return !strings.HasPrefix(place, join(level, "")) })
	if len(below) == 1 {
		places = below
	}
	if len(places) != 1 {
		return ""
	}
	place := places[0]
	if i := strings.LastIndex(place, "[]."); i >= 0 {
		return fmt.Sprintf("write %s in an entry of %s", place[i+len("[]."):], place[:i])
	}
	return "write " + place
}

// collectPlaces adds the paths of all keys below a type, with [] for any index.
func collectPlaces(places map[string][]string, of reflect.Type, path string, within []reflect.Type) {
	lists := 0
	for ; of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice; of = of.Elem() {
		if of.Kind() == reflect.Slice {
			lists++
		}
	}
	path += strings.Repeat("[]", lists)
	if of.Kind() != reflect.Struct || slices.Contains(within, of) || reflect.PointerTo(of).Implements(reflect.TypeFor[Unmarshaler]()) {
		return
	}
	within = append(slices.Clip(within), of)
	for name, field := range fieldsOf(reflect.New(of).Elem()) {
		at := join(path, name)
		places[name] = append(places[name], at)
		collectPlaces(places, field.Type(), at, within)
	}
}

// synonym returns the key of the struct with that synonym, or "".
func synonym(of reflect.Type, word string) string {
	for f := range of.Fields() {
		if f.Tag.Get("synonym") == word && word != "" {
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			return name
		}
	}
	return ""
}

// mappingOf returns advice for keys without values, as in components: [cache], or "".
func mappingOf(n *yaml.Node, path string, fields map[string]reflect.Value) string {
	keys := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		keys = n.Content
	}
	var pairs []string
	for _, key := range keys {
		field, ok := fields[key.Value]
		if !ok || key.Kind != yaml.ScalarNode || !isStruct(field.Type()) {
			return ""
		}
		pairs = append(pairs, key.Value+": {}")
	}
	if len(pairs) == 0 {
		return ""
	}
	mapping := "{" + strings.Join(pairs, ", ") + "}"
	if !strings.HasSuffix(path, "]") {
		mapping = path[strings.LastIndex(path, ".")+1:] + ": " + mapping
	}
	return "; write " + mapping
}

func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}
