package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope is the instrumentation scope of the runtime.
const scope = "github.com/observability-first/scaffold/runtime"

func (t *Telemetry) initTraces() error {
	own := t.opts.Sampling
	chosen, err := t.opts.Config.sampler(own, t.opts.Now)
	if err != nil {
		return err
	}
	t.sampler = chosen
	t.own, _ = chosen.(*sampler)
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(t.resource),
		sdktrace.WithSampler(decidedSampler{next: chosen}),
		sdktrace.WithIDGenerator(ids{}),
	}
	if t.opts.Config.exportsTraces() {
		exporter := t.newSpanExporter()
		processor := &spanProcessor{
			exporter: exporter,
			batches:  newBatcher(t.opts.Config.batchPeriod(), logging(t, "traces", exporter.ExportSpans), t.dropper("traces")),
		}
		options = append(options, sdktrace.WithSpanProcessor(processor))
		t.signals = append(t.signals, signal{
			name: "traces",
			start: func(ctx context.Context) error {
				processor.batches.start()
				return startExporter(ctx, exporter)
			},
			shutdown: processor.Shutdown,
		})
	}
	t.provider = sdktrace.NewTracerProvider(options...)
	t.tracers = t.withProfiles(t.provider)
	t.errorSlowTracer = t.provider.Tracer(scope, trace.WithInstrumentationVersion(t.opts.Version))
	return nil
}

// startExporter connects an OTLP exporter.
func startExporter(ctx context.Context, e sdktrace.SpanExporter) error {
	if otlp, ok := e.(*otlptrace.Exporter); ok {
		return otlp.Start(ctx)
	}
	return nil
}

// newSpanExporter returns an exporter that is not connected yet.
func (t *Telemetry) newSpanExporter() sdktrace.SpanExporter {
	if t.opts.SpanExporter != nil {
		return t.opts.SpanExporter
	}
	url := t.opts.Config.url(t.opts.Config.TracesEndpoint, "/v1/traces")
	if t.opts.Config.Protocol == "grpc" {
		var options []otlptracegrpc.Option
		if url != "" {
			options = append(options, otlptracegrpc.WithEndpointURL(url))
		}
		return otlptrace.NewUnstarted(otlptracegrpc.NewClient(options...))
	}
	var options []otlptracehttp.Option
	if url != "" {
		options = append(options, otlptracehttp.WithEndpointURL(url))
	}
	return otlptrace.NewUnstarted(otlptracehttp.NewClient(options...))
}

// spanProcessor is a batch processor that counts drops.
type spanProcessor struct {
	exporter sdktrace.SpanExporter
	batches  *batcher[sdktrace.ReadOnlySpan]
}

// OnStart implements [sdktrace.SpanProcessor].
func (*spanProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements [sdktrace.SpanProcessor]. It never blocks.
func (p *spanProcessor) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		p.batches.add(s)
	}
}

// ForceFlush implements [sdktrace.SpanProcessor].
func (p *spanProcessor) ForceFlush(ctx context.Context) error { return p.batches.flush(ctx) }

// Shutdown implements [sdktrace.SpanProcessor].
func (p *spanProcessor) Shutdown(ctx context.Context) error {
	if err := p.batches.shutdown(ctx); err != nil {
		return err
	}
	return p.exporter.Shutdown(ctx)
}

// ErrorSlowSpan is the span of a request that was not sampled, and failed or was slower than its
// objective.
type ErrorSlowSpan struct {
	// Parent is the context of the incoming request, with the caller's span.
	Parent     context.Context
	Name       string
	Kind       trace.SpanKind
	Start, End time.Time
	// Describe sets attributes, events and status.
	Describe func(trace.Span)
}

// ExportErrorSlow exports a span with the ids of its request. It has no children, since they were
// not recorded. At most ten are exported per second; it reports whether this one was. errorSlow
// is called only for an exported span, so that the others cost nothing.
func (t *Telemetry) ExportErrorSlow(span trace.SpanContext, errorSlow func() ErrorSlowSpan) bool {
	if !t.opts.Config.exportsTraces() || !span.IsValid() || !t.errorSlow.take() {
		return false
	}
	t.exportErrorSlow(span, errorSlow())
	return true
}

func (t *Telemetry) exportErrorSlow(ids trace.SpanContext, s ErrorSlowSpan) {
	d := Decision{Span: ids, attributes: []attribute.KeyValue{samplingAttribute.String("error_slow")}}
	_, span := t.StartSpan(s.Parent, t.errorSlowTracer, d, s.Name, trace.WithSpanKind(s.Kind), trace.WithTimestamp(s.Start))
	s.Describe(span)
	span.End(trace.WithTimestamp(s.End))
	t.errorSlowSpans.Inc()
}

// SetRatio changes the ratio of new traces to sample, from 0 to 1, immediately. It returns false
// if OTEL_TRACES_SAMPLER is set.
func (t *Telemetry) SetRatio(ratio float64) bool {
	if t.own == nil {
		return false
	}
	t.own.setRatio(ratio)
	return true
}
