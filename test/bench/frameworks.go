package main

import (
	"context"
	"io"
	"net/http"

	kratoslog "github.com/go-kratos/kratos/v2/log"
	"github.com/go-kratos/kratos/v2/middleware/logging"
	"github.com/go-kratos/kratos/v2/middleware/metrics"
	"github.com/go-kratos/kratos/v2/middleware/recovery"
	"github.com/go-kratos/kratos/v2/middleware/tracing"
	kratos "github.com/go-kratos/kratos/v2/transport/http"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/zeromicro/go-zero/core/logx"
	"github.com/zeromicro/go-zero/core/service"
	"github.com/zeromicro/go-zero/rest"
	"github.com/zeromicro/go-zero/rest/httpx"
	"github.com/zeromicro/go-zero/rest/pathvar"
	"go.opentelemetry.io/otel"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// goZero uses the global tracer provider. Therefore each measurement runs in a
// separate process.
func goZero(m mode, e sdktrace.SpanExporter) (http.Handler, error) {
	server, err := rest.NewServer(rest.RestConf{
		ServiceConf: service.ServiceConf{Name: "bench", Mode: service.ProMode, Log: logx.LogConf{Mode: "console", Encoding: "json"}},
		Host:        "127.0.0.1", Timeout: 30_000, MaxConns: 10_000, MaxBytes: 1 << 20, CpuThreshold: 900,
		Middlewares: rest.MiddlewaresConf{
			Trace: true, Log: true, Prometheus: true, MaxConns: true, Breaker: true, Shedding: true,
			Timeout: true, Recover: true, Metrics: true, MaxBytes: true, Gunzip: true,
		},
	})
	if err != nil {
		return nil, err
	}
	// NewServer sets a tracer provider; replace it.
	otel.SetTracerProvider(newTracerProvider(m, e))
	otel.SetTextMapPropagator(propagator())
	logx.SetWriter(logx.NewWriter(io.Discard))
	server.AddRoute(rest.Route{Method: http.MethodGet, Path: "/users/:id", Handler: func(w http.ResponseWriter, r *http.Request) {
		httpx.OkJsonCtx(r.Context(), w, userOf(pathvar.Vars(r)["id"]))
	}})
	serverless, err := rest.NewServerless(server)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(serverless.Serve), nil
}

func kratosStack(m mode, e sdktrace.SpanExporter) (http.Handler, error) {
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(prometheus.NewRegistry()))
	if err != nil {
		return nil, err
	}
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)).Meter("bench")
	requests, err := metrics.DefaultRequestsCounter(meter, metrics.DefaultServerRequestsCounterName)
	if err != nil {
		return nil, err
	}
	seconds, err := metrics.DefaultSecondsHistogram(meter, metrics.DefaultServerSecondsHistogramName)
	if err != nil {
		return nil, err
	}
	logger := kratoslog.With(kratoslog.NewStdLogger(io.Discard), "trace_id", tracing.TraceID(), "span_id", tracing.SpanID())
	server := kratos.NewServer(kratos.Middleware(
		recovery.Recovery(),
		tracing.Server(tracing.WithTracerProvider(newTracerProvider(m, e)), tracing.WithPropagator(propagator())),
		logging.Server(logger),
		metrics.Server(metrics.WithRequests(requests), metrics.WithSeconds(seconds)),
	))
	server.Route("/").GET("/users/{id}", func(c kratos.Context) error {
		kratos.SetOperation(c, "/users/{id}")
		handle := c.Middleware(func(context.Context, any) (any, error) { return userOf(c.Vars().Get("id")), nil })
		reply, err := handle(c, nil)
		if err != nil {
			return err
		}
		return c.Result(http.StatusOK, reply)
	})
	return server, nil
}
