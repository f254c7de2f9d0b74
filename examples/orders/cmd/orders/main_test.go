package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

func start(t testing.TB, env ...string) *servicetest.Service {
	t.Helper()
	env = append([]string{"POSTGRES_URL=" + postgrestest.Database(t), "POSTGRES_MIGRATE=true"}, env...)
	return servicetest.Start(t, runtime.Info{Name: "orders", Version: "test"}, defaults(), run, env...)
}

// item and page have the response fields that the tests read.
type item struct {
	Name    string `json:"name"`
	Version int64  `json:"version"`
}

type page struct {
	Items      []item `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// response is the response to a request, with its body decoded.
type response[T any] struct {
	status int
	header http.Header
	body   T
}

// send sends JSON, with headers as name and value in turn, and decodes the response.
func send[T any](t *testing.T, method, url, body string, header ...string) response[T] {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got := response[T]{status: res.StatusCode, header: res.Header}
	if err := json.NewDecoder(res.Body).Decode(&got.body); err != nil && !errors.Is(err, io.EOF) { // 204 has no body
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return got
}

func TestOrderLifecycle(t *testing.T) {
	t.Parallel()
	svc := start(t)
	all := svc.URL + "/v1/orders"

	created := send[item](t, http.MethodPost, all, `{"name":"first"}`, "Idempotency-Key", "k1")
	if created.status != http.StatusCreated || created.body.Name != "first" {
		t.Fatalf("create: %+v", created)
	}
	one := svc.URL + created.header.Get("Location")
	repeat := func(after string) {
		t.Helper()
		again := send[item](t, http.MethodPost, all, `{ "name": "first" }`, "Idempotency-Key", "k1")
		if again.status != http.StatusCreated || again.body != created.body ||
			again.header.Get("Location") != created.header.Get("Location") || again.header.Get("ETag") != created.header.Get("ETag") {
			t.Errorf("the request repeated after %s: got %+v, want %+v", after, again, created)
		}
	}
	want := func(status int, etag, method, body string, header ...string) {
		t.Helper()
		if got := send[item](t, method, one, body, header...); got.status != status || got.header.Get("ETag") != etag {
			t.Errorf("%s %s %v: got %+v, want status %d and ETag %s", method, body, header, got, status, etag)
		}
	}
	repeat("create")
	if other := send[httpserver.Problem](t, http.MethodPost, all, `{"name":"other"}`, "Idempotency-Key", "k1"); other.status != http.StatusUnprocessableEntity || len(other.body.Errors) != 1 || other.body.Errors[0].Location != "header.Idempotency-Key" {
		t.Errorf("a used key with another body: got %+v, want 422", other)
	}
	want(http.StatusOK, `"1"`, http.MethodGet, "")
	want(http.StatusOK, `"2"`, http.MethodPut, `{"name":"second"}`, "If-Match", `"1"`)
	want(http.StatusOK, `"3"`, http.MethodPut, `{"name":"third"}`, "If-Match", "*")
	repeat("update")
	want(http.StatusPreconditionFailed, "", http.MethodPut, `{"name":"fourth"}`, "If-Match", `"1"`)
	want(http.StatusNoContent, "", http.MethodDelete, "")
	repeat("delete")
	want(http.StatusNotFound, "", http.MethodGet, "")
}

func TestListInPages(t *testing.T) {
	t.Parallel()
	svc := start(t)
	all := svc.URL + "/v1/orders"
	for _, name := range []string{"a", "b", "c"} {
		send[item](t, http.MethodPost, all, `{"name":"`+name+`"}`)
	}
	first := send[page](t, http.MethodGet, all+"?limit=2", "").body
	second := send[page](t, http.MethodGet, all+"?limit=2&cursor="+first.NextCursor, "").body
	if !slices.Equal(first.Items, []item{{"a", 1}, {"b", 1}}) || !slices.Equal(second.Items, []item{{"c", 1}}) || second.NextCursor != "" {
		t.Errorf("got the pages %+v and %+v, want a and b, then c", first, second)
	}
}

func TestWrongRequests(t *testing.T) {
	t.Parallel()
	svc := start(t)
	all := svc.URL + "/v1/orders"
	missing := all + "/0198c5f0-0000-7000-8000-000000000000"
	for name, tc := range map[string]struct {
		method, url, body string
		header            []string
		want              int
		says              string // part of the problem
	}{
		"a missing member":                    {http.MethodPost, all, `{}`, nil, http.StatusUnprocessableEntity, "body.name: the member is missing"},
		"an unknown member":                   {http.MethodPost, all, `{"name":"x","color":"red"}`, nil, http.StatusUnprocessableEntity, "body.color: the member is unknown"},
		"a member in another case":            {http.MethodPost, all, `{"Name":"x"}`, nil, http.StatusUnprocessableEntity, "body.name: the member is missing body.Name: the member is unknown"},
		"a member that occurs twice":          {http.MethodPost, all, `{"name":"x","name":"y"}`, nil, http.StatusBadRequest, "body.name: the name occurs more than once"},
		"a member of another type":            {http.MethodPost, all, `{"name":7}`, nil, http.StatusUnprocessableEntity, "body.name: must be a string"},
		"a blank name":                        {http.MethodPost, all, `{"name":"   "}`, nil, http.StatusUnprocessableEntity, "body.name: must not be blank"},
		"a name with NUL":                     {http.MethodPost, all, `{"name":"a\u0000b"}`, nil, http.StatusUnprocessableEntity, "body.name: must be valid UTF-8 without control characters"},
		"a name that is too long":             {http.MethodPost, all, `{"name":"` + strings.Repeat("x", 201) + `"}`, nil, http.StatusUnprocessableEntity, "body.name: must be at most 200 characters long"},
		"malformed JSON":                      {http.MethodPost, all, `{"name":`, nil, http.StatusBadRequest, "body.name: the JSON text ends early"},
		"no body":                             {http.MethodPost, all, "", nil, http.StatusBadRequest, "the request has no body"},
		"a body over the limit":               {http.MethodPost, all, `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, nil, http.StatusRequestEntityTooLarge, "exceeds the limit"},
		"a compressed body":                   {http.MethodPost, all, `{"name":"x"}`, []string{"Content-Encoding", "gzip"}, http.StatusUnsupportedMediaType, "send the body without one"},
		"another content type":                {http.MethodPost, all, `{"name":"x"}`, []string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType, "send application/json"},
		"a key that is too long":              {http.MethodPost, all, `{}`, []string{"Idempotency-Key", strings.Repeat("k", 201)}, http.StatusUnprocessableEntity, "header.Idempotency-Key: must be one key of 1 to 200 printable ASCII characters body.name: the member is missing"},
		"an id that is not a UUID":            {http.MethodGet, all + "/7", "", nil, http.StatusUnprocessableEntity, "path.id: must be a UUID"},
		"an unknown id":                       {http.MethodGet, missing, "", nil, http.StatusNotFound, "does not exist"},
		"an update without a version":         {http.MethodPut, missing, `{"name":"x"}`, nil, http.StatusPreconditionRequired, "If-Match"},
		"an ETag without quotes":              {http.MethodPut, missing, `{"name":"x"}`, []string{"If-Match", "1"}, http.StatusUnprocessableEntity, "with its double quotes"},
		"a weak ETag":                         {http.MethodPut, missing, `{"name":"x"}`, []string{"If-Match", `W/"1"`}, http.StatusUnprocessableEntity, "with its double quotes"},
		"a delete with a malformed ETag":      {http.MethodDelete, missing, "", []string{"If-Match", "1"}, http.StatusUnprocessableEntity, "with its double quotes"},
		"a limit and a cursor that are wrong": {http.MethodGet, all + "?limit=101&cursor=x", "", nil, http.StatusUnprocessableEntity, "query.limit: must be an integer from 1 to 100 query.cursor: must be next_cursor"},
		"an ETag without a value":             {http.MethodDelete, missing, "", []string{"If-Match", ""}, http.StatusUnprocessableEntity, "with its double quotes"},
		"two ETags":                           {http.MethodDelete, missing, "", []string{"If-Match", "*", "If-Match", `"1"`}, http.StatusUnprocessableEntity, "with its double quotes"},
		"an empty key":                        {http.MethodPost, all, `{"name":"x"}`, []string{"Idempotency-Key", ""}, http.StatusUnprocessableEntity, "header.Idempotency-Key: must be one key"},
		"two keys":                            {http.MethodPost, all, `{"name":"x"}`, []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, http.StatusUnprocessableEntity, "header.Idempotency-Key: must be one key"},
		"a limit that occurs twice":           {http.MethodGet, all + "?limit=1&limit=2", "", nil, http.StatusUnprocessableEntity, "query.limit: must be an integer"},
		"an id in braces":                     {http.MethodGet, all + "/{0198c5f0-0000-7000-8000-000000000000}", "", nil, http.StatusUnprocessableEntity, "path.id: must be a UUID"},
		"a cursor of 32 digits":               {http.MethodGet, all + "?cursor=0198c5f0000070008000000000000000", "", nil, http.StatusUnprocessableEntity, "query.cursor: must be next_cursor"},
		"a limit below 1":                     {http.MethodGet, all + "?limit=0", "", nil, http.StatusUnprocessableEntity, "query.limit"},
		"a malformed query":                   {http.MethodGet, all + "?limit=%zz", "", nil, http.StatusBadRequest, "the query string is invalid"},
		"an unknown method":                   {http.MethodPatch, all, "", nil, http.StatusMethodNotAllowed, "method PATCH is not allowed"},
		"an unknown path":                     {http.MethodGet, svc.URL + "/v2/orders", "", nil, http.StatusNotFound, "no such path"},
	} {
		t.Run(name, func(t *testing.T) {
			got := send[httpserver.Problem](t, tc.method, tc.url, tc.body, tc.header...)
			if got.status != tc.want || got.header.Get("Content-Type") != httpserver.ProblemType || got.body.Code.Status() != tc.want || got.body.RequestID == "" {
				t.Errorf("got %+v, want a problem with status %d", got, tc.want)
			}
			said := []string{got.body.Detail}
			for _, field := range got.body.Errors {
				said = append(said, field.Location+": "+field.Message)
			}
			if !strings.Contains(strings.Join(said, " "), tc.says) {
				t.Errorf("got %q, want %q in it", said, tc.says)
			}
		})
	}
}

// In an outage of the database requests fail with 503 and are counted, the service stays
// ready, and it recovers with the database.
func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	database := postgrestest.Start(t)
	svc := start(t, "POSTGRES_URL="+database.URL)
	all := svc.URL + "/v1/orders"
	if err := database.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := send[httpserver.Problem](t, http.MethodGet, all, ""); got.status != http.StatusServiceUnavailable || got.body.Code != apierror.CodeUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("without a database: %+v, want a problem with status 503", got)
	}
	svc.WaitMetric("http_server_requests_total", map[string]string{"http_route": "/v1/orders", "http_request_method": "GET", "outcome": "server_error"}, 1)
	svc.WaitReady() // still, so that the outage is paged and not hidden
	if err := database.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(servicetest.Timeout); send[page](t, http.MethodGet, all, "").status != http.StatusOK; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the service did not recover with its database")
		}
	}
}

// One request is found in every signal by its trace id.
func TestOneRequestInEverySignal(t *testing.T) {
	t.Parallel()
	svc := start(t)
	send[item](t, http.MethodPost, svc.URL+"/v1/orders", `{"name":"traced"}`)

	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "POST /v1/orders" })
	line := svc.WaitLog(func(l servicetest.Line) bool { return l["msg"] == "request completed" })
	if line["trace_id"] != span.TraceID || line["http_route"] != span.Attributes["http.route"] {
		t.Errorf("log line %v and span %+v belong to different requests", line, span)
	}
	svc.WaitMetric("http_server_requests_total", map[string]string{"http_route": "/v1/orders", "http_request_method": "POST", "outcome": "success"}, 1)
	if status := svc.Stop(); status != 0 {
		t.Errorf("stopped with status %d, want 0", status)
	}
}
