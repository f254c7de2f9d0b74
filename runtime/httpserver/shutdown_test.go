package httpserver_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// A connection that was accepted before a shutdown and sends its first request during it gets a
// response: net/http would drop it.
func TestShutdownServesTheFirstRequestOfAConnection(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel, Config: httpserver.Config{Addr: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(observer, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	served, stopped := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve() }()
	addr := server.Addr().String()
	dial := func() (net.Conn, error) { return (&net.Dialer{}).DialContext(t.Context(), "tcp", addr) }
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { stopped <- server.Shutdown(context.WithoutCancel(t.Context())) }()
	for deadline := time.Now().Add(20 * time.Second); ; { // until the listener is closed
		late, err := dial()
		if err != nil {
			break
		}
		_ = late.Close()
		if time.Now().After(deadline) {
			t.Fatal("the listener is still open")
		}
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request got no response: %v", err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("status %d, connection closed: %t", res.StatusCode, res.Close)
	}
	for _, end := range []chan error{stopped, served} {
		if err := <-end; err != nil {
			t.Error(err)
		}
	}
}
