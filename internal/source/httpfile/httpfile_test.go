package httpfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/source/httpfile"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := httpfile.Parse("verify.http", []byte(`@customer = 42
# what everybody does

### Create an order
# @name created
// @expect 201
POST {{host}}/v1/orders HTTP/1.1
Content-Type: application/json
# a comment between fields
X-Customer: {{customer}}

{"name": "first"}

### Search
GET {{host}}/v1/orders
    ?limit=5
    &cursor={{created.response.body.id}}
###
{{host}}/v1/orders HTTP/2
`))
	if err != nil {
		t.Fatal(err)
	}
	want := httpfile.File{
		Variables: map[string]string{"customer": "42"},
		Requests: []httpfile.Request{
			{
				Title: "Create an order", Name: "created", Method: "POST", URL: "{{host}}/v1/orders", Expect: 201, Line: 7,
				Header: []httpfile.Field{{Name: "Content-Type", Value: "application/json"}, {Name: "X-Customer", Value: "{{customer}}"}},
				Body:   `{"name": "first"}`,
			},
			{Title: "Search", Method: "GET", URL: "{{host}}/v1/orders?limit=5&cursor={{created.response.body.id}}", Line: 15},
			{Method: "GET", URL: "{{host}}/v1/orders", Line: 19},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseReportsAllErrors(t *testing.T) {
	t.Parallel()
	_, err := httpfile.Parse("verify.http", []byte(`@9 = x
GTE {{host}}/
Content-Type
### two
# @expect soon
# @name a-b
POST
`))
	if err == nil {
		t.Fatal("accepted")
	}
	want := strings.Join([]string{
		`verify.http:1:1: write a variable as @name = value`,
		`verify.http:2:1: "GTE" is not an HTTP method; write a request as GET {{host}}/v1/orders; did you mean "GET"?`,
		`verify.http:3:1: invalid header field; write Name: value, and an empty line before the body`,
		`verify.http:5:1: @expect "soon": write a status such as 201`,
		`verify.http:6:1: @name "a-b": use letters, digits and _, as in created`,
		`verify.http:7:1: the request has no URL; write one such as POST {{host}}/v1/orders`,
	}, "\n")
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	r := httpfile.Request{
		Method: "PUT", URL: "{{host}}/{{ id }}", Body: "{{name}}{{name}}",
		Header: []httpfile.Field{{Name: "If-Match", Value: "{{tag}}"}},
	}
	values := map[string]string{"host": "http://h", "id": "7", "name": "n", "tag": "t"}
	lookup := func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	got, err := r.Fill(lookup)
	if err != nil {
		t.Fatal(err)
	}
	want := httpfile.Request{Method: "PUT", URL: "http://h/7", Body: "nn", Header: []httpfile.Field{{Name: "If-Match", Value: "t"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	delete(values, "id")
	if _, err := r.Fill(lookup); err == nil || !strings.Contains(err.Error(), "no value for {{id}};") {
		t.Errorf("got %v", err)
	}
}

// FuzzParse checks that each file is rejected with a place, or has valid requests.
func FuzzParse(f *testing.F) {
	f.Add("### a\n# @name b\nGET {{host}}/\nA: b\n\nbody\n")
	f.Add("@a = b\n\n\nhttp://x\n###\n###\nPOST /x\n ?q=1")
	f.Fuzz(func(t *testing.T, src string) {
		file, err := httpfile.Parse("f", []byte(src))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("no place: %v", err)
			}
			return
		}
		for _, r := range file.Requests {
			if r.Method == "" || r.URL == "" || r.Line < 1 {
				t.Errorf("read %+v", r)
			}
			if _, err := r.Fill(func(string) (string, bool) { return "x", true }); err != nil {
				t.Error(err)
			}
		}
	})
}
