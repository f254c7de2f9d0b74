package overload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

func wantShed(t *testing.T, l *Limiter, p Priority, r Reason, want float64) {
	t.Helper()
	if got := testutil.ToFloat64(l.shed[p.index()][r.index()]); got != want {
		t.Errorf("%g %s requests were shed for %s, want %g", got, p, r.Label(), want)
	}
}

// A counter that first appears with a value hides it from rate.
func TestEverySeriesExistsFromTheStart(t *testing.T) {
	t.Parallel()
	reg := telemetry.NewRegistry(telemetry.Classic)
	if _, err := New(Options{Config: Config{}, Metrics: reg}); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString(`
# HELP runtime_overload_at_min_limit 1 while the limit is at its minimum, else 0.
# TYPE runtime_overload_at_min_limit gauge
runtime_overload_at_min_limit 0
# HELP runtime_overload_in_flight Requests in flight.
# TYPE runtime_overload_in_flight gauge
runtime_overload_in_flight 0
# HELP runtime_overload_limit Limit of requests in flight.
# TYPE runtime_overload_limit gauge
runtime_overload_limit 64
# HELP runtime_overload_queued Requests in the queue.
# TYPE runtime_overload_queued gauge
runtime_overload_queued 0
`)
	for _, counter := range []struct{ name, help string }{
		{semconv.RuntimeOverloadShed, "Requests rejected to protect other requests."},
		{semconv.RuntimeOverloadWouldShed, "Requests that OVERLOAD_MODE=enforce would have rejected."},
	} {
		fmt.Fprintf(&want, "# HELP %s %s\n# TYPE %[1]s counter\n", counter.name, counter.help)
		for _, p := range []string{semconv.PriorityCritical, semconv.PriorityDefault, semconv.PrioritySheddable} {
			for _, r := range []string{semconv.ShedDeadline, semconv.ShedLimit, semconv.ShedMemory, semconv.ShedQueueFull, semconv.ShedBodies} {
				fmt.Fprintf(&want, "%s{priority=%q,reason=%q} 0\n", counter.name, p, r)
			}
		}
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want.String())); err != nil {
		t.Error(err)
	}
}

func TestGaugesShowWhatHappens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reg := telemetry.NewRegistry(telemetry.Classic)
		l, err := New(Options{Config: Config{MinLimit: 2, InitialLimit: 3}, Metrics: reg})
		if err != nil {
			t.Fatal(err)
		}
		l.rule.limit = 2
		for range 3 {
			go func() {
				if permit, err := l.Acquire(t.Context(), Default); err == nil {
					time.Sleep(10 * time.Millisecond)
					permit.Release(false)
				}
			}()
		}
		synctest.Wait()
		for name, want := range map[string]float64{
			semconv.RuntimeOverloadLimit: 2, semconv.RuntimeOverloadInFlight: 2, semconv.RuntimeOverloadQueued: 1, semconv.RuntimeOverloadAtMinLimit: 1,
		} {
			if got := gauge(t, reg, name); got != want {
				t.Errorf("%s is %g, want %g", name, got, want)
			}
		}
		time.Sleep(time.Second)
		for _, name := range []string{semconv.RuntimeOverloadInFlight, semconv.RuntimeOverloadQueued} {
			if got := gauge(t, reg, name); got != 0 {
				t.Errorf("%s is %g at the end", name, got)
			}
		}
	})
}

func gauge(t *testing.T, reg *telemetry.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// More important requests are admitted first and replace less important ones in the queue.
func TestTheQueueKeepsTheOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := full(t, Config{Queue: 3, QueueWait: time.Hour})
		var mu sync.Mutex
		var order []string
		arrive := func(name string, p Priority) {
			go func() {
				permit, err := l.Acquire(t.Context(), p)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					order = append(order, name+" rejected")
					return
				}
				order = append(order, name)
				permit.Release(false)
			}()
			synctest.Wait()
		}
		arrive("sheddable 1", Sheddable)
		arrive("sheddable 2", Sheddable)
		arrive("default 1", Default)
		arrive("sheddable 3", Sheddable) // no room, and none less important
		arrive("critical", Critical)     // replaces sheddable 2
		arrive("default 2", Default)     // replaces sheddable 1
		arrive("default 3", Default)     // no room
		Permit{limiter: l, admitted: time.Now()}.Release(false)
		synctest.Wait()
		want := "sheddable 3 rejected, sheddable 2 rejected, sheddable 1 rejected, default 3 rejected, critical, default 1, default 2"
		if got := strings.Join(order, ", "); got != want {
			t.Errorf("the order is\n%s, want\n%s", got, want)
		}
		wantShed(t, l, Sheddable, ReasonQueueFull, 3)
		wantShed(t, l, Default, ReasonQueueFull, 1)
	})
}

// Clients disconnect, deadlines pass, requests replace others and work ends, often at the same
// instant: no slot and no waiter may leak.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := simLimiter(t, Config{MinLimit: 2, InitialLimit: 4, MaxLimit: 20, Queue: 8, QueueWait: 2 * time.Millisecond})
		var callers sync.WaitGroup
		for seed := range uint64(64) {
			random := rand.New(rand.NewPCG(1, seed))
			callers.Go(func() {
				for range 300 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(4))*time.Millisecond)
					leaves := time.AfterFunc(time.Duration(1+random.IntN(7))*time.Millisecond, cancel) // zero crashes Go 1.26 with -race
					if permit, err := l.Acquire(ctx, Priority(random.IntN(priorities)-1)); err == nil {
						time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
						if random.IntN(4) == 0 {
							permit.Forget()
						} else {
							permit.Release(ctx.Err() != nil)
						}
					}
					leaves.Stop()
					cancel()
					time.Sleep(time.Millisecond)
				}
			})
		}
		callers.Wait()
		if l.inFlight != 0 || l.queue.length != 0 || l.queue.first() != nil {
			t.Errorf("%d are in flight and %d wait at the end", l.inFlight, l.queue.length)
		}
	})
}

func TestShortOfMemoryTheUnimportantGoFirst(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		used     float64
		rejected []Priority
	}{
		{0.69, nil}, {0.71, []Priority{Sheddable}}, {0.81, []Priority{Sheddable, Default}}, {0.91, []Priority{Sheddable, Default, Critical}},
	} {
		l, err := New(Options{
			Config: Config{MinLimit: 1, InitialLimit: 1, MemoryShedRatio: 0.8}, Metrics: telemetry.NewRegistry(telemetry.Classic),
			Memory: func() float64 { return tc.used },
		})
		if err != nil {
			t.Fatal(err)
		}
		l.rule.limit = 10 // the current limit
		if _, err := l.Acquire(t.Context(), Sheddable); err != nil {
			t.Errorf("at %.2f below the initial limit: %v", tc.used, err)
		}
		for p := Sheddable; p <= Critical; p++ {
			_, err := l.Acquire(t.Context(), p)
			want := 0.0
			for _, r := range tc.rejected {
				if r == p {
					want = 1
				}
			}
			if (err != nil) != (want == 1) {
				t.Errorf("at %.2f a %s request gets %v", tc.used, p, err)
			}
			wantShed(t, l, p, ReasonMemory, want)
		}
	}
}

// Below the initial limit, requests do not use the memory.
func TestShortOfMemoryNothingIsRejectedBelowTheInitialLimit(t *testing.T) {
	t.Parallel()
	l, err := New(Options{
		Config: Config{InitialLimit: 10, MemoryShedRatio: 0.8}, Metrics: telemetry.NewRegistry(telemetry.Classic),
		Memory: func() float64 { return 1 },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, err := l.Acquire(t.Context(), Sheddable); err != nil {
			t.Errorf("with %d in flight: %v", i, err)
		}
	}
	if _, err := l.Acquire(t.Context(), Critical); !errors.Is(err, ReasonMemory) {
		t.Errorf("at the initial limit: %v", err)
	}
}

// Memory that slow clients hold is freed after requests were rejected for memory for a second,
// and not before.
func TestMemoryIsFreedOnceRequestsAreRejectedForIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		used     float64
		mode     Mode
		limit    int
		priority Priority
		every    time.Duration
		relief   int64
	}{
		"only sheddable requests would be rejected": {0.72, ModeEnforce, 1, Default, 100 * time.Millisecond, 0},
		"only sheddable requests are rejected":      {0.95, ModeEnforce, 1, Sheddable, 100 * time.Millisecond, 0},
		"below the initial limit":                   {0.95, ModeEnforce, 10, Default, 100 * time.Millisecond, 0},
		"observed":                                  {0.95, ModeObserve, 1, Default, 100 * time.Millisecond, 0},
		"rejected once an hour":                     {0.95, ModeEnforce, 1, Default, time.Hour, 0},
		"rejected":                                  {0.95, ModeEnforce, 1, Default, 100 * time.Millisecond, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var relief atomic.Int64
				l, err := New(Options{
					Config:  Config{Mode: tc.mode, MinLimit: 1, InitialLimit: tc.limit, MemoryShedRatio: 0.8},
					Metrics: telemetry.NewRegistry(telemetry.Classic),
					Memory:  func() float64 { return tc.used }, Relieve: func() { relief.Add(1) },
				})
				if err != nil {
					t.Fatal(err)
				}
				l.detached = 1 // a response that its client does not read
				for range 50 {
					if permit, err := l.Acquire(t.Context(), tc.priority); err == nil {
						permit.Release(false)
					}
					time.Sleep(tc.every)
				}
				synctest.Wait()
				if n := relief.Load(); n != tc.relief {
					t.Errorf("memory was freed %d times, want %d", n, tc.relief)
				}
			})
		})
	}
}

// With any MemoryShedRatio, a process that uses no memory rejects no request, and less important
// requests are rejected first.
func TestLowShedRatioRejectsNothingWithoutNeed(t *testing.T) {
	t.Parallel()
	for _, start := range []float64{0.01, 0.1, 1.0 / 3, 0.5, 1} {
		m := newMemory(Config{MemoryShedRatio: start}, func() float64 { return 0 }, func() {})
		for p := Sheddable; p <= Critical; p++ {
			if m.short(time.Now(), p) {
				t.Errorf("from %g on: a %s request was rejected with no memory in use", start, p)
			}
		}
		if m.from[0] > m.from[1] || m.from[1] > m.from[2] || m.from[1] != start {
			t.Errorf("from %g on: the priorities are rejected from %v", start, m.from)
		}
	}
}

// Memory is checked at intervals, not for every request.
func TestMemoryIsLookedAtNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		l, err := New(Options{
			Config: Config{MemoryShedRatio: 0.8}, Metrics: telemetry.NewRegistry(telemetry.Classic),
			Memory: func() float64 { looks++; return 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 10_000 {
			time.Sleep(100 * time.Microsecond)
			if permit, err := l.Acquire(t.Context(), Default); err == nil {
				permit.Release(false)
			}
		}
		if looks < 99 || looks > 101 {
			t.Errorf("%d checks in a second, want a hundred", looks)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	reg := telemetry.NewRegistry(telemetry.Classic)
	for name, tc := range map[string]struct {
		config Config
		want   string
	}{
		"OVERLOAD_MIN_LIMIT=9 is above OVERLOAD_MAX_LIMIT=5": {Config{MinLimit: 9, InitialLimit: 9, MaxLimit: 5}, "lower OVERLOAD_MIN_LIMIT"},
		"OVERLOAD_INITIAL_LIMIT=500":                         {Config{InitialLimit: 500, MaxLimit: 100}, "from OVERLOAD_MIN_LIMIT=4 to OVERLOAD_MAX_LIMIT=100"},
		"OVERLOAD_MIN_LIMIT=-1":                              {Config{MinLimit: -1}, "1 or more"},
		"OVERLOAD_QUEUE=-1":                                  {Config{Queue: -1}, "1 or more"},
		"OVERLOAD_QUEUE_WAIT=-1s":                            {Config{QueueWait: -time.Second}, "0s or more"},
		"OVERLOAD_MEMORY_SHED_RATIO=80":                      {Config{MemoryShedRatio: 80}, "0 to 1"}, // would reject critical requests first
		"OVERLOAD_MEMORY_SHED_RATIO=-1":                      {Config{MemoryShedRatio: -1}, "0 to 1"},
		"OVERLOAD_MEMORY_SHED_RATIO=NaN":                     {Config{MemoryShedRatio: math.NaN()}, "0 to 1"},
		"OVERLOAD_MEMORY_RATIO=1.5":                          {Config{MemoryRatio: 1.5}, "0 to 1"},
		"OVERLOAD_MAX_LIMIT=9223372036854775807":             {Config{InitialLimit: math.MaxInt, MaxLimit: math.MaxInt}, "or less"}, // would reject every request
	} {
		_, err := New(Options{Config: tc.config, Metrics: reg})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("the error is %v, want %s ... %s", err, name, tc.want)
		}
	}
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "Options.Metrics") {
		t.Errorf("without metrics: %v", err)
	}
	if _, err := New(Options{Config: Config{MinLimit: 2000}, Metrics: telemetry.NewRegistry(telemetry.Classic)}); err != nil {
		t.Errorf("a minimum limit alone is invalid: %v", err)
	}
}

// telling is a writer that reports what is written, as those of httpserver do.
type telling struct{ http.ResponseWriter }

func (telling) OnRelease(func()) {}
func (telling) Keep() bool       { return true }
func (telling) Claim() bool      { return true }
func (telling) Streams() bool    { return false }
func (telling) Begun() bool      { return true }

// With a coarse clock, or in simulated time, requests take no time. The limit must not become NaN.
func TestRequestsThatTakeNoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, err := New(Options{Config: Config{MinLimit: 1, InitialLimit: 1}, Metrics: telemetry.NewRegistry(telemetry.Classic)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 * windowSamples {
			permit, err := l.Acquire(t.Context(), Default)
			if err != nil {
				t.Fatalf("request %d, at a limit of %g: %v", i, l.rule.limit, err)
			}
			permit.Release(false)
			time.Sleep(10 * time.Millisecond)
		}
		if l.rule.limit < 1 || math.IsNaN(l.rule.limit) {
			t.Errorf("the limit is %g", l.rule.limit)
		}
	})
}

// An invalid priority is treated as the default and leaves the limiter unlocked.
func TestAPriorityThatDoesNotExist(t *testing.T) {
	t.Parallel()
	l := full(t, Config{MemoryShedRatio: 0.8, QueueWait: time.Millisecond})
	for i, p := range []Priority{-128, Sheddable - 1, Critical + 1, 127} {
		if _, err := l.Acquire(t.Context(), p); !errors.Is(err, ReasonLimit) {
			t.Errorf("priority %d: %v", p, err)
		}
		wantShed(t, l, Default, ReasonLimit, float64(i+1))
	}
}

// A request that is admitted immediately causes no allocation.
func TestTheLimiterAllocatesNothing(t *testing.T) {
	l := simLimiter(t, Config{MemoryShedRatio: 0.8})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if n := testing.AllocsPerRun(1000, func() {
		permit, err := l.Acquire(ctx, Default)
		if err != nil {
			t.Error(err)
		}
		permit.Release(false)
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
	h := l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	r, w := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), http.ResponseWriter(telling{httptest.NewRecorder()})
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n != 0 {
		t.Errorf("%g allocations in front of a handler", n)
	}
	r.Header.Set(semconv.HeaderTimeout, strings.Repeat("9", 10_000))
	r.Header.Set(semconv.HeaderGRPCTimeout, "zzzzzzzzz")
	r.Header.Set(semconv.HeaderPriority, strings.Repeat("critical", 1000))
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n != 0 {
		t.Errorf("%g allocations for hostile headers", n)
	}
}

func BenchmarkAcquire(b *testing.B) {
	l, err := New(Options{Config: Config{MemoryShedRatio: 0.8}, Metrics: telemetry.NewRegistry(telemetry.Classic)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		permit, err := l.Acquire(b.Context(), Default)
		if err != nil {
			b.Fatal(err)
		}
		permit.Release(false)
	}
}

func BenchmarkReject(b *testing.B) {
	l, err := New(Options{Config: Config{}, Metrics: telemetry.NewRegistry(telemetry.Classic)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	ctx, cancel := context.WithDeadline(b.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for b.Loop() {
		if _, err := l.Acquire(ctx, Default); err == nil {
			b.Fatal("admitted")
		}
	}
}
