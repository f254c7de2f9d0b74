package httpclient

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Values of the label purpose.
const (
	purposeRequest = "request"
	purposeCheck   = "check"
)

// calls counts the calls to an upstream.
type calls struct {
	counter *prometheus.CounterVec // by purpose and outcome
}

func newCalls(reg *telemetry.Registry, name string, hosts []string) (*calls, error) {
	all, err := reg.Counter(semconv.HTTPClientCalls, "Calls to upstreams, by the outcome after all attempts and the response body.",
		semconv.LabelPeerName, semconv.LabelServerAddress, semconv.LabelPurpose, semconv.LabelOutcome)
	if err != nil {
		return nil, err
	}
	counter, err := all.CurryWith(prometheus.Labels{semconv.LabelPeerName: name, semconv.LabelServerAddress: strings.ToLower(strings.Join(hosts, ""))})
	if err != nil {
		return nil, err
	}
	for _, purpose := range []string{purposeRequest, purposeCheck} {
		for _, outcome := range semconv.Outcomes() {
			counter.WithLabelValues(purpose, outcome) // a counter that first appears with a value hides it from rate
		}
	}
	return &calls{counter}, nil
}

func (c *calls) count(purpose, outcome string) { c.counter.WithLabelValues(purpose, outcome).Inc() }

// outcome returns the outcome of a call that ended with an error, or with a response whose body ended with an error or
// nil. A call whose caller gave up says nothing about the upstream.
func outcome(resp *http.Response, err error, impatient bool) string {
	switch {
	case gaveUp(err, impatient):
		return semconv.OutcomeClientError
	case err != nil:
		return semconv.OutcomeServerError
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		return semconv.OutcomeShed
	case resp.StatusCode >= http.StatusInternalServerError:
		return semconv.OutcomeServerError
	case resp.StatusCode >= http.StatusBadRequest:
		return semconv.OutcomeClientError
	}
	return semconv.OutcomeSuccess
}

// counted is a body at whose end the call is counted, once.
type counted struct {
	io.ReadCloser

	count func(error)
	once  sync.Once
}

// Read counts the call at the end of the body or at an error.
func (b *counted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(err)
	}
	return n, err
}

// Write is that of an upgraded connection.
func (b *counted) Write(p []byte) (int, error) {
	w, ok := b.ReadCloser.(io.Writer)
	if !ok {
		return 0, errors.New("the response body cannot be written")
	}
	return w.Write(p)
}

// Close counts the call: the caller may not need the rest.
func (b *counted) Close() error {
	err := b.ReadCloser.Close()
	b.end(nil)
	return err
}

func (b *counted) end(err error) {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	b.once.Do(func() { b.count(err) })
}

func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || err == nil && n >= 1 && n <= 65535
}

// notInURL reports a character that must be escaped in a query.
func notInURL(r rune) bool { return r <= ' ' || r >= 0x7f }
