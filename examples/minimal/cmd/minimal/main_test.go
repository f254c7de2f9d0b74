package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

func start(t testing.TB, env ...string) *servicetest.Service {
	t.Helper()
	return servicetest.Start(t, runtime.Info{Name: "minimal", Version: "test"}, defaults(), run, env...)
}

// answer is what a request got, with its body read.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func ask(t *testing.T, method, url, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header}
	if len(bytes.TrimSpace(data)) > 0 {
		if err := json.Unmarshal(data, &a.body); err != nil {
			t.Fatalf("%s %s answered %q: %v", method, url, data, err)
		}
	}
	return a
}

func TestOrderLifecycle(t *testing.T) {
	t.Parallel()
	svc := start(t)
	all := svc.URL + "/v1/orders"

	created := ask(t, http.MethodPost, all, `{"name":"first"}`, "Idempotency-Key", "k1")
	if created.status != http.StatusCreated || created.body["name"] != "first" {
		t.Fatalf("create: %+v", created)
	}
	one := svc.URL + created.header.Get("Location")
	repeat := func(after string) {
		t.Helper()
		again := ask(t, http.MethodPost, all, `{ "name": "first" }`, "Idempotency-Key", "k1")
		if again.status != http.StatusCreated || !maps.Equal(again.body, created.body) ||
			again.header.Get("Location") != created.header.Get("Location") || again.header.Get("ETag") != created.header.Get("ETag") {
			t.Errorf("the request repeated after %s: got %+v, want %+v", after, again, created)
		}
	}
	repeat("create")
	if other := ask(t, http.MethodPost, all, `{"name":"other"}`, "Idempotency-Key", "k1"); other.status != http.StatusUnprocessableEntity {
		t.Errorf("a used key with another body: got %d, want 422", other.status)
	}
	if got := ask(t, http.MethodGet, one, ""); got.status != http.StatusOK || got.header.Get("ETag") != `"1"` {
		t.Errorf("get: %+v", got)
	}
	if updated := ask(t, http.MethodPut, one, `{"name":"second"}`, "If-Match", `"1"`); updated.status != http.StatusOK || updated.header.Get("ETag") != `"2"` {
		t.Errorf("update: %+v", updated)
	}
	if updated := ask(t, http.MethodPut, one, `{"name":"third"}`, "If-Match", "*"); updated.status != http.StatusOK || updated.header.Get("ETag") != `"3"` {
		t.Errorf("update of any version: %+v", updated)
	}
	repeat("update")
	if stale := ask(t, http.MethodPut, one, `{"name":"third"}`, "If-Match", `"1"`); stale.status != http.StatusPreconditionFailed {
		t.Errorf("an old version was overwritten: %+v", stale)
	}
	if deleted := ask(t, http.MethodDelete, one, ""); deleted.status != http.StatusNoContent {
		t.Errorf("delete: %+v", deleted)
	}
	repeat("delete")
	if gone := ask(t, http.MethodGet, one, ""); gone.status != http.StatusNotFound {
		t.Errorf("get after delete: %+v", gone)
	}
}

func TestListInPages(t *testing.T) {
	t.Parallel()
	svc := start(t)
	all := svc.URL + "/v1/orders"
	for _, name := range []string{"a", "b", "c"} {
		ask(t, http.MethodPost, all, `{"name":"`+name+`"}`)
	}
	var names []string
	for cursor, more := "", true; more; {
		page := ask(t, http.MethodGet, all+"?limit=2&cursor="+cursor, "")
		items, ok := page.body["items"].([]any)
		if page.status != http.StatusOK || !ok {
			t.Fatalf("list: %+v", page)
		}
		for _, entry := range items {
			names = append(names, entry.(map[string]any)["name"].(string))
		}
		cursor, more = page.body["next_cursor"].(string)
	}
	if got := strings.Join(names, ""); got != "abc" {
		t.Errorf("pages hold %q, want all three, oldest first", got)
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
		"a field that is missing":   {http.MethodPost, all, `{}`, nil, http.StatusUnprocessableEntity, ""},
		"a field nobody knows":      {http.MethodPost, all, `{"name":"x","colour":"red"}`, nil, http.StatusUnprocessableEntity, ""},
		"a name of blanks":          {http.MethodPost, all, `{"name":"   "}`, nil, http.StatusUnprocessableEntity, ""},
		"no JSON":                   {http.MethodPost, all, `{"name":`, nil, http.StatusBadRequest, ""},
		"a field in another case":   {http.MethodPost, all, `{"Name":"x"}`, nil, http.StatusUnprocessableEntity, ""},
		"a field that occurs twice": {http.MethodPost, all, `{"name":"x","name":"y"}`, nil, http.StatusBadRequest, ""},
		"a name with NUL":           {http.MethodPost, all, `{"name":"a\u0000b"}`, nil, http.StatusUnprocessableEntity, ""},
		"a body over the limit":     {http.MethodPost, all, `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, nil, http.StatusRequestEntityTooLarge, ""},
		"a compressed body":         {http.MethodPost, all, `{"name":"x"}`, []string{"Content-Encoding", "gzip"}, http.StatusUnsupportedMediaType, "send the body without one"},
		"another content type":      {http.MethodPost, all, `{"name":"x"}`, []string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType, "send application/json"},
		"an id that is none":        {http.MethodGet, all + "/7", "", nil, http.StatusUnprocessableEntity, "write a UUID"},
		"an id of nothing":          {http.MethodGet, missing, "", nil, http.StatusNotFound, ""},
		"an update without version": {http.MethodPut, missing, `{"name":"x"}`, nil, http.StatusPreconditionRequired, "If-Match"},
		"an ETag without quotes":    {http.MethodPut, missing, `{"name":"x"}`, []string{"If-Match", "1"}, http.StatusUnprocessableEntity, "with its double quotes"},
		"a weak ETag":               {http.MethodPut, missing, `{"name":"x"}`, []string{"If-Match", `W/"1"`}, http.StatusUnprocessableEntity, "with its double quotes"},
		"a delete of no ETag":       {http.MethodDelete, missing, "", []string{"If-Match", "1"}, http.StatusUnprocessableEntity, "with its double quotes"},
		"a page that is too long":   {http.MethodGet, all + "?limit=101", "", nil, http.StatusUnprocessableEntity, ""},
		"a cursor that is none":     {http.MethodGet, all + "?cursor=x", "", nil, http.StatusUnprocessableEntity, ""},
		"a query that is none":      {http.MethodGet, all + "?limit=%zz", "", nil, http.StatusBadRequest, "the query string does not parse"},
		"a method nobody serves":    {http.MethodPatch, all, "", nil, http.StatusMethodNotAllowed, "method_not_allowed"},
		"a path nobody serves":      {http.MethodGet, svc.URL + "/v2/orders", "", nil, http.StatusNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, tc.method, tc.url, tc.body, tc.header...)
			if got.status != tc.want || got.header.Get("Content-Type") != "application/problem+json" || got.body["code"] == "" || got.body["request_id"] == "" {
				t.Errorf("got %d %v %v, want a problem with status %d", got.status, got.header.Get("Content-Type"), got.body, tc.want)
			}
			if !strings.Contains(fmt.Sprint(got.body), tc.says) {
				t.Errorf("got %v, want %q in it", got.body, tc.says)
			}
		})
	}
}

// One request is found in every signal by its trace id.
func TestOneRequestInEverySignal(t *testing.T) {
	t.Parallel()
	svc := start(t)
	ask(t, http.MethodPost, svc.URL+"/v1/orders", `{"name":"traced"}`)

	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "POST /v1/orders" })
	line := svc.WaitLog(func(l servicetest.Line) bool { return l["msg"] == "request answered" })
	if line["trace_id"] != span.TraceID || line["http_route"] != span.Attributes["http.route"] {
		t.Errorf("log line %v and span %+v tell of different requests", line, span)
	}
	svc.WaitMetric("http_server_requests_total", map[string]string{"http_route": "/v1/orders", "http_request_method": "POST", "outcome": "success"}, 1)
	if status := svc.Stop(); status != 0 {
		t.Errorf("stopped with status %d, want 0", status)
	}
}
