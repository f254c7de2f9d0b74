package httpserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// Requests with an ambiguous length do not smuggle another request. In net/http,
// Transfer-Encoding overrides Content-Length, as RFC 9112 requires (section 6.3); other ambiguous
// requests are rejected. The connection stays open after a request with both headers, although
// section 6.1 requires closing it: net/http removes Content-Length before a handler runs.
func TestAmbiguousLengthsSmuggleNoRequest(t *testing.T) {
	t.Parallel()
	const hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
	post := func(version string, headers ...string) string {
		return "POST /orders HTTP/" + version + "\r\nHost: x\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n"
	}
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)
	for name, tc := range map[string]struct {
		request string
		status  int
		body    string // that the handler reads
		closed  bool   // by the server, immediately
		hidden  int32  // requests that the server extracts from it
	}{
		"a request inside a chunk is body":                {request: post("1.1", "Content-Length: 4", "Transfer-Encoding: chunked") + chunk, status: 200, body: hidden},
		"the same with the headers in the other order":    {request: post("1.1", "Transfer-Encoding: chunked", "Content-Length: 4") + chunk, status: 200, body: hidden},
		"what follows the last chunk is the next request": {request: post("1.1", fmt.Sprintf("Content-Length: %d", 5+len(hidden)), "Transfer-Encoding: chunked") + "0\r\n\r\n" + hidden, status: 200, hidden: 1},
		"HTTP/1.0 has no chunks":                          {request: post("1.0", fmt.Sprintf("Content-Length: %d", len(chunk)), "Transfer-Encoding: chunked") + chunk, status: 200, body: chunk, closed: true},
		"two encodings are rejected":                      {request: post("1.1", "Content-Length: 4", "Transfer-Encoding: chunked", "Transfer-Encoding: identity") + chunk, status: 501, closed: true},
		"an unknown encoding is rejected":                 {request: post("1.1", "Content-Length: 4", "Transfer-Encoding: xchunked") + chunk, status: 501, closed: true},
		"a list of encodings is rejected":                 {request: post("1.1", "Transfer-Encoding: identity, chunked") + chunk, status: 501, closed: true},
		"a space before the colon is rejected":            {request: post("1.1", "Content-Length: 4", "Transfer-Encoding : chunked") + chunk, status: 400, closed: true},
		"two lengths are rejected":                        {request: post("1.1", "Content-Length: 4", "Content-Length: 5") + hidden, status: 400, closed: true},
		"a signed length is rejected":                     {request: post("1.1", "Content-Length: +4") + hidden, status: 400, closed: true},
		"a folded header is one header":                   {request: post("1.1", "Transfer-Encoding:\r\n chunked", "Content-Length: 4") + chunk, status: 200, body: hidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken atomic.Int32
			router := httpserver.NewRouter()
			router.Get("/hidden", func(http.ResponseWriter, *http.Request) { taken.Add(1) })
			router.Get("/last", func(http.ResponseWriter, *http.Request) {})
			router.Post("/orders", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
			svc := serve(t, router, nil)
			conn, err := net.Dial("tcp", strings.TrimPrefix(svc.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(servicetest.Timeout)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, tc.request+"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			responses := bufio.NewReader(conn)
			res, err := http.ReadResponse(responses, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != tc.status || tc.status == 200 && string(body) != tc.body {
				t.Errorf("%d %q, want %d %q", res.StatusCode, body, tc.status, tc.body)
			}
			if res.Close != tc.closed {
				t.Errorf("closed is %v, want %v", res.Close, tc.closed)
			}
			_, _ = io.Copy(io.Discard, responses) // until the server closes
			if got := taken.Load(); got != tc.hidden {
				t.Errorf("%d hidden requests were served, want %d", got, tc.hidden)
			}
		})
	}
}
