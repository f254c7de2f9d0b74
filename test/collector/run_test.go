package collector

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// backend is an OTLP server that receives from the collector.
type backend struct {
	url  string
	mu   sync.Mutex
	span map[pcommon.TraceID]int // spans of each trace
	auth map[string]bool         // received values of headers
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{span: map[pcommon.TraceID]int{}, auth: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := b.receive(r); err != nil {
			t.Errorf("%s: %v", r.URL, err)
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *backend) receive(r *http.Request) error {
	unzipped, err := gzip.NewReader(r.Body)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(unzipped)
	if err != nil {
		return err
	}
	request := ptraceotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.auth[r.Header.Get("Authorization")+"|"+r.Header.Get("X-Scope-OrgID")] = true
	for _, resource := range request.Traces().ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				b.span[span.TraceID()]++
			}
		}
	}
	return nil
}

// locally overrides a configuration for the test: the collector listens on a
// socket, and does not use Kubernetes.
func locally(source, socket string) []string {
	return []string{
		source,
		"yaml:receivers::otlp::protocols::grpc: {transport: unix, endpoint: " + socket + "}",
		"yaml:receivers::otlp::protocols::http::endpoint: 127.0.0.1:0",
		"yaml:extensions::health_check::endpoint: 127.0.0.1:0",
		"yaml:service::telemetry::metrics: {level: none, readers: []}",
		"yaml:service::pipelines::metrics::receivers: [otlp]",
	}
}

// during calls do while a collector with the file runs. The shutdown then makes
// the decisions for all pending traces.
func during(ctx context.Context, source, socket string, do func()) error {
	c, err := otelcol.NewCollector(settings(locally(source, socket)...))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for c.GetState() != otelcol.StateRunning {
		select {
		case err := <-ended:
			return fmt.Errorf("the collector ended before it was running: %w", err)
		case <-again.C:
		}
	}
	do()
	c.Shutdown()
	return <-ended
}

// socket returns a path for the collector's socket. It is not in t.TempDir, since
// paths of sockets are limited to about 100 bytes.
func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "otel")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "otlp")
}

// starts returns an error if a collector with the file does not start. Sampling
// policies are validated at the start only.
func starts(t *testing.T, source string) error {
	t.Helper()
	return during(t.Context(), source, socket(t), func() {})
}

// trace is a root span and a child, which is sent before the root in another
// batch.
type trace struct {
	id       pcommon.TraceID
	duration time.Duration
	failed   bool
	mark     string // value of scaffold.sampling
}

func (tr trace) spans(child bool) ptrace.Traces {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(tr.id)
	start := time.Unix(1_800_000_000, 0)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	if child {
		span.SetSpanID([8]byte{2})
		span.SetParentSpanID([8]byte{1})
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(start.Add(tr.duration / 2)))
		return td
	}
	span.SetSpanID([8]byte{1})
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(start.Add(tr.duration)))
	if tr.failed {
		span.Status().SetCode(ptrace.StatusCodeError)
	}
	if tr.mark != "" {
		span.Attributes().PutStr("scaffold.sampling", tr.mark)
	}
	return td
}

// send sends children before roots, as services do.
func send(t *testing.T, socket string, traces []trace) {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	client := ptraceotlp.NewGRPCClient(conn)
	for _, child := range []bool{true, false} {
		all := ptrace.NewTraces()
		for _, tr := range traces {
			tr.spans(child).ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
		}
		if _, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(all)); err != nil {
			t.Error(err)
		}
	}
}

// traceID returns the same id in every run, so that sampling by ratio is
// deterministic.
func traceID(n uint64) pcommon.TraceID {
	random := rand.New(rand.NewPCG(1, n))
	var id pcommon.TraceID
	binary.BigEndian.PutUint64(id[:8], random.Uint64())
	binary.BigEndian.PutUint64(id[8:], random.Uint64())
	return id
}

// Failed, slow and marked traces are sampled completely, others with the ratio.
func TestTailSampling(t *testing.T) {
	b := newBackend(t)
	t.Setenv("OTLP_ENDPOINT", b.url)
	t.Setenv("OTLP_HEADERS", "{Authorization: Basic abc, X-Scope-OrgID: shop}")
	dir := generate(t, scaffold(t), service{telemetry: "{traceRatio: 0.2}", platforms: "[kubernetes]", thresholds: []string{"200ms", "1s"}})

	sampled := map[string]trace{
		"failed":                          {duration: time.Millisecond, failed: true},
		"slow":                            {duration: 200*time.Millisecond + 400*time.Microsecond},
		"error and slow-request sampling": {duration: time.Millisecond, mark: "error_slow"},
		"minimum sampling rate":           {duration: time.Millisecond, mark: "min_rate"},
	}
	// So many of each that the ratio alone cannot sample all.
	const each = 20
	var traces []trace
	reasons := map[pcommon.TraceID]string{}
	for reason, tr := range sampled {
		for range each {
			tr.id = traceID(uint64(len(traces)))
			reasons[tr.id] = reason
			traces = append(traces, tr)
		}
	}
	const fast = 1000
	for n := range uint64(fast) {
		traces = append(traces, trace{id: traceID(1000 + n), duration: 198 * time.Millisecond, mark: []string{"", "other"}[n%2]})
	}

	path := socket(t)
	if err := during(t.Context(), production(dir), path, func() { send(t, path, traces) }); err != nil {
		t.Fatal(err)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	for id, reason := range reasons {
		if b.span[id] != 2 {
			t.Errorf("%d of 2 spans were sampled; reason: %s", b.span[id], reason)
		}
		delete(b.span, id)
	}
	// Three standard deviations of 1,000 samples are 38.
	if kept := len(b.span); kept < 160 || kept > 240 {
		t.Errorf("%d of %d fast traces were sampled, want about 200", kept, fast)
	}
	for id, n := range b.span {
		if n != 2 {
			t.Errorf("%d of 2 spans of trace %s were sampled", n, id)
		}
	}
	if len(b.auth) != 1 || !b.auth["Basic abc|shop"] {
		t.Errorf("received headers %v, want those of OTLP_HEADERS", b.auth)
	}
}
