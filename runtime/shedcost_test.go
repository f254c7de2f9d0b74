//go:build !race

package runtime

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// user is the response of test/bench's handler.
type user struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

func writeUser(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(user{chi.URLParam(r, "id"), "Ada", "ada@example.com"})
	if err != nil {
		httpserver.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// wholeService returns a handler with the middleware of a service: observed, limited, routed.
func wholeService(t *testing.T, env map[string]string) (*Service, http.Handler) {
	t.Helper()
	env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9" // error and slow spans are created, and are not delivered
	p := Process{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Stdout:    io.Discard, Stderr: t.Output(),
	}
	s, err := newService(p, Info{Name: "orders"}, Defaults{TraceRatio: 0.01}, verbServe)
	if err != nil {
		t.Fatal(err)
	}
	return s, behind(t, s, writeUser)
}

// behind returns handle with the middleware of a service.
func behind(t *testing.T, s *Service, handle http.HandlerFunc) http.Handler {
	t.Helper()
	router := httpserver.NewRouter()
	router.Get("/users/{id}", handle)
	h, err := s.observer.Wrap(s.protected(router))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// full takes the only slot and the only place in the queue until the test ends.
func full(t *testing.T, l *overload.Limiter, s *Service) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	if _, err := l.Acquire(ctx, overload.Default); err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	go func() {
		defer close(left)
		_, _ = l.Acquire(ctx, overload.Default)
	}()
	t.Cleanup(func() { leave(); <-left })
	for deadline := time.Now().Add(10 * time.Second); gauge(t, s, semconv.RuntimeOverloadQueued) != 1; {
		if time.Now().After(deadline) {
			t.Fatal("no request waits in the queue")
		}
	}
}

func gauge(t *testing.T, s *Service, name string) float64 {
	t.Helper()
	families, err := s.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

type sink struct {
	header http.Header
	status int
}

func (w *sink) Header() http.Header       { return w.header }
func (*sink) Write(b []byte) (int, error) { return len(b), nil }
func (w *sink) WriteHeader(status int)    { w.status = status }

// onePlace returns the environment of a limiter that full can fill.
func onePlace() map[string]string {
	return map[string]string{
		"OVERLOAD_MIN_LIMIT": "1", "OVERLOAD_INITIAL_LIMIT": "1", "OVERLOAD_MAX_LIMIT": "1",
		"OVERLOAD_QUEUE": "1", "OVERLOAD_QUEUE_WAIT": "1m",
	}
}

func costOf(t *testing.T, h http.Handler, want int) testing.BenchmarkResult {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/users/7", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	w := &sink{header: http.Header{}}
	return testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			clear(w.header)
			h.ServeHTTP(w, r)
			if w.status != want {
				b.Fatalf("status %d, want %d", w.status, want)
			}
		}
	})
}

// Rejections must be cheap: through the complete service, with each rejection counted, logged and
// traced within the limits, a rejection allocates about as much as a response from memory.
func TestAllocationsOfARejection(t *testing.T) { //nolint:paralleltest // counts allocations
	_, open := wholeService(t, map[string]string{})
	served := costOf(t, open, http.StatusOK)
	s, closed := wholeService(t, onePlace())
	full(t, s.limiter, s)
	shed := costOf(t, closed, http.StatusServiceUnavailable)
	t.Logf("served: %d allocations, %d B, %s; shed: %d allocations, %d B, %s", served.AllocsPerOp(), served.AllocedBytesPerOp(),
		time.Duration(served.NsPerOp()), shed.AllocsPerOp(), shed.AllocedBytesPerOp(), time.Duration(shed.NsPerOp()))
	if shed.AllocsPerOp() > 2*served.AllocsPerOp() || shed.AllocedBytesPerOp() > 3*served.AllocedBytesPerOp()/2 {
		t.Error("a rejection has more than twice the allocations of a response, or more than 1.5 times the bytes")
	}
}
