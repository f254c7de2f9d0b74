package runtime

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// adminPatience is the timeout of a blocked test.
const adminPatience = 20 * time.Second

// startAdmin serves an admin listener with short timeouts.
func startAdmin(t *testing.T) *adminServer {
	t.Helper()
	s, err := newService(Process{LookupEnv: func(string) (string, bool) { return "", false }, Stdout: io.Discard},
		Info{Name: "orders"}, Defaults{AdminAddr: "127.0.0.1:0"}, verbServe)
	if err != nil {
		t.Fatal(err)
	}
	a := newAdminServer(s)
	if a.http.IdleTimeout <= 0 || a.within <= 0 {
		t.Errorf("idle connections are kept for %s, requests for %s; want bounds", a.http.IdleTimeout, a.within)
	}
	a.within, a.http.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond
	if err := a.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- a.Serve() }()
	t.Cleanup(func() {
		_ = a.http.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return a
}

func dialAdmin(t *testing.T, a *adminServer) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(adminPatience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Connections of clients that stop halfway are closed: idle ones, those that do not send a body,
// and those that do not read.
func TestAdminConnectionsEnd(t *testing.T) {
	t.Parallel()
	a := startAdmin(t)
	ended := func(t *testing.T, conn net.Conn) {
		t.Helper()
		if _, err := io.Copy(io.Discard, conn); err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // as net returns it
				t.Errorf("the connection is open after %s", adminPatience)
			}
		}
	}
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		conn := dialAdmin(t, a)
		fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
		ended(t, conn)
	})
	t.Run("without the body", func(t *testing.T) {
		t.Parallel()
		conn := dialAdmin(t, a)
		fmt.Fprintf(conn, "PUT /loglevel HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\nlevel=")
		ended(t, conn)
	})
	t.Run("without reading", func(t *testing.T) {
		t.Parallel()
		conn := dialAdmin(t, a)
		for {
			if _, err := fmt.Fprintf(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // as net returns it
					t.Errorf("the connection is open after %s", adminPatience)
				}
				return
			}
		}
	})
}

// deadlines is a writer that records the deadlines of its connection.
type deadlines struct {
	http.ResponseWriter
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error  { d.read = at; return nil }
func (d *deadlines) SetWriteDeadline(at time.Time) error { d.write = at; return nil }

// A profile extends the timeout of a request by its duration, if the client is authorized.
func TestAdminProfileOutlastsTheBound(t *testing.T) {
	t.Parallel()
	a := startAdmin(t)
	profile := a.bounded(a.guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	for name, tc := range map[string]struct {
		query, peer string
		within      time.Duration
	}{
		"without seconds":           {"", "127.0.0.1:4000", a.within},
		"with seconds":              {"?seconds=90", "127.0.0.1:4000", a.within + 90*time.Second},
		"with a fraction":           {"?seconds=0.5", "127.0.0.1:4000", a.within + time.Second/2},
		"with more than an hour":    {"?seconds=1e99", "127.0.0.1:4000", a.within + time.Hour},
		"with an invalid number":    {"?seconds=NaN", "127.0.0.1:4000", a.within},
		"from an unauthorized peer": {"?seconds=90", "192.0.2.1:4000", a.within},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/debug/pprof/profile"+tc.query, http.NoBody)
			r.Host, r.RemoteAddr = "localhost", tc.peer
			w := &deadlines{ResponseWriter: httptest.NewRecorder()}
			from := time.Now()
			profile.ServeHTTP(w, r)
			to := time.Now()
			for _, at := range []time.Time{w.read, w.write} {
				if at.Before(from.Add(tc.within)) || at.After(to.Add(tc.within)) {
					t.Errorf("the deadline is in %s, want %s", at.Sub(from), tc.within)
				}
			}
		})
	}
}
