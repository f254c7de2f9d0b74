package telemetry

import (
	"context"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func newSampled(t *testing.T, c Config, s Sampling) *Telemetry {
	t.Helper()
	c.TracesExporter = "otlp"
	tel, err := New(Options{Service: "orders", Config: c, Sampling: s})
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

// The started span has the ids and the decision. Its children have their own ids.
func TestASpanIsStartedAsDecided(t *testing.T) {
	t.Parallel()
	for name, parent := range map[string]context.Context{
		"a new trace":      context.Background(),
		"a caller's trace": parentContext(true, true),
		"a local trace":    parentContext(true, false),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel := newSampled(t, Config{}, Sampling{Ratio: 1})
			tracer := tel.TracerProvider().Tracer("test")
			caller := trace.SpanContextFromContext(parent)
			d := tel.Decide(caller, time.Now())
			ctx, span := tel.StartSpan(parent, tracer, d, "work")
			if got := span.SpanContext(); !got.Equal(d.Span) || !got.IsSampled() {
				t.Errorf("the span is %v, decided was %v", got, d.Span)
			}
			if got := span.(sdktrace.ReadOnlySpan).Parent(); !got.Equal(caller) {
				t.Errorf("the parent is %v, want %v", got, caller)
			}
			_, child := tracer.Start(ctx, "part")
			if got := child.SpanContext(); got.TraceID() != d.Span.TraceID() || got.SpanID() == d.Span.SpanID() {
				t.Errorf("the child is %v below %v", got, d.Span)
			}
		})
	}
}

func TestDecisionsFollowTheSampler(t *testing.T) {
	t.Parallel()
	caller := trace.SpanContextFromContext(parentContext(true, true))
	for name, tc := range map[string]struct {
		config   Config
		sampling Sampling
		parent   trace.SpanContext
		want     bool
	}{
		"an untrusted caller's flag is ignored": {Config{}, Sampling{}, caller, false},
		"a trusted caller's flag applies":       {Config{}, Sampling{TrustRemote: true}, caller, true},
		"always_on":                             {Config{Sampler: "always_on"}, Sampling{}, trace.SpanContext{}, true},
		"a parent for always_off":               {Config{Sampler: "parentbased_always_off"}, Sampling{}, caller, true},
		"traces are not exported":               {Config{Disabled: true}, Sampling{Ratio: 1, TrustRemote: true}, caller, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel := newSampled(t, tc.config, tc.sampling)
			now := time.Now()
			tel.Decide(trace.SpanContext{}, now) // uses the minimum rate of this second
			got := tel.Decide(tc.parent, now).Span
			if got.IsSampled() != tc.want || !got.IsValid() || tc.parent.IsValid() && got.TraceID() != tc.parent.TraceID() {
				t.Errorf("got %+v, want sampled %v", got, tc.want)
			}
		})
	}
}
