// Package openapi reads the operations of an OpenAPI 3.1 document, and generates for each a valid
// request and one that the service should reject. It does not validate the document. Generated
// values are deterministic.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/source/userfile"
)

// Document is the operations of an API.
type Document struct {
	Operations []Operation // by path, then by method
	root       map[string]any
	src        []byte
	keys       map[string]int // offsets in src
}

// Operation is a method of a path.
type Operation struct {
	ID     string // operationId
	Method string // upper case
	Path   string // as in /v1/orders/{id}
	Params []Param
	// Body is the schema of the JSON body, nil if there is none.
	Body     Schema
	document *Document
}

// Param is a parameter of an operation.
type Param struct {
	Name     string
	In       string // path, query or header
	Required bool
	Schema   Schema
}

// Schema is a JSON Schema with unresolved references.
type Schema map[string]any

// Parse reads a document.
func Parse(src []byte) (Document, error) {
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	var root map[string]any
	err := dec.Decode(&root)
	if err != nil && !userfile.IsJSON(src) {
		return Document{}, errors.New("not an OpenAPI document: not JSON")
	}
	if err != nil {
		return Document{}, fmt.Errorf("not an OpenAPI document: %w", err)
	}
	if version, _ := root["openapi"].(string); !strings.HasPrefix(version, "3.") {
		return Document{}, errors.New("not an OpenAPI document: the key openapi is not 3.x")
	}
	d := Document{root: root, src: src, keys: keyOffsets(src)}
	paths := object(root["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := object(paths[path])
		for _, method := range []string{"get", "post", "put", "patch", "delete", "head", "options"} {
			if op, ok := item[method]; ok {
				d.Operations = append(d.Operations, d.operation(strings.ToUpper(method), path, item, object(op)))
			}
		}
	}
	return d, nil
}

func (d *Document) operation(method, path string, item, op map[string]any) Operation {
	o := Operation{Method: method, Path: path, document: d}
	o.ID, _ = op["operationId"].(string)
	seen := map[string]bool{}
	for _, list := range []any{op["parameters"], item["parameters"]} {
		for _, p := range array(list) {
			param := d.param(object(p))
			if key := param.In + param.Name; param.Name != "" && !seen[key] {
				seen[key] = true
				o.Params = append(o.Params, param)
			}
		}
	}
	body := d.resolve(object(op["requestBody"]))
	for _, kind := range slices.Sorted(maps.Keys(object(body["content"]))) {
		if strings.Contains(kind, "json") {
			o.Body = object(object(object(body["content"])[kind])["schema"])
			break
		}
	}
	return o
}

func (d *Document) param(p map[string]any) Param {
	p = d.resolve(p)
	out := Param{Schema: object(p["schema"])}
	out.Name, _ = p["name"].(string)
	out.In, _ = p["in"].(string)
	out.Required, _ = p["required"].(bool)
	if example, ok := p["example"]; ok && out.Schema != nil {
		out.Schema = maps.Clone(out.Schema)
		out.Schema["example"] = example
	}
	return out
}

// resolve follows references within the document.
func (d *Document) resolve(o map[string]any) map[string]any {
	_, o = d.follow("", o)
	return o
}

// follow is resolve for an object at a JSON pointer. It also returns the pointer of the last reference.
func (d *Document) follow(pointer string, o map[string]any) (string, map[string]any) {
	for range maxDepth {
		ref, ok := o["$ref"].(string)
		if !ok {
			return pointer, o
		}
		pointer = strings.TrimPrefix(ref, "#")
		at := any(d.root)
		for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			at = object(at)[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
		}
		o = object(at)
	}
	return "", nil
}

// Key returns the operation in the runtime's notation of routes: GET /v1/orders.
func (o Operation) Key() string { return o.Method + " " + o.Path }

// Collection returns the path before the last parameter, and that parameter: /v1/orders and id for
// /v1/orders/{id}/lines.
func Collection(path string) (collection, param string, ok bool) {
	end := strings.LastIndexByte(path, '}')
	begin := strings.LastIndexByte(path[:max(end, 0)], '{')
	if end < 0 || begin < 0 {
		return "", "", false
	}
	return strings.TrimSuffix(path[:begin], "/"), path[begin+1 : end], true
}

// Find returns the operation of a method and path.
func (d *Document) Find(method, path string) (Operation, bool) {
	i := slices.IndexFunc(d.Operations, func(o Operation) bool { return o.Method == method && o.Path == path })
	if i < 0 {
		return Operation{}, false
	}
	return d.Operations[i], true
}

func object(v any) map[string]any {
	if s, ok := v.(Schema); ok {
		return s
	}
	o, _ := v.(map[string]any)
	return o
}

func array(v any) []any {
	a, _ := v.([]any)
	return a
}
