package httpserver

import (
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	otelsemconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Keys of the access line: the labels of the metrics, so that one filter works
// on both, and what only a line can hold.
const (
	keyMethod   = semconv.LabelMethod
	keyRoute    = semconv.LabelRoute
	keyStatus   = semconv.LabelStatus
	keyOutcome  = semconv.LabelOutcome
	keyPath     = "url_path"
	keyDuration = "duration_seconds"
	keyBytes    = "http_response_body_size"
	keyPeer     = "network_peer_address"
	keyID       = "request_id"
)

// observe writes metrics, span and access line from the same facts.
func (x *exchange) observe(s *series, e ending, took time.Duration) {
	s.counters[e.outcome].Inc()
	if x.recorder.streaming() {
		x.observer.metrics.streams.WithLabelValues(s.key.route).Observe(took.Seconds())
	} else {
		x.observeDuration(s.duration(e.status, e.outcome), took)
	}
	slow := x.observer.opts.SlowAfter > 0 && took > x.observer.opts.SlowAfter && !x.recorder.streaming()
	notable := slow || e.outcome == semconv.OutcomeServerError || e.outcome == semconv.OutcomeShed
	x.finishSpan(s, e, took, notable)
	x.logAccess(s, e, took, notable)
}

func (x *exchange) observeDuration(d *duration, took time.Duration) {
	sc := x.span.SpanContext()
	if sc.IsSampled() && d.exemplars.take(x.started.Add(took)) {
		d.observer.ObserveWithExemplar(took.Seconds(), prometheus.Labels{semconv.ExemplarTraceID: sc.TraceID().String()})
		return
	}
	d.observer.(prometheus.Observer).Observe(took.Seconds())
}

// finishSpan sets every attribute at once, now that route and status are known.
// A notable request that was not sampled is exported late.
func (x *exchange) finishSpan(s *series, e ending, took time.Duration, notable bool) {
	status, description := codes.Unset, ""
	if e.outcome == semconv.OutcomeServerError || e.outcome == semconv.OutcomeShed {
		status, description = codes.Error, e.errorType
	}
	ended := x.started.Add(took)
	if x.span.IsRecording() {
		if err := x.failure.Load(); err != nil && status == codes.Error {
			x.span.RecordError(*err)
		}
		x.span.SetName(s.spanName)
		x.span.SetAttributes(x.attributes(s, e)...)
		x.span.SetStatus(status, description)
		x.span.End(trace.WithTimestamp(ended))
		return
	}
	x.span.End()
	if notable {
		x.observer.telemetry.ExportLate(telemetry.LateSpan{
			Parent: x.parent, Span: x.span.SpanContext(), Name: s.spanName, Kind: trace.SpanKindServer,
			Start: x.started, End: ended, Attributes: x.attributes(s, e), Status: status, Description: description,
		})
	}
}

// attributes follow the convention for HTTP server spans. The query is left
// out: it is where people put tokens.
func (x *exchange) attributes(s *series, e ending) []attribute.KeyValue {
	r := x.request
	attributes := make([]attribute.KeyValue, 0, 12)
	attributes = append(attributes,
		otelsemconv.HTTPRequestMethodKey.String(s.key.method),
		otelsemconv.URLPath(r.URL.Path),
		otelsemconv.URLScheme(scheme(r)),
		otelsemconv.HTTPResponseStatusCode(e.status),
		otelsemconv.HTTPResponseBodySize(int(x.recorder.bytes)),
		otelsemconv.NetworkPeerAddress(peer(r)),
		otelsemconv.NetworkProtocolVersion(protocolVersion(r)),
		attribute.String(keyID, x.id),
	)
	if s.key.route != semconv.RouteUnmatched {
		attributes = append(attributes, otelsemconv.HTTPRoute(s.key.route))
	}
	if s.key.method == semconv.MethodOther {
		attributes = append(attributes, otelsemconv.HTTPRequestMethodOriginal(r.Method))
	}
	if ua := r.UserAgent(); ua != "" {
		attributes = append(attributes, otelsemconv.UserAgentOriginal(ua))
	}
	if e.errorType != "" {
		attributes = append(attributes, otelsemconv.ErrorTypeKey.String(e.errorType))
	}
	return attributes
}

// logAccess writes the access line where the configuration wants one.
func (x *exchange) logAccess(s *series, e ending, took time.Duration, notable bool) {
	switch x.observer.config.AccessLog {
	case AccessOff:
		return
	case AccessNotable:
		if !notable && !x.span.SpanContext().IsSampled() {
			return
		}
	}
	attributes := []slog.Attr{
		slog.String(keyMethod, s.key.method),
		slog.String(keyRoute, s.key.route),
		slog.String(keyPath, x.request.URL.Path),
		slog.Int(keyStatus, e.status),
		slog.String(keyOutcome, e.outcome),
		slog.Float64(keyDuration, took.Seconds()),
		slog.Int64(keyBytes, x.recorder.bytes),
		slog.String(keyPeer, peer(x.request)),
		slog.String(keyID, x.id),
	}
	if e.errorType != "" {
		attributes = append(attributes, slog.String("error_type", e.errorType))
	}
	if err := x.failure.Load(); err != nil && e.outcome == semconv.OutcomeServerError {
		attributes = append(attributes, slog.Any("error", *err))
	}
	ctx := x.request.Context()
	switch e.outcome {
	case semconv.OutcomeServerError:
		x.observer.log.LogAttrs(ctx, slog.LevelError, "request failed", attributes...)
	case semconv.OutcomeShed:
		x.observer.log.LogAttrs(ctx, slog.LevelWarn, "request shed", attributes...)
	default:
		x.observer.log.LogAttrs(ctx, slog.LevelInfo, "request answered", attributes...)
	}
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func protocolVersion(r *http.Request) string {
	if r.ProtoMajor >= 2 {
		return strconv.Itoa(r.ProtoMajor)
	}
	return strconv.Itoa(r.ProtoMajor) + "." + strconv.Itoa(r.ProtoMinor)
}
