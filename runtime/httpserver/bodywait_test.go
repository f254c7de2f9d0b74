package httpserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// lateBody delivers one byte a millisecond until it ends.
type lateBody struct{ ends time.Time }

func (b lateBody) Read(p []byte) (int, error) {
	if !time.Now().Before(b.ends) {
		return 0, io.EOF
	}
	time.Sleep(time.Millisecond)
	return copy(p, "x"), nil
}

// A 504 or a rejection is a client error if the body left the service less time than the latency
// objective, and a server error otherwise.
func TestLateBodies(t *testing.T) {
	t.Parallel()
	const objective = 300 * time.Millisecond
	readAll := func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	readConcurrently := func(r *http.Request) { go readAll(r) } // as httputil.ReverseProxy does
	for name, tc := range map[string]struct {
		objective time.Duration
		timeout   time.Duration // of the client; 0 for none
		body      time.Duration
		read      func(*http.Request)
		reject    bool
		want      string
	}{
		"after the request timeout":                               {objective, 0, 31 * time.Second, readAll, false, semconv.OutcomeClientError},
		"just before the request timeout":                         {objective, 0, 29_900 * time.Millisecond, readAll, false, semconv.OutcomeClientError},
		"while the handler does other work":                       {objective, 0, 31 * time.Second, readConcurrently, false, semconv.OutcomeClientError},
		"with more time left than the objective":                  {objective, 0, 29 * time.Second, readAll, false, semconv.OutcomeServerError},
		"after the client's timeout":                              {objective, time.Second, 1500 * time.Millisecond, readAll, false, semconv.OutcomeClientError},
		"just before the client's timeout":                        {objective, 400 * time.Millisecond, 150 * time.Millisecond, readAll, false, semconv.OutcomeClientError},
		"well before the client's timeout":                        {objective, time.Second, 500 * time.Millisecond, readAll, false, semconv.OutcomeServerError},
		"before a client timeout longer than the request timeout": {objective, time.Minute, 29_900 * time.Millisecond, readAll, false, semconv.OutcomeClientError},
		"at once": {objective, 0, 0, readAll, false, semconv.OutcomeServerError},
		"after the client's timeout, then rejected": {objective, time.Second, 1500 * time.Millisecond, readAll, true, semconv.OutcomeClientError},
		"just before it, without an objective":      {0, 0, 29_970 * time.Millisecond, readAll, false, semconv.OutcomeClientError},
		"well before it, without an objective":      {0, 0, 29 * time.Second, readAll, false, semconv.OutcomeServerError},
		"well before a rejection":                   {objective, time.Second, 500 * time.Millisecond, readAll, true, semconv.OutcomeShed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newTestObserver(t, Config{})
				o.opts.SlowAfter = tc.objective
				began := time.Now()
				h, err := o.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					limit := 30 * time.Second
					if tc.timeout > 0 {
						RecordTimeout(r.Context(), tc.timeout)
						limit = min(limit, tc.timeout)
					}
					tc.read(r)
					if tc.reject {
						MarkShed(r.Context())
						w.WriteHeader(http.StatusServiceUnavailable)
						return
					}
					time.Sleep(time.Until(began.Add(limit)))
					w.WriteHeader(http.StatusGatewayTimeout)
				}))
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", lateBody{began.Add(tc.body)})
				h.ServeHTTP(httptest.NewRecorder(), r)
				time.Sleep(time.Until(began.Add(tc.body + time.Second))) // until a read on another goroutine ends
				if n := testutil.ToFloat64(o.metrics.requests.WithLabelValues("POST", semconv.RouteUnmatched, tc.want)); n != 1 {
					t.Errorf("%v requests are a %s", n, tc.want)
				}
			})
		})
	}
}
