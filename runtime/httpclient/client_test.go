package httpclient

import (
	"context"
	"errors"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// rig is a client with recorded spans and metrics.
type rig struct {
	*http.Client

	spans   *tracetest.SpanRecorder
	metrics *telemetry.Registry
	tracer  trace.Tracer
}

func newRig(t *testing.T, cfg Config, base http.RoundTripper, hosts ...string) *rig {
	t.Helper()
	cfg = cfg.withDefaults()
	g := &rig{spans: tracetest.NewSpanRecorder(), metrics: telemetry.NewRegistry(telemetry.Classic)}
	g.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(g.spans)).Tracer("test")
	m, err := newMetrics(g.metrics, cfg, "", hosts)
	if err != nil {
		t.Fatal(err)
	}
	if base == nil {
		transport := newTransport(cfg)
		t.Cleanup(transport.CloseIdleConnections)
		base = transport
	}
	g.Client = newClient(cfg, &observer{base: base, tracer: g.tracer, propagator: propagation.TraceContext{}, metrics: m})
	return g
}

func (g *rig) call(t *testing.T, method, target string, body io.Reader, header ...string) (int, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := g.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// series returns the counts of a metric as {label values} count, sorted.
func (g *rig) series(t *testing.T, metric string) []string {
	t.Helper()
	families, err := g.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetValue() != "" {
					labels = append(labels, l.GetValue())
				}
			}
			count := uint64(m.GetCounter().GetValue()) + m.GetHistogram().GetSampleCount()
			list = append(list, strings.Join(labels, " ")+" "+strconv.FormatUint(count, 10))
		}
	}
	slices.Sort(list)
	return list
}

func attributesOf(s sdktrace.ReadOnlySpan) map[string]string {
	m := map[string]string{}
	for _, a := range s.Attributes() {
		m[string(a.Key)] = a.Value.String()
	}
	return m
}

func TestACallIsOneSpanAndOneObservation(t *testing.T) {
	t.Parallel()
	var parent atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parent.Store(r.Header.Get("traceparent"))
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	g := newRig(t, Config{}, nil, "127.0.0.1")

	target := strings.Replace(server.URL, "http://", "http://user:hunter2@", 1) + "/v1/things?token=hunter2"
	status, text, err := g.call(t, http.MethodGet, target, nil)
	if err != nil || status != 200 || text != "hello" {
		t.Fatalf("got %d %q %v", status, text, err)
	}
	ended := g.spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("got %d spans, want 1", len(ended))
	}
	span := ended[0]
	wantParent := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
	if span.Name() != "GET" || span.SpanKind() != trace.SpanKindClient || parent.Load() != wantParent {
		t.Errorf("got span %s of kind %s, and the server saw %v; want GET, client, %s", span.Name(), span.SpanKind(), parent.Load(), wantParent)
	}
	u, _ := url.Parse(server.URL)
	want := map[string]string{
		"http.request.method": "GET", "server.address": "127.0.0.1", "server.port": u.Port(),
		"url.full": server.URL + "/v1/things", "http.response.status_code": "200", "network.protocol.version": "1.1",
	}
	got := attributesOf(span)
	for k, v := range want {
		if got[k] != v {
			t.Errorf("attribute %s is %q, want %q", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got attributes %v, want only %v", got, want)
	}
	if got, want := g.series(t, semconv.HTTPClientRequestDuration), []string{"GET 200 127.0.0.1 1"}; !slices.Equal(got, want) {
		t.Errorf("got series %q, want %q", got, want)
	}
}

func TestTheObservationEndsWithTheBody(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-release
	}))
	t.Cleanup(server.Close)
	g := newRig(t, Config{}, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := g.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(g.spans.Ended()); n != 0 {
		t.Errorf("got %d ended spans with the header, want 0", n)
	}
	close(release)
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	if n := len(g.spans.Ended()); n != 1 {
		t.Errorf("got %d ended spans at the end of the body, want 1", n)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := g.series(t, semconv.HTTPClientRequestDuration), []string{"GET 200 127.0.0.1 1"}; !slices.Equal(got, want) {
		t.Errorf("got series %q, want %q", got, want)
	}
}

func TestFailuresAreClassified(t *testing.T) {
	t.Parallel()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(cut.Close)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(slow.Close)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = discardLog()
	secure.StartTLS()
	t.Cleanup(secure.Close)
	closedListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rejected := "http://" + closedListener.Addr().String()
	if err := closedListener.Close(); err != nil {
		t.Fatal(err)
	}
	notFound := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(notFound.Close)

	for name, tt := range map[string]struct{ target, status, want string }{
		"a closed port":              {rejected, "", errorConnectRefused},
		"a name that does not exist": {"http://no-such-host.invalid", "", errorDNS},
		"an unknown certificate":     {secure.URL, "", errorTLS},
		"the connection breaks":      {cut.URL, "", errorReset},
		"the body breaks":            {cut.URL + "/body", "200", errorReset},
		"no header in time":          {slow.URL, "", errorTimeout},
		"an error status":            {notFound.URL, "404", "404"},
		"a server without TLS":       {strings.Replace(notFound.URL, "http:", "https:", 1), "", errorTLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newRig(t, Config{Attempts: 1, HeaderTimeout: 100 * time.Millisecond}, nil)
			_, _, err := g.call(t, http.MethodGet, tt.target, nil)
			if (err == nil) != (tt.status == "404") {
				t.Errorf("got error %v", err)
			}
			spans := g.spans.Ended()
			if len(spans) != 1 {
				t.Fatalf("got %d spans, want 1", len(spans))
			}
			if got := attributesOf(spans[0])["error.type"]; got != tt.want || spans[0].Status().Code != codes.Error {
				t.Errorf("got error.type %q (%v), want %q", got, err, tt.want)
			}
			got := g.series(t, semconv.HTTPClientRequestDuration)
			if len(got) != 1 || !strings.Contains(" "+got[0], " "+tt.want+" ") {
				t.Errorf("got series %q, want one with %s", got, tt.want)
			}
		})
	}
}

// script responds with one status after the other and records the requests.
type script struct {
	statuses []int // 0 rejects the connection
	header   http.Header
	bodies   []string
	at       []time.Time
	spans    []trace.SpanContext
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		sent = string(text)
	}
	status := s.statuses[min(len(s.at), len(s.statuses)-1)]
	s.bodies, s.at = append(s.bodies, sent), append(s.at, time.Now())
	s.spans = append(s.spans, trace.SpanContextFromContext(r.Context()))
	if status == 0 {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}
	}
	header := s.header
	if header == nil || status < 400 {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: io.NopCloser(strings.NewReader("answer"))}, nil
}

func TestRetries(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		method   string
		body     io.Reader
		header   []string
		statuses []int
		tries    int
		status   int // of the response; 0 for an error
	}{
		{name: "a GET after 503", method: "GET", statuses: []int{503, 200}, tries: 2, status: 200},
		{name: "a GET after a rejected connection", method: "GET", statuses: []int{0, 0, 200}, tries: 3, status: 200},
		{name: "no more than three times", method: "GET", statuses: []int{503}, tries: 3, status: 503},
		{name: "an error in all attempts", method: "GET", statuses: []int{0}, tries: 3, status: 0},
		{name: "429, 502 and 504 as well", method: "DELETE", statuses: []int{429, 502, 200}, tries: 3, status: 200},
		{name: "a PUT with its body", method: "PUT", body: strings.NewReader("order"), statuses: []int{504, 200}, tries: 2, status: 200},
		{name: "a POST with an Idempotency-Key", method: "POST", body: strings.NewReader("order"), header: []string{"Idempotency-Key", "1"}, statuses: []int{503, 201}, tries: 2, status: 201},
		{name: "not a POST without an Idempotency-Key", method: "POST", body: strings.NewReader("order"), statuses: []int{503, 201}, tries: 1, status: 503},
		{name: "not a PATCH", method: "PATCH", statuses: []int{503, 200}, tries: 1, status: 503},
		{name: "not a body that cannot be sent again", method: "PUT", body: io.MultiReader(strings.NewReader("order")), statuses: []int{503, 200}, tries: 1, status: 503},
		{name: "not a 500", method: "GET", statuses: []int{500, 200}, tries: 1, status: 500},
		{name: "not a 404", method: "GET", statuses: []int{404, 200}, tries: 1, status: 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{statuses: tt.statuses}
				g := newRig(t, Config{}, s)
				status, _, err := g.call(t, tt.method, "http://payments.internal/", tt.body, tt.header...)
				if status != tt.status || (err == nil) != (tt.status != 0) || len(s.at) != tt.tries {
					t.Errorf("got %d after %d tries, %v; want %d after %d", status, len(s.at), err, tt.status, tt.tries)
				}
				if tt.body != nil && slices.ContainsFunc(s.bodies, func(b string) bool { return b != "order" }) {
					t.Errorf("got bodies %q, want order each time", s.bodies)
				}
				spans := g.spans.Ended()
				if len(spans) != tt.tries {
					t.Fatalf("got %d spans, want one a try", len(spans))
				}
				for i, span := range spans {
					want := ""
					if i > 0 {
						want = strconv.Itoa(i)
					}
					if got := attributesOf(span)[string(attribute.Key("http.request.resend_count"))]; got != want {
						t.Errorf("try %d says resend_count %q, want %q", i, got, want)
					}
				}
				if got, want := g.series(t, semconv.HTTPClientRetries)[1], "payments.internal "+strconv.Itoa(tt.tries-1); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

func TestWaitsBetweenAttempts(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) string {
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Format(http.TimeFormat)
	}
	tests := []struct {
		name       string
		retryAfter string
		timeout    time.Duration
		tries      int
		least      time.Duration
	}{
		{name: "full jitter without Retry-After", tries: 3},
		{name: "Retry-After in seconds", retryAfter: "2", tries: 3, least: 2 * time.Second},
		{name: "Retry-After as a date", retryAfter: in(3 * time.Second), tries: 3, least: time.Second},
		{name: "a date that has passed", retryAfter: in(-time.Hour), tries: 3},
		{name: "an invalid Retry-After", retryAfter: "soon", tries: 3},
		{name: "a Retry-After that is too long", retryAfter: "3600", tries: 1},
		{name: "a Retry-After that overflows", retryAfter: "99999999999999999999", tries: 1},
		{name: "a Retry-After beyond the deadline", retryAfter: "4", timeout: 3 * time.Second, tries: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // the clock begins at 2000-01-01
				s := &script{statuses: []int{503, 503, 503}, header: http.Header{"Retry-After": {tt.retryAfter}}}
				g := newRig(t, Config{Timeout: tt.timeout}, s)
				status, text, err := g.call(t, http.MethodGet, "http://payments.internal/", nil)
				if err != nil || status != 503 || text != "answer" {
					t.Errorf("got %d %q %v, want the complete last response", status, text, err)
				}
				if len(s.at) != tt.tries {
					t.Fatalf("got %d tries, want %d", len(s.at), tt.tries)
				}
				if tt.tries == 1 {
					return
				}
				if wait := s.at[1].Sub(s.at[0]); wait < tt.least || wait > max(firstWait, 3*time.Second) {
					t.Errorf("got a wait of %s, want at least %s", wait, tt.least)
				}
			})
		})
	}
}

func TestBudgetLimitsRetriesToATenth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{statuses: []int{503}}
		g := newRig(t, Config{}, s, "payments.internal")
		const calls = 1000
		for range calls {
			if status, _, err := g.call(t, http.MethodGet, "http://Payments.Internal:8443/", nil); err != nil || status != 503 {
				t.Fatalf("got %d %v", status, err)
			}
		}
		retries := len(s.at) - calls
		if retries < calls/10 || retries > calls/10+budgetBurst {
			t.Errorf("got %d retries of %d calls, want a tenth and at most %d more", retries, calls, budgetBurst)
		}
		want := []string{"_OVERFLOW 0", "payments.internal " + strconv.Itoa(retries)}
		if got := g.series(t, semconv.HTTPClientRetries); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		suppressed := g.series(t, semconv.HTTPClientRetriesSuppressed)[1]
		n, err := strconv.Atoi(strings.TrimPrefix(suppressed, "payments.internal "))
		if err != nil || n < calls-retries {
			t.Errorf("got %q, want every call that was not retried", suppressed)
		}
	})
}

func TestOneHostDoesNotSpendAnothersBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{statuses: []int{503}}
		g := newRig(t, Config{}, s, "down.internal", "shaky.internal")
		for range 50 {
			_, _, _ = g.call(t, http.MethodGet, "http://down.internal/", nil)
		}
		before := len(s.at)
		_, _, _ = g.call(t, http.MethodGet, "http://shaky.internal/", nil)
		if tries := len(s.at) - before; tries != 3 {
			t.Errorf("got %d tries, want 3", tries)
		}
	})
}

func TestHostsAreBounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hosts []string
		own   int
	}{
		"declared hosts and one for the rest":      {[]string{"h3", "H4"}, 2},
		"the first sixteen without declared hosts": {nil, undeclaredHosts},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newRig(t, Config{}, &script{statuses: []int{200}}, tt.hosts...)
			for i := range 100 {
				if _, _, err := g.call(t, http.MethodGet, "http://h"+strconv.Itoa(i), nil); err != nil {
					t.Fatal(err)
				}
			}
			got := g.series(t, semconv.HTTPClientRequestDuration)
			over := "GET 200 _OVERFLOW " + strconv.Itoa(100-tt.own)
			if len(got) != tt.own+1 || !slices.Contains(got, over) {
				t.Errorf("got %d series %q, want %d and %q", len(got), got, tt.own+1, over)
			}
			want := []string{semconv.LabelServerAddress + " " + semconv.HTTPClientRequestDuration + " " + strconv.Itoa(100-tt.own)}
			if got := g.series(t, semconv.RuntimeCardinalityOverflow); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestCanceledCallEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{statuses: []int{503}, header: http.Header{"Retry-After": {"5"}}}
		g := newRig(t, Config{}, s)
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://payments.internal/", nil)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		resp, err := g.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, context.Canceled) || time.Since(began) != time.Second || len(s.at) != 1 {
			t.Errorf("got %v after %s and %d tries, want canceled after 1s and 1", err, time.Since(began), len(s.at))
		}
	})
}

func TestUpgradedConnectionsStayWritable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.CopyN(conn, conn, 4)
	}))
	t.Cleanup(server.Close)
	g := newRig(t, Config{}, nil)
	g.Timeout = 0 // as for any stream: the client's timeout wraps the body
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	resp, err := g.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	stream, ok := resp.Body.(io.ReadWriter)
	if !ok {
		t.Fatalf("the body is %T, which cannot be written", resp.Body)
	}
	if _, err := io.WriteString(stream, "ping"); err != nil {
		t.Fatal(err)
	}
	if echo, err := io.ReadAll(stream); err != nil || string(echo) != "ping" {
		t.Errorf("got %q, %v; want ping", echo, err)
	}
	if len(g.spans.Ended()) != 1 {
		t.Error("the span of the upgrade did not end")
	}
}

func TestMetricsPassTheLinter(t *testing.T) {
	t.Parallel()
	g := newRig(t, Config{}, &script{statuses: []int{200}})
	if _, _, err := g.call(t, "PURGE", "http://cache.internal/", nil); err != nil {
		t.Fatal(err)
	}
	found, err := testutil.GatherAndLint(g.metrics)
	if err != nil || len(found) != 0 {
		t.Errorf("got %v, %v", found, err)
	}
	if got, want := g.series(t, semconv.HTTPClientRequestDuration), []string{semconv.MethodOther + " 200 cache.internal 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNewWantsTelemetry(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "Telemetry()") {
		t.Errorf("got %v, want an error with the missing option", err)
	}
}

// FuzzRetryAfter checks the limits of the header's value.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "120", "-1", "1.5", "Fri, 31 Dec 1999 23:59:59 GMT", "99999999999999999999", "Sat, 01 Jan 9999 00:00:00 GMT"} {
		f.Add(seed)
	}
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string) {
		if got := retryAfter(header, now); got < 0 {
			t.Errorf("%q gave %s", header, got)
		}
	})
}

// discardLog returns a logger that drops errors about failed handshakes.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// A negative timeout would be no timeout, and a ratio of 50 would panic at the first call.
func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		config Config
		want   string
	}{
		{Config{Timeout: -time.Second}, "negative"},
		{Config{DialTimeout: -time.Second}, "negative"},
		{Config{TLSTimeout: -time.Second}, "negative"},
		{Config{HeaderTimeout: -time.Second}, "negative"},
		{Config{BreakerOpen: -time.Second}, "negative"},
		{Config{HedgeAfter: -time.Second}, "negative"},
		{Config{Attempts: -1}, "negative"},
		{Config{IdleConns: -1}, "negative"},
		{Config{BreakerRatio: 50}, "BreakerRatio is 50; write 0 to 1"},
		{Config{BreakerRatio: -0.5}, "BreakerRatio is -0.5"},
		{Config{BreakerRatio: math.NaN()}, "BreakerRatio is NaN"},
	} {
		if _, err := New(Options{Telemetry: tel, Config: tc.config}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("the error is %v, want %s", err, tc.want)
		}
	}
	if _, err := New(Options{Telemetry: tel}); err != nil {
		t.Errorf("the zero Config: %v", err)
	}
}
