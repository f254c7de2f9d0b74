package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	prombridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Handler returns a handler for scrapes. Exemplars need the OpenMetrics format.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		ErrorHandling:     promhttp.ContinueOnError,
		ErrorLog:          scrapeErrors{t},
	})
}

type scrapeErrors struct{ t *Telemetry }

func (s scrapeErrors) Println(v ...any) {
	text := fmt.Sprint(v...)
	for _, part := range v {
		err, _ := part.(error)
		if _, network := errors.AsType[*net.OpError](err); network && !strings.Contains(text, "gathering metrics") {
			return // the scraper closed the connection, unless a collector had the network error
		}
	}
	s.t.logger.Error("metric omitted from the scrape", "error", text)
}

// initMetrics pushes the registry that is scraped, so that the names are the same in both cases.
func (t *Telemetry) initMetrics() error {
	if !t.opts.Config.exportsMetrics() {
		return nil
	}
	exporter, err := t.newMetricExporter()
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	t.signals = append(t.signals, t.pushSignal(countingExporter{exporter, t.dropper(semconv.SignalMetrics), t.warnUndelivered}))
	return nil
}

func (t *Telemetry) pushSignal(exporter sdkmetric.Exporter) signal {
	var provider *sdkmetric.MeterProvider
	return signal{
		name: semconv.SignalMetrics,
		// The reader starts its ticker when it is created.
		start: func(context.Context) error {
			reader := sdkmetric.NewPeriodicReader(exporter,
				sdkmetric.WithInterval(t.opts.Config.PushInterval),
				sdkmetric.WithTimeout(exportTimeout),
				sdkmetric.WithProducer(prombridge.NewMetricProducer(prombridge.WithGatherer(t.registry))))
			provider = sdkmetric.NewMeterProvider(sdkmetric.WithResource(t.resource), sdkmetric.WithReader(reader))
			return nil
		},
		shutdown: func(ctx context.Context) error {
			if provider == nil {
				return nil
			}
			// A collector of the service may hang.
			left, err := ending(ctx, func() error { return provider.Shutdown(ctx) })
			if left { // the last push
				t.dropper(semconv.SignalMetrics)(semconv.DropShutdown, 1)
			}
			return err
		},
	}
}

func (t *Telemetry) newMetricExporter() (sdkmetric.Exporter, error) {
	ctx := context.Background()
	url := t.opts.Config.url(t.opts.Config.MetricsEndpoint, "/v1/metrics")
	if t.opts.Config.Protocol == "grpc" {
		var options []otlpmetricgrpc.Option
		if url != "" {
			options = append(options, otlpmetricgrpc.WithEndpointURL(url))
		}
		return otlpmetricgrpc.New(ctx, options...)
	}
	var options []otlpmetrichttp.Option
	if url != "" {
		options = append(options, otlpmetrichttp.WithEndpointURL(url))
	}
	return otlpmetrichttp.New(ctx, options...)
}

type countingExporter struct {
	sdkmetric.Exporter
	drop func(reason string, n int)
	warn func(signal string, err error)
}

// Export implements [sdkmetric.Exporter].
func (e countingExporter) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	err := e.Exporter.Export(ctx, m)
	if err == nil {
		return nil
	}
	reason, n := undelivered(err, points(m))
	if reason == semconv.DropExportFailed {
		n = 1 // a push of any size
	}
	e.drop(reason, n)
	e.warn(semconv.SignalMetrics, err)
	return loggedError{err}
}

// points returns the number of data points of a push.
func points(m *metricdata.ResourceMetrics) int {
	n := 0
	for _, scope := range m.ScopeMetrics {
		for _, metric := range scope.Metrics {
			n += pointsOf(metric.Data)
		}
	}
	return n
}

func pointsOf(data metricdata.Aggregation) int {
	switch d := data.(type) {
	case metricdata.Gauge[float64]:
		return len(d.DataPoints)
	case metricdata.Sum[float64]:
		return len(d.DataPoints)
	case metricdata.Histogram[float64]:
		return len(d.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		return len(d.DataPoints)
	case metricdata.Summary:
		return len(d.DataPoints)
	}
	return 0
}
