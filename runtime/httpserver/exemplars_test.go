package httpserver_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// exemplars returns the trace ids of the current exemplars of a status.
func (p *pass) exemplars(status string) []string {
	p.t.Helper()
	families, err := p.telemetry.Metrics().Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	var ids []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != semconv.HTTPServerRequestDuration || !hasLabels(m, prometheus.Labels{semconv.LabelStatus: status}) {
				continue
			}
			for _, bucket := range m.GetHistogram().GetBucket() {
				for _, pair := range bucket.GetExemplar().GetLabel() {
					ids = append(ids, pair.GetValue())
				}
			}
		}
	}
	return ids
}

// everyStep serves two requests of each status at each step, checks the exemplars after each
// step, and returns the number of different ones.
func (p *pass) everyStep(step, length time.Duration, statuses ...string) map[string]int {
	seen := map[string]map[string]bool{}
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(step) {
		for _, status := range statuses {
			if seen[status] == nil {
				seen[status] = map[string]bool{}
			}
			for range 2 { // at the same instant
				p.get("/" + status)
				for _, id := range p.exemplars(status) {
					seen[status][id] = true
				}
			}
		}
	}
	counts := map[string]int{}
	for status, ids := range seen {
		counts[status] = len(ids)
	}
	return counts
}

func statusPages() http.Handler {
	router := httpserver.NewRouter()
	router.Get("/200", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	router.Get("/404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	return router
}

// Each series gets one exemplar every 100 ms, independently of other series.
func TestOneExemplarASeriesAndInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPass(t, telemetry.Sampling{Ratio: 1}, statusPages())
		defer p.flush()
		for status, n := range p.everyStep(10*time.Millisecond, time.Second, "200", "404") {
			if n != 10 {
				t.Errorf("status %s: %d exemplars in a second, want 10", status, n)
			}
		}
		if n := p.count(semconv.HTTPServerRequestDuration, nil); n != 400 {
			t.Errorf("%v requests were measured, want all 400", n)
		}
		// Requests less frequent than the interval have one each.
		if n := p.everyStep(time.Second, 5*time.Second, "200")["200"]; n != 5 {
			t.Errorf("%d exemplars, want 5", n)
		}
	})
}

// A request that is not sampled has no exemplar.
func TestUnsampledRequestHasNoExemplar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPass(t, telemetry.Sampling{TrustRemote: true, Ratio: 1}, statusPages())
		defer p.flush()
		p.get("/200", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
		if ids := p.exemplars("200"); len(ids) != 0 {
			t.Errorf("exemplars %v", ids)
		}
		p.get("/200", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		if ids := p.exemplars("200"); len(ids) != 1 || ids[0] != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("exemplars %v, want the caller's trace", ids)
		}
	})
}

// A request above all bounds adds a bucket to the histogram of its route. The sum over all routes has its exemplar, too.
func TestRequestAboveAllBoundsIsCollected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		router := httpserver.NewRouter()
		router.Get("/fast", func(http.ResponseWriter, *http.Request) {})
		router.Get("/slow", func(http.ResponseWriter, *http.Request) { time.Sleep(15 * time.Second) })
		p := newPass(t, telemetry.Sampling{Ratio: 1}, router)
		defer p.flush()
		p.get("/fast")
		p.get("/slow")
		for range 20 { // in any order of the routes
			families, err := p.telemetry.Metrics().Gather()
			if err != nil {
				t.Fatal(err)
			}
			found := 0
			for _, f := range families {
				if f.GetName() != semconv.HTTPServerRoutedRequestDuration {
					continue
				}
				for _, m := range f.GetMetric() {
					for _, bucket := range m.GetHistogram().GetBucket() {
						if bucket.GetExemplar() != nil {
							found++
						}
					}
				}
			}
			if found != 2 {
				t.Fatalf("%d exemplars of all routes, want 2", found)
			}
		}
	})
}
