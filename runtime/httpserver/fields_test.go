package httpserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// fieldsOf returns n header fields with different names.
func fieldsOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x%d:\r\n", i)
	}
	return b.String()
}

// Everything that does not begin with the HTTP/2 preface is an HTTP/1 header, in any
// segmentation.
func TestArrival(t *testing.T) {
	t.Parallel()
	const first = "POST / HTTP/1.1\r\n"
	for name, tc := range map[string]struct {
		text string
		want bool
	}{
		"the maximum number of fields": {first + fieldsOf(maxFields) + "\r", false},
		"one field too many":           {first + fieldsOf(maxFields+1), true},
		"lines that end with LF only":  {strings.ReplaceAll(first+fieldsOf(maxFields+1), "\r", ""), true},
		"continued lines count":        {first + "a: b\r\n" + strings.Repeat(" c\r\n", maxFields), true},
		"the maximum number of bytes":  {first + strings.Repeat("x", maxHeader-len(first)-2) + "\r\n\r", false},
		"one byte too many":            {first + strings.Repeat("x", maxHeader-len(first)-1) + "\r\n\r", true},
		"HTTP/2":                       {http2Preface + strings.Repeat("\n", 2*maxHeader), false},
		"a partial preface":            {"PRI * HTTP/2.0\r\n" + fieldsOf(maxFields+1), true},
	} {
		for _, size := range []int{1, 7, 23, 4096} {
			a := arrival{}
			a.begin()
			for part := range slices.Chunk([]byte(tc.text), size) {
				a.add(part)
			}
			if got := a.tooLarge(); got != tc.want {
				t.Errorf("%s, in parts of %d: %t, want %t", name, size, got, tc.want)
			}
		}
	}
}

// listening starts a server on loopback that ends with the test.
func listening(t *testing.T, log io.Writer, h http.Handler) *Server {
	t.Helper()
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: log})
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewObserver(Options{Telemetry: tel, Config: Config{Addr: "127.0.0.1:0", H2C: true}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(o, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve() }()
	t.Cleanup(func() { _ = s.http.Close() })
	return s
}

// The fields of each header are counted separately. Bodies and HTTP/2 frames are not counted.
func TestTooManyFieldsAreRejected(t *testing.T) {
	t.Parallel()
	s := listening(t, io.Discard, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	}))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := strings.Repeat("\n", 100_000)
	head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n", len(body))
	r := bufio.NewReader(conn)
	for _, tc := range []struct {
		fields, want int
	}{
		{maxFields - 2, http.StatusOK},
		{maxFields - 2, http.StatusOK},
		{maxFields - 1, http.StatusRequestHeaderFieldsTooLarge},
	} {
		if _, err := io.WriteString(conn, head+fieldsOf(tc.fields)+"\r\n"); err != nil {
			t.Fatal(err)
		}
		if tc.want == http.StatusOK {
			_, _ = io.WriteString(conn, body)
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%d fields: %v", tc.fields, err)
		}
		if text, _ := io.ReadAll(res.Body); res.StatusCode != tc.want {
			t.Errorf("%d fields: status %d and %q, want %d", tc.fields, res.StatusCode, text, tc.want)
		}
	}
}

// A body is no part of the header, also where net/http has the header before it in its buffer.
func TestABodyAfterAPipelinedHeaderIsNoField(t *testing.T) {
	t.Parallel()
	for _, last := range []string{"\r\n", "\n"} { // what arrives in the next segment, with the body
		s := listening(t, io.Discard, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		body := strings.Repeat("a\n", 10_000)
		head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body))
		r := bufio.NewReader(conn)
		for _, segment := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + strings.TrimSuffix(head, last), last + body} {
			if _, err := io.WriteString(conn, segment); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != http.StatusOK {
				t.Errorf("status %d for a header of two fields, want 200", res.StatusCode)
			}
			_ = res.Body.Close()
		}
	}
}

// A header that follows another request in net/http's buffer is limited, too.
func TestPipelinedHeadersAreBounded(t *testing.T) {
	t.Parallel()
	s := listening(t, io.Discard, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const get = "GET / HTTP/1.1\r\nHost: a\r\n"
	if _, err := io.WriteString(conn, get+"\r\n"+get+fieldsOf(maxFields)+"\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for _, want := range []int{http.StatusOK, http.StatusRequestHeaderFieldsTooLarge} {
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != want {
			t.Fatalf("%v %v, want %d", res, err, want)
		}
		_ = res.Body.Close()
	}
}

// The same limit applies to both protocols. Over HTTP/2, a larger header does not close the
// connection. Each 431 is counted, and one log line per minute names the limit.
func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 2; version++ {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			t.Parallel()
			var log logged
			begun, end := make(chan struct{}), make(chan struct{})
			s := listening(t, &log, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					close(begun)
					<-end
				}
			}))
			url := "http://" + s.Addr().String()
			protocols := new(http.Protocols)
			protocols.SetHTTP1(version == 1)
			protocols.SetUnencryptedHTTP2(version == 2)
			transport := &http.Transport{Protocols: protocols, DisableCompression: true}
			defer transport.CloseIdleConnections()
			send := func(path, host string, header http.Header) (int, error) {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, http.NoBody)
				if err != nil {
					return 0, err
				}
				req.Header, req.Host = header, host
				req.Header["User-Agent"] = []string{""} // sends none
				res, err := transport.RoundTrip(req)
				if err != nil {
					return 0, err
				}
				_, err = io.Copy(io.Discard, res.Body)
				return res.StatusCode, errors.Join(err, res.Body.Close())
			}
			slow := make(chan error, 1)
			go func() {
				_, err := send("/slow", "a", http.Header{})
				slow <- err
			}()
			<-begun // with its connection, which the others share over HTTP/2
			const room = maxHeader - len("GET / HTTP/1.1\r\nHost: a\r\n")
			text := func(n int) string { return strings.Repeat("x", n) }
			rejected := 0.0
			for name, tc := range map[string]struct {
				path, host string
				header     http.Header
				rejected   bool
			}{
				"the longest value":         {"/", "a", http.Header{"X": {text(room - len("X: \r\n"))}}, false},
				"a longer one":              {"/", "a", http.Header{"X": {text(room - len("X: \r\n") + 1)}}, true},
				"a value of 60 KB":          {"/", "a", http.Header{"Cookie": {text(60_000)}}, true},
				"the longest path":          {"/" + text(room), "a", http.Header{}, false},
				"a longer path":             {"/" + text(room+1), "a", http.Header{}, true},
				"the longest host":          {"/", text(room + 1), http.Header{}, false},
				"a longer host":             {"/", text(room + 2), http.Header{}, true},
				"a name above the limit":    {"/", "a", http.Header{text(room): {""}}, true},
				"the most fields, repeated": {"/", "a", http.Header{"X": make([]string, maxFields-1)}, false},
				"one more":                  {"/", "a", http.Header{"X": make([]string, maxFields)}, true},
				"repeated values":           {"/", "a", http.Header{"X": slices.Repeat([]string{text(1000)}, 17)}, true},
			} {
				want := http.StatusOK
				if tc.rejected {
					want = http.StatusRequestHeaderFieldsTooLarge
					rejected++
				}
				if got, err := send(tc.path, tc.host, tc.header); got != want || err != nil {
					t.Errorf("%s: status %d, %v; want %d", name, got, err, want)
				}
			}
			if close(end); <-slow != nil {
				t.Error("the request in flight got no response")
			}
			// The method of a header that is not parsed is unknown.
			if got := ended(s, http.MethodGet, semconv.OutcomeClientError) + ended(s, semconv.MethodOther, semconv.OutcomeClientError); got != rejected {
				t.Errorf("%g requests were counted, want %g", got, rejected)
			}
			if n := strings.Count(log.String(), `"max_bytes":16384,"max_fields":128`); n != 1 {
				t.Errorf("%d log lines name the limit, want 1:\n%s", n, &log)
			}
			if open := s.observer.metrics.connections.Load(); version == 2 && open != 1 {
				t.Errorf("%d connections are open, want 1", open)
			}
		})
	}
}

// The number of HTTP/2 requests in flight is limited to the number of allowed connections.
func TestRequestsOverHTTP2AreBounded(t *testing.T) {
	t.Parallel()
	begun, end := make(chan bool, 1), make(chan struct{})
	s := listening(t, io.Discard, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			begun <- true
			<-end
		}
	}))
	s.observer.metrics.maxConnections.Store(1)
	get := func(version int, path string) int {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(version == 1)
		protocols.SetUnencryptedHTTP2(version == 2)
		transport := &http.Transport{Protocols: protocols}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr().String()+path, http.NoBody)
		if err != nil {
			t.Error(err)
			return 0
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return 0
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	first := make(chan int, 1)
	go func() { first <- get(2, "/slow") }()
	<-begun
	if got := get(2, "/"); got != http.StatusServiceUnavailable {
		t.Errorf("at the bound a request over HTTP/2 got %d, want 503", got)
	}
	if got := get(1, "/"); got != http.StatusOK {
		t.Errorf("at the bound a request over HTTP/1 got %d, want 200", got)
	}
	close(end)
	if got := <-first; got != http.StatusOK {
		t.Errorf("the request in flight got %d, want 200", got)
	}
	if got := ended(s, http.MethodGet, semconv.OutcomeShed); got != 1 {
		t.Errorf("%g requests were shed, want 1", got)
	}
}

// logged is a log that a test reads while a server writes to it.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// HTTP/2 without TLS is for services that enable it or that have procedures.
func TestHTTP2WithoutTLSIsOffByDefault(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config  Config
		options []Option
		want    bool
	}{
		"by default":     {Config{}, nil, false},
		"on request":     {Config{H2C: true}, nil, true},
		"for procedures": {Config{}, []Option{Procedures("/orders.v1.Orders/Get")}, true},
	} {
		tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		o, err := NewObserver(Options{Telemetry: tel, Config: tc.config})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(o, http.NotFoundHandler(), tc.options...)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.http.Protocols.UnencryptedHTTP2(); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}
