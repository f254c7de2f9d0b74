package httpserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	otelsemconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// idSpan is the span of an unsampled request. It records nothing and has the ids for log lines
// and the headers of outgoing requests.
type idSpan struct {
	*silentSpan
	traceID trace.TraceID
	spanID  trace.SpanID
	state   *trace.TraceState // nil if empty
	flags   trace.TraceFlags
}

// silentSpan is what all idSpans of an observer share, so that an idSpan stays small. The methods
// of its Span do nothing.
type silentSpan struct {
	trace.Span
	observer *Observer
}

func (o *Observer) newIDSpan(ids trace.SpanContext) idSpan {
	return idSpan{&o.silent, ids.TraceID(), ids.SpanID(), traceStateOf(ids), ids.TraceFlags()}
}

func traceStateOf(ids trace.SpanContext) *trace.TraceState {
	if ids.TraceState().Len() == 0 {
		return nil
	}
	state := ids.TraceState()
	return &state
}

// SpanContext implements [trace.Span].
func (s *idSpan) SpanContext() trace.SpanContext {
	ids := trace.SpanContextConfig{TraceID: s.traceID, SpanID: s.spanID, TraceFlags: s.flags}
	if s.state != nil {
		ids.TraceState = *s.state
	}
	return trace.NewSpanContext(ids)
}

// SpanKind makes another observer in the chain of handlers recognize a server span, so that it
// does not observe the request again.
func (*idSpan) SpanKind() trace.SpanKind { return trace.SpanKindServer }

// TracerProvider implements [trace.Span].
func (s *idSpan) TracerProvider() trace.TracerProvider { return s.observer.telemetry.TracerProvider() }

// beginTrace makes the sampling decision and starts a span only if the request is sampled.
func (x *requestState) beginTrace(r *http.Request) {
	o := x.observer
	x.base = r.Context()
	parent, local := o.localParent(x.base)
	if !local {
		parent, x.base = o.callers.extract(x.base, r.Header)
	}
	x.parentID = parent.SpanID()
	decision := o.telemetry.Decide(parent, x.started)
	x.ids = o.newIDSpan(decision.Span)
	x.span = &x.ids
	if decision.Span.IsSampled() {
		x.startSpan(decision, r.Method)
	}
	if o.learned.spanKey == nil {
		x.base = trace.ContextWithSpan(x.base, x.span)
	}
}

func (x *requestState) startSpan(d telemetry.Decision, name string) {
	o := x.observer
	scratch := o.scratches.Get().(*scratch)
	defer o.scratches.Put(scratch)
	scratch.start[1] = trace.WithTimestamp(x.started)
	x.base, x.span = o.telemetry.StartSpan(x.withParent(), o.tracer, d, name, scratch.start[:]...)
}

// scratch has the slices for starting and ending a span.
type scratch struct {
	start      [2]trace.SpanStartOption // kind and time
	attributes []attribute.KeyValue
}

func newScratch() *scratch {
	return &scratch{start: [2]trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}}
}

// withParent returns the context with the caller's span as parent.
func (x *requestState) withParent() context.Context {
	if !x.parentID.IsValid() || trace.SpanContextFromContext(x.base).SpanID() == x.parentID {
		return x.base
	}
	return trace.ContextWithSpanContext(x.base, x.ids.SpanContext().WithSpanID(x.parentID).WithRemote(true))
}

// endSpan ends the span of a sampled request. For a notable request that was not sampled, it
// exports one.
func (x *requestState) endSpan(s *series, e ending, took time.Duration, notable bool) {
	ended := x.started.Add(took)
	if x.span.IsRecording() {
		x.span.SetName(s.spanName)
		x.describe(x.span, s, e)
		x.span.End(trace.WithTimestamp(ended))
		return
	}
	if !notable {
		return
	}
	x.observer.telemetry.ExportErrorSlow(x.ids.SpanContext(), func() telemetry.ErrorSlowSpan {
		return telemetry.ErrorSlowSpan{
			Parent: x.withParent(), Name: s.spanName, Kind: trace.SpanKindServer, Start: x.started, End: ended,
			Describe: func(span trace.Span) { x.describe(span, s, e) },
		}
	})
}

// describe sets all attributes after the request, when route and status are known.
func (x *requestState) describe(span trace.Span, s *series, e ending) {
	scratch := x.observer.scratches.Get().(*scratch)
	scratch.attributes = x.appendAttributes(scratch.attributes[:0], s, e)
	span.SetAttributes(scratch.attributes...)
	clear(scratch.attributes) // keeps no text of the request in memory
	x.observer.scratches.Put(scratch)
	if e.outcome != semconv.OutcomeServerError && e.outcome != semconv.OutcomeShed {
		return
	}
	span.SetStatus(codes.Error, e.errorType)
	if x.panic != nil {
		x.panic.record(span)
		return
	}
	if err := x.failure.Load(); err != nil {
		span.RecordError(*err)
	}
}

// record adds the panic as an exception event of the semantic conventions.
func (p *panicked) record(span trace.Span) {
	span.AddEvent(otelsemconv.ExceptionEventName, trace.WithAttributes(
		otelsemconv.ExceptionType(fmt.Sprintf("%T", p.value)),
		otelsemconv.ExceptionMessage(fmt.Sprint(p.value)),
		otelsemconv.ExceptionStacktrace(p.stack),
	))
}

// appendAttributes appends the attributes of the semantic conventions for HTTP server spans. It
// omits the query, which often has tokens. It also omits attributes with the same value on nearly
// every span: the SDK checks up to eight attributes for duplicates without a map, which saves a
// tenth of the cost of a sampled request.
func (x *requestState) appendAttributes(list []attribute.KeyValue, s *series, e ending) []attribute.KeyValue {
	r := x.request
	list = append(list,
		otelsemconv.HTTPRequestMethodKey.String(s.key.method),
		otelsemconv.URLPath(r.URL.Path),
		otelsemconv.URLScheme(scheme(r)),
		otelsemconv.HTTPResponseStatusCode(e.status),
		otelsemconv.HTTPResponseBodySize(int(x.recorder.bytes)),
		otelsemconv.NetworkPeerAddress(peer(r)),
	)
	if version := protocolVersion(r); version != "1.1" {
		list = append(list, otelsemconv.NetworkProtocolVersion(version))
	}
	if x.callersID {
		list = append(list, attribute.String(keyID, x.id[0])) // otherwise it is the trace id
	}
	if size := x.body.size(); size > 0 {
		list = append(list, otelsemconv.HTTPRequestBodySize(int(size)))
	}
	if s.key.route != semconv.RouteUnmatched {
		list = append(list, otelsemconv.HTTPRoute(s.key.route))
	}
	if s.key.method == semconv.MethodOther {
		list = append(list, otelsemconv.HTTPRequestMethodOriginal(r.Method))
	}
	if ua := first(r.Header, "User-Agent"); ua != "" {
		list = append(list, otelsemconv.UserAgentOriginal(ua))
	}
	if e.errorType != "" {
		list = append(list, otelsemconv.ErrorTypeKey.String(e.errorType))
	}
	if code := x.rpcCode(s); code != "" {
		list = append(list, otelsemconv.RPCResponseStatusCode(code))
	}
	return list
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func peer(r *http.Request) string { return host(r.RemoteAddr) }

func host(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

func protocolVersion(r *http.Request) string {
	switch {
	case r.ProtoMajor == 1 && r.ProtoMinor == 1:
		return "1.1"
	case r.ProtoMajor == 1:
		return "1.0"
	}
	return strconv.Itoa(r.ProtoMajor)
}
