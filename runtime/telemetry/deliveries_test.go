package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

// unreachable is a backend that rejects everything.
type unreachable struct{}

func (unreachable) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	return errors.New("connection refused")
}
func (unreachable) Shutdown(context.Context) error { return nil }

// An unreachable backend is logged once a minute, with the number of failures in between.
func TestUnreachableBackendIsLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var seconds atomic.Int64
	tel, err := telemetry.New(telemetry.Options{
		Service: "orders", Stdout: &out, SpanExporter: unreachable{},
		Now:    func() time.Time { return time.Unix(1_800_000_000+seconds.Load(), 0) },
		Config: telemetry.Config{TracesExporter: "otlp", Sampler: "always_on"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tel.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	provider := tel.TracerProvider().(*sdktrace.TracerProvider)
	// One batch every five seconds, as by default, for 2.5 minutes.
	for range 30 {
		_, span := provider.Tracer("test").Start(t.Context(), "work")
		span.End()
		if err := provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
		seconds.Add(5)
	}
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "telemetry not delivered"); n != 3 {
		t.Fatalf("%d lines, want 3:\n%s", n, out.String())
	}
	for i, want := range []any{nil, float64(11), float64(11)} {
		line := lines(t, &out)[i]
		if line["suppressed"] != want || line["signal"] != "traces" || line["error"] != "connection refused" {
			t.Errorf("line %d is %v, want suppressed=%v", i, line, want)
		}
	}
}
