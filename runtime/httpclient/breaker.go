package httpclient

import (
	"errors"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrBreakerOpen says that a call was not made, since too many of those to the
// same host had just failed.
var ErrBreakerOpen = errors.New("httpclient: too many calls to this host have just failed; not called again for a while")

// errPanicked stands for what a transport that panics does not return.
var errPanicked = errors.New("httpclient: the transport panicked")

const (
	// breakerWindow is the time whose calls are judged, and breakerCalls how many
	// of them make a judgement: of fewer, half may fail by chance.
	breakerWindow = 10 * time.Second
	breakerCalls  = 20
	// breakerTrials must succeed in a row for the breaker to close.
	breakerTrials = 3
)

// breaker refuses calls to one host while most of them fail. A nil breaker
// refuses none.
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

// trying says whether the host is left alone or tried again.
func (b *breaker) trying() bool { return b != nil && !b.circuit.IsClosed() }

// call makes one attempt, unless the breaker is open.
func (b *breaker) call(r *http.Request, next http.RoundTripper) (*http.Response, error) {
	if b == nil {
		return next.RoundTrip(r)
	}
	if !b.circuit.TryAcquirePermit() {
		b.rejected.Inc()
		closeBody(r)
		return nil, ErrBreakerOpen
	}
	return b.attempt(r, next)
}

// attempt judges also an attempt that panics: a trial without an end would keep its
// place for ever.
func (b *breaker) attempt(r *http.Request, next http.RoundTripper) (resp *http.Response, err error) {
	trial := b.trying()
	err = errPanicked
	defer func() { b.judge(trial, resp, err) }()
	return next.RoundTrip(r)
}

// judge counts what came of an attempt, which was a trial when the breaker was not
// closed as it began.
func (b *breaker) judge(trial bool, resp *http.Response, err error) {
	switch {
	case !trial && b.trying():
		// It was sent before the breaker opened, and says nothing about the host of
		// now. The trials do.
	case !trial && err != nil && errorType(err) == errorCanceled:
		// The caller went away: that says nothing about the host. (A trial
		// has to end all the same.)
	case broken(resp, err):
		b.circuit.RecordFailure()
	default:
		b.circuit.RecordSuccess()
	}
}

// closeBody does what a RoundTripper does with every request, also one that it does
// not send.
func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// broken says whether the host is in trouble. One that refuses load and says when
// to come back is not: it protects itself, and answers what it can.
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
