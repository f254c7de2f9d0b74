package httpclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	otelsemconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// resendKey is the context key of the number of the attempt.
type resendKey struct{}

// attempt is one attempt of a call, until the end of its response.
type attempt struct {
	metrics *metrics
	span    trace.Span
	began   time.Time
	method  string
	host    string
	status  int // 0 without a response
	once    sync.Once
}

// RoundTrip sends the request once.
func (o *observer) RoundTrip(r *http.Request) (*http.Response, error) {
	r, a := o.begin(r)
	resp, err := o.base.RoundTrip(r)
	if err != nil {
		a.finish(err)
		return resp, err
	}
	a.received(resp)
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols, resp.Body == nil, resp.Body == http.NoBody:
		a.finish(nil) // an upgraded connection is no longer this request
	default:
		resp.Body = &body{ReadCloser: resp.Body, attempt: a}
	}
	return resp, nil
}

// begin starts the span and sets the headers of a copy: a RoundTripper must not modify the
// request.
func (o *observer) begin(r *http.Request) (*http.Request, *attempt) {
	method := methodLabel(r.Method)
	attributes := []attribute.KeyValue{
		otelsemconv.HTTPRequestMethodKey.String(method),
		otelsemconv.ServerAddress(r.URL.Hostname()),
		otelsemconv.ServerPort(port(r.URL)),
		otelsemconv.URLFull(bareURL(r.URL)),
	}
	if resend, ok := r.Context().Value(resendKey{}).(int); ok && resend > 0 {
		attributes = append(attributes, otelsemconv.HTTPRequestResendCount(resend))
	}
	ctx, span := o.tracer.Start(r.Context(), method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	r = r.Clone(ctx)
	o.propagator.Inject(ctx, propagation.HeaderCarrier(r.Header))
	propagate(ctx, r.Header)
	return r, &attempt{
		metrics: o.metrics, span: span, began: time.Now(),
		method: method, host: o.metrics.peer(r.URL.Hostname()).label,
	}
}

// propagate sets the headers of deadline and priority, unless the program has set them.
func propagate(ctx context.Context, h http.Header) {
	if deadline, ok := ctx.Deadline(); ok && h.Get(semconv.HeaderTimeout) == "" {
		left := max(1, time.Until(deadline).Milliseconds())
		h.Set(semconv.HeaderTimeout, strconv.FormatInt(left, 10))
	}
	if priority, ok := ctx.Value(semconv.ContextPriority).(string); ok && h.Get(semconv.HeaderPriority) == "" {
		h.Set(semconv.HeaderPriority, priority)
	}
}

func (a *attempt) received(resp *http.Response) {
	a.status = resp.StatusCode
	a.span.SetAttributes(
		otelsemconv.HTTPResponseStatusCode(resp.StatusCode),
		otelsemconv.NetworkProtocolVersion(protocolVersion(resp)),
	)
}

// finish ends span and observation once: with the error that ended the attempt, or nil at the end
// of the body.
func (a *attempt) finish(err error) {
	a.once.Do(func() {
		status, kind := "", ""
		if a.status != 0 {
			status = strconv.Itoa(a.status)
		}
		if a.status >= http.StatusBadRequest {
			kind = status
		}
		if err != nil {
			kind = errorType(err)
		}
		if kind != "" {
			a.span.SetAttributes(otelsemconv.ErrorTypeKey.String(kind))
			a.span.SetStatus(codes.Error, description(err))
		}
		a.span.End()
		a.metrics.observe(a.span.SpanContext(), time.Since(a.began), a.method, a.host, status, kind)
	})
}

// description returns the text of a connection error. A status needs no description.
func description(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

type body struct {
	io.ReadCloser

	attempt *attempt
}

// Read ends the attempt at the end of the body or with an error.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		b.attempt.finish(nil)
	case err != nil:
		b.attempt.finish(err)
	}
	return n, err
}

// Close ends the attempt: the caller may not need the rest.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.attempt.finish(nil)
	return err
}

// bareURL removes user and query, which often contain secrets.
func bareURL(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return bare.String()
}

func port(u *url.URL) int {
	if n, err := strconv.Atoi(u.Port()); err == nil {
		return n
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

func protocolVersion(resp *http.Response) string {
	if resp.ProtoMajor >= 2 {
		return strconv.Itoa(resp.ProtoMajor)
	}
	return strconv.Itoa(resp.ProtoMajor) + "." + strconv.Itoa(resp.ProtoMinor)
}

// withResend returns a context with the number of the attempt.
func withResend(ctx context.Context, resend int) context.Context {
	if resend == 0 {
		return ctx
	}
	return context.WithValue(ctx, resendKey{}, resend)
}
