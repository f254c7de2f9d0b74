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

// The longest wait before a retry doubles from firstWait to longestWait, and the
// wait itself is drawn evenly from zero up to that: "full jitter", which takes
// the fewest calls in the AWS Architecture Blog's Exponential Backoff And Jitter
// (2015).
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 2 * time.Second
	// longestRetryAfter is the longest Retry-After that is waited for. A server
	// that asks for more is down for this call.
	longestRetryAfter = 10 * time.Second
)

// Retries may be a tenth of the calls (Site Reliability Engineering, chapter
// 21: with 10 % an outage costs 1.1 times the load instead of three times). A
// burst of ten is allowed on top, the bucket of gRPC's retry throttling (A6),
// so that an idle client can retry at all.
const (
	budgetRatio = 0.1
	budgetBurst = 10
)

// drainLimit is how much of an answer is read before it is thrown away, so that
// its connection can be used again; as much as net/http's server reads.
const drainLimit = 256 << 10 // bytes

// budget is a bucket of retries. Each call adds a share of one, each retry
// takes one.
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
	// A tenth has no exact binary form: ten of them must still make one.
	const slack = 1e-9
	if b.tokens < 1-slack {
		return false
	}
	b.tokens--
	return true
}

// retrier repeats what may be repeated.
type retrier struct {
	next       *observer
	attempts   int
	hedgeAfter time.Duration // 0 for never
	metrics    *metrics
}

// CloseIdleConnections passes on what http.Client.CloseIdleConnections asks.
func (t *retrier) CloseIdleConnections() {
	if c, ok := t.next.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip sends the request until it gets an answer worth returning, or may
// not send it again.
func (t *retrier) RoundTrip(r *http.Request) (*http.Response, error) {
	p := t.metrics.peer(r.URL.Hostname())
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

// attempt sends the request once, or twice when hedging finds it slow.
func (t *retrier) attempt(r *http.Request, p peer) (*http.Response, error) {
	if t.hedges(r, p) {
		return t.hedged(r, p)
	}
	return p.breaker.call(r, t.next)
}

// hedges says whether a slow attempt may be joined by another. Trials of a host that
// failed are few, and the one that loses a race would be a failed one; an upgraded
// connection is not an answer that a second one could replace.
func (t *retrier) hedges(r *http.Request, p peer) bool {
	return t.hedgeAfter > 0 && repeatable(r) && !p.breaker.trying() && r.Header.Get("Upgrade") == ""
}

// again returns the request for one attempt, with a fresh body after the first.
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

// repeatable reports whether sending the request twice is as good as once, and
// possible.
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

// transient reports whether another attempt may do better.
func transient(resp *http.Response, err error) bool {
	if err != nil {
		kind := errorType(err)
		// A wrong certificate stays wrong, a caller that left stays away, and
		// what is unknown may be anything.
		return kind != errorCanceled && kind != errorTLS && kind != errorOther
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// pause is the wait before the next attempt; false when the server asks for
// too long a one, or the context ends before.
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

// retryAfter reads the header: seconds, or a date (RFC 9110, 10.2.3). What
// cannot be read is 0.
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

// discard ends an answer that nobody will see.
func discard(resp *http.Response) {
	if resp == nil || resp.Body == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, drainLimit) // its error is no reason not to try again
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
