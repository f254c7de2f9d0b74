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

// Options configure a [Telemetry].
type Options struct {
	Service  string // such as orders; OTEL_SERVICE_NAME overrides it
	Version  string // of the build; "dev" if empty
	Revision string // commit of the build; "unknown" if empty

	Config   Config
	Sampling Sampling      // applies without OTEL_TRACES_SAMPLER
	Mode     HistogramMode // Classic if empty

	// Stdout receives the log lines; os.Stdout if nil.
	Stdout io.Writer
	// SpanExporter exports the spans if Config exports traces; OTLP if nil.
	SpanExporter sdktrace.SpanExporter
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Telemetry provides the four signals of a service. It is safe for concurrent use.
type Telemetry struct {
	opts            Options
	resource        *resource.Resource
	registry        *Registry
	level           *slog.LevelVar
	logger          *slog.Logger
	lines           *lines // nil if logs are also exported
	output          *lineWriter
	provider        *sdktrace.TracerProvider
	tracers         trace.TracerProvider
	errorSlowTracer trace.Tracer
	errorSlow       *perSecond
	sampler         sdktrace.Sampler
	own             *sampler // nil if OTEL_TRACES_SAMPLER is set
	propagator      propagation.TextMapPropagator

	dropped        map[string]map[string]prometheus.Counter // by signal and reason
	suppressed     prometheus.Counter
	errorSlowSpans prometheus.Counter

	deliveryWarnings *errorCounts // by signal

	signals []signal
}

// signal is an exporter and its goroutines.
type signal struct {
	name     string
	start    func(context.Context) error
	shutdown func(context.Context) error
}

// New validates the options and registers the runtime's own metrics. It neither connects nor
// starts anything.
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

// newResource describes this process. A malformed environment variable is an error; a failing
// detector is not.
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
		return nil, fmt.Errorf("detect resource attributes: %w", err)
	}
	for _, r := range []*resource.Resource{own, given} {
		if detected, err = resource.Merge(detected, r); err != nil {
			return nil, fmt.Errorf("detect resource attributes: %w", err)
		}
	}
	return detected, nil
}

func (t *Telemetry) declare() error {
	t.registry.warn = t.warnOverflow
	if _, err := t.registry.declareOverflow(); err != nil { // before other metrics, which get their zeros
		return err
	}
	if err := t.declareDrops(); err != nil {
		return err
	}
	suppressed, err := t.registry.Counter(semconv.RuntimeLogsSuppressed, "Repeated log lines that were suppressed.")
	if err != nil {
		return err
	}
	t.suppressed = suppressed.WithLabelValues()
	errorSlow, err := t.registry.Counter(semconv.RuntimeErrorSlowSpans, "Unsampled requests whose span was exported because of an error or high latency.")
	if err != nil {
		return err
	}
	t.errorSlowSpans = errorSlow.WithLabelValues()
	return t.declareProcess()
}

// warnOverflow warns about a label with too many values. It is called once per label.
func (t *Telemetry) warnOverflow(metric, label string) {
	t.logger.Warn("label exceeds its limit of values, further ones share one series",
		slog.String("metric", metric), slog.String("label", label),
		slog.Int("limit", t.registry.labelLimit()), slog.String("value", semconv.OverflowValue),
		slog.String("advice", "put unbounded values on spans or log lines"))
}

func (t *Telemetry) declareProcess() error {
	build, err := t.registry.Gauge(semconv.BuildInfo, "The running build, always 1.",
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

// logging logs why a batch was not delivered. The batcher counts the loss.
func logging[T any](t *Telemetry, signal string, export func(context.Context, []T) error) func(context.Context, []T) error {
	return func(ctx context.Context, batch []T) error {
		err := export(ctx, batch)
		if err != nil {
			t.warnUndelivered(signal, err)
		}
		return err
	}
}

// warnUndelivered logs why a signal was not delivered, at most once a minute. The next line has
// the number of failures in between.
func (t *Telemetry) warnUndelivered(signal string, err error) {
	write, missed := t.deliveryWarnings.take(signal)
	if !write {
		return
	}
	attributes := []slog.Attr{slog.String("signal", signal), slog.Any("error", err)}
	if missed > 0 {
		attributes = append(attributes, slog.Int(keySuppressed, missed))
	}
	t.logger.LogAttrs(context.Background(), slog.LevelWarn, "telemetry not delivered", attributes...)
}

// loggedError is an exporter error that warnUndelivered has logged. The SDK also passes it to its
// error handler.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// Start starts the exporters. It does not wait for any backend.
//
// Until [Telemetry.Shutdown], log lines are buffered while standard output is blocked, and
// dropped beyond 1 MiB. Before Start and after Shutdown, writing a line waits for the reader, for
// at most a second.
func (t *Telemetry) Start(ctx context.Context) error {
	t.output.setPatient(false)
	for _, s := range t.signals {
		if err := s.start(ctx); err != nil {
			return fmt.Errorf("start %s: %w", s.name, err)
		}
	}
	return nil
}

// Shutdown flushes and stops all signals concurrently. It returns when all are done or the
// context ends. Items that could not be sent are counted as dropped. The error names each signal
// that was not flushed; treat it as a warning. Log lines get up to another second, to report the
// rest.
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

// SetGlobals sets the global OpenTelemetry providers, for libraries that do not accept a
// provider. Call it once, from main.
func (t *Telemetry) SetGlobals() {
	otel.SetTracerProvider(t.tracers)
	otel.SetTextMapPropagator(t.propagator)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if _, logged := errors.AsType[loggedError](err); !logged {
			t.warnUndelivered("unknown", err)
		}
	}))
}

// Service returns the service name of all signals.
func (t *Telemetry) Service() string { return t.opts.Service }

// Version returns the version of the running build.
func (t *Telemetry) Version() string { return t.opts.Version }

// Logger returns a logger that writes lines with the ids of the context's span.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Level returns the log level. Changes apply immediately.
func (t *Telemetry) Level() *slog.LevelVar { return t.level }

// Metrics returns the registry of the service's metrics.
func (t *Telemetry) Metrics() *Registry { return t.registry }

// TracerProvider returns the provider of the service's tracers.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tracers }

// Propagator returns the propagator of trace headers.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return t.propagator }

// withProfiles labels profile samples with span ids, so that a span links to its flame graph. It
// costs two label sets per sampled span, so it applies only if profiles are pushed.
func (t *Telemetry) withProfiles(p trace.TracerProvider) trace.TracerProvider {
	if t.opts.Config.PyroscopeAddress == "" || t.opts.Config.Disabled {
		return p
	}
	return otelpyroscope.NewTracerProvider(p)
}
