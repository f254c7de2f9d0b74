package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Limits of what is sampled beyond the ratio. One trace a second keeps an idle
// service visible and costs 86,400 traces a day at the most; ten late spans a
// second show every kind of failure of a service that fails throughout without
// turning an incident into a bill.
const (
	minPerSecond       = 1
	errorSlowPerSecond = 10
)

// samplingAttribute tells why a span is here although the ratio said no: floor
// or late. Counting requests from spans must leave these out.
const samplingAttribute = attribute.Key("scaffold.sampling")

// Sampling is the sampler that applies without OTEL_TRACES_SAMPLER. A child
// follows its parent. A new trace is sampled with probability Ratio, decided by
// its id, so that services agree; and when none was sampled within the second,
// the next one is.
type Sampling struct {
	// Ratio is the share of new traces that are sampled, from 0 to 1.
	Ratio float64
	// TrustRemote lets the sampled flag of a caller decide. Set it only where
	// every caller is a service of one's own: a stranger who sets the flag on
	// each request would otherwise choose what we pay.
	TrustRemote bool
}

// sampler implements Sampling.
type sampler struct {
	ratio       atomic.Pointer[sdktrace.Sampler]
	trustRemote bool
	minimum     *perSecond
}

func newSampler(s Sampling, now func() time.Time) *sampler {
	own := &sampler{
		trustRemote: s.TrustRemote,
		minimum:     &perSecond{limit: minPerSecond, now: now},
	}
	own.setRatio(s.Ratio)
	return own
}

func (s *sampler) setRatio(ratio float64) {
	byID := sdktrace.TraceIDRatioBased(ratio)
	s.ratio.Store(&byID)
}

// ShouldSample implements [sdktrace.Sampler].
func (s *sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return s.decide(trace.SpanContextFromContext(p.ParentContext), p.TraceID, s.minimum.now())
}

func (s *sampler) decide(parent trace.SpanContext, id trace.TraceID, now time.Time) sdktrace.SamplingResult {
	result := sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: parent.TraceState()}
	if parent.IsValid() && (!parent.IsRemote() || s.trustRemote) {
		if !parent.IsSampled() {
			result.Decision = sdktrace.Drop
		}
		return result
	}
	byID := (*s.ratio.Load()).ShouldSample(sdktrace.SamplingParameters{ParentContext: context.Background(), TraceID: id})
	first := s.minimum.takeAt(now)
	switch {
	case byID.Decision == sdktrace.RecordAndSample:
	case first:
		result.Attributes = []attribute.KeyValue{samplingAttribute.String("min_rate")}
	default:
		result.Decision = sdktrace.Drop
	}
	return result
}

// Description implements [sdktrace.Sampler].
func (s *sampler) Description() string {
	return "Scaffold{" + (*s.ratio.Load()).Description() + ",min=1/s}"
}

// decidedSampler keeps what [Telemetry.Decide] and [Telemetry.ExportErrorSlow] decided
// and leaves every other decision to next.
type decidedSampler struct{ next sdktrace.Sampler }

func (s decidedSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if d := decisionOf(p.ParentContext); d != nil {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Attributes: d.attributes, Tracestate: d.Span.TraceState()}
	}
	return s.next.ShouldSample(p)
}

func (s decidedSampler) Description() string { return s.next.Description() }

// ids gives random ids, except to decided spans, which keep the ids that stand
// in log lines and response headers already.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if d := decisionOf(ctx); d != nil {
		return d.Span.TraceID(), d.Span.SpanID()
	}
	return randomTraceID(), randomSpanID()
}

func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if d := decisionOf(ctx); d != nil {
		return d.Span.SpanID()
	}
	return randomSpanID()
}

func randomTraceID() trace.TraceID {
	var t trace.TraceID
	for !t.IsValid() {
		binary.NativeEndian.PutUint64(t[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(t[8:], rand.Uint64())
	}
	return t
}

func randomSpanID() trace.SpanID {
	var s trace.SpanID
	for !s.IsValid() {
		binary.NativeEndian.PutUint64(s[:], rand.Uint64())
	}
	return s
}

// perSecond allows limit events, 255 at the most, in each second of the clock.
// It takes no lock: every request asks it.
type perSecond struct {
	limit int64
	now   func() time.Time
	state atomic.Int64 // the second, and in its lowest byte the events taken in it
}

func (l *perSecond) take() bool { return l.takeAt(l.now()) }

func (l *perSecond) takeAt(now time.Time) bool {
	second := now.Unix()
	for {
		state := l.state.Load()
		taken := state & 0xff
		if state>>8 != second {
			taken = 0
		}
		if taken >= l.limit {
			return false
		}
		if l.state.CompareAndSwap(state, second<<8|(taken+1)) {
			return true
		}
	}
}
