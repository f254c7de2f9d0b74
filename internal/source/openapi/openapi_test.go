package openapi_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/source/openapi"
)

func TestOperationsOfTheExample(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("../../../examples/orders/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := openapi.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range d.Operations {
		keys = append(keys, o.Key())
	}
	want := []string{"GET /v1/orders", "POST /v1/orders", "GET /v1/orders/{id}", "PUT /v1/orders/{id}", "DELETE /v1/orders/{id}"}
	if !slices.Equal(keys, want) {
		t.Errorf("got %v, want %v", keys, want)
	}
	create, _ := d.Find("POST", "/v1/orders")
	if got := string(create.ValidBody(1)); got != `{"name":"First order"}` {
		t.Errorf("valid body: %s", got)
	}
	if got, ok := create.WrongBody(); !ok || string(got) != "{}" {
		t.Errorf("wrong body: %s, %v", got, ok)
	}
	read, _ := d.Find("GET", "/v1/orders/{id}")
	if got := read.Value(read.Params[0], 3); got != "019a0000-0000-7000-8000-000000000003" {
		t.Errorf("id: %s", got)
	}
}

func TestExcesses(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("../../../examples/orders/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := openapi.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][]string{
		"POST /v1/orders":        {"body.name maxLength 200", "body.name minLength 1", "header.Idempotency-Key maxLength 200"},
		"GET /v1/orders":         {"query.limit maximum 100", "query.limit minimum 1"},
		"PUT /v1/orders/{id}":    {"body.name maxLength 200", "body.name minLength 1"},
		"GET /v1/orders/{id}":    nil,
		"DELETE /v1/orders/{id}": nil,
	} {
		method, path, _ := strings.Cut(key, " ")
		o, _ := d.Find(method, path)
		var got []string
		for _, e := range o.Excesses(1) {
			got = append(got, e.Field+" "+e.Rule)
			if e.Rule == "maxLength 200" && !strings.Contains(string(e.Body)+e.Value, strings.Repeat("x", 201)) {
				t.Errorf("%s: %s has no text of 201 characters: %s%s", key, e.Field, e.Body, e.Value)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}

func TestReadOnlyMembersAndCookiesHaveNoExcess(t *testing.T) {
	t.Parallel()
	d, err := openapi.Parse([]byte(`{"openapi":"3.1.0","paths":{"/a":{"post":{"parameters":[{"name":"session","in":"cookie","schema":{"type":"string","maxLength":5}}],
		"requestBody":{"content":{"application/json":{"schema":{"properties":{"id":{"type":"string","minLength":3,"readOnly":true},"n":{"type":"integer","maximum":9}}}}}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Operations[0].Excesses(1); len(got) != 1 || got[0].Field != "body.n" {
		t.Errorf("got %+v, want that of n alone", got)
	}
}

func TestResponseFindsTheSchemaOfAStatus(t *testing.T) {
	t.Parallel()
	d, err := openapi.Parse([]byte(`{"openapi":"3.1.0","components":{"responses":{"Same":{"$ref":"#/components/responses/One"},"One":{"content":{"application/json":{"schema":{}}}}}},"paths":{"/a/{id}":{
		"get":{"responses":{"200":{"$ref":"#/components/responses/Same"},"2XX":{"content":{"text/csv":{"schema":{}}}}}},
		"put":{"responses":{"201":{"content":{"application/x+json":{"schema":{}}}},"default":{}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		method    string
		status    int
		pointer   string
		described bool
	}{
		{"GET", 200, "/components/responses/One/content/application~1json/schema", true},
		{"GET", 202, "", true}, // 2XX, which is not JSON
		{"GET", 404, "", false},
		{"PUT", 201, "/paths/~1a~1{id}/put/responses/201/content/application~1x+json/schema", true},
		{"PUT", 500, "", true}, // default, without content
	} {
		o, _ := d.Find(tc.method, "/a/{id}")
		if pointer, described := o.Response(tc.status); pointer != tc.pointer || described != tc.described {
			t.Errorf("%s %d: got %q, %v, want %q, %v", tc.method, tc.status, pointer, described, tc.pointer, tc.described)
		}
	}
}

func TestPositionOfAnOperation(t *testing.T) {
	t.Parallel()
	d, err := openapi.Parse([]byte("{\"openapi\": \"3.1.0\", \"x\": [{\"paths\": 1}, [2]],\n \"é\": 1, \"paths\": {\n\t\"/v1/\\u006frders\": {\n    \"post\": {\"tags\": [\"get\"]},\n\"get\":{}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path, method string
		line, column int
	}{
		{"/v1/orders", "POST", 4, 5},
		{"/v1/orders", "GET", 5, 1},
		{"/v1/orders", "PUT", 3, 2}, // the path has no such method
		{"/v1/other", "GET", 2, 10}, // unknown path
	} {
		if line, column := d.Position(tc.path, tc.method); line != tc.line || column != tc.column {
			t.Errorf("%s %s: got %d:%d, want %d:%d", tc.method, tc.path, line, column, tc.line, tc.column)
		}
	}
}

// document returns a document with a schema.
func document(schema string) []byte {
	return []byte(`{"openapi":"3.1.0","components":{"schemas":{
		"Self":{"type":"object","required":["next"],"properties":{"next":{"$ref":"#/components/schemas/Self"}}},
		"Code":{"type":"string","enum":["A","B"]}}},
		"paths":{"/x":{"post":{"requestBody":{"content":{"application/json":{"schema":` + schema + `}}}}}}}`)
}

func TestSamples(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, schema, want string }{
		{"only what is required", `{"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":3},"b":{"type":"string"}}}`, `{"a":3}`},
		{"what is read only is left out", `{"type":"object","required":["a","id"],"properties":{"a":{"type":"boolean"},"id":{"type":"string","readOnly":true}}}`, `{"a":true}`},
		{"references are followed", `{"$ref":"#/components/schemas/Code"}`, `"A"`},
		{"the parts of allOf come together", `{"allOf":[{"type":"object","required":["a"],"properties":{"a":{"const":1}}},{"required":["b"],"properties":{"b":{"const":2}}}]}`, `{"a":1,"b":2}`},
		{"the first of oneOf", `{"oneOf":[{"type":"integer","multipleOf":5},{"type":"string"}]}`, `5`},
		{"an array holds what it must", `{"type":["array","null"],"minItems":2,"items":{"type":"string","pattern":"[A-Z]{2}[0-9]"}}`, `["AA0","AA0"]`},
		{"lengths are kept", `{"type":"string","minLength":12}`, `"verify-7xxxx"`},
		{"a short text stays short", `{"type":"string","maxLength":2}`, `"-7"`},
		{"a bound that is not included", `{"type":"integer","exclusiveMaximum":1}`, `0`},
		{"a number between two bounds", `{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}`, `0.5`},
		{"a multiple up to a bound", `{"type":"integer","multipleOf":5,"maximum":5}`, `5`},
		{"a multiple below a maximum", `{"type":"integer","multipleOf":5,"maximum":4}`, `0`},
		{"a multiple below a bound", `{"type":"integer","minimum":0,"multipleOf":5,"exclusiveMaximum":5}`, `0`},
		{"examples come first", `{"type":"string","format":"uuid","examples":["mine"]}`, `"mine"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, err := openapi.Parse(document(tc.schema))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(d.Operations[0].ValidBody(7)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestRecursiveSchemaIsLimited(t *testing.T) {
	t.Parallel()
	d, err := openapi.Parse(document(`{"$ref":"#/components/schemas/Self"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Operations[0].ValidBody(1); !json.Valid(got) {
		t.Errorf("got %s", got)
	}
}

func TestCollection(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v1/orders/{id}":              "/v1/orders id",
		"/v1/orders/{id}/lines":        "/v1/orders id",
		"/v1/orders/{id}/lines/{line}": "/v1/orders/{id}/lines line",
		"/v1/orders":                   " ",
	} {
		collection, param, _ := openapi.Collection(path)
		if got := collection + " " + param; got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestOtherDocumentsAreRejected(t *testing.T) {
	t.Parallel()
	for _, src := range []string{"", "[]", "{}", `{"openapi":"2.0"}`, "<html>"} {
		if _, err := openapi.Parse([]byte(src)); err == nil || !strings.Contains(err.Error(), "not an OpenAPI document") {
			t.Errorf("%q: %v", src, err)
		}
	}
}

// FuzzParse checks that generated bodies are JSON.
func FuzzParse(f *testing.F) {
	f.Add(string(document(`{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/components/schemas/Self"}}}`)))
	f.Fuzz(func(t *testing.T, src string) {
		d, err := openapi.Parse([]byte(src))
		if err != nil {
			return
		}
		for _, o := range d.Operations {
			d.Position(o.Path, o.Method)
			if body := o.ValidBody(1); body != nil && !json.Valid(body) {
				t.Errorf("%s: %s", o.Key(), body)
			}
			o.WrongBody()
			o.Excesses(1)
			o.Response(200)
			for _, p := range o.Params {
				o.Value(p, 1)
				o.WrongValue(p)
			}
		}
	})
}
