package httpserver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

func route() *chi.Mux {
	router := chi.NewRouter()
	router.Get("/users/{id}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	return router
}

func observed(b *testing.B, config telemetry.Config) http.Handler {
	b.Helper()
	tel, err := telemetry.New(telemetry.Options{Service: "bench", Stdout: io.Discard, Config: config, Sampling: telemetry.Sampling{Ratio: 0.01}})
	if err != nil {
		b.Fatal(err)
	}
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel})
	if err != nil {
		b.Fatal(err)
	}
	handler, err := observer.Wrap(route())
	if err != nil {
		b.Fatal(err)
	}
	return handler
}

// BenchmarkServe compares a request on bare chi with an observed one, at sampling ratios of 1 %
// and 100 %. Compare within one run.
func BenchmarkServe(b *testing.B) {
	for _, bc := range []struct {
		name    string
		handler func(*testing.B) http.Handler
	}{
		{"bare", func(*testing.B) http.Handler { return route() }},
		{"sampled_1_percent", func(b *testing.B) http.Handler { return observed(b, telemetry.Config{TracesExporter: "otlp"}) }},
		{"sampled_all", func(b *testing.B) http.Handler {
			return observed(b, telemetry.Config{TracesExporter: "otlp", Sampler: "always_on"})
		}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			handler := bc.handler(b)
			req := httptest.NewRequest(http.MethodGet, "/users/7", http.NoBody)
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(httptest.NewRecorder(), req)
			}
		})
	}
}
