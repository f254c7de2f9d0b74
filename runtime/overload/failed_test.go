package overload

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

type failedKey struct{}

// failing returns a limiter in front of a handler that works for 20 ms; while broken, nine of ten
// requests fail immediately.
func failing(t *testing.T, failedSet bool) (limiter *Limiter, offer func(seconds int, broken bool)) {
	t.Helper()
	opts := Options{Config: Config{}, Metrics: telemetry.NewRegistry(telemetry.Classic)}
	if failedSet {
		opts.Failed = func(ctx context.Context) bool { return *ctx.Value(failedKey{}).(*bool) }
	}
	limiter, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	limiter.sched = scheduler{} // that of the machine does not apply to the model
	var breaks func() bool
	h := limiter.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if breaks() {
			*r.Context().Value(failedKey{}).(*bool) = true
			return
		}
		time.Sleep(20 * time.Millisecond)
	}), nil)
	return limiter, func(seconds int, broken bool) {
		var mu sync.Mutex
		n := 0
		breaks = func() bool {
			mu.Lock()
			defer mu.Unlock()
			n++
			return broken && n%10 != 0
		}
		var wg sync.WaitGroup
		for range seconds * 1000 {
			wg.Go(func() {
				ctx := context.WithValue(t.Context(), failedKey{}, new(bool))
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
			})
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
	}
}

// A dependency that fails immediately does not make the service look fast: the latency without a
// queue is that of successful requests.
func TestFastFailuresAreNoLatency(t *testing.T) {
	t.Parallel()
	for _, failedSet := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			limiter, offer := failing(t, failedSet)
			offer(10, false)
			before := limiter.rule.unqueued
			offer(30, true)
			after := limiter.rule.unqueued
			if before < 0.019 || before > 0.021 {
				t.Fatalf("the latency is %g s, want 0.020", before)
			}
			if stayed := after > 0.9*before; stayed != failedSet {
				t.Errorf("Failed set: %t; the latency is %g s, and %g s after the failures", failedSet, before, after)
			}
		})
	}
}

// A handler that panics releases its slot, and the limiter does not learn from it.
func TestAPanicTeachesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := simLimiter(t, Config{})
		h := limiter.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }), nil)
		for range 100 {
			func() {
				defer func() { _ = recover() }()
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
			}()
			time.Sleep(10 * time.Millisecond)
		}
		if limiter.inFlight != 0 || limiter.rule.window.count != 0 || limiter.rule.recent != 0 {
			t.Errorf("%d in flight, %d requests in the window, %g s a request", limiter.inFlight, limiter.rule.window.count, limiter.rule.recent)
		}
	})
}

// A probe with only failures ends, and the limit is restored.
func TestAProbeEndsWhileEverythingFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := simLimiter(t, Config{})
		limiter.rule.probe = probe{began: time.Now(), limit: 4, before: 0.02}
		for range 20 {
			permit, err := limiter.Acquire(t.Context(), Default)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			permit.Forget()
		}
		if limiter.rule.probe.running() {
			t.Error("the probe still runs after two seconds of failures")
		}
	})
}
