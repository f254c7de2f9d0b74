package httpserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

// fieldsOf is a header of so many fields with different names.
func fieldsOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x%d:\r\n", i)
	}
	return b.String()
}

func TestFieldCount(t *testing.T) {
	t.Parallel()
	const first = "POST / HTTP/1.1\r\n"
	for name, tc := range map[string]struct {
		text string
		want bool
	}{
		"as many as may pass":                  {first + fieldsOf(maxFields) + "\r\n", false},
		"one too many":                         {first + fieldsOf(maxFields+1), true},
		"lines that end with LF only":          {strings.ReplaceAll(first+fieldsOf(maxFields+1), "\r", ""), true},
		"lines of the body are no fields":      {first + "a: b\r\n\r\n" + strings.Repeat("\r\n", 1000), false},
		"a blank line of LF ends the header":   {first + "a: b\n\n" + strings.Repeat("a\n", 1000), false},
		"continued lines count":                {first + "a: b\r\n" + strings.Repeat(" c\r\n", maxFields), true},
		"\\r within a line does not end it":    {first + strings.Repeat("\r\r\n", maxFields+1), true},
		"HTTP/2":                               {http2Preface, false},
		"what looks like the preface at first": {"PRI * HTTP/2.0\r\n" + fieldsOf(maxFields+2), true},
	} {
		for _, size := range []int{1, 7, 4096} {
			c := fieldCount{}
			c.begin()
			got := false
			for rest := []byte(tc.text); len(rest) > 0 && !got; {
				n := min(size, len(rest), 14) // net/http reads 14 bytes first
				if c.preface < 0 {
					n = min(size, len(rest))
				}
				got = c.add(rest[:n])
				rest = rest[n:]
			}
			if got != tc.want {
				t.Errorf("%s, in parts of %d: %t, want %t", name, size, got, tc.want)
			}
		}
	}
}

// listening is a server on loopback that ends with the test.
func listening(t *testing.T, h http.Handler) (addr string) {
	t.Helper()
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewObserver(Options{Telemetry: tel, Config: Config{Addr: "127.0.0.1:0"}})
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
	return s.Addr().String()
}

// The fields of each header are counted anew, and neither bodies nor HTTP/2 frames are.
func TestTooManyFieldsAreRejected(t *testing.T) {
	t.Parallel()
	addr := listening(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	}))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
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

func TestFieldsOverHTTP2(t *testing.T) {
	t.Parallel()
	addr := listening(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	for fields, want := range map[int]int{1: http.StatusOK, 2 * maxFields: http.StatusRequestHeaderFieldsTooLarge} {
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, strings.NewReader(strings.Repeat("\n", 10_000)))
			if err != nil {
				t.Fatal(err)
			}
			for i := range fields {
				req.Header.Set(fmt.Sprintf("x%d", i), "")
			}
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("%d fields: status %d, want %d", fields, res.StatusCode, want)
			}
		}
	}
}
