package httpclient

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The maximum wait before a retry doubles from firstWait to longestWait, and the wait is random
// between zero and that: "full jitter", which needs the fewest calls in the AWS Architecture
// Blog's Exponential Backoff And Jitter (2015).
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 2 * time.Second
	// longestRetryAfter is the maximum Retry-After. A server that asks for more counts as
	// unavailable for this call.
	longestRetryAfter = 10 * time.Second
)

// Retries are limited to a tenth of the calls (Site Reliability Engineering, chapter 21: with 10
// %, an outage costs 1.1 times the load instead of three times), plus a burst of ten, the bucket
// of gRPC's retry throttling (A6), so that an idle client can retry.
const (
	budgetRatio = 0.1
	budgetBurst = 10
)

// drainLimit is the number of bytes read of a discarded response, so that its connection can be
// reused. net/http's server has the same limit.
const drainLimit = 256 << 10 // bytes

// budget is a token bucket of retries. Each call adds a fraction of a token, each retry takes
// one.
type budget struct {
	mu     sync.Mutex
	tokens float64
}

func newBudget() *budget { return &budget{tokens: budgetBurst} }

func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(budgetBurst, b.tokens+budgetRatio)
}

func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	// 0.1 is inexact in binary; ten of them must make one token.
	const slack = 1e-9
	if b.tokens < 1-slack {
		return false
	}
	b.tokens--
	return true
}

type retrier struct {
	next       *observer
	attempts   int
	hedgeAfter time.Duration // 0 for never
	metrics    *metrics
}

// CloseIdleConnections implements the method that http.Client.CloseIdleConnections calls.
func (t *retrier) CloseIdleConnections() {
	if c, ok := t.next.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// impatient reports whether the deadline of a request is earlier than that which the client sets.
func impatient(ctx context.Context, timeout time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < timeout-timeout/10 // the client's is set a moment before
}

// RoundTrip sends the request until a response is final or a retry is not allowed.
func (t *retrier) RoundTrip(r *http.Request) (*http.Response, error) {
	p := t.metrics.peer(r.URL.Hostname())
	p.impatient = impatient(r.Context(), t.metrics.config.Timeout)
	p.budget.earn()
	for resend := 0; ; resend++ {
		try, err := again(r, resend)
		if err != nil {
			return nil, err
		}
		resp, err := t.attempt(try, p)
		if resend+1 >= t.attempts || !repeatable(r) || !transient(resp, err) {
			return resp, err
		}
		wait, ok := pause(r.Context(), resp, resend)
		if !ok {
			return resp, err
		}
		if !p.budget.spend() {
			t.metrics.suppressed.WithLabelValues(p.label).Inc()
			return resp, err
		}
		discard(resp)
		if err := sleep(r.Context(), wait); err != nil {
			return nil, err
		}
		t.metrics.retries.WithLabelValues(p.label).Inc()
	}
}

// attempt sends the request once, or twice with hedging.
func (t *retrier) attempt(r *http.Request, p peer) (*http.Response, error) {
	if t.hedges(r, p) {
		return t.hedged(r, p)
	}
	return p.breaker.call(r, t.next, p.impatient)
}

// hedges reports whether a slow attempt may be hedged. Trials of an open breaker are not, because
// the slower attempt would be a failed trial. Neither are upgrades, because a second response
// cannot replace an upgraded connection.
func (t *retrier) hedges(r *http.Request, p peer) bool {
	return t.hedgeAfter > 0 && repeatable(r) && !p.breaker.trying() && r.Header.Get("Upgrade") == ""
}

// again returns the request for an attempt, with a new body after the first.
func again(r *http.Request, resend int) (*http.Request, error) {
	if resend == 0 {
		return r, nil
	}
	try := r.Clone(withResend(r.Context(), resend))
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		try.Body = body
	}
	return try, nil
}

// repeatable reports whether the request is idempotent and its body can be sent again.
func repeatable(r *http.Request) bool {
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return false
	}
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return r.Header.Get("Idempotency-Key") != ""
}

// transient reports whether another attempt may succeed.
func transient(resp *http.Response, err error) bool {
	if err != nil {
		kind := errorType(err)
		// TLS errors are permanent, canceled calls are not retried, and unknown errors may be
		// anything.
		return kind != errorCanceled && kind != errorTLS && kind != errorOther
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// pause returns the wait before the next attempt. It returns false if Retry-After
// exceeds longestRetryAfter, or the context ends before.
func pause(ctx context.Context, resp *http.Response, resend int) (time.Duration, bool) {
	limit := min(longestWait, firstWait<<min(resend, 16))
	wait := rand.N(limit + 1)
	if resp != nil {
		asked := retryAfter(resp.Header.Get("Retry-After"), time.Now())
		if asked > longestRetryAfter {
			return 0, false
		}
		wait = max(wait, asked)
	}
	if ctx.Err() != nil {
		return 0, false
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return 0, false
	}
	return wait, true
}

// retryAfter parses the header: seconds, or a date (RFC 9110, section 10.2.3). Invalid values are
// 0.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		return longestRetryAfter + 1
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

func discard(resp *http.Response) {
	if resp == nil || resp.Body == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, drainLimit) // an error does not matter here
	_ = resp.Body.Close()
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
