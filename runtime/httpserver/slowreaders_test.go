package httpserver_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// A response that its client does not read is ended when memory is short, long before the write
// timeout.
func TestSlowReadersAreCutWhenMemoryIsShort(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel, Config: httpserver.Config{Addr: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	server, err := httpserver.New(observer, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, strings.Repeat("x", 64<<20)) // more than the buffers of the kernel
		ended <- err
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve() }()
	t.Cleanup(func() { _ = server.Shutdown(context.WithoutCancel(t.Context())) })
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	timeout := time.After(20 * time.Second) // the write timeout is 35 s
	for poll := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case err := <-ended:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the write ended with %v", err)
			}
			return
		case <-poll.C:
			observer.CutSlowReaders()
		case <-timeout:
			t.Fatal("the response is still being written")
		}
	}
}

// A client that does not read an HTTP/2 connection is cut. net/http ends a stream with a frame,
// which it cannot send once the kernel accepts no more bytes.
func TestHTTP2ConnectionsThatAreNotReadAreCut(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	router := httpserver.NewRouter()
	router.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, strings.Repeat("x", 64<<20))
		ended <- err
	})
	svc := serve(t, router, nil, "HTTP_H2C=true", "HTTP_REQUEST_TIMEOUT=1h")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(svc.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	const settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x04\x7f\xff\xff\xff" // maximum window of a stream
	const window = "\x00\x00\x04\x08\x00\x00\x00\x00\x00" + "\x7f\xff\x00\x00"           // maximum window of the connection
	const headers = "\x00\x00\x06\x01\x05\x00\x00\x00\x01" + "\x82\x86\x84\x41\x01a"     // GET http://a/
	if _, err := io.WriteString(conn, preface+settings+window+headers); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the response was written although the client did not read it")
		}
	case <-time.After(time.Minute): // 5 s after the kernel accepted the last byte
		t.Fatal("the response is still being written")
	}
	counted(t, svc, "GET", "/", semconv.OutcomeClientError, 1)
}
