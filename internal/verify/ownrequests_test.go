package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/openapi"
)

// recorder is a server that records its requests and responds as the test configures.
type recorder struct {
	*httptest.Server

	mu   sync.Mutex
	seen []string // method, path with query, fault header, body
}

func newRecorder(t *testing.T, respond http.HandlerFunc) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.seen = append(r.seen, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", req.Method, req.URL, req.Header.Get(faultHeader), body)))
		r.mu.Unlock()
		respond(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.seen...)
}

func responds(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func parseRequests(t *testing.T, text string) httpfile.File {
	t.Helper()
	f, err := httpfile.Parse(RequestFile, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func checkText(checks []report.Check) string {
	s := &session{}
	s.checks.Add(checks...)
	return strings.Join(checksOf(s), "\n")
}

func TestOwnRequestsAreComparedWithTheirFile(t *testing.T) {
	t.Parallel()
	const claim = "own request: "
	for name, tc := range map[string]struct {
		file   string
		status int
		want   string
	}{
		"any status below 500 is accepted":  {"GET {{host}}/a", 404, "verify.http:1: " + claim + "GET {{host}}/a: passed: answers 404"},
		"a misspelled route":                {"POST {{host}}/v1/shipmentss?dry=1", 404, "verify.http:1: " + claim + `POST {{host}}/v1/shipmentss?dry=1: failed: no route matches POST /v1/shipmentss; did you mean "POST /v1/shipments"?`},
		"a misspelled route with a status":  {"# @expect 201\nPOST {{host}}/v1/shipmentss", 404, "verify.http:2: " + claim + `POST {{host}}/v1/shipmentss: failed: no route matches POST /v1/shipmentss; did you mean "POST /v1/shipments"?`},
		"a method without a route":          {"DELETE {{host}}/a", 405, "verify.http:1: " + claim + "DELETE {{host}}/a: failed: no route matches DELETE /a; correct the address, or write # @expect 405 above the request"},
		"an unknown path is expected":       {"# @expect 404\nGET {{host}}/none", 404, "verify.http:2: " + claim + "GET {{host}}/none: passed: answers 404"},
		"HEAD of a GET route":               {"HEAD {{host}}/a", 404, "verify.http:1: " + claim + "HEAD {{host}}/a: passed: answers 404"},
		"a path below a subtree":            {"GET {{host}}/files/a/b", 404, "verify.http:1: " + claim + "GET {{host}}/files/a/b: passed: answers 404"},
		"an id of an earlier response":      {"@id = 7\n\n### Read\nGET {{host}}/things/{{ id }}", 404, "verify.http:4: " + claim + "Read: passed: answers 404"},
		"a title names the check":           {"### Read\nGET {{baseUrl}}/a", 200, "verify.http:2: " + claim + "Read: passed: answers 200"},
		"a server error is not expected":    {"GET {{host}}/a", 503, "verify.http:1: " + claim + "GET {{host}}/a: failed: got status 503: said; write # @expect 503 above the request if that is correct"},
		"a server error is expected":        {"# @expect 503\nGET {{host}}/a", 503, "verify.http:2: " + claim + "GET {{host}}/a: passed: answers 503"},
		"another status is expected":        {"# @expect 201\nGET {{host}}/a", 200, "verify.http:2: " + claim + "GET {{host}}/a: failed: answers 200, expected 201: said"},
		"an unknown placeholder":            {"GET {{host}}/{{id}}", 200, "verify.http:1: " + claim + "GET {{host}}/{{id}}: failed: no value for {{id}}; declare @name = value above, or add @name to the request whose response it reads"},
		"another service":                   {"GET http://127.0.0.1:1/a", 200, "verify.http:1: " + claim + "GET http://127.0.0.1:1/a: failed: http://127.0.0.1:1/a is not this service; start the address with {{host}}"},
		"an address that is not an address": {"GET {{host}}/%zz", 200, "verify.http:1: " + claim + "GET {{host}}/%zz: failed: parse "},
		"a service without such a file":     {"", 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRecorder(t, responds(tc.status, "said\nmore"))
			d := newDriver(server.URL, openapi.Document{}, []string{"GET /a", "POST /v1/shipments", "GET /files/", "GET /things/{id}"}, parseRequests(t, tc.file), 0)
			got := checkText(d.own(t.Context(), RequestFile))
			if !strings.HasPrefix(got, tc.want) || !strings.HasSuffix(tc.want, "parse ") && got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOwnRequestsReadEarlierResponses(t *testing.T) {
	t.Parallel()
	server := newRecorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/things/7")
		_, _ = io.WriteString(w, `{"id":7,"tags":["a","b"],"in":{"name":"x"}}`)
	})
	d := newDriver(server.URL, openapi.Document{}, nil, parseRequests(t, `@kind = small
@path = things/{{kind}}

###
# @name made
POST {{host}}/{{path}}
X-Kind: {{kind}}

{"kind":"{{kind}}"}
###
GET {{host}}{{made.response.headers.Location}}?id={{made.response.body.id}}&tag={{made.response.body.$.tags.1}}&name={{made.response.body.in.name}}
`), 0)
	if got := checkText(d.own(t.Context(), RequestFile)); strings.Contains(got, "failed") {
		t.Error(got)
	}
	got, want := strings.Join(server.requests(), "\n"), `POST /things/small  {"kind":"small"}`+"\nGET /things/7?id=7&tag=b&name=x"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPlaceholdersHaveValues(t *testing.T) {
	t.Parallel()
	chat := newDriver("http://service", openapi.Document{}, nil, parseRequests(t, "@a = {{b}}\n@b = {{a}}\n@c = {{d}}\n"), 0).newChat()
	chat.answers["made"] = answered{header: http.Header{"Etag": {"v1"}}}
	for name, want := range map[string]string{"host": "http://service", "baseUrl": "http://service", "made.response.headers.ETag": "v1"} {
		if got, ok := chat.value(name, 0); !ok || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"$uuid", "$guid", "$random.uuid", "$timestamp", "$randomInt"} {
		one, _ := chat.value(name, 0)
		other, ok := chat.value(name, 0)
		if !ok || one == other || one == "" {
			t.Errorf("%s: got %q, then %q", name, one, other)
		}
	}
	for _, name := range []string{"a", "c", "d", "gone.response.body.id", "made.response.headers.Location", "made.response.body.id", "made.request.body"} {
		if got, ok := chat.value(name, 0); ok {
			t.Errorf("%s has the value %q", name, got)
		}
	}
}

func TestFieldsOfResponsesAreFollowed(t *testing.T) {
	t.Parallel()
	var body any
	if err := json.Unmarshal([]byte(`{"n":1000000,"f":0.5,"yes":true,"text":"x","list":[{"id":"a"}],"none":null}`), &body); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"n": "1000000", "f": "0.5", "yes": "true", "text": "x", "list.0.id": "a",
		"none": "", "list": "", "list.1": "", "list.-1": "", "list.id": "", "text.x": "", "gone": "", "list.0": "",
	} {
		if got, ok := dig(body, strings.Split(path, ".")); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", path, got, ok, want)
		}
	}
}

func TestPathsBelongToTheirRoute(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, path string
		want          bool
	}{
		{"/things", "/things", true}, {"/things/", "/things", true}, {"/things/{id}", "/things/7", true}, {"/files/{path...}", "/files/a/b", true}, {"/files/*", "/files/a/b", true},
		{"/things/{id}", "/things", false}, {"/things/{id}", "/things/7/parts", false}, {"/things", "/others", false}, {"/things", "/things/7", false}, {"/{kind}/list", "/a/b", false},
		{"/things/{id}", "/things/", false}, {"/things", "/things/", false}, {"/", "/", true}, {"/things/", "/things/", true},
	} {
		if got := matchesPattern(tc.pattern, tc.path); got != tc.want {
			t.Errorf("%s of %s: got %v", tc.path, tc.pattern, got)
		}
	}
}

func TestFileIsNeededForUndescribedRoutes(t *testing.T) {
	t.Parallel()
	document, err := openapi.Parse([]byte(thingsDocument))
	if err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]bool{
		"POST {{host}}/things": false, "GET {{host}}/hidden/7?x=1": true, "POST {{host}}/hidden/7": false, "GET {{host}}/elsewhere": false,
	} {
		d := newDriver("http://service", document, []string{"POST /things", "GET /hidden/{id}"}, parseRequests(t, request), 0)
		if got := d.needsFile(); got != want {
			t.Errorf("%s: got %v", request, got)
		}
	}
}

// Requests that should fail are also sent without a fault: others read their responses.
func TestFileIsSentInEachManner(t *testing.T) {
	t.Parallel()
	for how, want := range map[manner]string{
		well: "GET /a", wrongly: "GET /a", failing: "GET /a error\nGET /a", shedded: "GET /a shed\nGET /a", slowly: "GET /a delay=300ms\nGET /a", busily: "GET /a cpu=30ms\nGET /a",
	} {
		server := newRecorder(t, responds(http.StatusOK, ""))
		d := newDriver(server.URL, openapi.Document{}, nil, parseRequests(t, "GET {{host}}/a"), 300*time.Millisecond)
		(&caller{driver: d}).fileAgain(t.Context(), how, 0)
		if got := strings.Join(server.requests(), "\n"); got != want {
			t.Errorf("%q: got %s, want %s", how, got, want)
		}
	}
}
