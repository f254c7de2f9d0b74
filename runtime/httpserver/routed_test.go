package httpserver_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// varied has routes with responses of every outcome but one.
func varied() http.Handler {
	r := chi.NewRouter()
	r.Get("/ok", func(http.ResponseWriter, *http.Request) {})
	r.Post("/ok", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Millisecond) })
	r.Get("/missing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	r.Get("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	r.Get("/panics", func(http.ResponseWriter, *http.Request) { panic("on purpose") })
	return r
}

// The series of the whole service equal the sum of those of the routes.
func TestRoutedEqualsTheSumOverKnownRoutes(t *testing.T) {
	t.Parallel()
	svc := serve(t, varied(), nil)
	if n, found := svc.Metric(semconv.HTTPServerRoutedRequestDuration, map[string]string{semconv.LabelOutcome: semconv.OutcomeSuccess}); !found || n != 0 {
		t.Errorf("before the first request there are %v successes (found: %t), want 0", n, found)
	}
	for i, path := range []string{"/ok", "/ok", "/missing", "/broken", "/panics", "/nowhere", "/ok"} {
		do(t, []string{http.MethodGet, http.MethodPost}[i/6], svc.URL+path, "")
	}
	for outcome, want := range map[string]float64{
		semconv.OutcomeSuccess: 3, semconv.OutcomeClientError: 1, semconv.OutcomeServerError: 2, semconv.OutcomeShed: 0,
	} {
		of := map[string]string{semconv.LabelOutcome: outcome}
		svc.WaitMetric(semconv.HTTPServerRoutedRequests, of, want)
		all, _ := svc.Metric(semconv.HTTPServerRequests, of)
		unmatched, _ := svc.Metric(semconv.HTTPServerRequests, map[string]string{semconv.LabelOutcome: outcome, semconv.LabelRoute: semconv.RouteUnmatched})
		if all-unmatched != want {
			t.Errorf("%s: known routes have %v requests, the sum is %v", outcome, all-unmatched, want)
		}
	}
	equalHistograms(t, families(t, svc), semconv.OutcomeSuccess)
	equalHistograms(t, families(t, svc), semconv.OutcomeServerError)
}

// families returns the metrics of a scrape.
func families(t *testing.T, svc *servicetest.Service) map[string]*dto.MetricFamily {
	t.Helper()
	_, page := get(t, svc.AdminURL+"/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	found, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func equalHistograms(t *testing.T, families map[string]*dto.MetricFamily, outcome string) {
	t.Helper()
	want, got := bucketsOf(families, semconv.HTTPServerRequestDuration, outcome), bucketsOf(families, semconv.HTTPServerRoutedRequestDuration, outcome)
	if !slices.Equal(got, want) || len(got) == 0 || got[len(got)-1] == 0 {
		t.Errorf("buckets of %s: %v, those of the routes add up to %v", outcome, got, want)
	}
}

// bucketsOf sums the buckets of one outcome on known routes.
func bucketsOf(families map[string]*dto.MetricFamily, name, outcome string) []uint64 {
	var sum []uint64
	for _, m := range families[name].GetMetric() {
		if labelOf(m, semconv.LabelOutcome) != outcome || labelOf(m, semconv.LabelRoute) == semconv.RouteUnmatched {
			continue
		}
		for i, b := range m.GetHistogram().GetBucket() {
			if i == len(sum) {
				sum = append(sum, 0)
			}
			sum[i] += b.GetCumulativeCount()
		}
	}
	return sum
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func TestOneHistogramForTheService(t *testing.T) {
	t.Parallel()
	svc := serve(t, varied(), nil, "HTTP_HISTOGRAMS="+httpserver.HistogramsByService)
	for _, path := range []string{"/ok", "/ok", "/missing", "/broken", "/nowhere"} {
		get(t, svc.URL+path)
	}
	svc.WaitMetric(semconv.HTTPServerRoutedRequestDuration, map[string]string{semconv.LabelOutcome: semconv.OutcomeSuccess}, 2)
	svc.WaitMetric(semconv.HTTPServerRoutedRequestDuration, map[string]string{semconv.LabelOutcome: semconv.OutcomeClientError}, 1)
	if n, found := svc.Metric(semconv.HTTPServerRequestDuration, nil); found {
		t.Errorf("histograms by route have %v requests", n)
	}
}

// README.md states the series of a route: counters of four outcomes, and a histogram for each
// status.
func TestSeriesOfARoute(t *testing.T) {
	t.Parallel()
	for histograms, want := range map[string]int{httpserver.HistogramsByRoute: 4 + 18, httpserver.HistogramsByService: 4} {
		few, _ := seriesOf(t, 10, histograms)
		many, size := seriesOf(t, 500, histograms)
		if got := (many - few) / 490; got != want || (many-few)%490 != 0 {
			t.Errorf("HTTP_HISTOGRAMS=%s: a route adds %d series, want %d", histograms, got, want)
		}
		t.Logf("HTTP_HISTOGRAMS=%s: 500 routes are %d series and a page of %.2f MB", histograms, many, float64(size)/1e6)
	}
}

// seriesOf counts the series of a service after one request to each of its routes.
func seriesOf(t *testing.T, routes int, histograms string) (series, size int) {
	t.Helper()
	r := chi.NewRouter()
	for i := range routes {
		r.Get(fmt.Sprintf("/r%d", i), func(http.ResponseWriter, *http.Request) {})
	}
	svc := serve(t, r, nil, "HTTP_HISTOGRAMS="+histograms)
	for i := range routes {
		get(t, fmt.Sprintf("%s/r%d", svc.URL, i))
	}
	svc.WaitMetric(semconv.HTTPServerRoutedRequests, map[string]string{semconv.LabelOutcome: semconv.OutcomeSuccess}, float64(routes))
	_, page := get(t, svc.AdminURL+"/metrics")
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "http_server_") {
			series++
		}
	}
	return series, len(page)
}

// Routes above the limit of labels share a series, which counts once.
func TestRoutedCountsSharedSeriesOnce(t *testing.T) {
	t.Parallel()
	const limit, routes = 1000, 1050
	r := chi.NewRouter()
	for i := range routes {
		r.Get(fmt.Sprintf("/r%d", i), func(http.ResponseWriter, *http.Request) {})
	}
	svc := serve(t, r, nil)
	for i := range routes {
		do(t, http.MethodGet, svc.URL+fmt.Sprintf("/r%d", i), "")
	}
	of := map[string]string{semconv.LabelOutcome: semconv.OutcomeSuccess}
	svc.WaitMetric(semconv.HTTPServerRequests, of, routes)
	if n, _ := svc.Metric(semconv.HTTPServerRoutedRequests, of); n != routes {
		t.Errorf("%v requests on all routes, want %d, of which %d are above the limit", n, routes, routes-limit)
	}
}
