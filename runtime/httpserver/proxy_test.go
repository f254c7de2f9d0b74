package httpserver_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// A reverse proxy panics with http.ErrAbortHandler when its client or its backend disconnects.
// Only the latter is an error.
func TestReverseProxyAborts(t *testing.T) {
	t.Parallel()
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		if r.URL.Path == "/broken" {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Path == "/silent" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		for {
			if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(behind.Close)
	target, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	router := httpserver.NewRouter()
	for _, path := range []string{"/endless", "/silent", "/broken"} {
		router.Get(path, proxy.ServeHTTP)
	}
	svc := serve(t, router, nil)
	for _, path := range []string{"/endless", "/silent", "/broken"} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(svc.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		var read int64 = 1 << 20
		if path == "/broken" {
			read = 64 << 20 // until the end
		}
		_, _ = io.CopyN(io.Discard, conn, read)
		_ = conn.Close()
	}
	counted(t, svc, "GET", "/endless", semconv.OutcomeClientError, 1) // a write failed
	counted(t, svc, "GET", "/silent", semconv.OutcomeClientError, 1)  // its context was canceled
	counted(t, svc, "GET", "/broken", semconv.OutcomeServerError, 1)
	for path, want := range map[string]float64{"/endless": 0, "/silent": 0, "/broken": 1} {
		if n, _ := svc.Metric(semconv.HTTPServerPanics, map[string]string{semconv.LabelRoute: path}); n != want {
			t.Errorf("%s: %g panics are counted, want %g", path, n, want)
		}
	}
}

// A panic of a framework about a response that it wrote incorrectly is a server error.
func TestAPanicAboutAMisusedWriter(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1")
		if _, err := io.WriteString(w, "long"); err != nil {
			panic(err)
		}
	})
	svc := serve(t, router, nil)
	if res, err := http.Get(svc.URL); err == nil {
		_ = res.Body.Close()
	}
	counted(t, svc, "GET", "/", semconv.OutcomeServerError, 1)
	svc.WaitMetric(semconv.HTTPServerPanics, map[string]string{semconv.LabelRoute: "/"}, 1)
}
