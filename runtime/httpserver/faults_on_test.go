//go:build scaffold_faults

package httpserver_test

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// The requested fault is injected and counted on the route of the request.
func TestFaultsAreInjectedOnRequest(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/orders/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	svc := serve(t, router, nil)
	for _, tc := range []struct {
		ask     string
		status  int
		outcome string
		slow    bool
	}{
		{"error", http.StatusInternalServerError, semconv.OutcomeServerError, false},
		{"shed", http.StatusServiceUnavailable, semconv.OutcomeShed, false},
		{"panic", http.StatusInternalServerError, semconv.OutcomeServerError, false},
		{"delay=50ms", http.StatusNoContent, semconv.OutcomeSuccess, true},
		{"cpu=50ms", http.StatusNoContent, semconv.OutcomeSuccess, true},
		{"delay=soon", http.StatusUnprocessableEntity, semconv.OutcomeClientError, false},
		{"cpu", http.StatusUnprocessableEntity, semconv.OutcomeClientError, false},
		{"nonsense", http.StatusUnprocessableEntity, semconv.OutcomeClientError, false},
	} {
		labels := map[string]string{semconv.LabelOutcome: tc.outcome}
		if tc.status != http.StatusUnprocessableEntity {
			labels[semconv.LabelRoute] = "/orders/{id}"
		}
		before, _ := svc.Metric(semconv.HTTPServerRequests, labels)
		began := time.Now()
		res, body := get(t, svc.URL+"/orders/1", "Scaffold-Fault", tc.ask)
		if res.StatusCode != tc.status {
			t.Errorf("%s: status %d: %s", tc.ask, res.StatusCode, body)
		}
		if took := time.Since(began); tc.slow && took < 50*time.Millisecond {
			t.Errorf("%s: took %s", tc.ask, took)
		}
		svc.WaitMetric(semconv.HTTPServerRequests, labels, before+1)
	}
	svc.WaitLog(func(l servicetest.Line) bool {
		return l["msg"] == "fault injection is enabled in this build; do not use it in production"
	})
}

// A fault ends when the request is canceled.
func TestFaultsEndWithTheirRequest(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/orders/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	svc := serve(t, router, nil)
	for i, ask := range []string{"delay=9s", "cpu=9s"} {
		ctx, cancel := context.WithCancel(t.Context())
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, svc.URL+"/orders/1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Scaffold-Fault", ask)
		began := time.Now()
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: status %d before the client disconnected", ask, res.StatusCode)
		}
		cancel()
		svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{semconv.LabelOutcome: semconv.OutcomeSuccess}, float64(i+1))
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%s ended after %s", ask, took)
		}
	}
}
