//go:build scaffold_faults

package httpserver_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// Run with -tags scaffold_faults. What a caller asks for happens, and is counted
// on the route that it asked for.
func TestCallersDecideHowARequestEnds(t *testing.T) {
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
		{"nonsense", http.StatusUnprocessableEntity, semconv.OutcomeClientError, false},
	} {
		labels := map[string]string{semconv.LabelOutcome: tc.outcome}
		if tc.ask != "nonsense" {
			labels[semconv.LabelRoute] = "/orders/{id}"
		}
		before, _ := svc.Metric(semconv.HTTPServerRequests, labels)
		began := time.Now()
		res, body := get(t, svc.URL+"/orders/1", "Scaffold-Fault", tc.ask)
		if res.StatusCode != tc.status {
			t.Errorf("%s answers %d: %s", tc.ask, res.StatusCode, body)
		}
		if took := time.Since(began); tc.slow && took < 50*time.Millisecond {
			t.Errorf("%s answers after %s", tc.ask, took)
		}
		svc.WaitMetric(semconv.HTTPServerRequests, labels, before+1)
	}
	svc.WaitLog(func(l servicetest.Line) bool {
		return l["msg"] == "this build fails on request, it is not for production"
	})
}
