package httpserver

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// maxCarried bounds each header that a caller sends along with a trace. It is
// the length that W3C gives for baggage; a tracestate that obeys its own rules
// and is longer could not be passed on by most.
const maxCarried = 8 << 10

// maxMembers bounds the members of baggage and of what describes them, the limit
// that W3C began with. Without it, 8 KiB of commas cost thousands of allocations:
// the parser makes an error for each member that is none.
const maxMembers = 180

// callers reads what callers send along: the span that a request belongs to,
// and baggage.
type callers struct {
	propagator  propagation.TextMapPropagator
	carriers    []string // canonical names of the headers that it reads
	traceparent bool     // is one of them
}

func newCallers(p propagation.TextMapPropagator) callers {
	c := callers{propagator: p}
	for _, field := range p.Fields() {
		c.carriers = append(c.carriers, textproto.CanonicalMIMEHeaderKey(field))
	}
	c.traceparent = slices.Contains(c.carriers, traceparentHeader)
	return c
}

// extract returns the caller's span, not valid when there is none, and the
// context with whatever else came along. The usual request has no such header or
// traceparent alone, and costs no allocation.
func (c *callers) extract(ctx context.Context, h http.Header) (trace.SpanContext, context.Context) {
	present := 0
	for _, name := range c.carriers {
		if len(h[name]) > 0 {
			present++
		}
	}
	if present == 0 {
		return trace.SpanContext{}, ctx
	}
	if values := h[traceparentHeader]; present == 1 && c.traceparent && len(values) > 0 {
		if sc, ok := parseTraceparent(values[0]); ok {
			return sc, ctx
		}
	}
	ctx = c.propagator.Extract(ctx, boundedCarrier{propagation.HeaderCarrier(h)})
	return trace.SpanContextFromContext(ctx), ctx
}

// boundedCarrier hides headers that are larger than anybody may ask us to parse.
type boundedCarrier struct{ propagation.HeaderCarrier }

// Get implements [propagation.TextMapCarrier].
func (c boundedCarrier) Get(key string) string {
	value := c.HeaderCarrier.Get(key)
	if len(value) > maxCarried {
		return ""
	}
	return value
}

// Values implements [propagation.ValuesGetter].
func (c boundedCarrier) Values(key string) []string {
	values, size, members := c.HeaderCarrier.Values(key), 0, 0
	for _, value := range values {
		size += len(value)
		members += 1 + strings.Count(value, ",") + strings.Count(value, ";")
	}
	if size > maxCarried || members > maxMembers {
		return nil
	}
	return values
}

const (
	traceparentHeader = "Traceparent"
	traceparentLength = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
)

// parseTraceparent reads version 00, which is the only one there is. Anything
// else is left to the propagator.
func parseTraceparent(text string) (trace.SpanContext, bool) {
	if len(text) != traceparentLength || text[:3] != "00-" || text[35] != '-' || text[52] != '-' {
		return trace.SpanContext{}, false
	}
	c := trace.SpanContextConfig{Remote: true}
	var flags [1]byte
	if !lowerHex(c.TraceID[:], text[3:35]) || !lowerHex(c.SpanID[:], text[36:52]) || !lowerHex(flags[:], text[53:]) {
		return trace.SpanContext{}, false
	}
	c.TraceFlags = trace.TraceFlags(flags[0])
	if c.TraceFlags&^(trace.FlagsSampled|trace.FlagsRandom) != 0 {
		return trace.SpanContext{}, false
	}
	sc := trace.NewSpanContext(c)
	return sc, sc.IsValid()
}

func lowerHex(dst []byte, text string) bool {
	for i := range len(text) {
		if 'A' <= text[i] && text[i] <= 'F' {
			return false
		}
	}
	var src [32]byte
	_, err := hex.Decode(dst, src[:copy(src[:], text)])
	return err == nil
}

// localParent returns a span of this process that is in the context already: of
// an instrumentation above this one. If it is a server span as well, every
// request has two, and that is said once.
func (o *Observer) localParent(ctx context.Context) (trace.SpanContext, bool) {
	span := trace.SpanFromContext(ctx)
	sc := span.SpanContext()
	if !sc.IsValid() || sc.IsRemote() {
		return trace.SpanContext{}, false
	}
	if above, ok := span.(interface{ SpanKind() trace.SpanKind }); ok && above.SpanKind() == trace.SpanKindServer {
		o.doubled.Do(func() {
			o.log.LogAttrs(ctx, slog.LevelWarn, "requests have two server spans: remove the instrumentation above httpserver",
				slog.String("span_name", nameOf(span)))
		})
	}
	return sc, true
}

func nameOf(span trace.Span) string {
	if named, ok := span.(interface{ Name() string }); ok {
		return named.Name()
	}
	return ""
}
