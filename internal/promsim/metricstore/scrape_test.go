package metricstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

const (
	text        = "text/plain; version=0.0.4"
	openMetrics = "application/openmetrics-text; version=1.0.0"
	protobuf    = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)

// answers is a client whose server returns one page.
type answers struct {
	contentType, body string
	header            http.Header
	status            int
	err               error
}

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	h := a.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", a.contentType)
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return &http.Response{
		StatusCode: a.status, Status: fmt.Sprint(a.status, " ", http.StatusText(a.status)),
		Header: h, Body: io.NopCloser(strings.NewReader(a.body)),
	}, a.err
}

func (a answers) target() metricstore.Target {
	return metricstore.Target{
		URL:    "http://user:secret@orders.test/metrics",
		Labels: labels.FromStrings("instance", "orders:1", "job", "orders"),
		Client: &http.Client{Transport: a},
	}
}

func second(n int) time.Time { return time.Unix(int64(n), 0) }

// latest returns the newest value of each series, without the series about the scrape.
func latest(t testing.TB, s *metricstore.Store) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, x := range selected(t, s, labels.MustNewMatcher(labels.MatchNotRegexp, "__name__", "up|scrape_.*")) {
		it := x.Iterator(nil)
		for v := it.Next(); v != chunkenc.ValNone; v = it.Next() {
			switch v {
			case chunkenc.ValFloat:
				_, out[x.Labels().String()] = it.At()
			default:
				_, h := it.AtFloatHistogram(nil)
				out[x.Labels().String()] = h.Sum
			}
		}
	}
	return out
}

// newest returns the last sample of the only series with the name.
func newest(t testing.TB, s *metricstore.Store, name string) sample {
	t.Helper()
	all := read(t, one(t, s, name))
	return all[len(all)-1]
}

func TestScrapeSetsTargetLabelsAndTime(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	page := `# TYPE a counter
a{job="mine",exported_job="yours",x="1"} 3 1234567
b 4
`
	sc := metricstore.NewScraper(s, answers{contentType: text, body: page}.target())
	got, err := sc.Scrape(t.Context(), second(60))
	must(t, err)
	if got.Samples != 2 || got.Series != 2 || got.Bytes != len(page) {
		t.Errorf("got %+v", got)
	}
	want := map[string]float64{
		`{__name__="a", exported_exported_job="mine", exported_job="yours", instance="orders:1", job="orders", x="1"}`: 3,
		`{__name__="b", instance="orders:1", job="orders"}`:                                                            4,
	}
	if diff := cmp.Diff(want, latest(t, s)); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]float64{"a": 3, "up": 1, "scrape_samples_scraped": 2} {
		if got := newest(t, s, name); got != (sample{60_000, want}) {
			t.Errorf("%s: got %v, want %v at 60000", name, got, want)
		}
	}
	if got := newest(t, s, "scrape_duration_seconds"); got.V < 0 || got.V > 60 {
		t.Errorf("a scrape in memory took %v s", got.V)
	}
}

func TestScrapeMarksMissingSeriesStale(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	target := answers{contentType: text, body: "a 1\nb 1\n"}
	sc := metricstore.NewScraper(s, metricstore.Target{
		URL: "http://orders.test", Client: &http.Client{Transport: roundTripper(func() answers { return target })},
	})
	_, err := sc.Scrape(t.Context(), second(1))
	must(t, err)
	target.body = "b 2\nc 2\n"
	got, err := sc.Scrape(t.Context(), second(2))
	must(t, err)
	if got.Series != 1 {
		t.Errorf("%d new series, want c alone", got.Series)
	}
	if a := newest(t, s, "a"); a.T != 2000 || !value.IsStaleNaN(a.V) {
		t.Errorf("a is %v, want its end at 2000", a)
	}
	target.status = http.StatusServiceUnavailable
	if _, err := sc.Scrape(t.Context(), second(3)); err == nil {
		t.Error("a target that refuses is no error")
	}
	for _, name := range []string{"b", "c"} {
		if x := newest(t, s, name); x.T != 3000 || !value.IsStaleNaN(x.V) {
			t.Errorf("%s is %v, want its end at 3000", name, x)
		}
	}
	if up := newest(t, s, "up"); up != (sample{3000, 0}) {
		t.Errorf("up is %v", up)
	}
	target.status = 0
	_, err = sc.Scrape(t.Context(), second(4))
	must(t, err)
	if b := newest(t, s, "b"); b != (sample{4000, 2}) {
		t.Errorf("b is %v after the target is back", b)
	}
}

type roundTripper func() answers

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f().RoundTrip(r) }

func TestScrapeErrorsDescribeTheFix(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		page answers
		want []string
	}{
		{"an error status", answers{status: 503}, []string{"503 Service Unavailable", "correct the path"}},
		{"a page of another program", answers{contentType: "text/html; charset=utf-8", body: "<html>"}, []string{`"text/html; charset=utf-8"`, "another program"}},
		{"no content type", answers{body: "a 1\n"}, []string{`content type ""`}},
		{"protobuf of another message type", answers{contentType: "application/vnd.google.protobuf"}, []string{"content type"}},
		{"a malformed line", answers{contentType: text, body: "# HELP a b\n\na 1\na{ 2\nc 3\n"}, []string{"line 4", `"a{ 2"`, "correct what writes it"}},
		{"a truncated page", answers{contentType: openMetrics, body: "a 1\n"}, []string{"line 1", "# EOF"}},
		{"malformed protobuf", answers{contentType: protobuf, body: "\x05hello"}, []string{"malformed after 0 entries"}},
		{"a page that is too large", answers{contentType: text, body: strings.Repeat("a 1\n", 300)}, []string{"more than 1000 bytes", "raise the limit"}},
		{"a compression that was not accepted", answers{contentType: text, header: http.Header{"Content-Encoding": {"gzip"}}}, []string{`"gzip"`, "no compression was accepted"}},
		{"no response", answers{err: errors.New("the cable is out")}, []string{"the cable is out", "correct the address"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := metricstore.New()
			target := tc.page.target()
			target.MaxBytes = 1000
			_, err := metricstore.NewScraper(s, target).Scrape(t.Context(), second(1))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(tc.want, "http://user:xxxxx@orders.test/metrics") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is in %q", err)
			}
			if got := latest(t, s); len(got) > 0 {
				t.Errorf("kept %v of a page that is none", got)
			}
			if up := newest(t, s, "up"); up != (sample{1000, 0}) {
				t.Errorf("up is %v", up)
			}
		})
	}
}

func TestScrapeWithoutResponse(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	released := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-released:
		}
	}))
	t.Cleanup(func() { close(released); silent.Close() })
	gone := "http://" + l.Addr().String() + "/metrics"
	must(t, l.Close())
	for _, tc := range []struct{ name, url, want string }{
		{"no listener", gone, "nothing listens there"},
		{"no response in time", silent.URL, "no whole answer within 20ms"},
		{"an invalid address", "http://[::1", "the address is not one"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			target := metricstore.Target{URL: tc.url, Timeout: 20 * time.Millisecond}
			_, err := metricstore.NewScraper(metricstore.New(), target).Scrape(t.Context(), second(1))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), tc.url) {
				t.Errorf("got %v, want %q and the address in it", err, tc.want)
			}
		})
	}
}

func TestCanceledScrapeWritesNothing(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := metricstore.NewScraper(s, answers{contentType: text, body: "a 1\n"}.target()).Scrape(ctx, second(1))
	if !errors.Is(err, context.Canceled) || s.Stats().Series != 0 {
		t.Errorf("got %v and %d series", err, s.Stats().Series)
	}
}

func TestScrapesMustBeInOrderOfTime(t *testing.T) {
	t.Parallel()
	sc := metricstore.NewScraper(metricstore.New(), answers{contentType: text, body: "a 1\n"}.target())
	_, err := sc.Scrape(t.Context(), second(2))
	must(t, err)
	if _, err := sc.Scrape(t.Context(), second(2)); err == nil || !strings.Contains(err.Error(), "go forward in time") {
		t.Errorf("got %v", err)
	}
}

func TestFirstOfDuplicateSeriesCounts(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	page := "a 1\na 2\nup{instance=\"orders:1\"} 7\n"
	target := answers{contentType: text, body: page}.target()
	target.Labels = labels.FromStrings("instance", "orders:1")
	got, err := metricstore.NewScraper(s, target).Scrape(t.Context(), second(1))
	must(t, err)
	if a := newest(t, s, "a"); a.V != 1 || got.Samples != 3 || got.Series != 2 {
		t.Errorf("a is %v of %+v", a, got)
	}
}

// A registry over a real connection: both kinds of histogram, exemplars, and the negotiated compression.
func TestScrapeOfARegistry(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "took", Help: "How long it took.", Buckets: []float64{1, 5}, NativeHistogramBucketFactor: 1.1})
	reg.MustRegister(h)
	h.(prometheus.ExemplarObserver).ObserveWithExemplar(0.5, prometheus.Labels{"trace_id": "abc"})
	h.Observe(3)
	server := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	t.Cleanup(server.Close)
	s := metricstore.New()
	sc := metricstore.NewScraper(s, metricstore.Target{URL: server.URL, Labels: labels.FromStrings("job", "orders")})
	first, err := sc.Scrape(t.Context(), second(1))
	must(t, err)
	want := map[string]float64{
		`{__name__="took", job="orders"}`:                   3.5, // the native histogram, by its sum
		`{__name__="took_bucket", job="orders", le="+Inf"}`: 2,
		`{__name__="took_bucket", job="orders", le="1.0"}`:  1,
		`{__name__="took_bucket", job="orders", le="5.0"}`:  2,
		`{__name__="took_count", job="orders"}`:             2,
		`{__name__="took_sum", job="orders"}`:               3.5,
	}
	if diff := cmp.Diff(want, latest(t, s)); diff != "" {
		t.Error(diff)
	}
	for target, want := range map[metricstore.Target]int{{URL: server.URL, DropClassic: true}: 1, {URL: server.URL, DropNative: true}: 5} {
		kept := metricstore.New()
		_, err = metricstore.NewScraper(kept, target).Scrape(t.Context(), second(1))
		must(t, err)
		_, isNative := latest(t, kept)[`{__name__="took"}`]
		if got := latest(t, kept); len(got) != want || isNative == target.DropNative {
			t.Errorf("%+v keeps %v", target, got)
		}
	}
	es := s.Exemplars(0, math.MaxInt64, []*labels.Matcher{eq("__name__", "took_bucket")})
	if len(es) != 1 || len(es[0].Exemplars) != 1 || es[0].Exemplars[0].Ts != 1000 || es[0].Exemplars[0].Labels.Get("trace_id") != "abc" {
		t.Errorf("exemplars: %v", es)
	}
	again, err := sc.Scrape(t.Context(), second(2))
	must(t, err)
	if first.Exemplars == 0 || again.Exemplars != 0 || again.Series != 0 {
		t.Errorf("the first scrape found %+v, the same page again %+v", first, again)
	}
}

// FuzzScrape scrapes arbitrary pages: the scraper must store all samples of a page or none, and report which.
func FuzzScrape(f *testing.F) {
	for _, page := range []string{"a 1\n", "# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {t=\"x\"} 0.5\n# EOF\n", "a{", "<html>", "a NaN 5\n", "\x05hello"} {
		for kind := range byte(3) {
			f.Add(kind, []byte(page))
		}
	}
	f.Add(byte(2), registryPage(f))
	kinds := []string{text, openMetrics, protobuf}
	f.Fuzz(func(t *testing.T, kind byte, page []byte) {
		s := metricstore.New()
		target := answers{contentType: kinds[int(kind)%len(kinds)], body: string(page)}.target()
		target.MaxBytes = 1 << 16
		got, err := metricstore.NewScraper(s, target).Scrape(t.Context(), second(1))
		up := newest(t, s, "up").V
		if (up == 1) != (err == nil) {
			t.Fatalf("up is %v with error %v", up, err)
		}
		held := s.Stats().Series - 3
		if err != nil && held != 0 || held > got.Samples || held != got.Series {
			t.Fatalf("%d series held of %+v, error %v", held, got, err)
		}
		latest(t, s) // every series can be read
	})
}

func registryPage(f *testing.F) []byte {
	f.Helper()
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "took", Help: "How long it took.", Buckets: []float64{1}, NativeHistogramBucketFactor: 1.1})
	reg.MustRegister(h)
	h.Observe(3)
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	req.Header.Set("Accept", protobuf)
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(rec, req)
	return rec.Body.Bytes()
}
