//go:build !race

package telemetry

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// The race detector makes pools drop objects; `make test` runs these tests without it.

func TestAllocationsOfALine(t *testing.T) {
	tel, err := New(Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := tel.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	ctx, now, text := parentContext(true, false), time.Now(), strings.Repeat("a", 30)
	got := testing.AllocsPerRun(1000, func() {
		attributes := [...]slog.Attr{slog.String("url_path", text), slog.Float64("duration_seconds", 0.25)}
		tel.WriteLine(ctx, now, slog.LevelInfo, "request completed", attributes[:])
	})
	if got > 0 {
		t.Errorf("a line allocates %v times", got)
	}
}

func TestAllocationsOfADecision(t *testing.T) {
	tel, err := New(Options{Service: "orders", Stdout: io.Discard, Config: Config{TracesExporter: "otlp"}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tel.Decide(trace.SpanContext{}, now) // uses the minimum rate of this second
	remote := trace.SpanContextFromContext(parentContext(true, true))
	if got := testing.AllocsPerRun(1000, func() {
		if tel.Decide(trace.SpanContext{}, now).Span.IsSampled() || tel.Decide(remote, now).Span.TraceID() != remote.TraceID() {
			t.Error("the decision differs from the sampler's")
		}
	}); got > 0 {
		t.Errorf("two decisions allocate %v times", got)
	}
}
