package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Limits of identical errors. Lines with the same level and message are identical.
const (
	errorBurst  = 20
	errorPeriod = 10 * time.Second
	// errorKinds limits the memory; messages should be constants.
	errorKinds = 256
	// deliveryPeriod is the minimum time between two lines about failed deliveries of a signal.
	// Drops are counted; the line has the reason.
	deliveryPeriod = time.Minute
)

// Keys that the runtime adds to log lines.
const (
	keyTraceID    = "trace_id"
	keySpanID     = "span_id"
	keySampled    = "sampled"
	keySuppressed = "suppressed"
)

func (t *Telemetry) initLogs() error {
	counts := newErrorCounts(t.opts.Now, t.suppressed, errorBurst, errorPeriod)
	t.output = newLineWriter(t.opts.Stdout, t.dropper(semconv.SignalLogs), t.logMissed)
	t.deliveryWarnings = newErrorCounts(t.opts.Now, t.suppressed, 1, deliveryPeriod)
	var handler slog.Handler
	if cfg := t.opts.Config; cfg.writesText(t.opts.Stdout) {
		handler = newWithIDs(newConsole(t.output, t.level, cfg.NoColor == "" && isTerminal(t.opts.Stdout)))
	} else {
		t.lines = newLines(t.output, counts)
		handler = newWithIDs(slog.NewJSONHandler(t.output, &slog.HandlerOptions{Level: t.level}))
	}
	if t.opts.Config.exportsLogs() {
		exporter, err := t.newLogExporter()
		if err != nil {
			return fmt.Errorf("logs: %w", err)
		}
		processor := &logProcessor{exporter: exporter, batches: newBatcher(t.opts.Config.batchPeriod(), logging(t, semconv.SignalLogs, exporter.Export), t.dropper(semconv.SignalLogs))}
		provider := sdklog.NewLoggerProvider(sdklog.WithResource(t.resource), sdklog.WithProcessor(processor))
		bridge := otelslog.NewHandler(scope, otelslog.WithLoggerProvider(provider))
		handler = slog.NewMultiHandler(handler, leveled{bridge, t.level})
		t.lines = nil
		t.signals = append(t.signals, signal{
			name:     semconv.SignalLogs,
			start:    func(context.Context) error { processor.batches.start(); return nil },
			shutdown: processor.Shutdown,
		})
	}
	t.logger = slog.New(&suppressor{next: handler, counts: counts})
	return nil
}

func (t *Telemetry) logMissed(lines int) {
	t.logger.Warn("log lines dropped while standard output was blocked", slog.Int("lines", lines))
}

func (t *Telemetry) newLogExporter() (sdklog.Exporter, error) {
	ctx := context.Background()
	url := t.opts.Config.url(t.opts.Config.LogsEndpoint, "/v1/logs")
	if t.opts.Config.Protocol == "grpc" {
		var options []otlploggrpc.Option
		if url != "" {
			options = append(options, otlploggrpc.WithEndpointURL(url))
		}
		return otlploggrpc.New(ctx, options...)
	}
	var options []otlploghttp.Option
	if url != "" {
		options = append(options, otlploghttp.WithEndpointURL(url))
	}
	return otlploghttp.New(ctx, options...)
}

// withIDs adds the ids of the context's span, and whether the trace is sampled. The ids are at
// the top level, outside all groups of the logger, where queries expect them.
type withIDs struct {
	slog.Handler              // with all attributes and groups
	plain        slog.Handler // without any
	derive       []func(slog.Handler) slog.Handler
	grouped      bool
}

func newWithIDs(h slog.Handler) withIDs { return withIDs{Handler: h, plain: h} }

// Handle implements [slog.Handler].
func (h withIDs) Handle(ctx context.Context, r slog.Record) error {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return h.Handler.Handle(ctx, r)
	}
	ids := []slog.Attr{
		slog.String(keyTraceID, sc.TraceID().String()),
		slog.String(keySpanID, sc.SpanID().String()),
		slog.Bool(keySampled, sc.IsSampled()),
	}
	if !h.grouped {
		r.AddAttrs(ids...)
		return h.Handler.Handle(ctx, r)
	}
	// A group cannot be closed: start again with the ids before it.
	top := h.plain.WithAttrs(ids)
	for _, derive := range h.derive {
		top = derive(top)
	}
	return top.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h withIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h withIDs) WithGroup(name string) slog.Handler {
	h.grouped = h.grouped || name != ""
	return h.with(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h withIDs) with(derive func(slog.Handler) slog.Handler) slog.Handler {
	h.Handler = derive(h.Handler)
	h.derive = append(slices.Clip(h.derive), derive)
	return h
}

// leveled adds the service's level to a handler without levels.
type leveled struct {
	slog.Handler
	level slog.Leveler
}

// Enabled implements [slog.Handler].
func (h leveled) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// WithAttrs implements [slog.Handler].
func (h leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements [slog.Handler].
func (h leveled) WithGroup(name string) slog.Handler {
	return leveled{h.Handler.WithGroup(name), h.level}
}

// suppressor omits repeated errors. The first line after a pause has the number of omitted lines.
type suppressor struct {
	next   slog.Handler
	counts *errorCounts
}

// Enabled implements [slog.Handler].
func (h *suppressor) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements [slog.Handler].
func (h *suppressor) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.next.Handle(ctx, r)
	}
	write, missed := h.counts.take(r.Level.String() + r.Message)
	if !write {
		return nil
	}
	if missed > 0 {
		r.AddAttrs(slog.Int(keySuppressed, missed))
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *suppressor) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &suppressor{next: h.next.WithAttrs(attrs), counts: h.counts}
}

// WithGroup implements [slog.Handler].
func (h *suppressor) WithGroup(name string) slog.Handler {
	return &suppressor{next: h.next.WithGroup(name), counts: h.counts}
}

type errorCounts struct {
	now        func() time.Time
	suppressed prometheus.Counter
	burst      int // lines per period
	period     time.Duration

	mu    sync.Mutex
	kinds map[string]*errorCount
}

type errorCount struct {
	since   time.Time
	written int
	missed  int
}

func newErrorCounts(now func() time.Time, suppressed prometheus.Counter, burst int, period time.Duration) *errorCounts {
	return &errorCounts{now: now, suppressed: suppressed, burst: burst, period: period, kinds: map[string]*errorCount{}}
}

// take reports whether to write the line, and how many identical lines were omitted in the
// previous period.
func (c *errorCounts) take(kind string) (write bool, missed int) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	count, known := c.kinds[kind]
	if !known {
		if len(c.kinds) >= errorKinds {
			clear(c.kinds)
		}
		count = &errorCount{since: now}
		c.kinds[kind] = count
	}
	if now.Sub(count.since) >= c.period {
		missed = count.missed
		*count = errorCount{since: now}
	}
	if count.written >= c.burst {
		count.missed++
		c.suppressed.Inc()
		return false, 0
	}
	count.written++
	return true, missed
}

// logProcessor is a batch processor that counts drops.
type logProcessor struct {
	exporter sdklog.Exporter
	batches  *batcher[sdklog.Record]
}

// OnEmit implements [sdklog.Processor]. It never blocks.
func (p *logProcessor) OnEmit(_ context.Context, r *sdklog.Record) error {
	p.batches.add(r.Clone())
	return nil
}

// Enabled implements [sdklog.Processor].
func (*logProcessor) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// ForceFlush implements [sdklog.Processor].
func (p *logProcessor) ForceFlush(ctx context.Context) error { return p.batches.flush(ctx) }

// Shutdown implements [sdklog.Processor].
func (p *logProcessor) Shutdown(ctx context.Context) error {
	if err := p.batches.shutdown(ctx); err != nil {
		return err
	}
	return p.exporter.Shutdown(ctx)
}
