//go:build !race

package httpserver_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// These tests limit the cost of observing. The numbers are exact without the race detector, which
// makes pools drop objects; `make test` runs them separately.

// userRouter is a typical handler: it reads a path parameter, sets a header and writes a body.
func userRouter() *chi.Mux {
	router := chi.NewRouter()
	router.Get("/users/{id}", writeUser)
	return router
}

func writeUser(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"`+chi.URLParam(r, "id")+`"}`)
}

// quietWriter is an HTTP/1 writer that discards everything, so that only the handler is measured.
type quietWriter struct{ header http.Header }

func (w *quietWriter) Header() http.Header             { return w.header }
func (*quietWriter) Write(b []byte) (int, error)       { return len(b), nil }
func (*quietWriter) WriteString(s string) (int, error) { return len(s), nil }
func (*quietWriter) WriteHeader(int)                   {}

// cost is the average allocation of a request.
type cost struct{ allocs, bytes int64 }

func measure(t *testing.T, h http.Handler, header ...string) cost {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/users/7", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.RemoteAddr = "192.0.2.1:1234"
	req.Header.Set("User-Agent", "curl/8.5.0")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := &quietWriter{http.Header{}}
	for range 1_000 { // fills pools and queues
		clear(w.header)
		h.ServeHTTP(w, req)
	}
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			clear(w.header)
			h.ServeHTTP(w, req)
		}
	})
	return cost{result.AllocsPerOp(), result.AllocedBytesPerOp()}
}

// forgetful discards the spans of the batch processor.
type forgetful struct{}

// ExportSpans implements [sdktrace.SpanExporter].
func (forgetful) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }

// Shutdown implements [sdktrace.SpanExporter].
func (forgetful) Shutdown(context.Context) error { return nil }

func observing(t testing.TB, next http.Handler, sampling telemetry.Sampling) http.Handler {
	t.Helper()
	tel, err := telemetry.New(telemetry.Options{
		Service: "orders", Stdout: io.Discard, Sampling: sampling, SpanExporter: forgetful{},
		Config: telemetry.Config{TracesExporter: "otlp", Propagators: []string{"tracecontext", "baggage"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tel.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := observer.Wrap(next)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

const unsampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

func TestAllocationsOfObserving(t *testing.T) {
	bare := measure(t, userRouter())
	for _, tc := range []struct {
		name     string
		sampling telemetry.Sampling
		header   []string
		most     cost // more than bare chi
	}{
		{"one request in a hundred is sampled", telemetry.Sampling{Ratio: 0.01}, nil, cost{1, 350}},
		{"a trusted caller did not sample", telemetry.Sampling{Ratio: 1, TrustRemote: true}, []string{"traceparent", unsampledParent}, cost{1, 350}},
		{"every request is sampled", telemetry.Sampling{Ratio: 1}, nil, cost{10, 4 << 10}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := measure(t, observing(t, userRouter(), tc.sampling), tc.header...)
			more := cost{got.allocs - bare.allocs, got.bytes - bare.bytes}
			t.Logf("bare chi %+v, observed %+v: %+d allocations, %+d bytes", bare, got, more.allocs, more.bytes)
			if more.allocs > tc.most.allocs || more.bytes > tc.most.bytes {
				t.Errorf("observing costs %+d allocations and %+d bytes, want at most %+v", more.allocs, more.bytes, tc.most)
			}
		})
	}
}
