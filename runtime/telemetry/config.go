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

// Config is the configuration of telemetry from environment variables. The tags are those of
// package config. Exporters read further environment variables themselves (headers, certificates,
// compression).
type Config struct {
	ServiceName        string `env:"OTEL_SERVICE_NAME" help:"service name of all signals; the name in scaffold.yaml if unset"`
	ResourceAttributes string `env:"OTEL_RESOURCE_ATTRIBUTES" help:"additional resource attributes, such as deployment.environment.name=staging"`
	Disabled           bool   `env:"OTEL_SDK_DISABLED" default:"false" help:"disable exports; /metrics stays available on the admin listener"`

	Endpoint        string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" format:"url" help:"collector for all signals, such as http://127.0.0.1:4318"`
	TracesEndpoint  string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" format:"url" help:"full URL of the collector for traces"`
	LogsEndpoint    string `env:"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT" format:"url" help:"full URL of the collector for logs"`
	MetricsEndpoint string `env:"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT" format:"url" help:"full URL of the collector for metrics"`
	Protocol        string `env:"OTEL_EXPORTER_OTLP_PROTOCOL" default:"http/protobuf" oneof:"http/protobuf,grpc" help:"protocol of the collector"`

	TracesExporter  string `env:"OTEL_TRACES_EXPORTER" oneof:"otlp,none" help:"otlp or none; otlp if an endpoint is set"`
	LogsExporter    string `env:"OTEL_LOGS_EXPORTER" oneof:"otlp,none" help:"otlp also sends log records, in addition to standard output"`
	MetricsExporter string `env:"OTEL_METRICS_EXPORTER" oneof:"otlp,prometheus,none" help:"otlp pushes the metrics of /metrics"`

	Sampler     string   `env:"OTEL_TRACES_SAMPLER" help:"sampler that replaces the service's own, such as always_on"`
	SamplerArg  string   `env:"OTEL_TRACES_SAMPLER_ARG" help:"ratio of the traceidratio samplers"`
	TraceRatio  float64  `env:"TRACE_RATIO" min:"0" max:"1" help:"ratio of new traces to sample"`
	Propagators []string `env:"OTEL_PROPAGATORS" default:"tracecontext,baggage" help:"trace propagation headers: tracecontext, baggage, none"`

	BatchDelay int `env:"OTEL_BSP_SCHEDULE_DELAY" default:"5000" min:"1" help:"maximum time in milliseconds before a batch of spans or log records is sent"`

	PushInterval time.Duration `env:"METRICS_PUSH_INTERVAL" default:"15s" min:"1s" help:"interval between pushes of metrics"`

	LogLevel  slog.Level `env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error"`
	LogFormat string     `env:"LOG_FORMAT" default:"auto" oneof:"auto,text,json" help:"json, text, or auto: text on a terminal, else json"`
	NoColor   string     `env:"NO_COLOR" help:"any value disables colors"`

	PyroscopeAddress  string        `env:"PYROSCOPE_SERVER_ADDRESS" format:"url" help:"profile server to push to, such as http://127.0.0.1:4040"`
	PyroscopeInterval time.Duration `env:"PYROSCOPE_UPLOAD_INTERVAL" default:"15s" min:"1s" help:"interval between uploads of profiles"`
	PyroscopeUser     string        `env:"PYROSCOPE_BASIC_AUTH_USER" help:"user of the profile server"`
	PyroscopePassword config.Secret `env:"PYROSCOPE_BASIC_AUTH_PASSWORD" help:"password of the profile server"`
	PyroscopeTenant   string        `env:"PYROSCOPE_TENANT_ID" help:"tenant of the profile server"`
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

// exportsLogs reports whether logs are also sent to a collector. The common endpoint alone does
// not enable it, since every platform collects standard output.
func (c Config) exportsLogs() bool {
	return !c.Disabled && (c.LogsExporter == "otlp" || c.LogsExporter == "" && c.LogsEndpoint != "")
}

// PushesMetrics reports whether metrics are sent to a collector.
func (c Config) PushesMetrics() bool { return c.exportsMetrics() }

// exportsMetrics reports whether metrics are pushed. The common endpoint alone does not enable
// it, since metrics are scraped.
func (c Config) exportsMetrics() bool {
	return !c.Disabled && (c.MetricsExporter == "otlp" || c.MetricsExporter == "" && c.MetricsEndpoint != "")
}

func (c Config) exports(exporter, endpoint string) bool {
	if c.Disabled || exporter == "none" {
		return false
	}
	return exporter == "otlp" || endpoint != "" || c.Endpoint != ""
}

// url returns the full URL for a signal: its own endpoint unchanged, or the common one with the
// path that the specification appends. It is empty if the exporter's default applies, a collector
// on this host.
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

// sampler returns the sampler of OTEL_TRACES_SAMPLER, or the service's own.
func (c Config) sampler(own Sampling, now func() time.Time) (sdktrace.Sampler, error) {
	ratio, err := c.samplerRatio()
	if err != nil {
		return nil, err
	}
	if !c.exportsTraces() {
		// Traces are not stored, so no log line or exemplar may refer to one.
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
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER=%q is unknown; write always_on, always_off, traceidratio, "+
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
			return nil, fmt.Errorf("OTEL_PROPAGATORS has an unknown value %q; write tracecontext, baggage or none", name)
		}
	}
	return propagation.NewCompositeTextMapPropagator(list...), nil
}
