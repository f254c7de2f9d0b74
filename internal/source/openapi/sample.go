package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/source/regexsample"
)

// maxDepth limits recursive schemas.
const maxDepth = 16

// Maximum sizes of generated values.
const (
	maxItems = 100
	maxText  = 10_000
)

// ValidBody returns a valid body, nil if the operation has none. Free texts contain n, so that unique
// values are.
func (o Operation) ValidBody(n int) []byte {
	if o.Body == nil {
		return nil
	}
	return encode(o.document.sample(o.Body, n, 0))
}

// WrongBody returns an invalid body: without required members or of another type. ok is false if all
// bodies are valid.
func (o Operation) WrongBody() (body []byte, ok bool) {
	if o.Body == nil {
		return nil, false
	}
	s := o.document.merged(o.Body)
	if kind(s) == "object" && len(array(s["required"])) > 0 {
		return []byte("{}"), true
	}
	if kind(s) == "object" {
		return []byte("[]"), true
	}
	return []byte(`{"not":"that"}`), kind(s) != ""
}

// Value returns a valid value of a parameter as text.
func (o Operation) Value(p Param, n int) string {
	switch v := o.document.sample(p.Schema, n, 0).(type) {
	case string:
		return v
	case nil:
		return strconv.Itoa(n)
	default:
		return strings.Trim(string(encode(v)), "[]")
	}
}

// WrongValue returns an invalid value of a parameter. ok is false if all texts are valid.
func (o Operation) WrongValue(p Param) (value string, ok bool) {
	s := o.document.merged(p.Schema)
	if limit, has := number(s["maximum"]); has {
		return strconv.FormatInt(int64(limit)+1, 10), true
	}
	switch {
	case kind(s) == "integer" || kind(s) == "number" || kind(s) == "boolean":
		return "neither", true
	case s["format"] == "uuid" || s["format"] == "date-time" || s["format"] == "date":
		return "neither", true
	case s["enum"] != nil:
		return "none-of-them", true
	}
	if limit, has := number(s["maxLength"]); has && limit < 2000 {
		return strings.Repeat("x", int(limit)+1), true
	}
	return "", false
}

func encode(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		return []byte("null") // cannot happen: maps, slices, texts and numbers encode
	}
	return out
}

// kind returns the type of a schema, the first one that is not null.
func kind(s map[string]any) string {
	if t, ok := s["type"].(string); ok {
		return t
	}
	for _, t := range array(s["type"]) {
		if t, ok := t.(string); ok && t != "null" {
			return t
		}
	}
	if s["properties"] != nil {
		return "object"
	}
	return ""
}

// merged resolves a schema and merges all of allOf, and the first of oneOf and anyOf.
func (d *Document) merged(s Schema) map[string]any { return d.mergedAt(s, 0) }

func (d *Document) mergedAt(s map[string]any, depth int) map[string]any {
	s = d.resolve(s)
	if depth > maxDepth {
		return s
	}
	parts := slices.Clone(array(s["allOf"]))
	for _, choice := range []string{"oneOf", "anyOf"} {
		if options := array(s[choice]); len(options) > 0 {
			parts = append(parts, options[0])
		}
	}
	if len(parts) == 0 {
		return s
	}
	out := maps.Clone(s)
	for _, part := range parts {
		for key, value := range d.mergedAt(object(part), depth+1) {
			switch key {
			case "properties":
				all := maps.Clone(object(out[key]))
				if all == nil {
					all = map[string]any{}
				}
				maps.Copy(all, object(value))
				out[key] = all
			case "required":
				out[key] = append(slices.Clone(array(out[key])), array(value)...)
			default:
				out[key] = value
			}
		}
	}
	return out
}

// sample generates a value of a schema.
func (d *Document) sample(schema map[string]any, n, depth int) any {
	s := d.mergedAt(schema, depth)
	if depth > maxDepth {
		return nil
	}
	for _, key := range []string{"const", "example", "default"} {
		if v, ok := s[key]; ok && v != nil {
			return v
		}
	}
	for _, key := range []string{"examples", "enum"} {
		if list := array(s[key]); len(list) > 0 {
			return list[0]
		}
	}
	switch kind(s) {
	case "object":
		return d.sampleObject(s, n, depth)
	case "array":
		least, _ := number(s["minItems"])
		items := make([]any, 0, int(math.Min(math.Max(least, 1), maxItems)))
		for range cap(items) {
			items = append(items, d.sample(object(s["items"]), n, depth+1))
		}
		return items
	case "integer", "number":
		return sampleNumber(s)
	case "boolean":
		return true
	case "string":
		return sampleText(s, n)
	}
	return nil
}

// sampleObject returns an object with the required members only.
func (d *Document) sampleObject(s map[string]any, n, depth int) any {
	out := map[string]any{}
	properties := object(s["properties"])
	for _, name := range array(s["required"]) {
		if name, ok := name.(string); ok {
			if p := object(properties[name]); p["readOnly"] != true {
				out[name] = d.sample(p, n, depth+1)
			}
		}
	}
	return out
}

func sampleNumber(s map[string]any) any {
	value := 1.0
	if least, ok := number(s["minimum"]); ok {
		value = math.Max(value, least)
	}
	if least, ok := number(s["exclusiveMinimum"]); ok && value <= least {
		value = math.Floor(least) + 1
	}
	if most, ok := number(s["maximum"]); ok {
		value = math.Min(value, most)
	}
	if most, ok := number(s["exclusiveMaximum"]); ok && value >= most {
		value = below(most, s)
	}
	if step, ok := number(s["multipleOf"]); ok && step > 0 {
		value = multiple(value, step, s)
	}
	if kind(s) == "integer" {
		return int64(math.Ceil(value))
	}
	return value
}

// multiple returns the next multiple of step from value up, or the one below if that exceeds the
// maximum.
func multiple(value, step float64, s map[string]any) float64 {
	next := math.Ceil(value/step) * step
	most, bounded := number(s["maximum"])
	under, exclusive := number(s["exclusiveMaximum"])
	if bounded && next > most || exclusive && next >= under {
		return math.Floor(value/step) * step
	}
	return next
}

// below returns a value below an exclusive maximum: the next integer, or for numbers the middle of
// both bounds.
func below(most float64, s map[string]any) float64 {
	if least, ok := number(s["exclusiveMinimum"]); ok && kind(s) == "number" {
		return (least + most) / 2
	}
	if least, ok := number(s["minimum"]); ok && kind(s) == "number" {
		return (least + most) / 2
	}
	return math.Ceil(most) - 1
}

func number(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// sampleText generates a text from the format, else the pattern, else the length.
func sampleText(s map[string]any, n int) any {
	switch s["format"] {
	case "uuid":
		return fmt.Sprintf("019a0000-0000-7000-8000-%012x", n)
	case "date-time":
		return "2026-01-02T03:04:05Z"
	case "date":
		return "2026-01-02"
	case "time":
		return "03:04:05Z"
	case "duration":
		return "PT1S"
	case "email":
		return fmt.Sprintf("verify-%d@example.com", n)
	case "uri", "url":
		return fmt.Sprintf("https://example.com/%d", n)
	case "hostname":
		return "example.com"
	case "ipv4":
		return "192.0.2.1"
	case "ipv6":
		return "2001:db8::1"
	case "byte":
		return "dmVyaWZ5"
	}
	if pattern, ok := s["pattern"].(string); ok {
		return regexsample.Of(pattern)
	}
	text := fmt.Sprintf("verify-%d", n)
	if most, ok := number(s["maxLength"]); ok && len(text) > int(most) {
		text = text[len(text)-int(most):]
	}
	if least, ok := number(s["minLength"]); ok && len(text) < int(math.Min(least, maxText)) {
		text += strings.Repeat("x", int(math.Min(least, maxText))-len(text))
	}
	return text
}
