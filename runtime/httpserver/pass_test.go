package httpserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// pass is an Observer around a handler, without a service.
type pass struct {
	t         testing.TB
	telemetry *telemetry.Telemetry
	observer  *httpserver.Observer
	handler   http.Handler
	exporter  spanKeeper
	logs      lockedBuffer
}

func newPass(t testing.TB, sampling telemetry.Sampling, next http.Handler, options ...httpserver.Option) *pass {
	t.Helper()
	p := &pass{t: t}
	var err error
	p.telemetry, err = telemetry.New(telemetry.Options{
		Service: "orders", Stdout: &p.logs, SpanExporter: &p.exporter, Sampling: sampling,
		Config: telemetry.Config{TracesExporter: "otlp", Propagators: []string{"tracecontext", "baggage"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.telemetry.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.observer, err = httpserver.NewObserver(httpserver.Options{Telemetry: p.telemetry}); err != nil {
		t.Fatal(err)
	}
	if p.handler, err = p.observer.Wrap(next, options...); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pass) serve(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, r)
	return rec
}

func (p *pass) get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return p.serve(r)
}

// spans stops the telemetry and returns the exported spans.
func (p *pass) spans() []sdktrace.ReadOnlySpan {
	p.t.Helper()
	p.flush()
	p.exporter.mu.Lock()
	defer p.exporter.mu.Unlock()
	return p.exporter.spans
}

// said returns the log. Lines are written asynchronously.
func (p *pass) said() string {
	p.t.Helper()
	p.flush()
	return p.logs.String()
}

func (p *pass) flush() {
	p.t.Helper()
	if err := p.telemetry.Shutdown(context.Background()); err != nil {
		p.t.Fatal(err)
	}
}

// count sums the samples of a metric with the given labels.
func (p *pass) count(metric string, labels prometheus.Labels) float64 {
	p.t.Helper()
	families, err := p.telemetry.Metrics().Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == metric && hasLabels(m, labels) {
				sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func hasLabels(m *dto.Metric, want prometheus.Labels) bool {
	found := 0
	for _, pair := range m.GetLabel() {
		if value, ok := want[pair.GetName()]; ok && value == pair.GetValue() {
			found++
		}
	}
	return found == len(want)
}

// spanKeeper keeps exported spans.
type spanKeeper struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

// ExportSpans implements [sdktrace.SpanExporter].
func (k *spanKeeper) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spans = append(k.spans, spans...)
	return nil
}

// Shutdown implements [sdktrace.SpanExporter].
func (*spanKeeper) Shutdown(context.Context) error { return nil }

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func attribute(s sdktrace.ReadOnlySpan, key string) string {
	for _, a := range s.Attributes() {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

func silent(http.ResponseWriter, *http.Request) {}

// A request that is not sampled has a span without recording, with the ids of its log line.
func TestUnsampledRequestsHaveIDs(t *testing.T) {
	t.Parallel()
	var inside trace.SpanContext
	var header http.Header
	var p *pass
	p = newPass(t, telemetry.Sampling{TrustRemote: true}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		span := trace.SpanFromContext(r.Context())
		inside = span.SpanContext()
		if span.IsRecording() {
			t.Error("an unsampled span records")
		}
		header = http.Header{}
		p.telemetry.Propagator().Inject(r.Context(), carrier(header))
		p.telemetry.Logger().InfoContext(r.Context(), "inside")
		_, child := span.TracerProvider().Tracer("x").Start(r.Context(), "child")
		if child.SpanContext().TraceID() != inside.TraceID() || child.SpanContext().IsSampled() {
			t.Errorf("the child %v is not of the trace %v", child.SpanContext(), inside)
		}
	}))
	p.get("/", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "tracestate", "vendor=1")
	want := fmt.Sprintf("00-0af7651916cd43dd8448eb211c80319c-%s-00", inside.SpanID())
	if header.Get("traceparent") != want || header.Get("tracestate") != "vendor=1" || inside.SpanID().String() == "b7ad6b7169203331" {
		t.Errorf("downstream gets %v, inside is %v", header, inside)
	}
	if logs := p.said(); !strings.Contains(logs, `"span_id":"`+inside.SpanID().String()+`","sampled":false`) {
		t.Errorf("the line has other ids: %s", logs)
	}
	if spans := p.spans(); len(spans) != 0 {
		t.Errorf("%d spans are exported", len(spans))
	}
}

type carrier http.Header

func (c carrier) Get(key string) string { return http.Header(c).Get(key) }
func (c carrier) Set(key, value string) { http.Header(c).Set(key, value) }
func (c carrier) Keys() []string        { return nil }

// A panic is an exception event on the span, whether it was sampled or exported because of the
// error.
func TestPanicsAreOnTheSpan(t *testing.T) {
	t.Parallel()
	for name, ratio := range map[string]float64{"sampled": 1, "late": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPass(t, telemetry.Sampling{Ratio: ratio, TrustRemote: true}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/after" {
					w.WriteHeader(http.StatusOK)
				}
				panic(errors.New("the plan"))
			}))
			flag := "0" + fmt.Sprint(ratio)
			parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-" + flag
			p.get("/before", "traceparent", parent)
			func() {
				defer func() {
					if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
						t.Errorf("the connection is not closed after the header, but %v", err)
					}
				}()
				p.get("/after", "traceparent", parent)
			}()
			spans := p.spans()
			if len(spans) != 2 {
				t.Fatalf("%d spans, want 2", len(spans))
			}
			for _, s := range spans {
				if len(s.Events()) != 1 || s.Events()[0].Name != "exception" {
					t.Fatalf("events %v", s.Events())
				}
				event := map[string]string{}
				for _, a := range s.Events()[0].Attributes {
					event[string(a.Key)] = a.Value.String()
				}
				if event["exception.message"] != "the plan" || event["exception.type"] != "*errors.errorString" ||
					!strings.Contains(event["exception.stacktrace"], "pass_test.go") {
					t.Errorf("the event is %v", event)
				}
				if attribute(s, "error.type") != "panic" || s.Parent().SpanID().String() != "b7ad6b7169203331" {
					t.Errorf("the span %v has no caller or error.type", s.Attributes())
				}
			}
			if n := p.count(semconv.HTTPServerPanics, nil); n != 2 {
				t.Errorf("%v panics are counted, want 2", n)
			}
		})
	}
}

// Another instrumentation around this one is reported once.
func TestSecondServerSpanIsReportedOnce(t *testing.T) {
	t.Parallel()
	p := newPass(t, telemetry.Sampling{Ratio: 1}, http.HandlerFunc(silent))
	tracer := p.telemetry.TracerProvider().Tracer("another")
	for _, kind := range []trace.SpanKind{trace.SpanKindServer, trace.SpanKindServer} {
		ctx, span := tracer.Start(t.Context(), "above", trace.WithSpanKind(kind))
		p.serve(httptest.NewRequest(http.MethodGet, "/", http.NoBody).WithContext(ctx))
		span.End()
	}
	if n := strings.Count(p.said(), "requests have two server spans"); n != 1 {
		t.Errorf("warned %d times:\n%s", n, p.said())
	}
	for _, s := range p.spans() {
		if s.Name() != "above" && !s.Parent().IsValid() {
			t.Error("the span is not a child of the outer one")
		}
	}
}

func TestInternalSpanIsNotReported(t *testing.T) {
	t.Parallel()
	p := newPass(t, telemetry.Sampling{Ratio: 1}, http.HandlerFunc(silent))
	ctx, span := p.telemetry.TracerProvider().Tracer("another").Start(t.Context(), "above", trace.WithSpanKind(trace.SpanKindInternal))
	p.serve(httptest.NewRequest(http.MethodGet, "/", http.NoBody).WithContext(ctx))
	span.End()
	if said := p.said(); strings.Contains(said, "two server spans") {
		t.Errorf("an internal span is taken for a server span:\n%s", said)
	}
}

// A second Observer below a router is reported once, too, even if nothing is sampled.
func TestNestedObserversAreReportedOnce(t *testing.T) {
	t.Parallel()
	inner := newPass(t, telemetry.Sampling{TrustRemote: true}, http.HandlerFunc(silent))
	mux := http.NewServeMux()
	mux.Handle("/", inner.handler)
	outer := newPass(t, telemetry.Sampling{TrustRemote: true}, mux)
	for range 3 {
		outer.get("/", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	}
	if n := strings.Count(inner.said(), "requests have two server spans"); n != 1 {
		t.Errorf("warned %d times:\n%s", n, inner.said())
	}
}

func TestBodiesAreCounted(t *testing.T) {
	t.Parallel()
	p := newPass(t, telemetry.Sampling{Ratio: 1}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 7)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}))
	p.serve(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 100))))
	span := p.spans()[0]
	if attribute(span, "http.request.body.size") != "100" || attribute(span, "http.response.body.size") != "100" {
		t.Errorf("the span has %v", span.Attributes())
	}
	if line := p.logs.String(); !strings.Contains(line, `"http_request_body_size":100,"http_response_body_size":100`) {
		t.Errorf("the line is %s", line)
	}
}

func TestHandlersThatCannotBeObserved(t *testing.T) {
	t.Parallel()
	if _, err := httpserver.NewObserver(httpserver.Options{}); err == nil || !strings.Contains(err.Error(), "Options.Telemetry is nil") {
		t.Errorf("no telemetry: %v", err)
	}
	p := newPass(t, telemetry.Sampling{}, http.HandlerFunc(silent))
	for name, tc := range map[string]struct {
		handler http.Handler
		option  httpserver.Option
		want    string
	}{
		"nil":            {nil, nil, "the handler is nil; pass a router, such as httpserver.NewRouter()"},
		"observed twice": {p.handler, nil, "the handler is already observed; wrap it only once"},
		"an invalid procedure": {http.NotFoundHandler(), httpserver.Procedures("AddItem"),
			`procedure "AddItem": write the path of the call, as in "/shop.v1.CartService/AddItem"`},
	} {
		var options []httpserver.Option
		if tc.option != nil {
			options = append(options, tc.option)
		}
		if _, err := p.observer.Wrap(tc.handler, options...); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

// Sampled requests have at most one exemplar per interval.
func TestExemplarsAreRare(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ratio float64
		want  bool
	}{"sampled": {1, true}, "not sampled": {0, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPass(t, telemetry.Sampling{Ratio: tc.ratio, TrustRemote: true}, http.HandlerFunc(silent))
			for range 50 {
				p.get("/", "traceparent", fmt.Sprintf("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0%v", tc.ratio))
			}
			families, err := p.telemetry.Metrics().Gather()
			if err != nil {
				t.Fatal(err)
			}
			exemplars := 0
			for _, f := range families {
				for _, m := range f.GetMetric() {
					for _, b := range m.GetHistogram().GetBucket() {
						if b.GetExemplar() != nil {
							exemplars++
						}
					}
				}
			}
			if tc.want != (exemplars > 0) {
				t.Errorf("%d exemplars", exemplars)
			}
		})
	}
}
