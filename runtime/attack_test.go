package runtime_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	goruntime "runtime"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/httpclient"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// victim is a service with unbounded labels: from the path, from a header, from the host, and
// from outgoing calls to hosts in a request.
type victim struct {
	telemetry *telemetry.Telemetry
	handler   http.Handler
	visits    *prometheus.CounterVec
	waits     *prometheus.HistogramVec
	client    *http.Client
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	tel, err := telemetry.New(telemetry.Options{Service: "victim", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{telemetry: tel}
	if v.visits, err = tel.Metrics().Counter("visits_total", "Visits.", "page", "tenant"); err != nil {
		t.Fatal(err)
	}
	if v.waits, err = tel.Metrics().Histogram("wait_seconds", "Waits.", []float64{0.1, 1}, "upstream"); err != nil {
		t.Fatal(err)
	}
	if v.client, err = httpclient.New(httpclient.Options{Telemetry: tel, Transport: cannedResponse{}}); err != nil {
		t.Fatal(err)
	}
	router := httpserver.NewRouter()
	router.Get("/pages/{name}", v.visit)
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	if v.handler, err = observer.Wrap(router); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *victim) visit(w http.ResponseWriter, r *http.Request) {
	v.visits.WithLabelValues(r.URL.Path, r.Header.Get("X-Tenant")).Inc()
	v.waits.With(prometheus.Labels{"upstream": r.Host}).Observe(0.01)
	w.WriteHeader(http.StatusNoContent)
}

// cannedResponse is a network on which every host responds.
type cannedResponse struct{}

func (cannedResponse) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

// sink is a response writer that discards everything.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header             { return s.header }
func (*sink) WriteHeader(int)                   {}
func (*sink) Write(b []byte) (int, error)       { return len(b), nil }
func (*sink) WriteString(s string) (int, error) { return len(s), nil }

// attack sends one request of each kind for each number: an unknown path, tenant, host and
// method.
func (v *victim) attack(t *testing.T, from, to int) {
	t.Helper()
	w := &sink{header: http.Header{}}
	for i := from; i < to; i++ {
		n := strconv.Itoa(i)
		r := &http.Request{
			Method: http.MethodGet, URL: &url.URL{Path: "/pages/" + n}, Host: "host-" + n + ".example",
			Header: http.Header{"X-Tenant": {"tenant-" + n}, "User-Agent": {"agent-" + n}, "X-Random-" + n: {n}},
			Body:   http.NoBody, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: "192.0.2.1:" + n,
		}
		clear(w.header)
		v.handler.ServeHTTP(w, r.WithContext(t.Context()))
		r.Method, r.URL = "M"+n, &url.URL{Path: "/nowhere/" + n}
		clear(w.header)
		v.handler.ServeHTTP(w, r.WithContext(t.Context()))
	}
}

func (v *victim) call(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://host-"+strconv.Itoa(i)+".example/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := v.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
}

// series counts the series of a scrape by metric.
func (v *victim) series(t *testing.T) map[string]int {
	t.Helper()
	families, err := v.telemetry.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, f := range families {
		count[f.GetName()] = len(f.GetMetric())
	}
	return count
}

func heap() uint64 {
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapAlloc
}

// After a million unknown paths, methods, hosts and headers, series and heap are what they were
// after the first thousands.
func TestAMillionNewValuesStayFlat(t *testing.T) { //nolint:paralleltest // measures the heap of the process
	const warm = 5000
	attacks, calls := 1_000_000, 100_000
	if raceEnabled {
		attacks, calls = 50_000, 10_000
		t.Logf("%d instead of a million because of the race detector", attacks)
	}
	v := newVictim(t)
	v.attack(t, 0, warm)
	v.call(t, 0, warm)
	before, heapBefore := v.series(t), heap()
	v.attack(t, warm, attacks)
	v.call(t, warm, calls)
	after, heapAfter := v.series(t), heap()

	for name, n := range after {
		if n != before[name] {
			t.Errorf("%s has %d series after %d attacks and %d after %d", name, before[name], warm, n, attacks)
		}
	}
	const slack = 4 << 20 // pools and the garbage collector
	if heapAfter > heapBefore+slack {
		t.Errorf("the heap grew from %d to %d bytes", heapBefore, heapAfter)
	}
	v.expectOverflows(t, attacks, before)
}

func (v *victim) expectOverflows(t *testing.T, attacks int, series map[string]int) {
	t.Helper()
	const labelLimit = 1000
	for metric, most := range map[string]int{
		"visits_total": labelLimit + 1, "wait_seconds": labelLimit + 1,
		semconv.HTTPServerRequests: 100, semconv.HTTPServerRequestDuration: 20, semconv.HTTPClientRequestDuration: 20,
	} {
		if got := series[metric]; got > most || got == 0 {
			t.Errorf("%s has %d series, want at most %d", metric, got, most)
		}
	}
	families, err := v.telemetry.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	for _, f := range families {
		if f.GetName() != semconv.RuntimeCardinalityOverflow {
			continue
		}
		for _, m := range f.GetMetric() {
			counted[fmt.Sprint(m.GetLabel()[1].GetValue(), " ", m.GetLabel()[0].GetValue())] = int(m.GetCounter().GetValue())
		}
	}
	for _, label := range []string{"visits_total page", "visits_total tenant", "wait_seconds upstream"} {
		if got := counted[label]; got != attacks-labelLimit {
			t.Errorf("%s overflowed %d times, want %d", label, got, attacks-labelLimit)
		}
	}
}
