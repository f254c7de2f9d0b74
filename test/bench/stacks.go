package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/riandyrn/otelchi"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// mode is a sampling mode.
type mode string

const (
	onePercent      mode = "1 %"
	everyRequest    mode = "100 %"
	remoteUnsampled mode = "unsampled parent"
)

func modes() []mode { return []mode{onePercent, everyRequest, remoteUnsampled} }

func (m mode) ratio() float64 {
	if m == everyRequest {
		return 1
	}
	return 0.01
}

// stack is a server to measure. It sends sampled spans to the exporter through a batch
// processor.
type stack struct {
	name  string
	plain bool // observes nothing, in any mode
	build func(mode, sdktrace.SpanExporter) (http.Handler, error)
}

// Names of the stacks that limits compare.
const (
	bareChi = "chi, bare"
	ours    = "chi + runtime/httpserver"
	oursAll = "chi + runtime/httpserver, ACCESS_LOG=all"
	usual   = "chi + otelhttp + promhttp + slog + recover"
)

func stacks() []stack {
	return []stack{
		{name: "net/http mux, bare", plain: true, build: bareMux},
		{name: bareChi, plain: true, build: func(mode, sdktrace.SpanExporter) (http.Handler, error) { return routed(), nil }},
		{name: ours, build: observed(httpserver.AccessNotable)},
		{name: oursAll, build: observed(httpserver.AccessAll)},
		{name: usual, build: usualStack},
		{name: "chi + otelchi + promhttp + slog + recover", build: otelchiStack},
		{name: "go-zero rest, default middlewares", build: goZero},
		{name: "kratos http, recovery+tracing+logging+metrics", build: kratosStack},
	}
}

func bareMux(mode, sdktrace.SpanExporter) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) { respond(w, r.PathValue("id")) })
	return mux, nil
}

// routed returns a chi router with the middlewares; the first is the outermost.
func routed(around ...func(http.Handler) http.Handler) *chi.Mux {
	router := chi.NewRouter()
	router.Use(around...)
	router.Get("/users/{id}", func(w http.ResponseWriter, r *http.Request) { respond(w, chi.URLParam(r, "id")) })
	return router
}

func observed(accessLog string) func(mode, sdktrace.SpanExporter) (http.Handler, error) {
	return func(m mode, e sdktrace.SpanExporter) (http.Handler, error) {
		tel, err := telemetry.New(telemetry.Options{
			Service: "bench", Stdout: io.Discard, SpanExporter: e,
			Sampling: telemetry.Sampling{Ratio: m.ratio(), TrustRemote: true},
			Config:   telemetry.Config{TracesExporter: "otlp", Propagators: []string{"tracecontext", "baggage"}},
		})
		if err != nil {
			return nil, err
		}
		if err := tel.Start(context.Background()); err != nil {
			return nil, err
		}
		observer, err := httpserver.NewObserver(httpserver.Options{
			Telemetry: tel, SlowAfter: time.Second, Config: httpserver.Config{AccessLog: accessLog},
		})
		if err != nil {
			return nil, err
		}
		return observer.Wrap(routed())
	}
}

func newTracerProvider(m mode, e sdktrace.SpanExporter) *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(m.ratio()))),
		sdktrace.WithBatcher(e),
	)
}

func propagator() propagation.TextMapPropagator {
	return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
}

// usualStack is set up as the documentation of each part recommends.
func usualStack(m mode, e sdktrace.SpanExporter) (http.Handler, error) {
	traced := func(next http.Handler) http.Handler {
		return otelhttp.NewHandler(next, "server",
			otelhttp.WithTracerProvider(newTracerProvider(m, e)), otelhttp.WithPropagators(propagator()),
			otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.Pattern }))
	}
	return routed(traced, counted(), logged(), middleware.Recoverer), nil
}

func otelchiStack(m mode, e sdktrace.SpanExporter) (http.Handler, error) {
	router := chi.NewRouter()
	router.Use(otelchi.Middleware("bench", otelchi.WithChiRoutes(router),
		otelchi.WithTracerProvider(newTracerProvider(m, e)), otelchi.WithPropagators(propagator())),
		counted(), logged(), middleware.Recoverer)
	router.Get("/users/{id}", func(w http.ResponseWriter, r *http.Request) { respond(w, chi.URLParam(r, "id")) })
	return router, nil
}

// counted records requests, errors, durations and requests in flight with promhttp, with
// exemplars for sampled requests.
func counted() func(http.Handler) http.Handler {
	registry := prometheus.NewRegistry()
	active := prometheus.NewGauge(prometheus.GaugeOpts{Name: semconv.HTTPServerActiveRequests, Help: "Requests in flight."})
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: semconv.HTTPServerRequests, Help: "Requests."}, []string{"method", "code"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: semconv.HTTPServerRequestDuration, Help: "Request duration."}, []string{"method", "code"})
	registry.MustRegister(active, requests, durations)
	exemplars := promhttp.WithExemplarFromContext(func(ctx context.Context) prometheus.Labels {
		if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
			return prometheus.Labels{"trace_id": sc.TraceID().String()}
		}
		return nil
	})
	return func(next http.Handler) http.Handler {
		return promhttp.InstrumentHandlerInFlight(active,
			promhttp.InstrumentHandlerCounter(requests,
				promhttp.InstrumentHandlerDuration(durations, next, exemplars), exemplars))
	}
}

// logged writes an access log with slog, with the same fields as ours.
func logged() func(http.Handler) http.Handler {
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // formats the line, unlike DiscardHandler
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			next.ServeHTTP(ww, r)
			sc := trace.SpanContextFromContext(r.Context())
			logger.LogAttrs(r.Context(), slog.LevelInfo, "request completed",
				slog.String("http_request_method", r.Method),
				slog.String("http_route", r.Pattern),
				slog.String("url_path", r.URL.Path),
				slog.Int("http_response_status_code", ww.Status()),
				slog.Float64("duration_seconds", time.Since(began).Seconds()),
				slog.Int("http_response_body_size", ww.BytesWritten()),
				slog.String("network_peer_address", r.RemoteAddr),
				slog.String("trace_id", sc.TraceID().String()),
				slog.String("span_id", sc.SpanID().String()),
				slog.Bool("sampled", sc.IsSampled()))
		})
	}
}

// named returns the stack of this name.
func named(name string) (stack, error) {
	for _, s := range stacks() {
		if s.name == name {
			return s, nil
		}
	}
	return stack{}, fmt.Errorf("unknown stack %q in -stack; use a name of the report", name)
}
