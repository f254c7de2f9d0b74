package httpclient

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrBreakerOpen means that a call was not made because too many recent calls to the host failed.
var ErrBreakerOpen = errors.New("httpclient: circuit breaker is open: too many recent calls to this host failed")

// errPanicked is the error of a transport that panicked.
var errPanicked = errors.New("httpclient: the transport panicked")

const (
	// breakerWindow is the time whose calls are judged, and breakerCalls the minimum number of
	// them: of fewer, half may fail by chance.
	breakerWindow = 10 * time.Second
	breakerCalls  = 20
	// breakerTrials is the number of consecutive successes after which the breaker closes.
	breakerTrials = 3
)

// breaker rejects calls to a host while most of them fail. A nil breaker rejects none.
type breaker struct {
	circuit  circuitbreaker.CircuitBreaker[any]
	rejected prometheus.Counter
}

func newBreaker(cfg Config, open prometheus.Gauge, rejected prometheus.Counter) *breaker {
	if cfg.BreakerRatio == 0 {
		return nil
	}
	circuit := circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(cfg.BreakerRatio, breakerCalls, breakerWindow).
		WithDelay(cfg.BreakerOpen).
		WithSuccessThreshold(breakerTrials).
		OnOpen(func(circuitbreaker.StateChangedEvent) { open.Set(1) }).
		OnClose(func(circuitbreaker.StateChangedEvent) { open.Set(0) }).
		Build()
	return &breaker{circuit: circuit, rejected: rejected}
}

// trying reports whether the breaker is open or half-open.
func (b *breaker) trying() bool { return b != nil && !b.circuit.IsClosed() }

// call makes an attempt unless the breaker is open. impatient reports whether the caller waits for less time than the
// client would.
func (b *breaker) call(r *http.Request, next http.RoundTripper, impatient bool) (*http.Response, error) {
	if b == nil {
		return next.RoundTrip(r)
	}
	if !b.circuit.TryAcquirePermit() {
		b.rejected.Inc()
		closeBody(r)
		return nil, ErrBreakerOpen
	}
	return b.attempt(r, next, impatient)
}

// attempt also judges an attempt that panics: otherwise its trial would never end.
func (b *breaker) attempt(r *http.Request, next http.RoundTripper, impatient bool) (resp *http.Response, err error) {
	trial := b.trying()
	err = errPanicked
	defer func() { b.judge(trial, resp, err, impatient) }()
	return next.RoundTrip(r)
}

// judge counts the result of an attempt. trial reports whether the breaker was not closed when
// the attempt began.
func (b *breaker) judge(trial bool, resp *http.Response, err error, impatient bool) {
	switch {
	case !trial && b.trying():
		// It was sent before the breaker opened. Only trials say something about the current
		// state of the host.
	case trial && gaveUp(err, impatient):
		// The caller says nothing about the host. Other calls may try it.
		b.circuit.Open()
		b.circuit.HalfOpen()
	case gaveUp(err, impatient): // says nothing either
	case broken(resp, err):
		b.circuit.RecordFailure()
	default:
		b.circuit.RecordSuccess()
	}
}

// gaveUp reports whether a call ended because its caller canceled it, or waits for less time than the client. Clients of
// the service choose the deadlines of their requests: they must not open the breaker for others.
func gaveUp(err error, impatient bool) bool {
	return errors.Is(err, context.Canceled) || impatient && errors.Is(err, context.DeadlineExceeded)
}

// closeBody closes the body of a request that is not sent, as a RoundTripper must.
func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// broken reports whether the host failed. A host that sheds load with Retry-After did not: it
// protects itself and serves other requests.
func broken(resp *http.Response, err error) bool {
	if err != nil {
		return true
	}
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	case http.StatusServiceUnavailable:
		return resp.Header.Get("Retry-After") == ""
	}
	return false
}
