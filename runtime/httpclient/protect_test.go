package httpclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// host is a server without a network.
type host func(r *http.Request) (status int, header http.Header, err error)

func (h host) RoundTrip(r *http.Request) (*http.Response, error) {
	status, header, err := h(r)
	if err != nil {
		return nil, err
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Header: header, ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Body: io.NopCloser(strings.NewReader("answer")),
	}, nil
}

type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func always(status int) host {
	return func(*http.Request) (int, http.Header, error) { return status, nil, nil }
}

// The remaining time and the priority are sent, unless the program has set them.
func TestDeadlineAndPriorityGoOut(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		timeout  time.Duration // of the context; 0 for none
		priority string        // of the context
		header   []string
		wantTime string
		want     string
	}{
		{"the client's own timeout", 0, "", nil, "10000", ""},
		{"the context's deadline", 300 * time.Millisecond, semconv.PriorityCritical, nil, "300", semconv.PriorityCritical},
		{"less than a millisecond", time.Microsecond, semconv.PrioritySheddable, nil, "1", semconv.PrioritySheddable},
		{"set by the program", time.Second, semconv.PriorityCritical,
			[]string{semconv.HeaderTimeout, "77", semconv.HeaderPriority, semconv.PriorityDefault}, "77", semconv.PriorityDefault},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var sent http.Header
				g := newRig(t, Config{}, host(func(r *http.Request) (int, http.Header, error) {
					sent = r.Header
					return http.StatusOK, nil, nil
				}))
				ctx := t.Context()
				if tc.priority != "" {
					ctx = context.WithValue(ctx, semconv.ContextPriority, tc.priority)
				}
				if tc.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.timeout)
					defer cancel()
				}
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://payments/", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				for i := 0; i+1 < len(tc.header); i += 2 {
					r.Header.Set(tc.header[i], tc.header[i+1])
				}
				resp, err := g.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if got := sent.Get(semconv.HeaderTimeout); got != tc.wantTime {
					t.Errorf("timeout %q, want %q", got, tc.wantTime)
				}
				if got := sent.Get(semconv.HeaderPriority); got != tc.want {
					t.Errorf("priority %q, want %q", got, tc.want)
				}
				if len(tc.header) == 0 && len(r.Header) != 0 {
					t.Errorf("the caller's request was modified: %v", r.Header)
				}
			})
		})
	}
}

// A failing host is not called, tried again, and called when it works.
func TestTheBreakerOpensAndCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls, status := 0, http.StatusInternalServerError
		g := newRig(t, Config{Attempts: 1, BreakerRatio: 0.5, BreakerOpen: 5 * time.Second}, host(func(*http.Request) (int, http.Header, error) {
			calls++
			return status, nil, nil
		}), "payments", "stock")
		open := 0
		for range 100 {
			if _, _, err := g.call(t, http.MethodGet, "http://payments/", nil); errors.Is(err, ErrBreakerOpen) {
				open++
			}
		}
		if calls < breakerCalls || calls > breakerCalls+1 || calls+open != 100 {
			t.Errorf("%d calls were made and %d rejected, of 100", calls, open)
		}
		wantSeries(t, g, semconv.HTTPClientBreakerOpen, 1, "payments")
		wantSeries(t, g, semconv.HTTPClientBreakerRejected, float64(open), "payments")
		wantSeries(t, g, semconv.HTTPClientBreakerOpen, 0, "stock")

		status = http.StatusOK
		time.Sleep(5 * time.Second)
		for range 10 {
			if got, _, err := g.call(t, http.MethodGet, "http://payments/", nil); got != http.StatusOK {
				t.Errorf("after the host recovered: %d, %v", got, err)
			}
		}
		wantSeries(t, g, semconv.HTTPClientBreakerOpen, 0, "payments")
	})
}

// A call sent before the breaker opened says nothing about the current state of the host, and is
// no trial.
func TestOldCallsAreNoTrials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusInternalServerError
		g := newRig(t, Config{Attempts: 1, BreakerRatio: 0.5, BreakerOpen: 5 * time.Second, Timeout: time.Minute},
			host(func(r *http.Request) (int, http.Header, error) {
				if r.Method == http.MethodDelete {
					return http.StatusInternalServerError, nil, sleep(r.Context(), 6*time.Second)
				}
				return status, nil, nil
			}), "payments")
		go func() { _, _, _ = g.call(t, http.MethodDelete, "http://payments/", nil) }()
		synctest.Wait()
		for range breakerCalls {
			_, _, _ = g.call(t, http.MethodGet, "http://payments/", nil)
		}
		wantSeries(t, g, semconv.HTTPClientBreakerOpen, 1, "payments")

		status = http.StatusOK
		time.Sleep(5500 * time.Millisecond)
		for trial := range breakerTrials {
			if got, _, err := g.call(t, http.MethodGet, "http://payments/", nil); got != http.StatusOK {
				t.Errorf("trial %d: %d, %v", trial, got, err)
			}
			time.Sleep(400 * time.Millisecond) // the old call ends before the last one
		}
		wantSeries(t, g, semconv.HTTPClientBreakerOpen, 0, "payments")
	})
}

// The slower attempt of a hedge is canceled, which would be a failed trial. Otherwise the breaker
// of a slow host would never close.
func TestTrialsAreNotHedged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failing, calls := true, atomic.Int64{}
		g := newRig(t, Config{Attempts: 1, BreakerRatio: 0.5, BreakerOpen: 5 * time.Second, HedgeAfter: 50 * time.Millisecond, Timeout: time.Minute},
			host(func(r *http.Request) (int, http.Header, error) {
				calls.Add(1)
				if failing {
					return http.StatusInternalServerError, nil, nil
				}
				return http.StatusOK, nil, sleep(r.Context(), time.Second)
			}), "payments")
		for range breakerCalls {
			_, _, _ = g.call(t, http.MethodGet, "http://payments/", nil)
		}
		failing = false
		calls.Store(0)
		time.Sleep(5 * time.Second)
		for trial := range breakerTrials {
			if got, _, err := g.call(t, http.MethodGet, "http://payments/", nil); got != http.StatusOK {
				t.Errorf("trial %d: %d, %v", trial, got, err)
			}
		}
		if calls.Load() != breakerTrials {
			t.Errorf("%d calls for %d trials", calls.Load(), breakerTrials)
		}
		wantSeries(t, g, semconv.HTTPClientBreakerOpen, 0, "payments")
	})
}

// A transport that panics ends its trial: otherwise the breaker would reject forever.
func TestAPanicEndsItsTrial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusInternalServerError
		g := newRig(t, Config{Attempts: 1, BreakerRatio: 0.5, BreakerOpen: 5 * time.Second}, host(func(*http.Request) (int, http.Header, error) {
			if status == 0 {
				panic("no response")
			}
			return status, nil, nil
		}), "payments")
		g.Timeout = 0 // net/http's own timer would outlive the panic
		get := func() int {
			defer func() { _ = recover() }()
			got, _, _ := g.call(t, http.MethodGet, "http://payments/", nil)
			return got
		}
		for range breakerCalls {
			get()
		}
		for _, status = range []int{0, 0, 0, 0, http.StatusOK} {
			time.Sleep(5 * time.Second)
			get()
		}
		for range breakerTrials {
			if got := get(); got != http.StatusOK {
				t.Errorf("after the panics: %d", got)
			}
		}
	})
}

// A host that sheds load has not failed: an open breaker would remove the capacity that it has.
func TestRejectionsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]host{
		"shed": func(*http.Request) (int, http.Header, error) {
			return http.StatusServiceUnavailable, http.Header{"Retry-After": {"1"}}, nil
		},
		"a bad request": always(http.StatusBadRequest), "too many requests": always(http.StatusTooManyRequests),
	} {
		g := newRig(t, Config{Attempts: 1, BreakerRatio: 0.5}, h)
		for range 100 {
			if _, _, err := g.call(t, http.MethodGet, "http://payments/", nil); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	g := newRig(t, Config{Attempts: 1}, always(http.StatusInternalServerError)) // a ratio of zero is no breaker
	for range 100 {
		if _, _, err := g.call(t, http.MethodGet, "http://payments/", nil); err != nil {
			t.Fatal(err)
		}
	}
}

// closer counts request bodies that were opened and not closed.
type closer struct {
	io.Reader

	open *atomic.Int64
}

func (c closer) Close() error {
	c.open.Add(-1)
	return nil
}

// withBody returns a request that can be sent again and whose bodies are counted.
func withBody(t *testing.T, open *atomic.Int64) *http.Request {
	t.Helper()
	get := func() (io.ReadCloser, error) {
		open.Add(1)
		return closer{strings.NewReader("stock"), open}, nil
	}
	body, err := get()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://payments/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.GetBody = get
	return r
}

// A RoundTripper closes the body of the request even if it rejects it: the body may be a file.
func TestRejectedCallClosesItsBody(t *testing.T) {
	t.Parallel()
	var open atomic.Int64
	g := newRig(t, Config{Attempts: 1, BreakerRatio: 0.5}, host(func(r *http.Request) (int, http.Header, error) {
		return http.StatusInternalServerError, nil, r.Body.Close()
	}))
	rejected := 0
	for range 2 * breakerCalls {
		resp, err := g.Do(withBody(t, &open))
		if errors.Is(err, ErrBreakerOpen) {
			rejected++
			continue
		}
		_ = resp.Body.Close()
	}
	if rejected == 0 || open.Load() != 0 {
		t.Errorf("%d calls were rejected, and %d bodies left open", rejected, open.Load())
	}
}

// If the first attempt is slow, a second one is sent, wins, and the first is canceled. The budget
// limits how often.
func TestASlowCallIsHedged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls, givenUp atomic.Int64
		g := newRig(t, Config{HedgeAfter: 50 * time.Millisecond, Timeout: time.Minute}, host(func(r *http.Request) (int, http.Header, error) {
			if calls.Add(1)%2 == 0 {
				return http.StatusOK, http.Header{"Call": {"second"}}, nil
			}
			select {
			case <-r.Context().Done():
				givenUp.Add(1)
				return 0, nil, r.Context().Err()
			case <-time.After(10 * time.Second):
				return http.StatusOK, nil, nil
			}
		}), "payments")
		began := time.Now()
		status, body, err := g.call(t, http.MethodGet, "http://payments/", nil)
		if status != http.StatusOK || body != "answer" || err != nil {
			t.Errorf("%d %q %v", status, body, err)
		}
		if took := time.Since(began); took != 50*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		synctest.Wait()
		if calls.Load() != 2 || givenUp.Load() != 1 {
			t.Errorf("%d calls, %d canceled", calls.Load(), givenUp.Load())
		}
		wantSeries(t, g, semconv.HTTPClientHedges, 1, "payments")

		calls.Store(0)
		if _, _, err := g.call(t, http.MethodPost, "http://payments/", strings.NewReader("pay")); err != nil || calls.Load() != 1 {
			t.Errorf("a POST was sent %d times: %v", calls.Load(), err)
		}
	})
}

func TestHedgesArePaidFromTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		g := newRig(t, Config{HedgeAfter: time.Millisecond, Timeout: time.Minute}, host(func(r *http.Request) (int, http.Header, error) {
			calls.Add(1)
			time.Sleep(10 * time.Millisecond)
			return http.StatusOK, nil, r.Context().Err()
		}), "payments")
		const asked = 1000
		for range asked {
			if status, _, err := g.call(t, http.MethodGet, "http://payments/", nil); status != http.StatusOK {
				t.Fatal(status, err)
			}
		}
		synctest.Wait()
		if extra := calls.Load() - asked; extra < asked/20 || extra > asked/10+budgetBurst {
			t.Errorf("%d calls for %d", calls.Load(), asked)
		}
	})
}

// A hedge without budget is not sent and opens no body.
func TestAHedgeThatIsNotPaidForOpensNoBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var open, calls atomic.Int64
		g := newRig(t, Config{HedgeAfter: time.Millisecond, Timeout: time.Minute}, host(func(r *http.Request) (int, http.Header, error) {
			calls.Add(1)
			time.Sleep(10 * time.Millisecond)
			return http.StatusOK, nil, r.Body.Close()
		}))
		const asked = 100
		for range asked {
			resp, err := g.Do(withBody(t, &open))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		synctest.Wait()
		if calls.Load() == 2*asked || open.Load() != 0 {
			t.Errorf("%d calls for %d, and %d bodies left open", calls.Load(), asked, open.Load())
		}
	})
}

// A failed attempt does not end the other one, whether the breaker rejected it or an unknown
// error occurred.
func TestAFailedHedgeDoesNotEndTheCall(t *testing.T) {
	t.Parallel()
	t.Run("rejected", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, Config{Attempts: 1, BreakerRatio: 0.5, HedgeAfter: 50 * time.Millisecond, Timeout: time.Minute},
				host(func(r *http.Request) (int, http.Header, error) {
					if r.Method != http.MethodGet {
						return http.StatusInternalServerError, nil, nil
					}
					return http.StatusOK, nil, sleep(r.Context(), time.Second)
				}))
			go func() {
				time.Sleep(10 * time.Millisecond)
				for range breakerCalls { // opens the breaker
					_, _, _ = g.call(t, http.MethodDelete, "http://payments/", nil)
				}
			}()
			if status, _, err := g.call(t, http.MethodGet, "http://payments/", nil); status != http.StatusOK {
				t.Errorf("%d, %v", status, err)
			}
		})
	})
	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			g := newRig(t, Config{Attempts: 1, HedgeAfter: 50 * time.Millisecond, Timeout: time.Minute},
				host(func(r *http.Request) (int, http.Header, error) {
					if calls.Add(1) > 1 {
						return 0, nil, errors.New("a stream was reset")
					}
					return http.StatusOK, nil, sleep(r.Context(), time.Second)
				}))
			if status, _, err := g.call(t, http.MethodGet, "http://payments/", nil); status != http.StatusOK {
				t.Errorf("%d, %v", status, err)
			}
		})
	})
}

// An upgrade is requested once, and its body is writable: a hedge would open a second connection.
func TestUpgradesAreNotHedged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		g := newRig(t, Config{HedgeAfter: time.Millisecond}, roundTrip(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			ours, _ := net.Pipe()
			return &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: ours, Request: r}, sleep(r.Context(), time.Second)
		}))
		g.Timeout = 0 // as for any stream: the client's timeout wraps the body
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://payments/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Upgrade", "websocket")
		resp, err := g.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, ok := resp.Body.(io.Writer); !ok || calls.Load() != 1 {
			t.Errorf("%d calls; the body is %T", calls.Load(), resp.Body)
		}
	})
}

func wantSeries(t *testing.T, g *rig, metric string, want float64, address string) {
	t.Helper()
	families, err := g.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == metric && m.GetLabel()[0].GetValue() == address {
				if got := m.GetGauge().GetValue() + m.GetCounter().GetValue(); got != want {
					t.Errorf("%s of %s is %s, want %s", metric, address, strconv.FormatFloat(got, 'g', -1, 64), strconv.FormatFloat(want, 'g', -1, 64))
				}
				return
			}
		}
	}
	t.Errorf("no %s of %s", metric, address)
}
