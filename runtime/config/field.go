package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is an environment variable of a struct.
type field struct {
	name     string        // of the environment variable
	group    string        // outermost struct field; "" without one
	path     string        // of the Go field
	value    reflect.Value // the field to set
	preset   reflect.Value // the parsed default tag; invalid without one, or if the struct has a value
	format   format
	help     string
	secret   bool
	required bool
	low      reflect.Value // minimum; invalid without one
	high     reflect.Value
	choices  []string
}

// fieldsOf returns the fields of the struct that dst points to, depth first, in source order.
func fieldsOf(dst any) ([]field, error) {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("config: destination is %T; pass a pointer to a struct", dst)
	}
	var w walker
	w.walk(v.Elem(), "", v.Elem().Type().Name(), "")
	return w.fields, errors.Join(w.mistakes...)
}

type walker struct {
	fields   []field
	mistakes []error
}

func (w *walker) walk(s reflect.Value, prefix, path, group string) {
	for i := range s.NumField() {
		sf := s.Type().Field(i)
		name, inline := tagged(sf)
		at := strings.TrimPrefix(path+"."+sf.Name, ".")
		format, known := formatOf(sf.Type)
		// Of an unexported field, only the exported fields of an embedded struct can be set.
		open := sf.IsExported() || sf.Anonymous && sf.Type.Kind() == reflect.Struct && !known
		if name == "-" || !open {
			continue
		}
		switch {
		case known:
			w.add(sf, s.Field(i), format, prefix+name, at, group)
		case sf.Type.Kind() != reflect.Struct:
			w.mistakes = append(w.mistakes, mistake(at, "unsupported type %s; use a type of the package comment, or tag it env:\"-\"", sf.Type))
		case sf.Anonymous && inline:
			w.walk(s.Field(i), prefix, at, group)
		case inline:
			w.walk(s.Field(i), prefix, at, cmp.Or(group, sf.Name))
		default:
			w.walk(s.Field(i), prefix+name+"_", at, cmp.Or(group, sf.Name))
		}
	}
}

// tagged parses the env tag: the name, and whether a struct has no prefix.
func tagged(sf reflect.StructField) (name string, inline bool) {
	name, option, _ := strings.Cut(sf.Tag.Get("env"), ",")
	if name == "" {
		return upperSnake(sf.Name), option == "inline" || sf.Anonymous
	}
	return name, option == "inline"
}

func (w *walker) add(sf reflect.StructField, value reflect.Value, format format, name, path, group string) {
	f := field{
		name: name, path: path, group: group, value: value, format: format,
		help:     sf.Tag.Get("help"),
		required: sf.Tag.Get("required") == "true",
		secret:   isSecret(sf),
	}
	var err error
	if tag := sf.Tag.Get("format"); tag != "" {
		var known bool
		if f.format, known = stringFormat(tag); !known || value.Kind() != reflect.String {
			w.mistakes = append(w.mistakes, mistake(path, "the format tag %q; write address or url, on a string", tag))
			return
		}
	}
	f.low, err = f.tag(sf, "min", err)
	f.high, err = f.tag(sf, "max", err)
	if choices := sf.Tag.Get("oneof"); choices != "" {
		f.choices = strings.Split(choices, ",")
	}
	preset, err := f.tag(sf, "default", err)
	if preset.IsValid() && value.IsZero() {
		f.preset = preset
	}
	if preset.IsValid() && err == nil {
		if message := f.check(preset); message != "" {
			err = mistake(path, "the default tag: %s", message)
		}
	}
	for _, other := range w.fields {
		if other.name == name {
			err = errors.Join(err, mistake(path, "reads %s, as %s does; name one of them with an env tag", name, other.path))
		}
	}
	if err != nil {
		w.mistakes = append(w.mistakes, err)
		return
	}
	w.fields = append(w.fields, f)
}

// tag parses the text of a tag as a value of the field's type.
func (f field) tag(sf reflect.StructField, key string, before error) (reflect.Value, error) {
	text, found := sf.Tag.Lookup(key)
	if !found {
		return reflect.Value{}, before
	}
	if key != "default" && !ordered(sf.Type) {
		return reflect.Value{}, errors.Join(before, mistake(f.path, "the %s tag does not apply to a %s", key, sf.Type))
	}
	v := reflect.New(sf.Type).Elem()
	if err := f.format.parse(v, text); err != nil {
		return reflect.Value{}, errors.Join(before, mistake(f.path, "the %s tag %q is %s", key, text, f.format.not))
	}
	return v, before
}

// set parses the text into the field. A message that is not empty describes the problem and what
// to write; the field then keeps its value.
func (f field) set(text string) (message string) {
	v := reflect.New(f.value.Type()).Elem()
	if err := f.format.parse(v, text); err != nil {
		if f.format.corrected != nil && f.rejected(text) == text {
			if corrected := f.format.corrected(text); corrected != "" {
				return f.format.not + "; write " + corrected
			}
		}
		return f.format.not + "; write " + f.wanted()
	}
	if message := f.check(v); message != "" {
		return message
	}
	f.value.Set(v)
	return ""
}

func (f field) check(v reflect.Value) (message string) {
	low := f.low.IsValid() && compare(v, f.low) < 0
	high := f.high.IsValid() && compare(v, f.high) > 0
	if low || high {
		return "out of range; write " + f.allowed()
	}
	if len(f.choices) == 0 {
		return ""
	}
	elements := []reflect.Value{v}
	if f.format.list {
		elements = elements[:0]
		for i := range v.Len() {
			elements = append(elements, v.Index(i))
		}
	}
	for _, e := range elements {
		if !slices.Contains(f.choices, f.format.element(e)) {
			return "not one of the choices; write " + f.allowed()
		}
	}
	return ""
}

// allowed describes the allowed values, or returns "" if all values of the type are.
func (f field) allowed() string {
	switch {
	case len(f.choices) > 1:
		last := len(f.choices) - 1
		return strings.Join(f.choices[:last], ", ") + " or " + f.choices[last]
	case len(f.choices) == 1:
		return f.choices[0]
	case f.low.IsValid() && f.high.IsValid():
		return f.format.print(f.low) + " to " + f.format.print(f.high)
	case f.low.IsValid():
		return f.format.print(f.low) + " or more"
	case f.high.IsValid():
		return f.format.print(f.high) + " or less"
	}
	return ""
}

// wanted describes what to write, as precisely as possible.
func (f field) wanted() string {
	wanted := f.format.example
	if allowed := f.allowed(); allowed != "" {
		wanted = allowed
	}
	if f.help != "" {
		wanted += " (" + f.help + ")"
	}
	return wanted
}

func (f field) describe() EnvVar {
	current := f.value
	if f.preset.IsValid() {
		current = f.preset
	}
	v := EnvVar{
		Name: f.name, Group: f.group, Type: f.format.name, Help: f.help,
		Secret: f.secret, Required: f.required && current.IsZero(), Allowed: f.allowed(), Origin: Unset,
	}
	if f.preset.IsValid() || !current.IsZero() {
		v.Origin, v.Default = FromDefault, f.print(current)
		v.Value = v.Default
	}
	return v
}

func (f field) print(v reflect.Value) string {
	text := f.format.print(v)
	if f.secret && text != "" {
		return hidden
	}
	return text
}

// rejected returns an invalid text in the form that a problem may show.
func (f field) rejected(text string) string {
	return shown(text, f.secret || f.format.veiled != nil && f.format.veiled(text))
}

// upperSnake converts a Go name to the name of an environment variable: MaxConns to MAX_CONNS,
// HTTPPort to HTTP_PORT, URL to URL.
func upperSnake(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) {
			afterLower := !unicode.IsUpper(runes[i-1])
			beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if afterLower || beforeLower {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}
