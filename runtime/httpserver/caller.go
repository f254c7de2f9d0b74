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

// maxCarried limits each header that a caller sends with a trace. It is the limit of W3C for
// baggage; most systems do not propagate a longer tracestate.
const maxCarried = 8 << 10

// maxMembers limits the members of baggage and their properties, as the first W3C draft did.
// Without it, 8 KiB of commas cost thousands of allocations: the parser makes an error for each
// empty member.
const maxMembers = 180

// callers reads what callers send: the parent span and baggage.
type callers struct {
	propagator  propagation.TextMapPropagator
	carriers    []string // canonical names of the headers
	traceparent bool     // carriers contains traceparent
}

func newCallers(p propagation.TextMapPropagator) callers {
	c := callers{propagator: p}
	for _, field := range p.Fields() {
		c.carriers = append(c.carriers, textproto.CanonicalMIMEHeaderKey(field))
	}
	c.traceparent = slices.Contains(c.carriers, traceparentHeader)
	return c
}

// extract returns the caller's span, which is invalid if there is none, and the context with
// baggage. It does not allocate for requests without such headers or with traceparent only.
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

// boundedCarrier hides headers that are too large to parse.
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

// parseTraceparent parses version 00. Everything else is left to the propagator.
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

// localParent returns a local span in the context, of an instrumentation above this one. If that
// is a server span, every request has two; localParent warns about it once.
func (o *Observer) localParent(ctx context.Context) (trace.SpanContext, bool) {
	span := trace.SpanFromContext(ctx)
	sc := span.SpanContext()
	if !sc.IsValid() || sc.IsRemote() {
		return trace.SpanContext{}, false
	}
	if above, ok := span.(interface{ SpanKind() trace.SpanKind }); ok && above.SpanKind() == trace.SpanKindServer {
		o.doubled.Do(func() {
			o.log.LogAttrs(ctx, slog.LevelWarn, "requests have two server spans; remove the instrumentation above httpserver",
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
