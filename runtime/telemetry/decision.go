package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Decision is what is known of a span before it is started: its ids, and in
// their flags whether it is sampled. A span that is not sampled need not be
// started at all: log lines and calls to other services want only the ids.
type Decision struct {
	Span       trace.SpanContext
	attributes []attribute.KeyValue // the sampler's
}

// Decide gives the child of parent, or the first span of a new trace when parent
// is not valid, its ids and asks the sampler. It does not allocate for a span
// that is dropped, unless OTEL_TRACES_SAMPLER chose the sampler.
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

// StartSpan starts the span that was decided on, with a tracer of this telemetry's
// provider. Its parent is the span of the context, as ever.
func (*Telemetry) StartSpan(ctx context.Context, tracer trace.Tracer, d Decision, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	decided := &decidedContext{Context: ctx, decision: d}
	ctx, span := tracer.Start(decided, name, options...)
	// Spans that are started below this one decide anew.
	decided.spent = true
	return ctx, span
}

// decidedContext tells sampler and id generator what was decided, until the
// span that it is about has started.
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
