package httpserver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"
)

// post sends a body through StrictJSON to a handler that echoes it.
func post(t *testing.T, contentType, body string) (*httptest.ResponseRecorder, httpserver.Problem) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	rec := httptest.NewRecorder()
	httpserver.StrictJSON(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(rec, r)
	var p httpserver.Problem
	if rec.Code >= http.StatusBadRequest {
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
			t.Errorf("%q: %v", rec.Body, err)
		}
	}
	return rec, p
}

func TestStrictJSONPassesBodiesWithOneMeaning(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ contentType, body string }{
		"an object":                        {"application/json", ` {"a":[1,{"b":"\u00e9"}],"c":null} `},
		"the same name in two objects":     {"application/json; charset=utf-8", `[{"a":1},{"a":2}]`},
		"names that differ in case":        {"application/problem+json", `{"a":1,"A":2}`},
		"a name of 1,000 bytes":            {"application/json", `{  "` + strings.Repeat("a", 1000) + `":1}`},
		"a long value":                     {"application/json", `["` + strings.Repeat("a", 2000) + `",{"a":"` + strings.Repeat("a", 2000) + `"}]`},
		"a scalar":                         {"", `7`},
		"no body, which the handler sees":  {"application/json", ""},
		"as many items as allowed":         {"application/json", "[" + strings.Repeat("0,", 9_998) + "0]"},
		"what is not JSON by content type": {"text/plain", `{"a":`},
		"a stream of JSON values":          {"application/x-ndjson", "{}\n{}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if rec, _ := post(t, tc.contentType, tc.body); rec.Code != http.StatusOK || rec.Body.String() != tc.body {
				t.Errorf("got %d %q, want the body unchanged", rec.Code, rec.Body)
			}
		})
	}
}

func TestStrictJSONNamesTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]apierror.Field{
		`{"name":"a","name":"b"}`:              {Location: "body.name", Message: "the name occurs more than once"},
		`{"items":[{},{"a":1,"\u0061":2}]}`:    {Location: "body.items[1].a", Message: "the name occurs more than once"},
		"{\"name\":\"\xff\"}":                  {Location: "body.name", Message: "invalid UTF-8 at byte 9"},
		`{"name":"\ud800"}`:                    {Location: "body.name", Message: "invalid surrogate pair `\\ud800\"}` in string at byte 9"},
		`{"name":`:                             {Location: "body.name", Message: "the JSON text ends early"},
		` `:                                    {Location: "body", Message: "the JSON text ends early"},
		`{"n":1e400}`:                          {Location: "body.n", Message: "the number is out of range"},
		`{} {}`:                                {Location: "body", Message: "more than one JSON value in the body"},
		`{} x`:                                 {Location: "body", Message: "invalid character 'x' at start of value at byte 3"},
		`{name:1}`:                             {Location: "body", Message: "invalid character 'a' in literal null (expecting 'u') at byte 2"},
		`{1:1}`:                                {Location: "body", Message: "object member name must be a string at byte 1"},
		`{"a":[1,]}`:                           {Location: "body.a", Message: "invalid character ',' at start of value at byte 7"},
		`{"a" 1}`:                              {Location: "body.a", Message: "invalid character '1' after object name (expecting ':') at byte 5"},
		strings.Repeat("[", 9_000):             {Location: "body" + strings.Repeat("[0]", 65) + "[...", Message: "the JSON text ends early"},
		`{"` + strings.Repeat("é", 300) + `":`: {Location: "body." + strings.Repeat("é", 97) + "...", Message: "the JSON text ends early"},
	} {
		t.Run(fmt.Sprintf("%.20q", body), func(t *testing.T) {
			t.Parallel()
			rec, p := post(t, "application/json", body)
			if rec.Code != http.StatusBadRequest || p.Code != apierror.CodeMalformed || len(p.Errors) != 1 || p.Errors[0] != want {
				t.Errorf("got %d %+v, want 400 with %+v", rec.Code, p, want)
			}
		})
	}
}

// huma takes what follows the first plus sign for the format, and nothing for JSON.
func TestStrictJSONReadsWhatHumaDecodes(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"", ";", "json", "application/json", "application/problem+json; charset=utf-8", "+", "foo+", "foo+; a=b", "FOO/BAR+JSON"} {
		if rec, p := post(t, contentType, `{"a":1,"a":2}`); rec.Code != http.StatusBadRequest {
			t.Errorf("%q: got %d %+v, want 400 for the duplicate name", contentType, rec.Code, p)
		}
	}
}

func TestStrictJSONBoundsNamesAndValues(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"too many values": "[" + strings.Repeat("{},", 10_000) + "{}]",
		"too long a name": `{"a":{"` + strings.Repeat("a", 1001) + `":1}}`,
	} {
		rec, p := post(t, "application/json", body)
		if rec.Code != http.StatusRequestEntityTooLarge || p.Code != apierror.CodeTooLarge {
			t.Errorf("%s: got %d %+v, want 413", name, rec.Code, p)
		}
	}
}

func TestUnmarshalJSONNamesNoGoType(t *testing.T) {
	t.Parallel()
	var body struct {
		Items []struct {
			Count int32 `json:"count"`
		} `json:"items"`
	}
	for text, want := range map[string]string{
		`{"items":[{"count":7}]}`:    "",
		`{"items":[{"count":1e30}]}`: "items.count: the number 1e30 does not fit",
		`7`:                          "the number does not fit",
		`{`:                          "unexpected end of JSON input",
	} {
		got := ""
		if err := httpserver.UnmarshalJSON([]byte(text), &body); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestProblemsListTwentyErrorsAndCountTheRest(t *testing.T) {
	t.Parallel()
	fields := make([]apierror.Field, 70_000)
	fields[0] = apierror.Field{Location: "body." + strings.Repeat("a", 1<<20), Message: strings.Repeat("é", 1<<20)}
	p := httpserver.NewProblem(t.Context(), apierror.Invalid("wrong", fields...))
	if len(p.Errors) != 20 || p.MoreErrors != 69_980 || len(p.Errors[0].Location)+len(p.Errors[0].Message) > 1000 {
		t.Errorf("got %d errors, %d more, and a location of %d bytes with a message of %d", len(p.Errors), p.MoreErrors, len(p.Errors[0].Location), len(p.Errors[0].Message))
	}
	if p := httpserver.NewProblem(t.Context(), apierror.Invalid("wrong", fields[1:21]...)); len(p.Errors) != 20 || p.MoreErrors != 0 {
		t.Errorf("of 20 errors %d are listed, %d not", len(p.Errors), p.MoreErrors)
	}
}
