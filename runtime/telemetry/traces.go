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

// scope names the runtime as the instrumentation that made a span.
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
			batches:  newBatcher(t.opts.Config.batchPeriod(), telling(t, "traces", exporter.ExportSpans), t.dropper("traces")),
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

// startExporter connects an exporter of OTLP; others have nothing to start.
func startExporter(ctx context.Context, e sdktrace.SpanExporter) error {
	if otlp, ok := e.(*otlptrace.Exporter); ok {
		return otlp.Start(ctx)
	}
	return nil
}

// newSpanExporter makes an exporter that has not connected yet.
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

// spanProcessor is the SDK's batch processor with the drops counted.
type spanProcessor struct {
	exporter sdktrace.SpanExporter
	batches  *batcher[sdktrace.ReadOnlySpan]
}

// OnStart implements [sdktrace.SpanProcessor].
func (*spanProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements [sdktrace.SpanProcessor]. It never waits.
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

// ErrorSlowSpan is a request that was not sampled when it began and turned out to be
// worth keeping: it failed, or was slower than its objective.
type ErrorSlowSpan struct {
	// Parent is the context as the request arrived, with the caller's span.
	Parent     context.Context
	Name       string
	Kind       trace.SpanKind
	Start, End time.Time
	// Describe sets attributes, events and status. It is called at once.
	Describe func(trace.Span)
}

// ExportErrorSlow exports a span under the ids that its request already had. It has no
// children: they were never recorded. At most ten a second are exported; it says
// whether this one was. late is called only then, so that the others, which come
// by the thousand when everything fails or is refused, cost nothing.
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

// SetRatio changes the share of new traces that are sampled, from 0 to 1, at
// once. It says false when OTEL_TRACES_SAMPLER chose another sampler.
func (t *Telemetry) SetRatio(ratio float64) bool {
	if t.own == nil {
		return false
	}
	t.own.setRatio(ratio)
	return true
}
