package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/slo"
)

// Origin is the source of a value: [FromSpec], [BuiltIn], or "defaults" and the name of the
// file.
type Origin string

// Origins without a file name.
const (
	FromSpec Origin = "spec"
	BuiltIn  Origin = "built in"
)

// Value is one value of a spec. The JSON names are public.
type Value struct {
	Path   string `json:"path"`  // such as telemetry.scrapeInterval or slos[0].objective
	Value  any    `json:"value"` // string, bool, int64, float64, json.Number, or an empty map or list
	Origin Origin `json:"origin"`
}

// Effective returns every value with its origin, in the order of the spec.
func (s Service) Effective() []Value {
	var values []Value
	walk(reflect.ValueOf(s), "", func(path string, v reflect.Value) {
		values = append(values, Value{Path: path, Value: plain(v), Origin: s.origin(path)})
	})
	return values
}

// EffectiveYAML returns the spec with all values, and their origins in comments. It parses to
// the same spec.
func (s Service) EffectiveYAML() []byte {
	return encode(nodeOf(reflect.ValueOf(s), "", nodeOptions{
		keep:    func(string) bool { return true },
		comment: func(path string) string { return string(s.origin(path)) },
	}))
}

// YAML returns the spec file without values from the defaults, except for those of components
// that every team should review. It is for a new file: commands that edit an existing file
// change single nodes, so that comments stay.
func (s Service) YAML() []byte {
	review := map[string]string{}
	for _, c := range s.Components.List() {
		for option, comment := range c.Parts(s.facts(nil)).Review {
			review[componentPath(c, option)] = comment
		}
	}
	return encode(nodeOf(reflect.ValueOf(s), "", nodeOptions{
		keep: func(path string) bool {
			_, reviewed := review[path]
			return reviewed || s.origin(path) == FromSpec
		},
		comment: func(path string) string { return review[path] },
		flow:    true,
	}))
}

// With returns the service with a component, as [Defaults.New] creates it.
func (s Service) With(component string) Service {
	s.Components = s.Components.With(component)
	path, origins := "components."+component, maps.Clone(s.origins)
	walk(reflect.ValueOf(s), "", func(leaf string, v reflect.Value) {
		if (leaf == path || strings.HasPrefix(leaf, path+".")) && !v.IsZero() {
			origins[leaf] = FromSpec
		}
	})
	s.origins = origins
	return s
}

func (s Service) origin(path string) Origin {
	if o, ok := s.origins[path]; ok {
		return o
	}
	return BuiltIn
}

func originsOf(s Service, origin func(path string) Origin) map[string]Origin {
	origins := map[string]Origin{}
	walk(reflect.ValueOf(s), "", func(path string, _ reflect.Value) { origins[path] = origin(path) })
	return origins
}

// walk calls leaf for each scalar, empty list, empty map and empty struct below v, in the order
// of the fields. It skips nil pointers.
func walk(v reflect.Value, path string, leaf func(path string, v reflect.Value)) {
	children := childrenOf(v, path)
	if len(children) == 0 {
		if v.Kind() != reflect.Pointer || !v.IsNil() {
			leaf(path, v)
		}
		return
	}
	for _, c := range children {
		walk(c.value, c.path, leaf)
	}
}

// child is a value below another one.
type child struct {
	key, path string
	value     reflect.Value
}

func childrenOf(v reflect.Value, path string) []child {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return childrenOf(v.Elem(), path)
		}
	case reflect.Struct:
		return fieldsOf(v, path)
	case reflect.Map:
		var children []child
		for _, key := range sortedKeys(v) {
			children = append(children, child{key, join(path, key), v.MapIndex(reflect.ValueOf(key))})
		}
		return children
	case reflect.Slice:
		var children []child
		for i := range v.Len() {
			children = append(children, child{"", fmt.Sprintf("%s[%d]", path, i), v.Index(i)})
		}
		return children
	}
	return nil
}

func fieldsOf(v reflect.Value, path string) []child {
	var children []child
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || key == "" || key == "-" {
			continue
		}
		if value := v.Field(i); value.Kind() != reflect.Pointer || !value.IsNil() {
			children = append(children, child{key, join(path, key), value})
		}
	}
	return children
}

func sortedKeys(v reflect.Value) []string {
	return slices.Sorted(maps.Keys(v.Interface().(map[string]string)))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// plain converts a leaf for JSON.
func plain(v reflect.Value) any {
	switch value := v.Interface().(type) {
	case time.Duration:
		return duration(value)
	case slo.Percent:
		return json.Number(value) // exact: 99.9 is not the nearest binary fraction
	}
	switch v.Kind() {
	case reflect.Pointer:
		return plain(v.Elem())
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int:
		return v.Int()
	case reflect.Float64:
		return v.Float()
	case reflect.Slice:
		return []any{}
	}
	return map[string]any{}
}

type nodeOptions struct {
	keep    func(path string) bool   // by path of a leaf
	comment func(path string) string // by path of a leaf; nil or empty for none
	flow    bool                     // each item of a list on one line
}

// nodeOf returns the YAML of v, or nil if none of its leaves is kept.
func nodeOf(v reflect.Value, path string, o nodeOptions) *yaml.Node {
	children := childrenOf(v, path)
	if len(children) == 0 {
		return o.leaf(v, path)
	}
	node := &yaml.Node{Kind: yaml.MappingNode}
	if v.Kind() == reflect.Slice {
		node.Kind = yaml.SequenceNode
	}
	for _, c := range children {
		value := nodeOf(c.value, c.path, o)
		if value == nil {
			continue
		}
		if o.flow && v.Kind() == reflect.Slice {
			value.Style = yaml.FlowStyle // one line for each objective
		}
		if node.Kind == yaml.MappingNode {
			node.Content = append(node.Content, text(c.key))
		}
		node.Content = append(node.Content, value)
	}
	if len(node.Content) == 0 {
		return nil
	}
	return node
}

func (o nodeOptions) leaf(v reflect.Value, path string) *yaml.Node {
	if !o.keep(path) {
		return nil
	}
	node := scalar(v)
	if o.comment == nil {
		return node
	}
	if comment := o.comment(path); comment != "" {
		node.LineComment = "# " + comment
	}
	return node
}

func scalar(v reflect.Value) *yaml.Node {
	switch value := plain(v).(type) {
	case string:
		return text(value)
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: string(value)}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(value)}
	case int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(value, 10)}
	case float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strconv.FormatFloat(value, 'f', -1, 64)}
	case []any:
		return &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	}
	return &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
}

// text returns a string scalar. It quotes everything except plain words: double quotes can
// express any string on one line.
func text(value string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || strings.ContainsRune("\"'`\\{}[]%#&*!|>@", r) || r > '~' }) {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

// duration formats d in Prometheus notation, which the spec uses.
func duration(d time.Duration) string { return model.Duration(d).String() }

func encode(node *yaml.Node) []byte {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	// Encoding a tree of scalars, lists and mappings into memory cannot fail; fuzz tests parse
	// the result.
	_ = enc.Encode(node)
	_ = enc.Close()
	return b.Bytes()
}
