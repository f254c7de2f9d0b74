package runtime_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// The README shows these functions, without the suffixes of main, run and orders.
// internal/testkit/archtest compares the text.

func ordersChi() http.Handler {
	r := chi.NewRouter()
	r.Get("/v1/orders/{id}", getOrder)
	return r
}

func ordersMux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/orders/{id}", getOrder)
	return mux
}

func mainBeforeChi() { log.Fatal(http.ListenAndServe(":8080", ordersChi())) }

func mainChi() {
	os.Exit(runtime.Main(runtime.Info{Name: "orders"}, runtime.Defaults{TraceRatio: 0.01}, runChi))
}

func runChi(ctx context.Context, svc *runtime.Service) error {
	svc.Handle(ordersChi())
	return svc.Run(ctx)
}

func runMux(ctx context.Context, svc *runtime.Service) error {
	svc.Handle(ordersMux(), httpserver.Routes("GET /v1/orders/{id}"))
	return svc.Run(ctx)
}

func getOrder(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "an order") }

// Functions that a test cannot call: they use a fixed port or end the process.
var _ = []any{mainBeforeChi, mainChi}

// An existing handler is adopted with one line: a request has a metric, a log line and a span,
// and the shutdown succeeds.
func TestAdoption(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(context.Context, *runtime.Service) error{"chi": runChi, "net/http": runMux} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := servicetest.Start(t, runtime.Info{Name: "orders"}, runtime.Defaults{TraceRatio: 0.01}, run)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, svc.URL+"/v1/orders/7", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || string(body) != "an order" {
				t.Fatalf("the response is %q, %v", body, err)
			}
			span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "GET /v1/orders/{id}" })
			svc.WaitLog(func(l servicetest.Line) bool { return l["trace_id"] == span.TraceID })
			svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{
				semconv.LabelRoute: "/v1/orders/{id}", semconv.LabelOutcome: semconv.OutcomeSuccess,
			}, 1)
			if status := svc.Stop(); status != 0 {
				t.Errorf("the exit code is %d", status)
			}
		})
	}
}
