package overload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/semconv"
)

func inFlightNow(l *Limiter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight
}

// post returns a request with a body of the announced length; -1 announces none.
func post(body io.Reader, length int64) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(body))
	r.ContentLength = length
	return r
}

// A request takes a slot only after its body has arrived, whatever its size. The handler reads
// all of it, and all resources are released.
func TestABodyTakesAPlaceOnceItHasArrived(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		size   int
		length int64
		proto  int
	}{
		"small":                            {1000, 1000, 1},
		"the maximum size of a small body": {smallBody, smallBody, 1},
		"large":                            {smallBody + 1, smallBody + 1, 1},
		"small and chunked":                {1000, -1, 1},
		"large and chunked":                {3 * smallBody, -1, 1},
		"of unknown length, by HTTP/2":     {1000, -1, 2},
		"larger than the budget":           {bodyBudget + 1, bodyBudget + 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := simLimiter(t, Config{})
			l.bodies.limit = 2 * bodyBudget
			sent, arriving := io.Pipe()
			want := bytes.Repeat([]byte("x"), tc.size)
			go func() {
				_, _ = arriving.Write(want[:tc.size-1])
				for deadline := time.Now().Add(10 * time.Second); inFlightNow(l) != 0; time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Error("the request is in flight while it waits for its body")
						break
					}
				}
				_, _ = arriving.Write(want[tc.size-1:])
				_ = arriving.Close()
			}()
			r := post(sent, tc.length)
			r.ProtoMajor = tc.proto
			l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got, err := io.ReadAll(r.Body)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("the handler reads %d bytes and %v", len(got), err)
				}
				if n := inFlightNow(l); n != 1 {
					t.Errorf("%d requests are in flight once the body has arrived", n)
				}
			}), nil).ServeHTTP(httptest.NewRecorder(), r)
			if n := inFlightNow(l); n != 0 {
				t.Errorf("%d requests are still in flight", n)
			}
			if n := l.bodies.buffered.Load(); n != 0 {
				t.Errorf("%d bytes are still reserved", n)
			}
			if !l.bodies.receiving.TryAcquire(bodyBudget) {
				t.Error("a body permit was not released")
			}
		})
	}
}

// A body that breaks off is rejected before it takes a slot, without a call of the handler.
func TestABrokenBodyIsRejectedWithoutAPlace(t *testing.T) {
	t.Parallel()
	l := full(t, Config{})
	w := httptest.NewRecorder()
	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("connection reset")))
	l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }), nil).
		ServeHTTP(w, post(broken, 1000))
	if w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
}

// An error that wraps io.EOF is an error, not the end of the body.
func TestAnErrorThatWrapsEOFIsNotTheEnd(t *testing.T) {
	t.Parallel()
	l := simLimiter(t, Config{})
	w := httptest.NewRecorder()
	lost := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(fmt.Errorf("the rest is lost: %w", io.EOF)))
	l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }), nil).
		ServeHTTP(w, post(lost, 8))
	if w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
}

// ModeObserve admits every request, even if its body arrives after its deadline.
func TestObserveAdmitsARequestWithALateBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := simLimiter(t, Config{Mode: ModeObserve})
		sent, arriving := io.Pipe()
		go func() {
			time.Sleep(time.Second)
			_, _ = arriving.Write([]byte("x"))
			_ = arriving.Close()
		}()
		r := post(sent, 1)
		r.Header.Set(semconv.HeaderTimeout, "100")
		called := false
		l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }), nil).ServeHTTP(httptest.NewRecorder(), r)
		if !called {
			t.Error("the handler was not called")
		}
	})
}

// A request whose body arrives after its deadline does not count as shed, and the limiter does
// not learn from it. The handler is called only for a large body.
func TestABodyAfterTheDeadlineIsLate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		size    int
		timeout string // of the client
		want    int
	}{
		"small, of the client": {1000, "1000", http.StatusRequestTimeout},
		"small, of the server": {1000, "", http.StatusRequestTimeout},
		"large, of the client": {smallBody + 1, "1000", http.StatusGatewayTimeout},
		"large, of the server": {smallBody + 1, "", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := simLimiter(t, Config{})
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				sent, arriving := io.Pipe()
				go func() {
					time.Sleep(3 * time.Second)
					_, _ = arriving.Write(make([]byte, tc.size))
					_ = arriving.Close()
				}()
				r := post(sent, int64(tc.size)).WithContext(ctx)
				r.Header.Set(semconv.HeaderTimeout, tc.timeout)
				w := httptest.NewRecorder()
				l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if tc.size <= smallBody {
						t.Error("the handler was called")
					}
					_, _ = io.Copy(io.Discard, r.Body)
					time.Sleep(time.Second) // work
				}), nil).ServeHTTP(w, r)
				if w.Code != tc.want {
					t.Errorf("status %d, want %d", w.Code, tc.want)
				}
				wantShed(t, l, Default, ReasonDeadline, 0)
				if l.rule.window.count != 0 {
					t.Error("the limiter learned from the request")
				}
			})
		})
	}
}

// Small bodies without memory count as large ones, and large ones without a permit are rejected;
// ModeObserve only counts them.
func TestBodiesBeyondTheirBudgetAreRejected(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{ModeEnforce, ModeObserve} {
		synctest.Test(t, func(t *testing.T) {
			l := simLimiter(t, Config{Mode: mode, QueueWait: time.Second})
			l.bodies.buffered.Store(bodyBudget)
			l.bodies.receiving.TryAcquire(bodyBudget - 5000)
			h := l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), nil)
			status := func(size int) int {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, post(strings.NewReader(strings.Repeat("x", size)), int64(size)))
				return w.Code
			}
			if got := status(5000); got != http.StatusOK {
				t.Errorf("%s: with a permit left, status %d", mode, got)
			}
			want := http.StatusServiceUnavailable
			if mode == ModeObserve {
				want = http.StatusOK
			}
			if got := status(5001); got != want {
				t.Errorf("%s: without a permit, status %d", mode, got)
			}
			counter := l.shed
			if mode == ModeObserve {
				counter = l.wouldShed
			}
			if n := testutil.ToFloat64(counter[Default.index()][ReasonBodies.index()]); n != 1 {
				t.Errorf("%s: %g are counted", mode, n)
			}
			if l.bodies.buffered.Load() != bodyBudget || !l.bodies.receiving.TryAcquire(5000) || inFlightNow(l) != 0 {
				t.Errorf("%s: a resource was not released", mode)
			}
		})
	}
}

// A handler that responds without reading releases the permit, and so does one that responds with
// a stream.
func TestAHandlerThatReadsNoBodyGivesItsPermitBack(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"text/plain", "text/event-stream"} {
		l := simLimiter(t, Config{})
		l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(http.StatusTeapot)
		}), nil).ServeHTTP(httptest.NewRecorder(), post(strings.NewReader("x"), 1<<20))
		if !l.bodies.receiving.TryAcquire(bodyBudget) || inFlightNow(l) != 0 {
			t.Errorf("%s: a resource was not released", contentType)
		}
	}
}

// A request whose handler works is in flight, whether it reads the body or not.
func TestAHandlerThatReadsNoBodyIsInFlight(t *testing.T) {
	t.Parallel()
	l := simLimiter(t, Config{})
	l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if n := inFlightNow(l); n != 1 {
			t.Errorf("%d requests are in flight before the body is read", n)
		}
		if _, err := r.Body.Read(make([]byte, 10)); err != nil {
			t.Error(err)
		}
		if n := inFlightNow(l); n != 1 {
			t.Errorf("%d requests are in flight between two reads", n)
		}
	}), nil).ServeHTTP(httptest.NewRecorder(), post(strings.NewReader(strings.Repeat("x", 100_000)), 100_000))
}

// A body that announces more than the limit is rejected before it takes a permit. A body without
// a permit waits no longer than a slow body may take.
func TestALargeBodyIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := simLimiter(t, Config{})
		var rejected error
		h := l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }),
			func(w http.ResponseWriter, r *http.Request, err error) {
				rejected = err
				rejectPlainly(w, r, err)
			})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, post(strings.NewReader(""), defaultBodyLimit+1))
		if _, ok := rejected.(*apierror.Error); !ok || w.Code != http.StatusRequestEntityTooLarge { //nolint:errorlint // as Reject documents it
			t.Errorf("status %d, the error is %T", w.Code, rejected)
		}
		l.bodies.receiving.TryAcquire(bodyBudget)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		w = httptest.NewRecorder()
		h.ServeHTTP(w, post(strings.NewReader(""), 100_000).WithContext(ctx))
		if waited := time.Since(began); w.Code != http.StatusServiceUnavailable || waited != bodyWait {
			t.Errorf("status %d after %s", w.Code, waited)
		}
	})
}

// A request whose deadline passes while it waits for a body permit is rejected for the deadline.
func TestADeadlineEndsTheWaitForABodyPermit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := simLimiter(t, Config{QueueWait: 5 * time.Second})
		l.bodies.receiving.TryAcquire(bodyBudget)
		r := post(strings.NewReader(""), 100_000)
		r.Header.Set(semconv.HeaderTimeout, "1000")
		l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }), nil).
			ServeHTTP(httptest.NewRecorder(), r)
		wantShed(t, l, Default, ReasonDeadline, 1)
		wantShed(t, l, Default, ReasonBodies, 0)
	})
}

// A stream, or a response that its client does not read, has no slot but uses memory.
func TestRequestsThatWentAwayCountForMemory(t *testing.T) {
	t.Parallel()
	l := simLimiter(t, Config{InitialLimit: 4, MemoryShedRatio: 0.8})
	l.memory.share = func() float64 { return 1 }
	h := l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		if inFlightNow(l) != 0 || l.detached != 1 {
			t.Errorf("%d in flight, %d detached", l.inFlight, l.detached)
		}
		l.detached = 4
		if _, err := l.Acquire(t.Context(), Default); !errors.Is(err, ReasonMemory) {
			t.Errorf("with four detached requests: %v", err)
		}
		l.detached = 1
	}), nil)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if inFlightNow(l) != 0 || l.detached != 0 {
		t.Errorf("%d in flight, %d detached at the end", l.inFlight, l.detached)
	}
}

// Over HTTP/2 a stream may end long after its last byte: the permit is released when the
// announced number of bytes has arrived, whatever the handler does then.
func TestABodyThatHasArrivedHoldsNoPermit(t *testing.T) {
	t.Parallel()
	l := simLimiter(t, Config{})
	r := post(strings.NewReader(strings.Repeat("x", 100_000)), 100_000)
	r.ProtoMajor = 2
	l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 100_000)); err != nil {
			t.Error(err)
		}
		if !l.bodies.receiving.TryAcquire(bodyBudget) {
			t.Fatal("the permit is not released")
		}
		l.bodies.receiving.Release(bodyBudget)
	}), nil).ServeHTTP(httptest.NewRecorder(), r)
}

// A streaming response may last for hours. It has no body permit, whether the body has arrived or
// not.
func TestAStreamHoldsNoBodyPermit(t *testing.T) {
	t.Parallel()
	l := simLimiter(t, Config{})
	r := post(strings.NewReader("{}"), -1)
	r.ProtoMajor = 2
	l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		if !l.bodies.receiving.TryAcquire(bodyBudget) {
			t.Fatal("the permit is not released")
		}
		l.bodies.receiving.Release(bodyBudget)
		if got, err := io.ReadAll(r.Body); string(got) != "{}" || err != nil {
			t.Errorf("the handler reads %q and %v", got, err)
		}
	}), nil).ServeHTTP(httptest.NewRecorder(), r)
	if inFlightNow(l) != 0 || l.detached != 0 {
		t.Errorf("%d in flight, %d detached at the end", l.inFlight, l.detached)
	}
}

// stepwise is a body of which each read waits for a step.
type stepwise struct{ begun, steps chan struct{} }

func (b stepwise) Read([]byte) (int, error) {
	b.begun <- struct{}{}
	<-b.steps
	return 1, nil
}

// Concurrent reads release the slot once, and take it again after the last of them.
func TestParallelReadsGiveOnePlaceBack(t *testing.T) {
	t.Parallel()
	l := simLimiter(t, Config{})
	b := stepwise{make(chan struct{}), make(chan struct{})}
	l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var reads sync.WaitGroup
		for range 3 {
			reads.Go(func() { _, _ = r.Body.Read(make([]byte, 1)) })
		}
		for range 3 {
			<-b.begun
		}
		if n := inFlightNow(l); n != 0 {
			t.Errorf("%d requests are in flight while three reads wait", n)
		}
		for range 3 {
			b.steps <- struct{}{}
		}
		reads.Wait()
		if n := inFlightNow(l); n != 1 {
			t.Errorf("%d requests are in flight after the reads", n)
		}
	}), nil).ServeHTTP(httptest.NewRecorder(), post(b, 100_000))
	if n := inFlightNow(l); n != 0 {
		t.Errorf("%d requests are still in flight", n)
	}
}

// A small body of announced length reserves one byte more, to read its end into the same buffer,
// even if the last byte and the end are two reads, as over HTTP/2.
func TestASmallBodyTakesWhatItAnnounces(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{1, 1000, firstBuffer, 2 * firstBuffer, 3 * firstBuffer, smallBody} {
		l := simLimiter(t, Config{})
		reserved, complete, err := l.bodies.buffer(post(strings.NewReader(strings.Repeat("x", int(size))), size))
		if reserved != size+1 || !complete || err != nil {
			t.Errorf("%d bytes: %d are reserved, complete: %t, %v", size, reserved, complete, err)
		}
	}
}

// Clients with timeouts shorter than any request takes do not make the service look slow.
func TestImpatientClientsDoNotLowerTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := simLimiter(t, Config{})
		one := func(takes time.Duration, late bool) {
			if permit, err := l.Acquire(t.Context(), Default); err == nil {
				time.Sleep(takes)
				permit.Release(late)
			}
		}
		for range 100 {
			one(10*time.Millisecond, false)
		}
		before := l.rule.allowed()
		var clients sync.WaitGroup
		for range 64 {
			clients.Go(func() {
				for range 200 {
					one(time.Millisecond, true)
				}
			})
		}
		clients.Wait()
		if after := l.rule.allowed(); after < before {
			t.Errorf("the limit fell from %d to %d", before, after)
		}
	})
}

// Middleware in front may make a body longer than its Content-Length.
func TestABodyMayBeLongerThanAnnounced(t *testing.T) {
	t.Parallel()
	l := simLimiter(t, Config{})
	l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got, err := io.ReadAll(r.Body); len(got) != 10_000 || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}), nil).ServeHTTP(httptest.NewRecorder(), post(iotest.HalfReader(strings.NewReader(strings.Repeat("x", 10_000))), 100))
}

// Two limiters in front of one handler both release their slots.
func TestTwoLimitersGiveTheirPlacesBack(t *testing.T) {
	t.Parallel()
	outer, inner := simLimiter(t, Config{}), simLimiter(t, Config{})
	h := outer.Wrap(inner.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil), nil)
	for range 3 {
		h.ServeHTTP(&reporter{ResponseWriter: httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	}
	if inFlightNow(outer) != 0 || inFlightNow(inner) != 0 {
		t.Errorf("%d and %d requests are still in flight", inFlightNow(outer), inFlightNow(inner))
	}
}

// reporter is a writer such as that of httpserver.
type reporter struct {
	http.ResponseWriter
	claimed, left bool
}

func (*reporter) OnRelease(func()) {}
func (*reporter) Streams() bool    { return false }
func (*reporter) Begun() bool      { return false }
func (r *reporter) Claim() bool    { first := !r.claimed; r.claimed = true; return first }
func (r *reporter) Keep() bool     { first := !r.left; r.left = true; return first }
