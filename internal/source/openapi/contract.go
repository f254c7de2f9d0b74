package openapi

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Excess is a request with one value just outside of the bounds of its schema.
type Excess struct {
	Field string // as in body.name or query.limit
	Rule  string // as in maxLength 200
	Body  []byte // nil for the body of a valid request
	Param Param  // the parameter that has Value; Name is empty if the body is invalid
	Value string
}

// Excesses returns a request for each bound of body members and parameters, such as one character
// more than maxLength.
func (o Operation) Excesses(n int) []Excess {
	var out []Excess
	body := o.document.merged(o.Body)
	properties := object(body["properties"])
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if o.document.merged(object(properties[name]))["readOnly"] == true {
			continue // not part of a request
		}
		for _, beyond := range beyondBounds(o.document.merged(object(properties[name]))) {
			valid, ok := o.document.sample(o.Body, n, 0).(map[string]any)
			if !ok {
				continue
			}
			valid = maps.Clone(valid)
			valid[name] = beyond.value
			out = append(out, Excess{Field: "body." + name, Rule: beyond.rule, Body: encode(valid)})
		}
	}
	for _, p := range o.Params {
		if p.In != "query" && p.In != "header" {
			continue
		}
		for _, beyond := range beyondBounds(o.document.merged(p.Schema)) {
			if text := fmt.Sprint(beyond.value); text != "" { // an empty parameter is an absent one
				out = append(out, Excess{Field: p.In + "." + p.Name, Rule: beyond.rule, Param: p, Value: text})
			}
		}
	}
	return out
}

type beyond struct {
	rule  string
	value any
}

func beyondBounds(s map[string]any) []beyond {
	var out []beyond
	if most, ok := number(s["maxLength"]); ok && kind(s) == "string" && most < maxText {
		out = append(out, beyond{fmt.Sprintf("maxLength %v", most), strings.Repeat("x", int(most)+1)})
	}
	if least, ok := number(s["minLength"]); ok && kind(s) == "string" && least >= 1 && least <= maxText {
		out = append(out, beyond{fmt.Sprintf("minLength %v", least), strings.Repeat("x", int(least)-1)})
	}
	if kind(s) != "integer" {
		return out
	}
	if most, ok := number(s["maximum"]); ok && math.Abs(most) < 1<<53 {
		out = append(out, beyond{fmt.Sprintf("maximum %v", most), int64(math.Floor(most)) + 1})
	}
	if least, ok := number(s["minimum"]); ok && math.Abs(least) < 1<<53 {
		out = append(out, beyond{fmt.Sprintf("minimum %v", least), int64(math.Ceil(least)) - 1})
	}
	return out
}

// Response returns the JSON pointer of the schema for a response, empty if the response has no JSON.
// described is false if the operation does not have the status.
func (o Operation) Response(status int) (pointer string, described bool) {
	base := "/paths/" + escape(o.Path) + "/" + strings.ToLower(o.Method) + "/responses/"
	responses := o.responses()
	for _, key := range []string{strconv.Itoa(status), fmt.Sprintf("%dXX", status/100), "default"} {
		response, ok := responses[key]
		if !ok {
			continue
		}
		at, content := o.document.follow(base+key, object(response))
		for _, media := range slices.Sorted(maps.Keys(object(content["content"]))) {
			if strings.Contains(media, "json") && object(object(content["content"])[media])["schema"] != nil {
				return at + "/content/" + escape(media) + "/schema", true
			}
		}
		return "", true
	}
	return "", false
}

func (o Operation) responses() map[string]any {
	return object(object(object(object(o.document.root["paths"])[o.Path])[strings.ToLower(o.Method)])["responses"])
}

// IsUnimplemented reports whether the operation is only planned: it documents status 501 and no success.
func (o Operation) IsUnimplemented() bool {
	responses := o.responses()
	for status := range responses {
		if strings.HasPrefix(status, "2") || strings.HasPrefix(status, "3") {
			return false
		}
	}
	return responses["501"] != nil
}

func escape(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }

// Root returns the document, with numbers as [json.Number].
func (d *Document) Root() map[string]any { return d.root }
