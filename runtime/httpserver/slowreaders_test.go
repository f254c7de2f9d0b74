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
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// A response that its client does not read is ended when memory is short, long before
// the time to write it is over.
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
		_, err := io.WriteString(w, strings.Repeat("x", 64<<20)) // more than the buffers of the kernel hold
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
	timeout := time.After(20 * time.Second) // the time to write is 35 s
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
