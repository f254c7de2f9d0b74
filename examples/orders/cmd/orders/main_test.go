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

func start(t testing.TB, databaseURL string) *servicetest.Service {
	t.Helper()
	return servicetest.Start(t, runtime.Info{Name: "orders", Version: "test"}, defaults(), run, "POSTGRES_URL="+databaseURL, "POSTGRES_MIGRATE=true")
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
	svc := start(t, postgrestest.Database(t))
	collectionURL := svc.URL + "/v1/orders"

	created := send[item](t, http.MethodPost, collectionURL, `{"name":"first"}`, "Idempotency-Key", "k1")
	if created.status != http.StatusCreated || created.body.Name != "first" {
		t.Fatalf("create: %+v", created)
	}
	orderURL := svc.URL + created.header.Get("Location")
	repeat := func(after string) {
		t.Helper()
		again := send[item](t, http.MethodPost, collectionURL, `{ "name": "first" }`, "Idempotency-Key", "k1")
		if again.status != http.StatusCreated || again.body != created.body ||
			again.header.Get("Location") != created.header.Get("Location") || again.header.Get("ETag") != created.header.Get("ETag") {
			t.Errorf("the request repeated after %s: got %+v, want %+v", after, again, created)
		}
	}
	want := func(status int, etag, method, body string, header ...string) {
		t.Helper()
		if got := send[item](t, method, orderURL, body, header...); got.status != status || got.header.Get("ETag") != etag {
			t.Errorf("%s %s %v: got %+v, want status %d and ETag %s", method, body, header, got, status, etag)
		}
	}
	repeat("create")
	if other := send[httpserver.Problem](t, http.MethodPost, collectionURL, `{"name":"other"}`, "Idempotency-Key", "k1"); other.status != http.StatusUnprocessableEntity || len(other.body.Errors) != 1 || other.body.Errors[0].Location != "header.Idempotency-Key" {
		t.Errorf("a used key with another body: got %+v, want 422", other)
	}
	want(http.StatusOK, `"1"`, http.MethodGet, "")
	want(http.StatusOK, `"2"`, http.MethodPut, `{"name":"second"}`, "If-Match", `"1"`)
	want(http.StatusOK, `"3"`, http.MethodPut, `{"name":"third"}`, "If-Match", "*")
	repeat("update")
	for _, other := range []string{`"1"`, `W/"3"`, `"abc"`, `""`} {
		want(http.StatusPreconditionFailed, "", http.MethodPut, `{"name":"fourth"}`, "If-Match", other)
	}
	want(http.StatusNoContent, "", http.MethodDelete, "")
	repeat("delete")
	want(http.StatusNotFound, "", http.MethodGet, "")
}

func TestListInPages(t *testing.T) {
	t.Parallel()
	svc := start(t, postgrestest.Database(t))
	collectionURL := svc.URL + "/v1/orders"
	for _, name := range []string{"a", "b", "c"} {
		send[item](t, http.MethodPost, collectionURL, `{"name":"`+name+`"}`)
	}
	first := send[page](t, http.MethodGet, collectionURL+"?limit=2", "").body
	second := send[page](t, http.MethodGet, collectionURL+"?limit=2&cursor="+first.NextCursor, "").body
	if !slices.Equal(first.Items, []item{{"a", 1}, {"b", 1}}) || !slices.Equal(second.Items, []item{{"c", 1}}) || second.NextCursor != "" {
		t.Errorf("got the pages %+v and %+v, want a and b, then c", first, second)
	}
}

func TestInvalidRequestsAreRejected(t *testing.T) {
	t.Parallel()
	svc := start(t, postgrestest.Database(t))
	collectionURL := svc.URL + "/v1/orders"
	missing := collectionURL + "/0198c5f0-0000-7000-8000-000000000000"
	for name, tc := range map[string]struct {
		method, url, body string
		header            []string
		status            int
		detail            string // part of the problem
	}{
		"a missing member is rejected":                  {method: http.MethodPost, url: collectionURL, body: `{}`, status: http.StatusUnprocessableEntity, detail: "body.name: the member is missing"},
		"an unknown member is rejected":                 {method: http.MethodPost, url: collectionURL, body: `{"name":"x","color":"red"}`, status: http.StatusUnprocessableEntity, detail: "body.color: the member is unknown"},
		"a member in another case is rejected":          {method: http.MethodPost, url: collectionURL, body: `{"Name":"x"}`, status: http.StatusUnprocessableEntity, detail: "body.name: the member is missing body.Name: the member is unknown"},
		"a member that occurs twice is rejected":        {method: http.MethodPost, url: collectionURL, body: `{"name":"x","name":"y"}`, status: http.StatusBadRequest, detail: "body.name: the name occurs more than once"},
		"a member of another type is rejected":          {method: http.MethodPost, url: collectionURL, body: `{"name":7}`, status: http.StatusUnprocessableEntity, detail: "body.name: must be a string"},
		"a blank name is rejected":                      {method: http.MethodPost, url: collectionURL, body: `{"name":"   "}`, status: http.StatusUnprocessableEntity, detail: "body.name: must not be blank"},
		"a name with NUL is rejected":                   {method: http.MethodPost, url: collectionURL, body: `{"name":"a\u0000b"}`, status: http.StatusUnprocessableEntity, detail: "body.name: must be valid UTF-8 without control characters"},
		"a name that is too long is rejected":           {method: http.MethodPost, url: collectionURL, body: `{"name":"` + strings.Repeat("x", 201) + `"}`, status: http.StatusUnprocessableEntity, detail: "body.name: must be at most 200 characters long"},
		"malformed JSON is rejected":                    {method: http.MethodPost, url: collectionURL, body: `{"name":`, status: http.StatusBadRequest, detail: "body.name: the JSON text ends early"},
		"a missing body is rejected":                    {method: http.MethodPost, url: collectionURL, status: http.StatusBadRequest, detail: "the request has no body"},
		"a body over the limit is rejected":             {method: http.MethodPost, url: collectionURL, body: `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, status: http.StatusRequestEntityTooLarge, detail: "exceeds the limit"},
		"a compressed body is rejected":                 {method: http.MethodPost, url: collectionURL, body: `{"name":"x"}`, header: []string{"Content-Encoding", "gzip"}, status: http.StatusUnsupportedMediaType, detail: "send the body without one"},
		"another content type is rejected":              {method: http.MethodPost, url: collectionURL, body: `{"name":"x"}`, header: []string{"Content-Type", "text/plain"}, status: http.StatusUnsupportedMediaType, detail: "send application/json"},
		"a key that is too long is rejected":            {method: http.MethodPost, url: collectionURL, body: `{}`, header: []string{"Idempotency-Key", strings.Repeat("k", 201)}, status: http.StatusUnprocessableEntity, detail: "header.Idempotency-Key: must be one key of 1 to 200 printable ASCII characters body.name: the member is missing"},
		"an id that is not a UUID is rejected":          {method: http.MethodGet, url: collectionURL + "/7", status: http.StatusUnprocessableEntity, detail: "path.id: must be a UUID"},
		"an unknown id is not found":                    {method: http.MethodGet, url: missing, status: http.StatusNotFound, detail: "does not exist"},
		"an update needs a version":                     {method: http.MethodPut, url: missing, body: `{"name":"x"}`, status: http.StatusPreconditionRequired, detail: "If-Match"},
		"an ETag without quotes is rejected":            {method: http.MethodPut, url: missing, body: `{"name":"x"}`, header: []string{"If-Match", "1"}, status: http.StatusUnprocessableEntity, detail: "with its double quotes"},
		"a list of ETags is rejected":                   {method: http.MethodDelete, url: missing, header: []string{"If-Match", `"1", "2"`}, status: http.StatusUnprocessableEntity, detail: "with its double quotes"},
		"an invalid limit and cursor are both reported": {method: http.MethodGet, url: collectionURL + "?limit=101&cursor=x", status: http.StatusUnprocessableEntity, detail: "query.limit: must be an integer from 1 to 100 query.cursor: must be next_cursor"},
		"an ETag without a value is rejected":           {method: http.MethodDelete, url: missing, header: []string{"If-Match", ""}, status: http.StatusUnprocessableEntity, detail: "with its double quotes"},
		"two ETags are rejected":                        {method: http.MethodDelete, url: missing, header: []string{"If-Match", "*", "If-Match", `"1"`}, status: http.StatusUnprocessableEntity, detail: "with its double quotes"},
		"an empty key is rejected":                      {method: http.MethodPost, url: collectionURL, body: `{"name":"x"}`, header: []string{"Idempotency-Key", ""}, status: http.StatusUnprocessableEntity, detail: "header.Idempotency-Key: must be one key"},
		"two keys are rejected":                         {method: http.MethodPost, url: collectionURL, body: `{"name":"x"}`, header: []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, status: http.StatusUnprocessableEntity, detail: "header.Idempotency-Key: must be one key"},
		"a limit that occurs twice is rejected":         {method: http.MethodGet, url: collectionURL + "?limit=1&limit=2", status: http.StatusUnprocessableEntity, detail: "query.limit: must be an integer"},
		"an id in braces is rejected":                   {method: http.MethodGet, url: collectionURL + "/{0198c5f0-0000-7000-8000-000000000000}", status: http.StatusUnprocessableEntity, detail: "path.id: must be a UUID"},
		"a cursor of 32 digits is rejected":             {method: http.MethodGet, url: collectionURL + "?cursor=0198c5f0000070008000000000000000", status: http.StatusUnprocessableEntity, detail: "query.cursor: must be next_cursor"},
		"a limit below 1 is rejected":                   {method: http.MethodGet, url: collectionURL + "?limit=0", status: http.StatusUnprocessableEntity, detail: "query.limit"},
		"a malformed query is rejected":                 {method: http.MethodGet, url: collectionURL + "?limit=%zz", status: http.StatusBadRequest, detail: "the query string is invalid"},
		"an unknown method is not allowed":              {method: http.MethodPatch, url: collectionURL, status: http.StatusMethodNotAllowed, detail: "method PATCH is not allowed"},
		"an unknown path is not found":                  {method: http.MethodGet, url: svc.URL + "/v2/orders", status: http.StatusNotFound, detail: "no such path"},
	} {
		t.Run(name, func(t *testing.T) {
			got := send[httpserver.Problem](t, tc.method, tc.url, tc.body, tc.header...)
			if got.status != tc.status || got.header.Get("Content-Type") != httpserver.ProblemType || got.body.Code.Status() != tc.status || got.body.RequestID == "" {
				t.Errorf("got %+v, want a problem with status %d", got, tc.status)
			}
			said := []string{got.body.Detail}
			for _, field := range got.body.Errors {
				said = append(said, field.Location+": "+field.Message)
			}
			if !strings.Contains(strings.Join(said, " "), tc.detail) {
				t.Errorf("got %q, want %q in it", said, tc.detail)
			}
		})
	}
}

// In an outage of the database requests fail with 503 and are counted, the service stays
// ready, and it recovers with the database.
func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	database := postgrestest.Start(t)
	svc := start(t, database.URL)
	collectionURL := svc.URL + "/v1/orders"
	if err := database.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := send[httpserver.Problem](t, http.MethodGet, collectionURL, ""); got.status != http.StatusServiceUnavailable || got.body.Code != apierror.CodeUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("without a database: %+v, want a problem with status 503", got)
	}
	svc.WaitMetric("http_server_requests_total", map[string]string{"http_route": "/v1/orders", "http_request_method": "GET", "outcome": "server_error"}, 1)
	svc.WaitReady() // requests that reach no instance are not counted, so no alert fires
	if err := database.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(servicetest.Timeout)
	for send[page](t, http.MethodGet, collectionURL, "").status != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("the service did not recover with its database")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// One request is found in every signal by its trace id.
func TestOneRequestInEverySignal(t *testing.T) {
	t.Parallel()
	svc := start(t, postgrestest.Database(t))
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
