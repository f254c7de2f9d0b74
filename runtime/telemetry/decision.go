package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Decision has the ids of a span before its start, and whether it is sampled. An unsampled span
// need not be started: log lines and outgoing calls need only the ids.
type Decision struct {
	Span       trace.SpanContext
	attributes []attribute.KeyValue // of the sampler
}

// Decide makes the sampling decision for a child of parent, or for the root span of a new trace
// if parent is invalid. It does not allocate for an unsampled span, unless OTEL_TRACES_SAMPLER is
// set.
func (t *Telemetry) Decide(parent trace.SpanContext, now time.Time) Decision {
	id := parent.TraceID()
	if !parent.IsValid() {
		id = randomTraceID()
	}
	result := t.sample(parent, id, now)
	flags := parent.TraceFlags().WithSampled(result.Decision == sdktrace.RecordAndSample)
	return Decision{
		Span: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: id, SpanID: randomSpanID(), TraceFlags: flags, TraceState: result.Tracestate,
		}),
		attributes: result.Attributes,
	}
}

func (t *Telemetry) sample(parent trace.SpanContext, id trace.TraceID, now time.Time) sdktrace.SamplingResult {
	if t.own != nil {
		return t.own.decide(parent, id, now)
	}
	ctx := context.Background()
	if parent.IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, parent)
	}
	return t.sampler.ShouldSample(sdktrace.SamplingParameters{ParentContext: ctx, TraceID: id, Kind: trace.SpanKindServer})
}

// StartSpan starts the span of a decision with a tracer of this package's provider. Its parent is
// the span of ctx.
func (*Telemetry) StartSpan(ctx context.Context, tracer trace.Tracer, d Decision, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	decided := &decidedContext{Context: ctx, decision: d}
	ctx, span := tracer.Start(decided, name, options...)
	// Child spans get their own decisions.
	decided.spent = true
	return ctx, span
}

// decidedContext passes a decision to sampler and id generator until its span has started.
type decidedContext struct {
	context.Context
	decision Decision
	spent    bool
}

type decisionKey struct{}

// Value implements [context.Context].
func (c *decidedContext) Value(key any) any {
	if key == (decisionKey{}) && !c.spent {
		return &c.decision
	}
	return c.Context.Value(key)
}

func decisionOf(ctx context.Context) *Decision {
	d, _ := ctx.Value(decisionKey{}).(*Decision)
	return d
}
