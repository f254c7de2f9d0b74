package hostile

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/postgres"
	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
	"github.com/observability-first/scaffold/runtime/servicetest"

	"github.com/observability-first/scaffold/examples/orders/internal/api"
	"github.com/observability-first/scaffold/examples/orders/internal/order"
	"github.com/observability-first/scaffold/examples/orders/internal/store"
	"github.com/observability-first/scaffold/examples/orders/migrations"
)

// run is a copy of the one in cmd/orders, because a main package cannot be imported.
func run(ctx context.Context, svc *runtime.Service) error {
	var cfg struct{ Postgres postgres.Config }
	if err := svc.Load(&cfg); err != nil {
		return err
	}
	db, err := postgres.New(svc, cfg.Postgres, migrations.FS)
	if err != nil {
		return err
	}
	svc.Handle(api.Routes(order.NewService(store.New(db))))
	return svc.Run(ctx)
}

// target is a running service.
type target struct{ *servicetest.Service }

// fuzzing replaces the methods of a *testing.F that panic when a fuzz target calls
// them.
type fuzzing struct {
	testing.TB

	ctx context.Context
}

func (fuzzing) Helper()                    {}
func (f fuzzing) Context() context.Context { return f.ctx }

func start(tb testing.TB) target {
	tb.Helper()
	return target{servicetest.Start(fuzzing{tb, tb.Context()}, runtime.Info{Name: "orders", Version: "test"}, runtime.Defaults{}, run,
		"POSTGRES_URL="+postgrestest.Database(tb), "POSTGRES_MIGRATE=true", "OTEL_TRACES_SAMPLER=always_off")}
}

// halfCloseAfter is the wait for a response before the half-close: an earlier one would
// cancel complete requests; this one ends incomplete requests.
const halfCloseAfter = 200 * time.Millisecond

// attack sends raw bytes as a request. No request may count as server_error, or any
// client could use up the error budget.
func (s target) attack(t *testing.T, raw string) {
	t.Helper()
	response := s.send(t, raw)
	if failed, _ := s.Metric("http_server_requests_total", map[string]string{"outcome": "server_error"}); failed > 0 {
		t.Fatalf("%.2000q counts as server_error; response:\n%s", raw, response)
	}
}

func (s target) send(t *testing.T, raw string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(servicetest.Timeout)); err != nil {
		t.Fatal(err)
	}
	// The service may close the connection before it has read the whole request.
	_, _ = io.WriteString(conn, raw)
	_ = conn.SetReadDeadline(time.Now().Add(halfCloseAfter))
	response := make([]byte, 1)
	n, _ := conn.Read(response)
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(servicetest.Timeout))
	rest, _ := io.ReadAll(conn)
	response = append(response[:n], rest...)
	return string(response)
}

// create returns a raw request that creates an order.
func create(header, body string) string {
	return "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + header + "\r\n" + body
}

// withLength returns a create request with Content-Length and, if key is not empty, an Idempotency-Key.
func withLength(key, body string) string {
	head := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	if key != "" {
		head = "Idempotency-Key: " + key + "\r\n" + head
	}
	return create(head, body)
}

const chunked = "Transfer-Encoding: chunked\r\n"

func TestMalformedRequestsNameTheField(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, tc := range map[string]struct {
		request string
		status  int
		field   string
	}{
		"NUL in a value":             {withLength("", `{"name":"a\u0000b"}`), 422, "body.name"},
		"invalid UTF-8 in a value":   {withLength("", "{\"name\":\"\xff\"}"), 400, "body.name"},
		"duplicate name":             {withLength("", `{"name":"a","name":"b"}`), 400, "body.name"},
		"name in another case":       {withLength("", `{"Name":"a"}`), 422, "body.Name"},
		"number beyond float64":      {withLength("", `{"name":1e400}`), 400, "body.name"},
		"JSON that ends early":       {withLength("", `{"name":`), 400, "body.name"},
		"invalid UTF-8 in the key":   {withLength("k\xff", `{"name":"a"}`), 422, "header.Idempotency-Key"},
		"key that is too long":       {withLength(strings.Repeat("k", 201), `{"name":"a"}`), 422, "header.Idempotency-Key"},
		"bad chunk size":             {create(chunked, "zz\r\n{\r\n0\r\n\r\n"), 400, ""},
		"no CRLF after a chunk":      {create(chunked, "c\r\n{\"name\":\"a\"}0\r\n\r\n"), 400, ""},
		"chunks that end early":      {create(chunked, "e\r\n{\"na"), 400, ""},
		"body shorter than its size": {create("Content-Length: 1000\r\n", `{"name":"a`), 400, ""},
		"short body, text/plain":     {strings.Replace(create("Content-Length: 1000\r\n", `{"n`), "application/json", "text/plain", 1), 400, ""},
		"unknown path, body unread":  {strings.Replace(create("Content-Length: 1000\r\n", "{"), "/v1/orders", "/nope", 1), 400, ""}, // a body is read before its route is known
		"unknown method":             {strings.Replace(withLength("", "{"), "POST", "PATCH", 1), 405, ""},
		"body over the limit":        {create("Content-Length: 2097152\r\n", strings.Repeat(" ", 2<<20)), 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := s.send(t, tc.request)
			if !strings.HasPrefix(response, fmt.Sprintf("HTTP/1.1 %d ", tc.status)) || !strings.Contains(response, "application/problem+json") {
				t.Errorf("got %s\nwant problem details with status %d", response, tc.status)
			}
			if tc.field != "" && !strings.Contains(response, `"location":"`+tc.field+`"`) {
				t.Errorf("got %s\nwant an error at %s", response, tc.field)
			}
		})
	}
}

func FuzzMalformedHTTP(f *testing.F) {
	for _, raw := range []string{
		"GET /v1/orders HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /v1/orders?limit=2&cursor=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /v1/orders?limit=99999999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /v1/orders/%00 HTTP/1.1\r\nHost: x\r\nAccept: x/y\r\n\r\n",
		"DELETE /v1/orders/0198c5f0-0000-7000-8000-000000000000 HTTP/1.1\r\nHost: x\r\nIf-Match: \"\xff\"\r\n\r\n",
		"PUT /v1/orders/0198c5f0-0000-7000-8000-000000000000 HTTP/1.1\r\nHost: x\r\nIf-Match: \"1\"\r\nContent-Length: 9\r\n\r\n{\"name\":1",
		"PUT /v1/orders/0198c5f0-0000-7000-8000-000000000000 HTTP/1.1\r\nHost: x\r\nIf-Match: \"1\"\r\nContent-Length: 12\r\n\r\n{\"name\":\"a\"}",
		"DELETE /v1/orders/0198c5f0-0000-7000-8000-000000000000 HTTP/1.1\r\nHost: x\r\nIf-Match: \"2147483648\"\r\n\r\n",
		"DELETE /v1/orders/0198c5f0-0000-7000-8000-000000000000 HTTP/1.1\r\nHost: x\r\nIf-Match: \"9223372036854775807\"\r\n\r\n",
		"GET /v1/orders HTTP/1.1\r\nHost: x\r\nAccept: ;,;\r\n\r\n",
		"GET /v1/orders HTTP/1.1\r\nHost: x\r\nAccept: a;,b;q=\r\n\r\n",
		create("Accept: x;,;\r\nContent-Length: 12\r\n", `{"name":"a"}`),
		create(chunked, "c\r\n{\"name\":\"a\"}\r\n0\r\n\r\n"),
		create(chunked, "zz\r\n{\r\n0\r\n\r\n"),
		create(chunked, "c\r\n{\"name\":\"a\"}0\r\n\r\n"),
		create(chunked, "c\r\n{\"name\":\"a\"}\r\n0\r\nbad trailer\r\n\r\n"),
		create(chunked, "ffffffffffffffff\r\n{\r\n"),
		create(chunked, "e\r\n{\"na"),
		create(chunked+"Content-Length: 3\r\n", "0\r\n\r\n"),
		create("Content-Length: 1000\r\n", `{"name":"a`),
		create("Content-Length: 1000\r\n", ""),
		create("Content-Length: 2097152\r\n", "{}"),
		strings.Replace(create("Content-Length: 1000\r\n", `{"name":"a`), "application/json", "text/plain", 1),
		strings.Replace(create(chunked, "zz\r\n"), "application/json", "x+y;\xff", 1),
		create("Expect: 100-continue\r\nContent-Length: 12\r\n", `{"name":"a"}`),
		create("Content-Encoding: gzip\r\nContent-Length: 2\r\n", "\x1f\x8b"),
	} {
		f.Add(raw)
	}
	s := start(f)
	f.Fuzz(func(t *testing.T, raw string) { s.attack(t, raw) })
}

func FuzzMalformedJSON(f *testing.F) {
	for _, request := range [][2]string{
		{"", `{"name":"a"}`},
		{"k\xff", `{"name":"a"}`},
		{"k\x01", `{"name":"a"}`},
		{strings.Repeat("k", 201), `{"name":"a"}`},
		{"k", `{"name":"a\u0000b"}`},
		{"k", "{\"name\":\"a\xffb\"}"},
		{"k", `{"name":"\ud800"}`},
		{"k", `{"name":"a","name":"b"}`},
		{"k", `{"name":1e400}`},
		{"k", `{"Name":"a"}`},
		{"k", `{"name":"a","` + strings.Repeat("a", 300) + `":1}`},
		{"k", `{"name":null}`},
		{"k", `{}{}`},
		{"k", `{"name":`},
		{"k", "\ufeff{}"},
		{"k", strings.Repeat("[", 20_000)},
		{"k", strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000)},
		{"k", "[" + strings.Repeat("{},", 20_000) + "{}]"},
	} {
		f.Add(request[0], request[1])
	}
	s := start(f)
	f.Fuzz(func(t *testing.T, key, body string) {
		s.attack(t, withLength(strings.NewReplacer("\r", "", "\n", "").Replace(key), body))
	})
}
