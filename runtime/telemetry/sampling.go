package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
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
	floorPerSecond = 1
	latePerSecond  = 10
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
	floor       *perSecond
}

func newSampler(s Sampling, now func() time.Time) *sampler {
	own := &sampler{
		trustRemote: s.TrustRemote,
		floor:       &perSecond{limit: floorPerSecond, now: now},
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
	parent := trace.SpanContextFromContext(p.ParentContext)
	state := parent.TraceState()
	if parent.IsValid() && (!parent.IsRemote() || s.trustRemote) {
		if parent.IsSampled() {
			return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: state}
		}
		return sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: state}
	}
	result := (*s.ratio.Load()).ShouldSample(p)
	if result.Decision == sdktrace.RecordAndSample {
		s.floor.take()
		return result
	}
	if s.floor.take() {
		return sdktrace.SamplingResult{
			Decision:   sdktrace.RecordAndSample,
			Attributes: []attribute.KeyValue{samplingAttribute.String("floor")},
			Tracestate: state,
		}
	}
	return result
}

// Description implements [sdktrace.Sampler].
func (s *sampler) Description() string {
	return "Scaffold{" + (*s.ratio.Load()).Description() + ",floor=1/s}"
}

// lateKey marks a context in which the next span is exported whatever the
// sampler says, under ids that were already given out.
type lateKey struct{}

// lateSampler samples late spans and leaves every other decision to next.
type lateSampler struct{ next sdktrace.Sampler }

func (s lateSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if _, late := p.ParentContext.Value(lateKey{}).(trace.SpanContext); !late {
		return s.next.ShouldSample(p)
	}
	return sdktrace.SamplingResult{
		Decision:   sdktrace.RecordAndSample,
		Attributes: []attribute.KeyValue{samplingAttribute.String("late")},
		Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState(),
	}
}

func (s lateSampler) Description() string { return s.next.Description() }

// ids gives random ids, except to late spans, which keep the ids that stand in
// log lines and response headers already.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if late, ok := ctx.Value(lateKey{}).(trace.SpanContext); ok {
		return late.TraceID(), late.SpanID()
	}
	var t trace.TraceID
	for !t.IsValid() {
		binary.NativeEndian.PutUint64(t[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(t[8:], rand.Uint64())
	}
	return t, randomSpanID()
}

func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if late, ok := ctx.Value(lateKey{}).(trace.SpanContext); ok {
		return late.SpanID()
	}
	return randomSpanID()
}

func randomSpanID() trace.SpanID {
	var s trace.SpanID
	for !s.IsValid() {
		binary.NativeEndian.PutUint64(s[:], rand.Uint64())
	}
	return s
}

// perSecond allows limit events in each second of the clock.
type perSecond struct {
	limit int
	now   func() time.Time

	mu     sync.Mutex
	second int64
	taken  int
}

func (l *perSecond) take() bool {
	second := l.now().Unix()
	l.mu.Lock()
	defer l.mu.Unlock()
	if second != l.second {
		l.second, l.taken = second, 0
	}
	if l.taken >= l.limit {
		return false
	}
	l.taken++
	return true
}
