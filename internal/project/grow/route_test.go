package grow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/observability-first/scaffold/internal/project/grow"
	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// orders returns the example service, with files replaced or added.
func orders(t testing.TB, edits map[string]string) grow.Service {
	t.Helper()
	files := fstest.MapFS{}
	disk := os.DirFS("../../../examples/orders")
	for _, pattern := range []string{"scaffold.yaml", "api/*.json", "internal/api/*.go", "migrations/*.sql"} {
		names, err := fs.Glob(disk, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := fs.ReadFile(disk, name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = &fstest.MapFile{Data: data}
		}
	}
	for name, text := range edits {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	service, err := spec.Parse("scaffold.yaml", files["scaffold.yaml"].Data)
	if err != nil {
		t.Fatal(err)
	}
	return grow.Service{Dir: "orders", Files: files, Spec: service}
}

// read returns a file of the service.
func read(t testing.TB, s grow.Service, name string) string {
	t.Helper()
	data, err := fs.ReadFile(s.Files, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// keepsLines fails if a text lost a line.
func keepsLines(t testing.TB, before, after string) {
	t.Helper()
	old := strings.SplitAfter(before, "\n")
	for _, line := range strings.SplitAfter(after, "\n") {
		if len(old) > 0 && line == old[0] {
			old = old[1:]
		}
	}
	if len(old) > 0 {
		t.Errorf("the line %q is lost", old[0])
	}
}

// listing returns the whole new files, and what others have in addition.
func listing(t testing.TB, s grow.Service, c grow.Change) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, f := range c.Files {
		fmt.Fprintf(&b, "-- %s --\n", f.Path)
		before, err := fs.ReadFile(s.Files, f.Path)
		if err != nil {
			b.Write(f.Data)
			continue
		}
		b.WriteString(window(string(before), string(f.Data)))
	}
	for _, next := range c.Next {
		fmt.Fprintf(&b, "-- next --\n%s\n", next)
	}
	return b.Bytes()
}

// window returns the changed part of a text, with the line before and after it.
func window(before, after string) string {
	old, all := strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n")
	begin := 0
	for begin < min(len(old), len(all)) && old[begin] == all[begin] {
		begin++
	}
	end := 0
	for end < min(len(old), len(all))-begin && old[len(old)-1-end] == all[len(all)-1-end] {
		end++
	}
	return strings.Join(all[max(0, begin-1):min(len(all), len(all)-end+1)], "")
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	for file, route := range map[string]string{
		"ship":   "POST /v1/orders/{id}/ship",
		"lines":  "GET /v1/orders/{id}/lines/{line_no}",
		"create": "POST /v1/purchase-orders",
		"put":    "PUT /v2/settings",
		"linux":  "GET /v1/orders/{id}/linux",
		"second": "PATCH /v1/orders/{id}",
	} {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			s := orders(t, nil)
			method, path, _ := strings.Cut(route, " ")
			c, err := s.Route(method, path)
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, "testdata/route_"+file+".txt", listing(t, s, c))
		})
	}
}

func TestInvalidRoutes(t *testing.T) {
	t.Parallel()
	routes := read(t, orders(t, nil), "internal/api/routes.go")
	for name, tc := range map[string]struct {
		route string
		edits map[string]string
		want  string
	}{
		"method and path are invalid": {"SHIP orders//{id", nil,
			"unknown method \"SHIP\"; write GET, POST, PUT, PATCH, DELETE\n" +
				"the path \"orders//{id\" does not begin with /; write \"/orders//{id\"\n" +
				"the path \"orders//{id\" has an empty segment; write each / once, and none at the end\n" +
				"the segment \"{id\" has a brace without its counterpart; write a parameter as {name}"},
		"slash at the end":            {"GET /v1/orders/", nil, `the path "/v1/orders/" has an empty segment; write each / once, and none at the end`},
		"parameter occurs twice":      {"GET /v1/a/{id}/b/{id}", nil, "the path has the parameter {id} twice; give each a name of its own"},
		"expression without name":     {"GET /v1/a/{:[0-9]+}", nil, `the segment "{:[0-9]+}" has a regular expression without a name; write a parameter as {name}`},
		"expression":                  {"GET /v1/a/{id:[0-9]+}", nil, `the segment "{id:[0-9]+}" has a regular expression, which OpenAPI cannot describe; write {id} and check the value in the handler`},
		"wildcard in the middle":      {"GET /v1/*/b", nil, `the segment "*" has a wildcard, which can only be the last segment; write a parameter such as {name}`},
		"wildcard at the end":         {"GET /v1/*", nil, `the segment "*" has a wildcard, which OpenAPI cannot describe; write a parameter such as {name}, or add the route by hand`},
		"parameter in a segment":      {"GET /v1/a-{id}", nil, `the segment "a-{id}" is not a parameter; write {name}, with letters, digits and _, as the whole segment`},
		"query":                       {"GET /v1/a?b=1", nil, `the segment "a?b=1" has characters other than letters, digits, - . _ and ~; write those`},
		"route exists":                {"GET /v1/orders/{id}", nil, "orders/internal/api/routes.go:20:2: the route GET /v1/orders/{id} exists"},
		"other name of the parameter": {"PATCH /v1/orders/{order}", nil, "/v1/orders/{order} has the parameters of /v1/orders/{id} with other names; write the path as here"},
		"operationId exists":          {"POST /v1/refund", map[string]string{"api/openapi.json": `{"openapi":"3.1.0","paths":{"/a":{"get":{"operationId":"refund"}}}}`}, `orders/api/openapi.json:1:35: "refund" is the operationId of the new route; rename this one first`},
		"handler exists":              {"POST /v1/orders/{id}/ship", map[string]string{"internal/api/own.go": "package api\n\nfunc (h handlers) shipOrder() {}\n"}, "orders/internal/api/own.go:3:19: shipOrder is the name of the new handler; rename this one first"},
		"file exists":                 {"POST /v1/orders/{id}/ship", map[string]string{"internal/api/ship_order_test.go": "package api\n"}, "orders/internal/api/ship_order_test.go: the file exists, and the new route needs one of this name; rename it first"},
		"syntax error":                {"POST /v1/orders/{id}/ship", map[string]string{"internal/api/own.go": "package api\n\nfunc {"}, "orders/internal/api/own.go: internal/api/own.go:3:6: expected 'IDENT', found '{'"},
		"no function Routes":          {"POST /v1/a", map[string]string{"internal/api/routes.go": strings.Replace(routes, "func Routes", "func Other", 1)}, "orders/internal/api/routes.go: there is no function Routes\nAdd the route by hand:\n\n\trouter.Post(\"/v1/a\", httpserver.Handle(h.a))"},
		"no router":                   {"POST /v1/a", map[string]string{"internal/api/routes.go": "package api\n\nfunc Routes() {}\n"}, "no statement of the function Routes adds a method as a route"},
		"document is not JSON":        {"POST /v1/a", map[string]string{"api/openapi.json": "openapi: 3.1.0"}, "orders/api/openapi.json: not an OpenAPI document: not JSON"},
		"document is too large":       {"POST /v1/a", map[string]string{"api/openapi.json": strings.Repeat(" ", 17<<20)}, "api/openapi.json: larger than 16 MiB"},
		"document has no paths":       {"POST /v1/a", map[string]string{"api/openapi.json": `{"openapi":"3.1.0"}`}, "orders/api/openapi.json: the document has no object paths"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method, path, _ := strings.Cut(tc.route, " ")
			_, err := orders(t, tc.edits).Route(method, path)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got the error\n%v\nwant\n%s", err, tc.want)
			}
		})
	}
}

func TestOperationThatIsDescribedStays(t *testing.T) {
	t.Parallel()
	document := `{"openapi":"3.1.0","paths":{"/v1/a":{"post":{"operationId":"a"}}}}`
	c, err := orders(t, map[string]string{"api/openapi.json": document}).Route("POST", "/v1/a")
	if err != nil {
		t.Fatal(err)
	}
	if got := find(t, c.Files, "api/openapi.json"); got != document {
		t.Errorf("got %s, want %s", got, document)
	}
}

func find(t testing.TB, files []templates.File, name string) string {
	t.Helper()
	i := slices.IndexFunc(files, func(f templates.File) bool { return f.Path == name })
	if i < 0 {
		t.Fatalf("%s is not written", name)
	}
	return string(files[i].Data)
}

// A route is added to code of any form, and the rest of the code stays; or nothing is added.
func FuzzRouteInCode(f *testing.F) {
	routes := read(f, orders(f, nil), "internal/api/routes.go")
	document := read(f, orders(f, nil), "api/openapi.json")
	f.Add(routes)
	f.Add(strings.ReplaceAll(routes, "\n", "\r\n"))
	f.Add(strings.ReplaceAll(routes, "(h.delete))\n", "(h.delete)) // last\n"))
	f.Add(strings.ReplaceAll(routes, "(h.delete))\n", "(h.delete)) /* last\n*/\n"))
	f.Add(strings.ReplaceAll(routes, "\n\trouter", "; router"))
	f.Add(strings.ReplaceAll(routes, "\thttp", "http"))
	f.Fuzz(func(t *testing.T, code string) {
		s := orders(t, map[string]string{"internal/api/routes.go": code, "api/openapi.json": document})
		c, err := s.Route("POST", "/v1/orders/{id}/ship")
		if err != nil {
			return
		}
		got := find(t, c.Files, "internal/api/routes.go")
		if _, err := parser.ParseFile(token.NewFileSet(), "routes.go", got, 0); err != nil {
			t.Fatalf("%v\n%s", err, got)
		}
		line := `Post("/v1/orders/{id}/ship"`
		if strings.Count(got, line) != strings.Count(code, line)+1 {
			t.Errorf("the route is not added once:\n%s", got)
		}
		keepsLines(t, code, got)
	})
}

// An operation is added to JSON of any form, and all else stays; or nothing is added.
func FuzzRouteInDocument(f *testing.F) {
	document := read(f, orders(f, nil), "api/openapi.json")
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(document)); err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add(compact.String())
	f.Add(strings.ReplaceAll(document, "  ", "\t"))
	f.Add(strings.ReplaceAll(document, "\n", "\r\n"))
	f.Add(`{"openapi": "3.1.0", "paths": {}}`)
	f.Add("{\n  \"openapi\": \"3.1.0\",\n  \"paths\": {\n  }\n}\n")
	f.Add("{\n  \"openapi\": \"3.1.0\",\n  \"paths\": {\"/v1/orders/{id}/ship\": {}}\n}\n")
	f.Add(`{"openapi": "3.1.0", "paths": {"/v1/orders/{id}/ship": {"summary": "}", "x": 1.50}}}`)
	f.Add(`{"openapi": "3.1.0", "paths" : {"/a" : "b", "/a": {"get":{}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s := orders(t, map[string]string{"api/openapi.json": text})
		c, err := s.Route("POST", "/v1/orders/{id}/ship")
		if err != nil {
			return
		}
		got := find(t, c.Files, "api/openapi.json")
		before, after := leaves(t, text), leaves(t, got)
		added := 0
		for key, value := range after {
			if old, ok := before[key]; !ok {
				added++
			} else if old != value {
				t.Errorf("%s was %s and is %s", key, old, value)
			}
		}
		for key := range maps.Keys(before) {
			if _, ok := after[key]; !ok && before[key] != "map[]" {
				t.Errorf("%s is lost", key)
			}
		}
		if added == 0 && text != got {
			t.Errorf("nothing is added:\n%s", got)
		}
	})
}

// leaves returns the values of a JSON document by their keys.
func leaves(t *testing.T, text string) map[string]string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var root any
	if err := dec.Decode(&root); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	out := map[string]string{}
	var walk func(at string, value any)
	walk = func(at string, value any) {
		members, ok := value.(map[string]any)
		if !ok || len(members) == 0 {
			out[at] = fmt.Sprint(value)
			return
		}
		for key, member := range members {
			walk(at+"\x00"+key, member)
		}
	}
	walk("", root)
	return out
}
