package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	goruntime "runtime"
	"sync"
	"time"

	"github.com/google/uuid"
	otelpyroscope "github.com/grafana/otel-profiling-go"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Options describe one service to its telemetry.
type Options struct {
	Service  string // name, as in orders; OTEL_SERVICE_NAME overrides it
	Version  string // of the build; "dev" when empty
	Revision string // commit of the build; "unknown" when empty

	Config   Config
	Sampling Sampling      // without OTEL_TRACES_SAMPLER
	Mode     HistogramMode // Classic when empty

	// Stdout takes the log lines; os.Stdout when nil.
	Stdout io.Writer
	// SpanExporter takes the spans where Config exports any; nil means OTLP.
	SpanExporter sdktrace.SpanExporter
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Telemetry is the four signals of one service. It is safe for concurrent use.
type Telemetry struct {
	opts            Options
	resource        *resource.Resource
	registry        *Registry
	level           *slog.LevelVar
	logger          *slog.Logger
	lines           *lines // nil when log lines have more readers than standard output
	output          *lineWriter
	provider        *sdktrace.TracerProvider
	tracers         trace.TracerProvider
	errorSlowTracer trace.Tracer
	errorSlow       *perSecond
	sampler         sdktrace.Sampler
	own             *sampler // nil when OTEL_TRACES_SAMPLER chose another
	propagator      propagation.TextMapPropagator

	dropped        map[string]map[string]prometheus.Counter // by signal and reason
	suppressed     prometheus.Counter
	errorSlowSpans prometheus.Counter

	deliveryWarnings *errorCounts // by signal

	signals []signal
}

// signal is one exporter with the goroutines behind it.
type signal struct {
	name     string
	start    func(context.Context) error
	shutdown func(context.Context) error
}

// New validates the options and declares the runtime's own metrics. It connects
// to nothing and starts nothing.
func New(opts Options) (*Telemetry, error) {
	opts = opts.withDefaults()
	t := &Telemetry{
		opts:      opts,
		registry:  NewRegistry(opts.Mode),
		level:     &slog.LevelVar{},
		errorSlow: &perSecond{limit: errorSlowPerSecond, now: opts.Now},
	}
	t.level.Set(opts.Config.LogLevel)
	var err error
	if t.resource, err = newResource(opts); err != nil {
		return nil, err
	}
	if t.propagator, err = opts.Config.propagator(); err != nil {
		return nil, err
	}
	if err := t.declare(); err != nil {
		return nil, err
	}
	t.initProfiles()
	return t, errors.Join(t.initTraces(), t.initLogs(), t.initMetrics())
}

func (o Options) withDefaults() Options {
	if o.Config.ServiceName != "" {
		o.Service = o.Config.ServiceName
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Revision == "" {
		o.Revision = "unknown"
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// newResource describes this process. A failing detector is no reason not to
// start; a malformed variable is.
func newResource(opts Options) (*resource.Resource, error) {
	given, err := parseResource(opts.Config.ResourceAttributes)
	if err != nil {
		return nil, err
	}
	own := resource.NewSchemaless(
		attr("service.name", opts.Service),
		attr("service.version", opts.Version),
		attr("service.instance.id", uuid.NewString()),
	)
	detected, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithHost())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("describe this process: %w", err)
	}
	for _, r := range []*resource.Resource{own, given} {
		if detected, err = resource.Merge(detected, r); err != nil {
			return nil, fmt.Errorf("describe this process: %w", err)
		}
	}
	return detected, nil
}

func (t *Telemetry) declare() error {
	t.registry.warn = t.tellOverflow
	if _, err := t.registry.declareOverflow(); err != nil { // before the others: they get their zeros
		return err
	}
	if err := t.declareDrops(); err != nil {
		return err
	}
	suppressed, err := t.registry.Counter(semconv.RuntimeLogsSuppressed, "Log lines left out because identical ones had just been written.")
	if err != nil {
		return err
	}
	t.suppressed = suppressed.WithLabelValues()
	errorSlow, err := t.registry.Counter(semconv.RuntimeErrorSlowSpans, "Unsampled requests whose span was exported because they failed or were slow.")
	if err != nil {
		return err
	}
	t.errorSlowSpans = errorSlow.WithLabelValues()
	return t.declareProcess()
}

// tellOverflow names the label whose values have no end. It is called once for
// each.
func (t *Telemetry) tellOverflow(metric, label string) {
	t.logger.Warn("a label has too many values, further ones share one series",
		slog.String("metric", metric), slog.String("label", label),
		slog.Int("ceiling", t.registry.labelLimit()), slog.String("value", semconv.OverflowValue),
		slog.String("advice", "put what has no end on the span or the log line"))
}

func (t *Telemetry) declareProcess() error {
	build, err := t.registry.Gauge(semconv.BuildInfo, "The build that runs, always 1.",
		semconv.LabelVersion, semconv.LabelRevision, semconv.LabelGoVersion)
	if err != nil {
		return err
	}
	build.WithLabelValues(t.opts.Version, t.opts.Revision, goruntime.Version()).Set(1)
	if err := t.declareTarget(); err != nil {
		return err
	}
	return errors.Join(
		t.registry.register(goCollector(), nil),
		t.registry.register(processCollector(), nil),
	)
}

// telling logs why a batch was not delivered. That it was lost is counted where
// the batch is dropped.
func telling[T any](t *Telemetry, signal string, export func(context.Context, []T) error) func(context.Context, []T) error {
	return func(ctx context.Context, batch []T) error {
		err := export(ctx, batch)
		if err != nil {
			t.warnUndelivered(signal, err)
		}
		return err
	}
}

// warnUndelivered logs why a signal was not delivered, once a minute at most. The
// next line has the number of failures in between.
func (t *Telemetry) warnUndelivered(signal string, err error) {
	write, missed := t.deliveryWarnings.take(signal)
	if !write {
		return
	}
	attributes := []slog.Attr{slog.String("signal", signal), slog.Any("error", err)}
	if missed > 0 {
		attributes = append(attributes, slog.Int(keySuppressed, missed))
	}
	t.logger.LogAttrs(context.Background(), slog.LevelWarn, "telemetry was not delivered", attributes...)
}

// loggedError is an error of an exporter that warnUndelivered has seen, and that the
// SDK hands to its error handler all the same.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// Start starts the exporters. It returns without waiting for any backend.
//
// From here until [Telemetry.Shutdown], a log line that standard output does not
// take is held back and, beyond a MiB of them, dropped. Before and after, writing
// a line waits for the reader, but for a second at the most.
func (t *Telemetry) Start(ctx context.Context) error {
	t.output.setPatient(false)
	for _, s := range t.signals {
		if err := s.start(ctx); err != nil {
			return fmt.Errorf("start %s: %w", s.name, err)
		}
	}
	return nil
}

// Shutdown flushes and stops every signal at the same time and returns when all
// are done or the context ends, whichever is first. What could not be sent is
// counted as dropped. The error names each signal that was not flushed; it is a
// warning and no failure of the service, which did its work. Log lines get up to
// a second of their own: they tell how the rest went.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	errs := make([]error, len(t.signals))
	var wg sync.WaitGroup
	for i, s := range t.signals {
		wg.Go(func() {
			if err := s.shutdown(ctx); err != nil {
				errs[i] = fmt.Errorf("flush %s: %w", s.name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), t.flushLines(ctx))
}

func (t *Telemetry) flushLines(ctx context.Context) error {
	t.output.setPatient(true)
	err := t.output.flush(context.WithoutCancel(ctx))
	if err != nil {
		t.output.abandon()
	}
	return err
}

// SetGlobals makes these the process-wide providers of OpenTelemetry, for
// libraries that take no provider. The process that owns main calls it once.
func (t *Telemetry) SetGlobals() {
	otel.SetTracerProvider(t.tracers)
	otel.SetTextMapPropagator(t.propagator)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if _, logged := errors.AsType[loggedError](err); !logged {
			t.warnUndelivered("unknown", err)
		}
	}))
}

// Service is the service's name on every signal.
func (t *Telemetry) Service() string { return t.opts.Service }

// Version is the version of the build that runs.
func (t *Telemetry) Version() string { return t.opts.Version }

// Logger writes JSON lines with the ids of the context's span.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Level is the log level; setting it takes effect at once.
func (t *Telemetry) Level() *slog.LevelVar { return t.level }

// Metrics is where the service's metrics are declared.
func (t *Telemetry) Metrics() *Registry { return t.registry }

// TracerProvider makes the service's tracers.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tracers }

// Propagator reads and writes the headers that carry a trace.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return t.propagator }

// withProfiles labels profile samples with span ids, so that a span leads to
// its flame graph. It costs two label sets a sampled span, hence only when
// profiles are pushed.
func (t *Telemetry) withProfiles(p trace.TracerProvider) trace.TracerProvider {
	if t.opts.Config.PyroscopeAddress == "" || t.opts.Config.Disabled {
		return p
	}
	return otelpyroscope.NewTracerProvider(p)
}
