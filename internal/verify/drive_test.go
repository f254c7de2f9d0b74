package verify

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/openapi"
)

const ordersDocument = `{"openapi":"3.1.0","paths":{
	"/orders":{
		"get":{"parameters":[
			{"name":"limit","in":"query","required":true,"schema":{"type":"integer","minimum":1}},
			{"name":"after","in":"query","schema":{"type":"string"}}]},
		"post":{"parameters":[{"name":"Idempotency-Key","in":"header","schema":{"type":"string"}}],
			"requestBody":{"content":{"application/json":{"schema":{"type":"object","required":["name"],"properties":{"name":{"type":"string"}}}}}}}},
	"/orders/{order_id}":{
		"delete":{"parameters":[{"name":"order_id","in":"path","required":true,"schema":{"type":"string"}}]},
		"put":{"parameters":[
			{"name":"order_id","in":"path","required":true,"schema":{"type":"string"}},
			{"name":"If-Match","in":"header","schema":{"type":"string"}},
			{"name":"X-Tenant","in":"header","required":true,"schema":{"type":"string","const":"a"}}]}},
	"/numbers/{n}":{"get":{"parameters":[{"name":"n","in":"path","required":true,"schema":{"type":"integer"}}]}},
	"/orders/{order_id}/items":{"post":{"parameters":[{"name":"order_id","in":"path","required":true,"schema":{"type":"string"}}]}}
}}`

func ordersCaller(t *testing.T, base string, routes ...string) *caller {
	t.Helper()
	document, err := openapi.Parse([]byte(ordersDocument))
	if err != nil {
		t.Fatal(err)
	}
	return &caller{driver: newDriver(base, document, routes, httpfile.File{}, 300*time.Millisecond), members: map[string]member{}}
}

func (c *caller) find(t *testing.T, method, path string) openapi.Operation {
	t.Helper()
	op, ok := c.doc.Find(method, path)
	if !ok {
		t.Fatalf("the document has no %s %s", method, path)
	}
	return op
}

func TestResourcesAreCreatedBeforeTheyAreReadAndDeleted(t *testing.T) {
	t.Parallel()
	c := ordersCaller(t, "", "GET /undescribed", "POST /undescribed", "GET /undescribed/{id}", "GET /orders")
	var got []string
	for _, op := range c.order() {
		got = append(got, op.Key())
	}
	want := []string{
		"POST /orders", "GET /orders", "GET /undescribed", "GET /numbers/{n}", "PUT /orders/{order_id}", "POST /orders/{order_id}/items", "DELETE /orders/{order_id}",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func sent(req *http.Request) string {
	body, _ := io.ReadAll(req.Body)
	var header []string
	for _, name := range []string{"If-Match", "Idempotency-Key", "X-Tenant", "Content-Type", faultHeader} {
		if v := req.Header.Get(name); v != "" {
			header = append(header, name+"="+v)
		}
	}
	return strings.TrimSpace(strings.Join(append([]string{req.Method, req.URL.RequestURI(), string(body)}, header...), " "))
}

func TestRequestsFollowTheDocument(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, path string
		how          manner
		members      map[string]member
		want         []string // substrings
	}{
		"a body":                            {"POST", "/orders", well, nil, []string{"POST /orders {", `"name":`, "Idempotency-Key=", "Content-Type=application/json"}},
		"a required query":                  {"GET", "/orders", well, nil, []string{"GET /orders?limit="}},
		"the id of a created resource":      {"PUT", "/orders/{order_id}", well, map[string]member{"/orders": {"a b/c", ""}}, []string{"PUT /orders/a%20b%2Fc ", "X-Tenant=a-1"}},
		"the version of a created resource": {"PUT", "/orders/{order_id}", well, map[string]member{"/orders": {"7", `"v1"`}}, []string{`PUT /orders/7 `, `If-Match="v1"`}},
		"the parent of a created resource":  {"POST", "/orders/{order_id}/items", well, map[string]member{"/orders": {"7", ""}}, []string{"POST /orders/7/items"}},
		"an invalid body":                   {"POST", "/orders", wrongly, nil, []string{"POST /orders"}},
		"an invalid query":                  {"GET", "/orders", wrongly, nil, []string{"GET /orders?limit="}},
		"an invalid path":                   {"GET", "/numbers/{n}", wrongly, nil, []string{"GET /numbers/"}},
		"a request that cannot be invalid":  {"DELETE", "/orders/{order_id}", wrongly, nil, nil},
		"an injected error":                 {"DELETE", "/orders/{order_id}", failing, map[string]member{"/orders": {"7", ""}}, []string{"DELETE /orders/7", "Scaffold-Fault=error"}},
		"an injected rejection":             {"DELETE", "/orders/{order_id}", shedded, map[string]member{"/orders": {"7", ""}}, []string{"DELETE /orders/7", "Scaffold-Fault=shed"}},
		"an injected delay":                 {"DELETE", "/orders/{order_id}", slowly, map[string]member{"/orders": {"7", ""}}, []string{"DELETE /orders/7", "Scaffold-Fault=delay=300ms"}},
		"an injected load":                  {"DELETE", "/orders/{order_id}", busily, map[string]member{"/orders": {"7", ""}}, []string{"DELETE /orders/7", "Scaffold-Fault=cpu=30ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := ordersCaller(t, "http://service")
			if tc.members != nil {
				c.members = tc.members
			}
			op := c.find(t, tc.method, tc.path)
			req, ok := c.request(t.Context(), op, tc.how)
			if ok != (tc.want != nil) || c.wrong[op.Key()] != (ok && tc.how == wrongly) {
				t.Fatalf("made up: %v; wrong: %v", ok, c.wrong)
			}
			if !ok {
				return
			}
			got := sent(req)
			for _, part := range tc.want {
				if !strings.Contains(got, part) {
					t.Errorf("got %q, want %q in it", got, part)
				}
			}
			valid, _ := ordersCaller(t, "http://service").request(t.Context(), op, well)
			if tc.how == wrongly && sent(valid) == got {
				t.Errorf("the wrong request is the valid one: %s", got)
			}
			if strings.Contains(req.URL.RawQuery, "after") || strings.Contains(req.URL.Path, "{") {
				t.Errorf("got %s", req.URL)
			}
		})
	}
}

func TestIDsAndVersionsAreNotGenerated(t *testing.T) {
	t.Parallel()
	c := ordersCaller(t, "http://service")
	req, ok := c.request(t.Context(), c.find(t, "PUT", "/orders/{order_id}"), well)
	if !ok || req.Header.Get("If-Match") != "" || strings.Contains(req.URL.Path, "{") {
		t.Errorf("got %v, %v", req, ok)
	}
}

func TestUnexpectedResponsesAreReported(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		how    manner
		status int
		want   string
	}{
		{well, 200, ""}, {slowly, 200, ""}, {wrongly, 422, ""}, {failing, 500, ""}, {failing, 200, ""}, {shedded, 503, ""},
		{well, 404, "answers 404: said"}, {slowly, 302, "answers 302: said"}, {busily, 302, "answers 302: said"},
		{wrongly, 200, "an invalid request gets status 200: said"}, {wrongly, 500, "an invalid request gets status 500: said"},
	} {
		server := newRecorder(t, responds(tc.status, "said\nmore"))
		c := ordersCaller(t, server.URL)
		c.call(t.Context(), c.find(t, "GET", "/orders"), tc.how)
		if got := c.problems["GET /orders"]; got != tc.want || len(server.requests()) != 1 {
			t.Errorf("%q, status %d: got %q, want %q", tc.how, tc.status, got, tc.want)
		}
	}
}

// A service measures until its handler returns, so clients must wait as long.
func TestClientsWaitForTheEndOfAResponse(t *testing.T) {
	t.Parallel()
	server := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		pause(r.Context(), 20*time.Millisecond)
		_, _ = io.WriteString(w, "the end")
	})
	c := ordersCaller(t, server.URL)
	c.call(t.Context(), c.find(t, "GET", "/orders"), well)
	if waited := time.Duration(c.waited.Load()); waited < 20*time.Millisecond {
		t.Errorf("waited %s", waited)
	}
}

func TestServiceThatDoesNotRespondIsReported(t *testing.T) {
	t.Parallel()
	server := newRecorder(t, responds(http.StatusOK, ""))
	server.Close()
	c := ordersCaller(t, server.URL)
	c.call(t.Context(), c.find(t, "GET", "/orders"), well)
	if got := c.problems["GET /orders"]; !strings.Contains(got, "connect") {
		t.Errorf("got %q", got)
	}
	c.base = "http://[::1"
	if _, ok := c.request(t.Context(), c.find(t, "GET", "/orders"), well); ok || !strings.Contains(c.problems["GET /orders"], "parse ") {
		t.Errorf("got %v, %q", ok, c.problems)
	}
}

func TestCreatedResourcesAreRemembered(t *testing.T) {
	t.Parallel()
	etag := http.Header{"Etag": {"v2"}}
	for name, tc := range map[string]struct {
		method, path string
		header       http.Header
		body         string
		want         member
	}{
		"a created resource, by its location":  {"POST", "/orders", http.Header{"Location": {"http://service/orders/8"}, "Etag": {"v1"}}, `{"id":"9"}`, member{"8", "v1"}},
		"a created resource, by its parameter": {"POST", "/orders", nil, `{"id":"9","order_id":"8"}`, member{"8", ""}},
		"a created resource, by its id":        {"POST", "/orders", nil, `{"id":9}`, member{"9", ""}},
		"a response without an id":             {"POST", "/orders", nil, `{"size":9}`, member{"7", "v0"}},
		"a response that is not JSON":          {"POST", "/orders", nil, `created`, member{"7", "v0"}},
		"a new version":                        {"PUT", "/orders/{order_id}", etag, "", member{"7", "v2"}},
		"no version":                           {"PUT", "/orders/{order_id}", nil, "", member{"7", "v0"}},
		"the version of a collection":          {"GET", "/orders", etag, "", member{"7", "v0"}},
		"a deleted resource":                   {"DELETE", "/orders/{order_id}", nil, "", member{}},
	} {
		c := ordersCaller(t, "")
		c.members["/orders"] = member{"7", "v0"}
		header := tc.header
		if header == nil {
			header = http.Header{}
		}
		c.remember(c.find(t, tc.method, tc.path), header, []byte(tc.body))
		if got := c.members["/orders"]; got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
	if got := ordersCaller(t, "").paramBelow("/numbers/{n}/x"); got != "id" {
		t.Errorf("got %q", got)
	}
}

// Requests that create or delete resources must succeed, because others depend on them.
func TestRoundCallsEveryOperation(t *testing.T) {
	t.Parallel()
	const everything, twice = 6, 3 // operations; posts and deletes are also sent successfully
	for how, want := range map[manner]struct{ plain, faults int }{
		well: {everything, 0}, failing: {twice, everything}, shedded: {twice, everything}, slowly: {0, everything},
	} {
		server := newRecorder(t, responds(http.StatusOK, "{}"))
		ordersCaller(t, server.URL).round(t.Context(), how, 0)
		faults := 0
		for _, r := range server.requests() {
			if fault := strings.Fields(r); len(fault) > 2 && slices.Contains([]string{"error", "shed", "delay=300ms"}, fault[2]) {
				faults++
			}
		}
		if plain := len(server.requests()) - faults; plain != want.plain || faults != want.faults {
			t.Errorf("%q: got %d plain and %d with a fault, want %v: %q", how, plain, faults, want, server.requests())
		}
	}
}

func TestRoundEndsWithItsContext(t *testing.T) {
	t.Parallel()
	server := newRecorder(t, responds(http.StatusOK, "{}"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := ordersCaller(t, server.URL)
	c.round(ctx, well, 0)
	c.drive(ctx, calmMix(minThink))
	if got := server.requests(); len(got) > 0 {
		t.Errorf("got %q", got)
	}
}

// Requests in flight are not canceled: the service would count a client error.
func TestDrivingEndsAfterTheRequestInFlight(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := newRecorder(t, func(w http.ResponseWriter, req *http.Request) {
		cancel()
		if req.Context().Err() != nil {
			t.Error("the request was cut off")
		}
		w.WriteHeader(http.StatusOK)
	})
	c := ordersCaller(t, server.URL)
	c.drive(ctx, mix{[]manner{well, failing}, time.Hour, false})
	if got := server.requests(); len(got) == 0 || len(got) > 3 || len(c.problems) > 0 {
		t.Errorf("got %q, %v", got, c.problems)
	}
}

// While the service is broken, one declared route fails in addition: one that changes nothing, if there is one.
func TestOneRouteFailsMoreThanTheOthers(t *testing.T) {
	t.Parallel()
	for want, routes := range map[string][]string{
		"GET /numbers/{n}": {"POST /orders", "GET /orders", "GET /numbers/{n}", "DELETE /orders/{order_id}"},
		"POST /orders":     {"POST /orders"},
		"":                 {"GET /orders/{undescribed}"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		server := newRecorder(t, func(w http.ResponseWriter, req *http.Request) {
			if req.Header.Get(faultHeader) == string(failing) {
				cancel()
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		c := ordersCaller(t, server.URL, routes...)
		c.seen.now = time.Now
		c.drive(ctx, mix{nil, 0, true})
		cancel()
		failures := c.seen.failures(time.Time{}, time.Now())
		if len(failures) > 1 || want != "" && failures[want] == 0 {
			t.Errorf("got %v, want only %q", failures, want)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	server := newRecorder(t, http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP)
	c := ordersCaller(t, server.URL)
	c.call(t.Context(), c.find(t, "GET", "/orders"), well)
	if got := server.requests(); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestFirstLineOfAResponseIsShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 201)
	for body, want := range map[string]string{"": "", "\n\na\nb": "a", long: long[:200] + "…", long[:200]: long[:200]} {
		if got := firstLine([]byte(body)); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}

func TestGeneratedRequestsAreUnique(t *testing.T) {
	t.Parallel()
	c := ordersCaller(t, "http://service")
	seen := map[string]bool{}
	for range 5 {
		req, _ := c.request(t.Context(), c.find(t, "POST", "/orders"), well)
		seen[sent(req)] = true
	}
	if len(seen) != 5 {
		t.Errorf("got %v", seen)
	}
}
