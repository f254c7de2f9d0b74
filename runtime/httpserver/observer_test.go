package httpserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// serve runs the handler as a complete service.
func serve(t *testing.T, h http.Handler, options []httpserver.Option, env ...string) *servicetest.Service {
	t.Helper()
	run := func(ctx context.Context, svc *runtime.Service) error {
		svc.Handle(h, options...)
		return svc.Run(ctx)
	}
	return servicetest.Start(t, runtime.Info{Name: "orders", Version: "v1"}, runtime.Defaults{LatencyBounds: []float64{0.2}}, run, env...)
}

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	return do(t, http.MethodGet, url, "", header...)
}

func do(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Logf("reading %s %s: %v", method, url, err)
	}
	return res, string(text)
}

func counted(t *testing.T, svc *servicetest.Service, method, route, outcome string, want float64) {
	t.Helper()
	svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{
		semconv.LabelMethod: method, semconv.LabelRoute: route, semconv.LabelOutcome: outcome,
	}, want)
}

func TestRoutesOfEveryRouter(t *testing.T) {
	t.Parallel()
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	nested := chi.NewRouter()
	nested.Get("/{item}", ok)
	foreign := http.NewServeMux()
	foreign.HandleFunc("GET /ui/page", ok)
	router := httpserver.NewRouter()
	router.Get("/orders/{id}", ok)
	router.Post("/orders/", ok)
	router.Mount("/items", nested)
	router.Mount("/ui", foreign)

	svc := serve(t, router, nil)
	// Every known route has series at zero before the first request.
	for _, route := range [][2]string{{"GET", "/orders/{id}"}, {"POST", "/orders"}, {"GET", "/items/{item}"}} {
		for _, outcome := range semconv.Outcomes() {
			counted(t, svc, route[0], route[1], outcome, 0)
		}
	}
	for _, path := range []string{"/orders/1", "/orders/2", "/items/3"} {
		get(t, svc.URL+path)
	}
	for i := range 50 {
		get(t, fmt.Sprintf("%s/attack/%d", svc.URL, i))
		do(t, fmt.Sprintf("X%d", i), svc.URL+"/orders/1", "")
	}
	counted(t, svc, "GET", "/orders/{id}", semconv.OutcomeSuccess, 2)
	counted(t, svc, "GET", "/items/{item}", semconv.OutcomeSuccess, 1)
	counted(t, svc, "GET", semconv.RouteUnmatched, semconv.OutcomeClientError, 50)
	counted(t, svc, semconv.MethodOther, semconv.RouteUnmatched, semconv.OutcomeClientError, 50)
	// A mounted handler of another kind is one route.
	get(t, svc.URL+"/ui/page")
	counted(t, svc, "GET", "/ui/*", semconv.OutcomeSuccess, 1)
}

func TestServeMuxPatterns(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {})
	svc := serve(t, mux, []httpserver.Option{httpserver.Routes("GET /orders/{id}")})
	counted(t, svc, "GET", "/orders/{id}", semconv.OutcomeServerError, 0)
	get(t, svc.URL+"/orders/7")
	counted(t, svc, "GET", "/orders/{id}", semconv.OutcomeSuccess, 1)
	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "GET /orders/{id}" })
	if span.Attributes["http.route"] != "/orders/{id}" || span.Attributes["url.path"] != "/orders/7" {
		t.Errorf("attributes %v", span.Attributes)
	}
}

func TestInvalidRoutesAreRejected(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(telemetry.Options{Service: "x", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	_, err = observer.Wrap(http.NotFoundHandler(), httpserver.Routes("/orders", "GET orders", "FETCH /orders"))
	want := `route "/orders": write a method and a path, as in "GET /v1/orders/{id}"
route "GET orders": write a method and a path, as in "GET /v1/orders/{id}"
route "FETCH /orders": write a method and a path, as in "GET /v1/orders/{id}"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want\n%s", err, want)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/before", func(http.ResponseWriter, *http.Request) { panic("secret plan") })
	router.Get("/after", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("boom")
	})
	router.Get("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	svc := serve(t, router, nil)

	res, body := get(t, svc.URL+"/before")
	if res.StatusCode != http.StatusInternalServerError || strings.Contains(body, "secret") || !strings.Contains(body, `"code":"internal"`) {
		t.Errorf("before the header: %d %s", res.StatusCode, body)
	}
	if res, body := get(t, svc.URL+"/after"); res.StatusCode != http.StatusOK || body != "half" {
		t.Errorf("after the header: %d %q", res.StatusCode, body)
	}
	aborted, err := http.NewRequestWithContext(t.Context(), http.MethodGet, svc.URL+"/abort", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(aborted); err == nil {
		res.Body.Close()
		t.Error("an aborted handler has a response")
	}
	for _, route := range []string{"/before", "/after", "/abort"} {
		counted(t, svc, "GET", route, semconv.OutcomeServerError, 1)
	}
	line := svc.WaitLog(func(l servicetest.Line) bool { return l["msg"] == "handler panicked" && l["panic"] == "secret plan" })
	if !strings.Contains(line["stack"].(string), "observer_test.go") || line["trace_id"] == nil {
		t.Errorf("the panic's line %v has no stack or trace", line)
	}
	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "GET /before" })
	if !span.Failed || span.Attributes["error.type"] != "panic" {
		t.Errorf("the panic's span: %+v", span)
	}
	if res, _ := get(t, svc.URL+"/nothing"); res.StatusCode != http.StatusNotFound {
		t.Error("the server did not continue after panics")
	}
}

func TestDeadlineAndBodyLimit(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	router.Post("/read", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			httpserver.WriteProblem(w, r, err)
		}
	})
	svc := serve(t, router, nil, "HTTP_REQUEST_TIMEOUT=50ms", "HTTP_BODY_LIMIT=10")
	if res, body := get(t, svc.URL+"/slow"); res.StatusCode != http.StatusGatewayTimeout || !strings.Contains(body, "deadline_exceeded") {
		t.Errorf("request timeout: %d %s", res.StatusCode, body)
	}
	counted(t, svc, "GET", "/slow", semconv.OutcomeServerError, 1)
	if res, body := do(t, http.MethodPost, svc.URL+"/read", "more than ten bytes"); res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "limit of 10 bytes") {
		t.Errorf("a large body: %d %s", res.StatusCode, body)
	}
	counted(t, svc, "POST", "/read", semconv.OutcomeClientError, 1)
}

func TestCallerThatLeaves(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	router := httpserver.NewRouter()
	router.Get("/wait", func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	svc := serve(t, router, nil)
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, svc.URL+"/wait", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-entered; leave() }()
	if res, err := http.DefaultClient.Do(req); err == nil {
		res.Body.Close()
		t.Fatal("the client got a response")
	}
	counted(t, svc, "GET", "/wait", semconv.OutcomeClientError, 1)
	svc.WaitMetric(semconv.HTTPServerRequestDuration, map[string]string{semconv.LabelStatus: "499"}, 1)
}

func TestErrorsAreMappedOnce(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/fault", func(w http.ResponseWriter, r *http.Request) {
		httpserver.WriteProblem(w, r, apierror.Unavailable("no stock system").WithCause(errors.New("dial 10.0.0.7")))
	})
	svc := serve(t, router, nil)
	res, body := get(t, svc.URL+"/fault", "X-Request-Id", "call-7")
	if res.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "10.0.0.7") || !strings.Contains(body, `"request_id":"call-7"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res.Header.Get("Retry-After") == "" || res.Header.Get("X-Request-Id") != "call-7" {
		t.Errorf("header %v", res.Header)
	}
	line := svc.WaitLog(func(l servicetest.Line) bool { return l["msg"] == "request failed" })
	if line["error"] != "no stock system: dial 10.0.0.7" || line["request_id"] != "call-7" {
		t.Errorf("the log line lacks the cause: %v", line)
	}
	if res, _ := get(t, svc.URL+"/fault", "X-Request-Id", "evil\tid{}"); res.Header.Get("X-Request-Id") == "evil\tid{}" {
		t.Error("an invalid request id was echoed")
	}
}

func TestShedIsCountedApart(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/busy", func(w http.ResponseWriter, r *http.Request) {
		httpserver.MarkShed(r.Context())
		httpserver.WriteProblem(w, r, apierror.Unavailable("too busy"))
	})
	svc := serve(t, router, nil)
	get(t, svc.URL+"/busy")
	counted(t, svc, "GET", "/busy", semconv.OutcomeShed, 1)
	counted(t, svc, "GET", "/busy", semconv.OutcomeServerError, 0)
}

func TestTruncatedResponse(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "short")
	})
	svc := serve(t, router, nil)
	get(t, svc.URL+"/short")
	counted(t, svc, "GET", "/short", semconv.OutcomeServerError, 1)
}

// An event stream is counted, but is no latency and has no deadline.
func TestEventStream(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/events", func(w http.ResponseWriter, r *http.Request) {
		if _, limited := r.Context().Deadline(); !limited {
			t.Error("a request for a stream has no deadline")
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		if _, limited := r.Context().Deadline(); limited {
			t.Error("a stream has a deadline")
		}
	})
	svc := serve(t, router, nil)
	if _, body := get(t, svc.URL+"/events", "Accept", "text/event-stream"); body != "data: 1\n\n" {
		t.Errorf("got %q", body)
	}
	counted(t, svc, "GET", "/events", semconv.OutcomeSuccess, 1)
	svc.WaitMetric(semconv.HTTPServerStreamDuration, map[string]string{semconv.LabelRoute: "/events"}, 1)
	if n, found := svc.Metric(semconv.HTTPServerRequestDuration, map[string]string{semconv.LabelRoute: "/events"}); found {
		t.Errorf("%v streams are in the latency histogram", n)
	}
}

func TestWriterKeepsItsInterfaces(t *testing.T) {
	t.Parallel()
	var interfaces []string
	router := httpserver.NewRouter()
	router.Get("/hijack", func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(io.ReaderFrom); ok {
			interfaces = append(interfaces, "ReaderFrom")
		}
		if _, ok := w.(http.Flusher); ok {
			interfaces = append(interfaces, "Flusher")
		}
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		_ = buf.Flush()
	})
	svc := serve(t, router, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(svc.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /hijack HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v %v", res, err)
	}
	res.Body.Close()
	counted(t, svc, "GET", "/hijack", semconv.OutcomeSuccess, 1)
	svc.WaitMetric(semconv.HTTPServerStreamDuration, map[string]string{semconv.LabelRoute: "/hijack"}, 1)
	if want := []string{"ReaderFrom", "Flusher"}; !slices.Equal(interfaces, want) {
		t.Errorf("the writer is %v, want %v", interfaces, want)
	}
}

// A writer without optional interfaces gets none.
func TestPlainWriterStaysPlain(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(telemetry.Options{Service: "x", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := observer.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(http.Hijacker); ok {
			t.Error("claims to be a Hijacker")
		}
		if _, ok := w.(io.ReaderFrom); ok {
			t.Error("claims to be a ReaderFrom")
		}
		_, _ = io.WriteString(w, "x")
	}))
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder() // flushes, cannot be hijacked
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if rec.Body.String() != "x" {
		t.Errorf("got %q", rec.Body.String())
	}
}

// The span of a failed request that was not sampled is exported at its end, with the ids of its
// log line, as a child of the caller's span.
func TestErrorSlowSpanOfAFailure(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/fail", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	router.Get("/fine", func(http.ResponseWriter, *http.Request) {})
	svc := serve(t, router, nil, "OTEL_TRACES_SAMPLER=", "TRACE_RATIO=0")
	// The minimum sampling rate samples one new trace a second. Fail until a request was not
	// sampled.
	parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var errorSlow servicetest.Span
	for deadline := time.Now().Add(servicetest.Timeout); !hasErrorSlow(svc.Spans(), &errorSlow); {
		if time.Now().After(deadline) {
			t.Fatal("no unsampled failure was exported")
		}
		get(t, svc.URL+"/fine")
		get(t, svc.URL+"/fail", "traceparent", parent)
	}
	if errorSlow.TraceID != "0af7651916cd43dd8448eb211c80319c" || errorSlow.ParentID != "b7ad6b7169203331" || !errorSlow.Failed || errorSlow.Name != "GET /fail" {
		t.Errorf("the span %+v is not the request's", errorSlow)
	}
	svc.WaitLog(func(l servicetest.Line) bool {
		return l["span_id"] == errorSlow.SpanID && l["trace_id"] == errorSlow.TraceID && l["msg"] == "request failed" && l["sampled"] == false
	})
	if n, _ := svc.Metric(semconv.RuntimeErrorSlowSpans, nil); n < 1 {
		t.Errorf("%v error and slow spans are counted", n)
	}
}

func hasErrorSlow(spans []servicetest.Span, errorSlow *servicetest.Span) bool {
	for _, s := range spans {
		if s.Attributes["scaffold.sampling"] == "error_slow" {
			*errorSlow = s
			return true
		}
	}
	return false
}

// A draining server closes its connections after the response.
func TestDrainingResponsesCloseTheConnection(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/", func(http.ResponseWriter, *http.Request) {})
	router.Get("/upgrade", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	svc := serve(t, router, nil, "DRAIN_DELAY=10s")
	if res, _ := get(t, svc.URL+"/"); res.Close {
		t.Error("a server that is not draining closes connections")
	}
	svc.Signal(stopSignal{})
	deadline := time.Now().Add(servicetest.Timeout)
	for {
		res, _ := get(t, svc.URL+"/")
		if res.Close {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a draining server keeps connections")
		}
	}
	if connection := upgrade(t, svc.URL); connection != "Upgrade" {
		t.Errorf("a draining server responds to an upgrade with Connection: %s", connection)
	}
	// The second signal skips the drain delay. net/http may still be closing the connection of
	// the upgrade, so the exit code is not checked.
	svc.Signal(stopSignal{})
	_ = svc.Stop()
}

// upgrade returns the Connection header of the response to an upgrade.
func upgrade(t *testing.T, url string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /upgrade HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.Header.Get("Connection")
}

type stopSignal struct{}

func (stopSignal) Signal()        {}
func (stopSignal) String() string { return "stop" }

// Frameworks set a read deadline before they read a body. The deadline does not cancel a request
// whose body has arrived.
func TestAReadDeadlineAfterTheBodyCancelsNothing(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Post("/read", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		select {
		case <-r.Context().Done():
			t.Error("the request was canceled")
		case <-time.After(200 * time.Millisecond):
		}
	})
	svc := serve(t, router, nil)
	if res, _ := do(t, http.MethodPost, svc.URL+"/read", "body"); res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
}
