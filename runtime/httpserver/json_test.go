package httpserver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"
)

func request(contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

// read decodes a body into any, which accepts every JSON document.
func read(contentType, body string) (any, *apierror.Error) {
	value, err := httpserver.ReadJSON[any](request(contentType, body))
	return value, apierror.From(err)
}

func TestReadJSONAcceptsBodiesWithOneMeaning(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ contentType, body string }{
		"an object":                    {"application/json", ` {"a":[1,{"b":"\u00e9"}],"c":null} `},
		"the same name in two objects": {"application/json; charset=utf-8", `[{"a":1},{"a":2}]`},
		"names that differ in case":    {"application/problem+json", `{"a":1,"A":2}`},
		"a name of 1,000 bytes":        {"application/json", `{  "` + strings.Repeat("a", 1000) + `":"` + strings.Repeat("b", 10_000) + `"}`},
		"a long value":                 {"application/json", `["` + strings.Repeat("a", 20_000) + `",{"a":"` + strings.Repeat("a", 2000) + `"}]`},
		"a scalar without a type":      {"", `7`},
		"as many items as allowed":     {"application/json", "[" + strings.Repeat("0,", 9_998) + "0]"},
		"a type in upper case":         {"APPLICATION/JSON", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want any
			if err := json.Unmarshal([]byte(tc.body), &want); err != nil {
				t.Fatal(err)
			}
			if got, err := read(tc.contentType, tc.body); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, %v, want the body decoded", got, err)
			}
		})
	}
}

func TestReadJSONNamesTheFieldThatIsMalformed(t *testing.T) {
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
			_, err := read("application/json", body)
			p := httpserver.NewProblem(t.Context(), err)
			if p.Status != http.StatusBadRequest || p.Code != apierror.CodeMalformed || len(p.Errors) != 1 || p.Errors[0] != want {
				t.Errorf("got %+v, want 400 with %+v", p, want)
			}
		})
	}
}

func TestReadJSONRejectsOtherBodies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		contentType, body string
		want              apierror.Code
	}{
		"text":                         {"text/plain", `{"a":1}`, apierror.CodeUnsupported},
		"a form":                       {"application/x-www-form-urlencoded", `a=1`, apierror.CodeUnsupported},
		"a stream of values":           {"application/x-ndjson", "{}\n{}\n", apierror.CodeUnsupported},
		"XML":                          {"application/soap+xml", `<a/>`, apierror.CodeUnsupported},
		"a type that ends with a plus": {"foo+", `{"a":1}`, apierror.CodeUnsupported},
		"no body":                      {"application/json", "", apierror.CodeMalformed},
		"too many values":              {"application/json", "[" + strings.Repeat("{},", 10_000) + "{}]", apierror.CodeTooLarge},
		"a name that is too long":      {"application/json", `{"a":{"` + strings.Repeat("a", 1001) + `":"` + strings.Repeat("b", 10_000) + `"}}`, apierror.CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := read(tc.contentType, tc.body); err == nil || err.Code != tc.want || got != nil {
				t.Errorf("got %v, %v, want nil with code %s", got, err, tc.want)
			}
		})
	}
}

// lineItem has every kind of member.
type lineItem struct {
	Name    string   `json:"name"`
	Count   int32    `json:"count"`
	Gift    bool     `json:"gift"`
	Note    string   `json:"note,omitempty"`
	Parts   []string `json:"parts,omitempty"`
	Nested  nested   `json:"nested,omitzero"`
	Skipped string   `json:"-"`
	// Rank may be missing, although its zero value is not empty.
	Rank int `json:"rank,omitempty"`
	// Color has no text for its zero value.
	Color color     `json:"color,omitempty"`
	Photo []byte    `json:"photo,omitempty"`
	Age   uint8     `json:"age,omitempty"`
	At    time.Time `json:"at,omitzero"`
	priced
}

type color int

func (c color) MarshalText() ([]byte, error) {
	if c == 0 {
		return nil, errors.New("no color")
	}
	return []byte("red"), nil
}

func (c *color) UnmarshalText([]byte) error { *c = 1; return nil }

type nested struct {
	Size int `json:"size"`
}

type priced struct {
	Price float64 `json:"price"`
}

func TestReadJSONDecodesIntoAStruct(t *testing.T) {
	t.Parallel()
	got, err := httpserver.ReadJSON[lineItem](request("application/json", `{"price":0,"gift":false,"count":7,"name":"","nested":{}}`))
	if want := (lineItem{Count: 7}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// The error describes the expected type only if it is known.
func TestReadJSONNamesOnlyKnownTypes(t *testing.T) {
	t.Parallel()
	type odd struct {
		Pair  [2]int    `json:"pair,omitzero"`
		Large *big.Int  `json:"large,omitzero"`
		At    time.Time `json:"at,omitzero"`
	}
	for body, want := range map[string]string{
		`{"pair":[1]}`: "the array does not fit", `{"pair":{}}`: "must be an array", `{"large":true}`: "the boolean does not fit", `{"at":1}`: "must be a string",
	} {
		_, err := httpserver.ReadJSON[odd](request("application/json", body))
		if wrong := apierror.From(err); wrong == nil || len(wrong.Fields) != 1 || wrong.Fields[0].Message != want {
			t.Errorf("%s: got %+v, want %s", body, wrong, want)
		}
	}
}

func TestReadJSONListsEveryWrongMember(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`null`: {"body.name: the member is missing", "body.count: the member is missing", "body.gift: the member is missing", "body.price: the member is missing"},
		`{}`:   {"body.name: the member is missing", "body.count: the member is missing", "body.gift: the member is missing", "body.price: the member is missing"},
		`{"Name":"a","name":"a","count":1e30,"gift":"no","price":1}`:        {"body.Name: the member is unknown", "body.count: must be an integer from -2147483648 to 2147483647", "body.gift: must be true or false"},
		`{"name":{"a":1},"count":1,"gift":true,"price":1,"extra":[1]}`:      {"body.name: must be a string", "body.extra: the member is unknown"},
		`{"name":"a","count":1,"gift":true,"price":1,"parts":["a",1]}`:      {"body.parts[1]: must be a string"},
		`{"name":"a","count":1,"gift":true,"price":1,"nested":{"color":1}}`: {"body.nested.color: the member is unknown"},
		`{"name":"a","count":1,"gift":true,"7":1}`:                          {"body.price: the member is missing", "body[7]: the member is unknown"},
		`{"name":null,"count":1,"gift":null,"price":1,"parts":null}`:        {"body.name: must not be null", "body.gift: must not be null"},
		`{"name":3,"count":1.5,"gift":1,"price":"1","parts":{},"nested":[]}`: {
			"body.name: must be a string", "body.count: must be an integer from -2147483648 to 2147483647", "body.gift: must be true or false",
			"body.price: must be a number", "body.parts: must be an array", "body.nested: must be an object",
		},
		`{"name":"a","count":1,"gift":true,"price":1,"color":1,"photo":1,"age":-1,"at":"today"}`: {
			"body.color: must be a string", "body.photo: the number does not fit", "body.age: must be an integer from 0 to 255", "body.at: the string does not fit",
		},
		`[{"name":"a"}]`: {"body: must be an object"},
		`7`:              {"body: must be an object"},
		`{"name":"a","count":1,"gift":true,"price":1,"` + strings.Repeat("a", 1000) + `":1}`: {"body." + strings.Repeat("a", 1000) + ": the member is unknown"},
	} {
		t.Run(fmt.Sprintf("%.60s", body), func(t *testing.T) {
			t.Parallel()
			got, err := httpserver.ReadJSON[lineItem](request("application/json", body))
			wrong := apierror.From(err)
			if wrong == nil || wrong.Code != apierror.CodeInvalid || !reflect.DeepEqual(got, lineItem{}) {
				t.Fatalf("got %+v, %v, want an empty value and an invalid request", got, err)
			}
			var fields []string
			for _, f := range wrong.Fields {
				fields = append(fields, f.Location+": "+f.Message)
			}
			if !slices.Equal(fields, want) {
				t.Errorf("got %q, want %q", fields, want)
			}
		})
	}
}

func TestReadJSONRequiresMembersOfAPointer(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `null`} {
		if got, err := httpserver.ReadJSON[*nested](request("application/json", body)); apierror.From(err) == nil || got != nil {
			t.Errorf("%s: got %+v, %v", body, got, err)
		}
	}
}

// Every input is either decoded or a client error.
func FuzzReadJSON(f *testing.F) {
	f.Add("application/json", `{"name":"a","count":1,"gift":true,"price":1.5,"parts":["b"],"nested":{"size":1}}`)
	f.Add("", `{"name":null,"Name":1e400,"nested":{"a":{}}}`)
	f.Add("a/b+json", "[\xff")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		if _, err := httpserver.ReadJSON[lineItem](request(contentType, body)); err != nil && apierror.From(err).Code.Status() >= http.StatusInternalServerError {
			t.Errorf("%q: %v", body, err)
		}
	})
}

func TestWriteJSON(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	if err := httpserver.WriteJSON(rec, http.StatusCreated, map[string]string{"name": "<a>"}); err != nil {
		t.Fatal(err)
	}
	if rec.Code != http.StatusCreated || rec.Header().Get("Content-Type") != "application/json" || rec.Body.String() != `{"name":"<a>"}` {
		t.Errorf("got %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
}

func TestWriteJSONWritesNothingForAValueThatIsNoJSON(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	if err := httpserver.WriteJSON(rec, http.StatusOK, math.NaN()); err == nil || rec.Body.Len() > 0 || len(rec.Header()) > 0 {
		t.Errorf("got %v, %v %q, want an error and nothing written", err, rec.Header(), rec.Body)
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
