package runtime_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// With everything enabled, each signal is exported: spans, log records, metrics and profiles.
func TestEverySignalArrives(t *testing.T) {
	t.Parallel()
	receiver := servicetest.NewReceiver(t)
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple,
		"OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "OTEL_LOGS_EXPORTER=otlp", "OTEL_METRICS_EXPORTER=otlp",
		"METRICS_PUSH_INTERVAL=1s", "PYROSCOPE_SERVER_ADDRESS="+receiver.URL, "PYROSCOPE_UPLOAD_INTERVAL=1s",
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=staging")
	res, err := http.Get(svc.URL + "/orders")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if status := svc.Stop(); status != 0 {
		t.Fatalf("status %d: %s", status, svc.Stderr())
	}
	// A shutdown flushes, so all signals have arrived.
	i := slices.IndexFunc(receiver.Spans(), func(s servicetest.Span) bool { return s.Name == "GET /orders" })
	if i < 0 {
		t.Fatalf("spans %+v", receiver.Spans())
	}
	span := receiver.Spans()[i]
	for key, want := range map[string]string{
		"service.name": "orders", "service.version": "v1", "deployment.environment.name": "staging",
	} {
		if span.Resource[key] != want {
			t.Errorf("resource %s is %v, want %s", key, span.Resource[key], want)
		}
	}
	if span.Attributes["pyroscope.profile.id"] != span.SpanID {
		t.Errorf("the span %v has no link to its profile", span.Attributes)
	}
	if !slices.Contains(receiver.Logs(), "request completed") {
		t.Errorf("log records %v", receiver.Logs())
	}
	for _, want := range []string{semconv.HTTPServerRequests, semconv.HTTPServerRequestDuration, semconv.BuildInfo} {
		if !slices.Contains(receiver.Metrics(), want) {
			t.Errorf("%s was not pushed: %v", want, receiver.Metrics())
		}
	}
	if profiles := receiver.Profiles(); len(profiles) == 0 || !strings.Contains(profiles[0].Name, "service_version=v1") {
		t.Errorf("profiles %+v", profiles)
	}
}

// collector is an OTLP collector over gRPC.
type collector struct {
	collectortrace.UnimplementedTraceServiceServer
	mu    sync.Mutex
	names []string
}

func (c *collector) Export(_ context.Context, req *collectortrace.ExportTraceServiceRequest) (*collectortrace.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range req.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				c.names = append(c.names, s.GetName())
			}
		}
	}
	return &collectortrace.ExportTraceServiceResponse{}, nil
}

func TestTracesOverGRPC(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, server := &collector{}, grpc.NewServer()
	collectortrace.RegisterTraceServiceServer(server, c)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple,
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+l.Addr().String())
	res, err := http.Get(svc.URL + "/orders")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if status := svc.Stop(); status != 0 {
		t.Fatalf("status %d: %s", status, svc.Stderr())
	}
	if !slices.Contains(c.names, "GET /orders") || !slices.Contains(c.names, "shutdown") {
		t.Errorf("spans %v", c.names)
	}
}
