package httpclient

import (
	"context"
	"io"
	"net/http"
	"time"
)

type tried struct {
	resp   *http.Response
	err    error
	cancel context.CancelFunc
}

// useful reports whether the result ends the race. An error does not: the other attempt may still
// succeed, and otherwise ends soon.
func (t tried) useful() bool { return t.err == nil && !transient(t.resp, nil) }

func (t tried) drop() {
	t.cancel()
	discard(t.resp)
}

// hedged makes an attempt and, if there is no response in time, a second one. The first useful
// response is returned and the other attempt canceled. The second attempt uses the retry budget,
// so that a slow host does not get twice the calls.
func (t *retrier) hedged(r *http.Request, p peer) (*http.Response, error) {
	results := make(chan tried, 2)
	start := func(r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		go func() {
			resp, err := p.breaker.call(r.WithContext(ctx), t.next, p.impatient) //nolint:bodyclose // settle or drop closes it
			results <- tried{resp, err, cancel}
		}()
	}
	start(r)
	timer := time.NewTimer(t.hedgeAfter)
	defer timer.Stop()
	select {
	case first := <-results:
		return first.settle()
	case <-timer.C:
	}
	if !p.budget.spend() {
		return (<-results).settle()
	}
	second, err := again(r, 1) // opens a body, which only sending it closes
	if err != nil {
		return (<-results).settle()
	}
	t.metrics.hedges.WithLabelValues(p.label).Inc()
	start(second)
	first := <-results
	if !first.useful() {
		first.drop()
		return (<-results).settle()
	}
	go func() { (<-results).drop() }()
	return first.settle()
}

// settle returns the response. Its context ends with its body.
func (t tried) settle() (*http.Response, error) {
	if t.err != nil || t.resp.Body == nil {
		t.cancel()
		return t.resp, t.err
	}
	t.resp.Body = &ownedBody{t.resp.Body, t.cancel}
	return t.resp, nil
}

// ownedBody is a body whose request has its own context.
type ownedBody struct {
	io.ReadCloser

	cancel context.CancelFunc
}

// Close also ends the context.
func (b *ownedBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}
