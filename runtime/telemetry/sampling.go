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

// Sampling beyond the ratio. One trace a second keeps an idle service visible and costs at most
// 86,400 traces a day. Ten error and slow spans a second show every kind of failure of a failing
// service at a limited cost.
const (
	minPerSecond       = 1
	errorSlowPerSecond = 10
)

// samplingAttribute is the reason why a span was sampled beyond the ratio: min_rate or
// error_slow. Exclude these spans when you count requests.
const samplingAttribute = attribute.Key("scaffold.sampling")

// Sampling configures the sampler that applies without OTEL_TRACES_SAMPLER. A child follows its
// parent. A new trace is sampled with probability Ratio, by its id, so that all services agree.
// If no trace was sampled within a second, the next one is.
type Sampling struct {
	// Ratio is the ratio of new traces to sample, from 0 to 1.
	Ratio float64
	// TrustRemote follows the sampled flag of callers. Set it only if all callers are your own
	// services: otherwise any client can have all its requests sampled.
	TrustRemote bool
}

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

// decidedSampler applies the decisions of [Telemetry.Decide] and [Telemetry.ExportErrorSlow], and
// leaves all others to next.
type decidedSampler struct{ next sdktrace.Sampler }

func (s decidedSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if d := decisionOf(p.ParentContext); d != nil {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Attributes: d.attributes, Tracestate: d.Span.TraceState()}
	}
	return s.next.ShouldSample(p)
}

func (s decidedSampler) Description() string { return s.next.Description() }

// ids generates random ids. Spans with a decision keep the ids that are already in log lines and
// response headers.
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

// perSecond allows up to limit events, at most 255, per second of the clock. It takes no lock,
// because every request calls it.
type perSecond struct {
	limit int64
	now   func() time.Time
	state atomic.Int64 // the second, and in the lowest byte the events in it
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
