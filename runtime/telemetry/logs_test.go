package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

type steps struct{ now time.Time }

func (s *steps) Now() time.Time { return s.now }

func newLogger(t *testing.T, now func() time.Time) (*slog.Logger, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	tel, err := telemetry.New(telemetry.Options{
		Service: "orders", Stdout: &out, Now: now,
		Config: telemetry.Config{TracesExporter: "otlp", Sampler: "always_on"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tel.Logger(), &out
}

func lines(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for text := range strings.Lines(out.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	return all
}

func TestLinesCarryTheSpan(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: &out, Config: telemetry.Config{TracesExporter: "otlp", Sampler: "always_on"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := tel.TracerProvider().Tracer("test").Start(t.Context(), "work")
	tel.Logger().With("a", 1).InfoContext(ctx, "hello", "b", 2)
	span.End()
	tel.Logger().Info("outside")
	got := lines(t, &out)
	if got[0]["trace_id"] != span.SpanContext().TraceID().String() || got[0]["a"] != float64(1) {
		t.Errorf("line %v lacks the trace id or the logger's own attribute", got[0])
	}
	if got[1]["trace_id"] != nil {
		t.Errorf("line %v outside a span has one", got[1])
	}
}

// The ids are at the top level, outside all groups of the logger, where queries expect them.
func TestIDsAreAtTheTopLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: &out, Config: telemetry.Config{TracesExporter: "otlp", Sampler: "always_on"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := tel.TracerProvider().Tracer("test").Start(t.Context(), "work")
	defer span.End()
	tel.Logger().WithGroup("payment").InfoContext(ctx, "paid", "amount", 7)
	got := lines(t, &out)[0]
	if got["trace_id"] != span.SpanContext().TraceID().String() || got["sampled"] != true {
		t.Errorf("line %v", got)
	}
}

func TestIdenticalErrorsAreLimited(t *testing.T) {
	t.Parallel()
	clock := &steps{now: time.Unix(1_800_000_000, 0)}
	logger, out := newLogger(t, clock.Now)
	for range 100 {
		logger.Error("payment rejected", "error", errors.New("x"))
	}
	logger.Error("another kind")
	for range 100 {
		logger.Info("order placed")
	}
	clock.now = clock.now.Add(time.Minute)
	logger.Error("payment rejected")
	got := lines(t, out)
	if want := 20 + 1 + 100 + 1; len(got) != want {
		t.Fatalf("%d lines, want %d", len(got), want)
	}
	if last := got[len(got)-1]; last["suppressed"] != float64(80) {
		t.Errorf("the first line after the pause is %v, want suppressed=80", last)
	}
}

func TestLevelsCanBeChanged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: &out, Config: telemetry.Config{LogLevel: slog.LevelWarn}})
	if err != nil {
		t.Fatal(err)
	}
	tel.Logger().Info("hidden")
	tel.Level().Set(slog.LevelDebug)
	tel.Logger().Debug("shown")
	if got := out.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "shown") {
		t.Errorf("got %s", got)
	}
	if !tel.Logger().Enabled(context.Background(), slog.LevelDebug) {
		t.Error("the logger does not know its level")
	}
}
