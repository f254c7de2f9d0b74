package telemetry

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/observability-first/scaffold/runtime/config"
)

// Config is what the environment decides about telemetry. The tags are those of
// package config. Variables that only an exporter reads (headers, certificates,
// compression) are read by the exporter itself and are not listed here.
type Config struct {
	ServiceName        string `env:"OTEL_SERVICE_NAME" help:"name of the service on every signal; the spec's name when unset"`
	ResourceAttributes string `env:"OTEL_RESOURCE_ATTRIBUTES" help:"further resource attributes, as in deployment.environment.name=staging"`
	Disabled           bool   `env:"OTEL_SDK_DISABLED" default:"false" help:"export nothing; metrics stay readable on the admin listener"`

	Endpoint        string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" format:"url" help:"collector for all signals, as in http://127.0.0.1:4318"`
	TracesEndpoint  string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" format:"url" help:"collector for traces, a full URL"`
	LogsEndpoint    string `env:"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT" format:"url" help:"collector for logs, a full URL"`
	MetricsEndpoint string `env:"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT" format:"url" help:"collector for metrics, a full URL"`
	Protocol        string `env:"OTEL_EXPORTER_OTLP_PROTOCOL" default:"http/protobuf" oneof:"http/protobuf,grpc" help:"how to speak to the collector"`

	TracesExporter  string `env:"OTEL_TRACES_EXPORTER" oneof:"otlp,none" help:"otlp or none; otlp when an endpoint is set"`
	LogsExporter    string `env:"OTEL_LOGS_EXPORTER" oneof:"otlp,none" help:"otlp sends log records beside the lines on standard output"`
	MetricsExporter string `env:"OTEL_METRICS_EXPORTER" oneof:"otlp,prometheus,none" help:"otlp pushes what /metrics shows"`

	Sampler     string   `env:"OTEL_TRACES_SAMPLER" help:"overrides the service's own sampler, as in always_on"`
	SamplerArg  string   `env:"OTEL_TRACES_SAMPLER_ARG" help:"ratio for the traceidratio samplers"`
	TraceRatio  float64  `env:"TRACE_RATIO" min:"0" max:"1" help:"share of new traces that are sampled"`
	Propagators []string `env:"OTEL_PROPAGATORS" default:"tracecontext,baggage" help:"headers that carry a trace: tracecontext, baggage, none"`

	BatchDelay int `env:"OTEL_BSP_SCHEDULE_DELAY" default:"5000" min:"1" help:"longest time in milliseconds that a span or log record waits for others"`

	PushInterval time.Duration `env:"METRICS_PUSH_INTERVAL" default:"15s" min:"1s" help:"time between two pushes of metrics"`

	LogLevel  slog.Level `env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error"`
	LogFormat string     `env:"LOG_FORMAT" default:"auto" oneof:"auto,text,json" help:"json for programs, text for people; auto is text on a terminal and else json"`
	NoColor   string     `env:"NO_COLOR" help:"any value writes text without colours"`

	PyroscopeAddress  string        `env:"PYROSCOPE_SERVER_ADDRESS" format:"url" help:"where to push profiles, as in http://127.0.0.1:4040"`
	PyroscopeInterval time.Duration `env:"PYROSCOPE_UPLOAD_INTERVAL" default:"15s" min:"1s" help:"time between two uploads of profiles"`
	PyroscopeUser     string        `env:"PYROSCOPE_BASIC_AUTH_USER" help:"user for the profile server"`
	PyroscopePassword config.Secret `env:"PYROSCOPE_BASIC_AUTH_PASSWORD" help:"password for the profile server"`
	PyroscopeTenant   string        `env:"PYROSCOPE_TENANT_ID" help:"tenant at the profile server"`
}

func (c Config) batchPeriod() time.Duration {
	if c.BatchDelay <= 0 {
		return batchPeriod
	}
	return time.Duration(c.BatchDelay) * time.Millisecond
}

// ExportsTraces reports whether spans are sent to a collector.
func (c Config) ExportsTraces() bool { return c.exportsTraces() }

func (c Config) exportsTraces() bool { return c.exports(c.TracesExporter, c.TracesEndpoint) }

// Logs go to standard output, where every platform collects them; they are sent
// a second time only when that is asked for by name.
func (c Config) exportsLogs() bool {
	return !c.Disabled && (c.LogsExporter == "otlp" || c.LogsExporter == "" && c.LogsEndpoint != "")
}

// PushesMetrics says whether metrics are sent to a collector.
func (c Config) PushesMetrics() bool { return c.exportsMetrics() }

// Metrics are scraped unless pushing is asked for by name.
func (c Config) exportsMetrics() bool {
	return !c.Disabled && (c.MetricsExporter == "otlp" || c.MetricsExporter == "" && c.MetricsEndpoint != "")
}

func (c Config) exports(exporter, endpoint string) bool {
	if c.Disabled || exporter == "none" {
		return false
	}
	return exporter == "otlp" || endpoint != "" || c.Endpoint != ""
}

// url returns the full URL for one signal: its own endpoint as it is, or the
// common one with the path that the specification appends. Empty means that the
// exporter's default applies, which is the collector on this machine.
func (c Config) url(own, path string) string {
	switch {
	case own != "":
		return own
	case c.Endpoint == "":
		return ""
	case c.Protocol == "grpc":
		return c.Endpoint
	}
	return strings.TrimRight(c.Endpoint, "/") + path
}

// sampler returns the sampler that OTEL_TRACES_SAMPLER names, or the service's.
func (c Config) sampler(own Sampling, now func() time.Time) (sdktrace.Sampler, error) {
	ratio, err := c.samplerRatio()
	if err != nil {
		return nil, err
	}
	if !c.exportsTraces() {
		// Nobody keeps a trace, so nothing may say that one was: log lines and
		// exemplars would lead nowhere.
		return sdktrace.NeverSample(), nil
	}
	switch c.Sampler {
	case "":
		return newSampler(own, now), nil
	case "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		return sdktrace.TraceIDRatioBased(ratio), nil
	case "parentbased_always_on":
		return sdktrace.ParentBased(sdktrace.AlwaysSample()), nil
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample()), nil
	case "parentbased_traceidratio":
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)), nil
	}
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER=%q is not known; write always_on, always_off, traceidratio, "+
		"parentbased_always_on, parentbased_always_off or parentbased_traceidratio", c.Sampler)
}

func (c Config) samplerRatio() (float64, error) {
	if c.SamplerArg == "" || !strings.HasSuffix(c.Sampler, "traceidratio") {
		return 1, nil
	}
	ratio, err := strconv.ParseFloat(c.SamplerArg, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return 0, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG=%q is not a ratio; write a number from 0 to 1", c.SamplerArg)
	}
	return ratio, nil
}

func (c Config) propagator() (propagation.TextMapPropagator, error) {
	if slices.Equal(c.Propagators, []string{"none"}) {
		return propagation.NewCompositeTextMapPropagator(), nil
	}
	var list []propagation.TextMapPropagator
	for _, name := range c.Propagators {
		switch name {
		case "tracecontext":
			list = append(list, propagation.TraceContext{})
		case "baggage":
			list = append(list, propagation.Baggage{})
		default:
			return nil, fmt.Errorf("OTEL_PROPAGATORS names %q; write tracecontext, baggage or none", name)
		}
	}
	return propagation.NewCompositeTextMapPropagator(list...), nil
}
