package yamldoc

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Unmarshaler is a type that decodes itself from a node. Its error becomes a problem at the node.
type Unmarshaler interface {
	UnmarshalYAMLNode(n *yaml.Node) error
}

// Decode decodes the document into v, a pointer to a struct, and records problems. Fields without a
// key keep their value.
func (d *Document) Decode(v any) {
	d.schema = schema{of: reflect.TypeOf(v).Elem()}
	d.decode(d.root, "", reflect.ValueOf(v).Elem())
}

// DecodeKey is Decode for the value of a top-level key.
func (d *Document) DecodeKey(key string, v any) {
	for i := 0; i+1 < len(d.root.Content); i += 2 {
		if d.root.Content[i].Value == key {
			d.schema = schema{path: key, of: reflect.TypeOf(v).Elem()}
			d.decode(d.root.Content[i+1], key, reflect.ValueOf(v).Elem())
			return
		}
	}
}

func (d *Document) decode(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.nodes[path] = n
	if v.CanAddr() {
		if u, ok := reflect.TypeAssert[Unmarshaler](v.Addr()); ok {
			if err := u.UnmarshalYAMLNode(n); err != nil {
				d.rejectf(path, "%v", err)
			}
			return
		}
	}
	if v.Kind() == reflect.Pointer {
		d.decodePointer(n, path, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, path, v)
	case reflect.Slice:
		d.decodeSlice(n, path, v)
	case reflect.Map:
		d.decodeMap(n, path, v)
	default:
		d.decodeScalar(n, path, v)
	}
}

// decodePointer allocates the value. A key without a value is absent, but for a struct, such as
// `cache:`, it means all defaults.
func (d *Document) decodePointer(n *yaml.Node, path string, v reflect.Value) {
	if n.Tag == tagNull && v.Type().Elem().Kind() != reflect.Struct {
		return
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	d.decode(n, path, v.Elem())
}

func (d *Document) decodeStruct(n *yaml.Node, path string, v reflect.Value) {
	if n.Tag == tagNull {
		d.empty[path] = true
		return
	}
	fields := fieldsOf(v)
	if !d.want(n, path, yaml.MappingNode, "keys and values"+mappingOf(n, path, fields)) {
		return
	}
	unknown, known := 0, 0
	defer func() { d.misread[path] = unknown > 0 && known == 0 }()
	for key, value := range d.pairs(n, path) {
		field, ok := fields[key.Value]
		if !ok {
			unknown++
			if d.decimalComma(n, key, value, path) {
				continue
			}
			message, meant := d.unknownKey(path, key.Value, v.Type(), slices.Sorted(maps.Keys(fields)))
			if meant != "" && !hasKey(n, meant) { // do not report the missing key, too
				d.rejected[join(path, meant)] = len(d.problems)
			}
			d.problems = append(d.problems, d.problem(key, join(path, key.Value), message))
			continue
		}
		known++
		d.decode(value, join(path, key.Value), field)
	}
}

// decimalComma reports a number with a comma in a flow mapping, such as {objective: 99,9}, at the number:
// YAML reads the digits after the comma as a key. It returns false for other keys.
func (d *Document) decimalComma(n, key, value *yaml.Node, path string) bool {
	i := slices.Index(n.Content, key)
	if i < 2 || value.Tag != tagNull || key.Tag != tagInt || n.Content[i-1].Tag != tagInt || n.Content[i-1].Line != key.Line {
		return false
	}
	name, number := n.Content[i-2].Value, n.Content[i-1]
	message := fmt.Sprintf("%s,%s has a comma; write %[1]s.%[2]s with a point", number.Value, key.Value)
	d.problems = append(d.problems, d.problem(number, join(path, name), message))
	return true
}

func hasKey(n *yaml.Node, key string) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

func (d *Document) decodeSlice(n *yaml.Node, path string, v reflect.Value) {
	if n.Tag == tagNull {
		return
	}
	if !d.want(n, path, yaml.SequenceNode, "a list") {
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.decode(item, fmt.Sprintf("%s[%d]", path, i), out.Index(i))
	}
	v.Set(out)
}

func (d *Document) decodeMap(n *yaml.Node, path string, v reflect.Value) {
	if n.Tag == tagNull {
		return
	}
	if !d.want(n, path, yaml.MappingNode, "keys and values") {
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for key, value := range d.pairs(n, path) {
		if value.Tag == tagNull && v.Type().Elem().Kind() != reflect.Struct {
			continue // a key without a value is absent
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.decode(value, join(path, key.Value), item)
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), item)
	}
}

// pairs yields each key once, including those of merge keys (<<). It reports duplicate keys and keys
// that are not scalars.
func (d *Document) pairs(n *yaml.Node, path string) func(yield func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		seen := map[string]int{}
		var merged []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				d.problems = append(d.problems, d.problem(key, path, "a key is "+kindName(key)+"; write a plain word"))
				continue
			}
			if key.Tag == tagMerge {
				merged = append(merged, d.mappings(n.Content[i+1], path)...)
				continue
			}
			if line, twice := seen[key.Value]; twice {
				message := fmt.Sprintf("duplicate key, first on line %d; keep one", line)
				d.problems = append(d.problems, d.problem(key, join(path, key.Value), message))
				continue
			}
			seen[key.Value] = key.Line
			if !yield(key, n.Content[i+1]) {
				return
			}
		}
		for _, m := range merged {
			for key, value := range d.pairs(m, path) {
				if _, own := seen[key.Value]; own {
					continue
				}
				seen[key.Value] = key.Line
				if !yield(key, value) {
					return
				}
			}
		}
	}
}

// mappings returns the mappings of a merge key: one or a list.
func (d *Document) mappings(value *yaml.Node, path string) []*yaml.Node {
	value = target(value)
	if value.Kind != yaml.SequenceNode {
		value = &yaml.Node{Content: []*yaml.Node{value}}
	}
	var out []*yaml.Node
	for _, item := range value.Content {
		if item = target(item); item.Kind != yaml.MappingNode {
			d.problems = append(d.problems, d.problem(item, path, kindName(item)+" has no keys to merge; << takes a mapping or a list of mappings"))
			continue
		}
		out = append(out, item)
	}
	return out
}

func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

var durationType = reflect.TypeFor[time.Duration]()

func (d *Document) decodeScalar(n *yaml.Node, path string, v reflect.Value) {
	if v.Type() == durationType {
		d.decodeDuration(n, path, v)
		return
	}
	switch v.Kind() {
	case reflect.String:
		// An unquoted 1.0 or true is a valid text.
		if d.want(n, path, yaml.ScalarNode, "text") && n.Tag != tagNull {
			v.SetString(n.Value)
		}
	case reflect.Bool:
		if d.wantTag(n, path, "true or false", tagBool) {
			isTrue := strings.EqualFold(n.Value, "true")
			if !isTrue && !strings.EqualFold(n.Value, "false") {
				d.rejectf(path, "%s is not true or false", strconv.Quote(n.Value))
				return
			}
			v.SetBool(isTrue)
		}
	case reflect.Int, reflect.Int64, reflect.Int32:
		if d.wantTag(n, path, "a whole number", tagInt) {
			i, err := strconv.ParseInt(n.Value, 0, v.Type().Bits())
			if err != nil {
				d.rejectf(path, "%s is out of range or not a whole number", n.Value)
				return
			}
			v.SetInt(i)
		}
	case reflect.Float64:
		if d.wantTag(n, path, "a number", tagInt, tagFloat) {
			f, err := strconv.ParseFloat(n.Value, 64)
			if err != nil {
				d.rejectf(path, "%s is not a number", n.Value)
				return
			}
			v.SetFloat(f)
		}
	default:
		panic(fmt.Sprintf("yamldoc: %s: fields of type %s are not supported", path, v.Type()))
	}
}

func (d *Document) decodeDuration(n *yaml.Node, path string, v reflect.Value) {
	if !d.want(n, path, yaml.ScalarNode, "a duration; write one such as 200ms, 15s or 30d") {
		return
	}
	duration, err := model.ParseDuration(n.Value)
	if err != nil {
		// Go's format allows fractions, microseconds, and negative durations, which validation rejects.
		goDuration, errGo := time.ParseDuration(n.Value)
		if errGo != nil {
			d.rejectf(path, notDuration, kindName(n))
			return
		}
		duration = model.Duration(goDuration)
	}
	v.SetInt(int64(duration))
}

const notDuration = "%s is not a duration; write one such as 200ms, 15s or 30d"

// PrometheusDuration is a duration in Prometheus's format: integers with units, not negative. An empty
// value is zero.
type PrometheusDuration time.Duration

// UnmarshalYAMLNode implements [Unmarshaler].
func (d *PrometheusDuration) UnmarshalYAMLNode(n *yaml.Node) error {
	if n.Tag == tagNull {
		return nil
	}
	duration, err := model.ParseDuration(n.Value)
	if _, errGo := time.ParseDuration(n.Value); errGo == nil && strings.HasPrefix(n.Value, "-") {
		return errors.New("negative duration; write one such as 5m")
	}
	if err != nil {
		return fmt.Errorf(notDuration, kindName(n))
	}
	*d = PrometheusDuration(duration)
	return nil
}

func (d *Document) want(n *yaml.Node, path string, kind yaml.Kind, what string) bool {
	if n.Kind != kind {
		d.rejectf(path, "%s is not %s", kindName(n), what)
		return false
	}
	return true
}

func (d *Document) wantTag(n *yaml.Node, path, what string, tags ...string) bool {
	if n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.Tag) {
		d.rejectf(path, "%s is not %s", kindName(n), what)
		return false
	}
	return true
}

// rejectf is Problemf for a value that was not decoded.
func (d *Document) rejectf(path, format string, args ...any) {
	before := len(d.problems)
	d.Problemf(path, format, args...)
	if len(d.problems) > before {
		d.rejected[path] = before
	}
}

// fieldsOf returns the fields of a struct by YAML name.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case options == "inline":
			maps.Copy(fields, fieldsOf(v.Field(i)))
		case name != "":
			fields[name] = v.Field(i)
		}
	}
	return fields
}
