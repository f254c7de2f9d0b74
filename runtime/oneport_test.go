package runtime_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

func getPlain(t *testing.T, url string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

func TestOnePortAnswersProbesAndNoMore(t *testing.T) {
	t.Parallel()
	lost := errors.New("the lease of disk seven is lost")
	broken := make(chan struct{})
	svc := servicetest.Start(t, info, runtime.Defaults{PushMetrics: true}, func(ctx context.Context, s *runtime.Service) error {
		s.CheckCritical("lease", func(context.Context) error {
			select {
			case <-broken:
				return lost
			default:
				return nil
			}
		})
		return simple(ctx, s)
	}, "ADMIN_ADDR=off", "HEALTH_INTERVAL=100ms", "HEALTH_FAILURES=1")
	if svc.AdminURL != svc.URL {
		t.Errorf("an admin listener is at %s", svc.AdminURL)
	}
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/startupz": 200, "/metrics": 404, "/debug/pprof/": 404, "/debug/pprof/heap": 404, "/loglevel": 404, "/livez/": 404,
	} {
		got, body := getPlain(t, svc.URL+path)
		if got != want || want == http.StatusOK && body != "" {
			t.Errorf("GET %s: %d %q, want %d", path, got, body, want)
		}
	}
	close(broken)
	for deadline := time.Now().Add(servicetest.Timeout); ; {
		code, body := getPlain(t, svc.URL+"/readyz")
		if body != "" {
			t.Fatalf("the public body is %q", body)
		}
		if code == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the service is still ready")
		}
	}
	// Probes have no spans.
	svc.WaitSpan(func(s servicetest.Span) bool { return strings.HasPrefix(s.Name, "GET") })
	svc.Stop()
	for _, span := range svc.Spans() {
		if path, _ := span.Attributes["url.path"].(string); path == "/livez" || path == "/readyz" || path == "/startupz" {
			t.Errorf("a probe has the span %+v", span)
		}
	}
	for _, line := range svc.Logs() {
		if line["msg"] == "metrics are not available: ADMIN_ADDR is off and metrics are not pushed" {
			t.Errorf("a warning although the metrics are pushed: %v", line)
		}
	}
}

// Probes on the request port list their methods in a 405.
func TestProbesOnOnePortSendAllow(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple, "ADMIN_ADDR=off", "OTEL_METRICS_EXPORTER=otlp")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, svc.URL+"/livez", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("%d with Allow %q, want 405 with GET, HEAD", res.StatusCode, res.Header.Get("Allow"))
	}
}

func TestOnePortWithoutPushedMetricsWarns(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple, "ADMIN_ADDR=off")
	svc.WaitLog(func(l servicetest.Line) bool {
		return l["msg"] == "metrics are not available: ADMIN_ADDR is off and metrics are not pushed"
	})
}

// freePort returns a port that was free a moment ago. Platforms set a number, and 0 is invalid.
func freePort(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func TestPortOfThePlatform(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	svc := servicetest.Start(t, info, runtime.Defaults{HTTPAddr: "127.0.0.1:1"}, simple, "HTTP_ADDR=", "PORT="+port)
	if _, got, _ := net.SplitHostPort(strings.TrimPrefix(svc.URL, "http://")); got != port {
		t.Errorf("PORT=%s, and the service is at %s", port, svc.URL)
	}
	svc = servicetest.Start(t, info, runtime.Defaults{}, simple, "HTTP_ADDR=127.0.0.1:0", "PORT="+port)
	if _, got, _ := net.SplitHostPort(strings.TrimPrefix(svc.URL, "http://")); got == port {
		t.Errorf("PORT overrides HTTP_ADDR: %s", svc.URL)
	}
	for _, wrong := range []string{"70000", "0", "http"} {
		code, _, stderr := execute(t, nil, map[string]string{"PORT": wrong}, simple)
		if code != 64 || !strings.Contains(stderr, "PORT") {
			t.Errorf("PORT=%s: status %d\n%s", wrong, code, stderr)
		}
	}
}
