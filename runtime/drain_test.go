package runtime_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// Each phase of a shutdown is a log line and a value of the metric. Those before the flush, which
// exports the shutdown span, are events of that span (ADR 013).
func TestEveryPhaseIsRecorded(t *testing.T) {
	t.Parallel()
	var service *runtime.Service
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		service = svc
		return simple(ctx, svc)
	}, "DRAIN_DELAY=10ms")
	if status := svc.Stop(); status != 0 {
		t.Fatalf("status %d: %s", status, svc.Stderr())
	}
	all := []string{"announce", "delay", "requests", "workers", "flush", "close"}
	var logged []string
	for _, l := range svc.Logs() {
		if l["msg"] != "drain phase done" {
			continue
		}
		logged = append(logged, l["phase"].(string))
		if l["duration_seconds"] == nil || l["level"] != "INFO" {
			t.Errorf("the line of a phase lacks its duration: %v", l)
		}
	}
	if !slices.Equal(logged, all) {
		t.Errorf("logged %v, want %v", logged, all)
	}
	metrics := phaseSeconds(t, service)
	for _, phase := range all {
		if _, ok := metrics[phase]; !ok {
			t.Errorf("%s has no value for %s: %v", semconv.RuntimeDrainPhase, phase, metrics)
		}
	}
	if metrics["delay"] < 0.01 {
		t.Errorf("a delay of 10ms took %v s", metrics["delay"])
	}
	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "shutdown" })
	if want := all[:5]; !slices.Equal(span.Events, want) {
		t.Errorf("events %v, want %v", span.Events, want)
	}
}

func phaseSeconds(t *testing.T, svc *runtime.Service) map[string]float64 {
	t.Helper()
	families, err := svc.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	seconds := map[string]float64{}
	for _, f := range families {
		if f.GetName() != semconv.RuntimeDrainPhase {
			continue
		}
		for _, m := range f.GetMetric() {
			seconds[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	return seconds
}

func panics(context.Context) error { panic("hook panicked") }

func hangs(context.Context) error { select {} }

// late respects its context and returns its own error after it.
func late(ctx context.Context) error {
	<-ctx.Done()
	return errors.New("returned late")
}

// Whatever a hook does, the shutdown continues, ends within its budget, runs the other hooks, and
// reports the hook.
func TestHooksThatMisbehave(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		drain, stop func(context.Context) error
		said        []string
	}{
		"OnDrain hangs":        {drain: hangs, said: []string{"shutdown, announce: ", "context deadline exceeded"}},
		"OnDrain panics":       {drain: panics, said: []string{"shutdown, announce: bad: panic: hook panicked"}},
		"OnDrain returns late": {drain: late, said: []string{"shutdown, announce: "}},
		"OnDrain fails":        {drain: func(context.Context) error { return errors.New("no peers") }, said: []string{"shutdown, announce: bad: no peers"}},
		"OnStop hangs":         {stop: hangs, said: []string{"shutdown, close: bad: context deadline exceeded"}},
		"OnStop panics":        {stop: panics, said: []string{"shutdown, close: bad: panic: hook panicked"}},
		"OnStop returns late":  {stop: late, said: []string{"shutdown, close: bad: "}},
		"both hang":            {drain: hangs, stop: hangs, said: []string{"shutdown, announce: ", "shutdown, close: bad: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var j journal
			svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
				svc.OnDrain("good", j.note("drain"))
				svc.OnStop("last", j.note("last"))
				if tc.drain != nil {
					svc.OnDrain("bad", tc.drain)
				}
				if tc.stop != nil {
					svc.OnStop("bad", tc.stop)
				}
				svc.OnStop("first", j.note("first"))
				return simple(ctx, svc)
			}, "STOP_TIMEOUT=1s")
			began := time.Now()
			if status := svc.Stop(); status != 1 {
				t.Errorf("status %d, want 1", status)
			}
			if took := time.Since(began); took > hurtExit {
				t.Errorf("took %s with a budget of 1s", took)
			}
			for _, want := range tc.said {
				if !strings.Contains(svc.Stderr(), want) {
					t.Errorf("stderr lacks %q:\n%s", want, svc.Stderr())
				}
			}
			j.mu.Lock()
			defer j.mu.Unlock()
			if want := []string{"drain", "first", "last"}; !slices.Equal(j.entries, want) {
				t.Errorf("the other hooks ran as %v, want %v", j.entries, want)
			}
		})
	}
}

// A second signal does not wait for an OnDrain hook that hangs.
func TestSecondSignalSkipsAHangingHook(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.OnDrain("bad", func(context.Context) error {
			close(entered)
			select {}
		})
		return simple(ctx, svc)
	}, "STOP_TIMEOUT=15m")
	svc.Signal(os.Interrupt)
	<-entered
	if status := svc.Stop(); status != 1 || !strings.Contains(svc.Stderr(), "shutdown, announce") {
		t.Errorf("status %d: %s", status, svc.Stderr())
	}
}

// A signal during start hooks ends the start: immediately if the hook respects its context, after
// the reserve of the budget if it does not.
func TestStopDuringStartHooks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		start func(context.Context) error
		warns bool
	}{
		"a hook that respects its context": {start: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		"a hook that ignores its context":  {start: hangs, warns: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var j journal
			entered, signals, exited := make(chan struct{}), make(chan os.Signal, 2), make(chan int, 1)
			var out, errs strings.Builder
			go func() {
				exited <- runtime.Execute(context.WithoutCancel(t.Context()), runtime.Process{
					LookupEnv: func(name string) (string, bool) { return "1s", name == "STOP_TIMEOUT" },
					Stdout:    &out, Stderr: &errs, Signals: signals,
				}, info, runtime.Defaults{HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0"}, func(ctx context.Context, svc *runtime.Service) error {
					svc.OnStart("slow", func(ctx context.Context) error {
						close(entered)
						return tc.start(ctx)
					})
					svc.OnStart("never", j.note("start of the next"))
					svc.OnStop("pool", j.note("stop"))
					return simple(ctx, svc)
				})
			}()
			<-entered
			signals <- syscall.SIGTERM
			select {
			case status := <-exited:
				if status != 0 {
					t.Errorf("status %d: %s", status, errs.String())
				}
			case <-time.After(servicetest.Timeout):
				t.Fatal("the start was not stopped")
			}
			if got := strings.Contains(out.String(), "start hook did not stop"); got != tc.warns {
				t.Errorf("warned: %t, want %t\n%s", got, tc.warns, out.String())
			}
			j.mu.Lock()
			defer j.mu.Unlock()
			if want := []string{"stop"}; !slices.Equal(j.entries, want) {
				t.Errorf("ran %v, want %v", j.entries, want)
			}
		})
	}
}

// Invalid declarations are reported before anything starts, all at once.
func TestInvalidDeclarationsAreReported(t *testing.T) {
	t.Parallel()
	handler := http.NotFoundHandler()
	for name, tc := range map[string]struct {
		defaults runtime.Defaults
		wire     func(*runtime.Service)
		status   int
		said     []string
	}{
		"negative durations": {
			defaults: runtime.Defaults{DrainDelay: -time.Second, StopTimeout: -time.Second}, status: 64,
			said: []string{"DRAIN_DELAY is -1s", "STOP_TIMEOUT is -1s"},
		},
		"no handler": {
			wire: func(svc *runtime.Service) { svc.Handle(nil) }, status: 64,
			said: []string{"Handle: the handler is nil"},
		},
		"two handlers": {
			wire: func(svc *runtime.Service) { svc.Handle(handler); svc.Handle(handler) }, status: 64,
			said: []string{"Handle was called twice"},
		},
		"two checks of one name": {
			wire: func(svc *runtime.Service) {
				svc.Check("postgres", func(context.Context) error { return nil })
				svc.CheckCritical("postgres", func(context.Context) error { return nil })
			}, status: 1,
			said: []string{`health check "postgres" already exists`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defaults := tc.defaults
			defaults.HTTPAddr, defaults.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
			var errs strings.Builder
			status := runtime.Execute(t.Context(), runtime.Process{Stdout: t.Output(), Stderr: &errs, Signals: make(chan os.Signal)}, info, defaults,
				func(ctx context.Context, svc *runtime.Service) error {
					if tc.wire != nil {
						tc.wire(svc)
					}
					return svc.Run(ctx)
				})
			if status != tc.status {
				t.Errorf("status %d, want %d", status, tc.status)
			}
			for _, want := range tc.said {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("stderr lacks %q:\n%s", want, errs.String())
				}
			}
		})
	}
}

// The same values as environment variables.
func TestZeroAndNegativeDurations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"STOP_TIMEOUT", "HEALTH_INTERVAL", "HEALTH_TIMEOUT", "METRICS_PUSH_INTERVAL", "PYROSCOPE_UPLOAD_INTERVAL", "HTTP_REQUEST_TIMEOUT"} {
		for _, value := range []string{"0s", "-5s"} {
			status, _, stderr := execute(t, nil, map[string]string{name: value}, simple)
			if status != 64 || !strings.Contains(stderr, name) {
				t.Errorf("%s=%s: status %d, stderr %s", name, value, status, stderr)
			}
		}
	}
	if status, _, stderr := execute(t, nil, map[string]string{"DRAIN_DELAY": "-5s"}, simple); status != 64 || !strings.Contains(stderr, "DRAIN_DELAY") {
		t.Errorf("status %d, stderr %s", status, stderr)
	}
}

// A drain delay that leaves no time for requests is rejected before anything starts.
func TestDrainDelayLeavesTimeForRequests(t *testing.T) {
	t.Parallel()
	for _, delay := range []string{"24s", "30s", "1m"} {
		status, _, stderr := execute(t, nil, map[string]string{"DRAIN_DELAY": delay, "STOP_TIMEOUT": "30s"}, simple)
		if status != 64 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "DRAIN_DELAY=") || !strings.Contains(stderr, "STOP_TIMEOUT=30s") {
			t.Errorf("DRAIN_DELAY=%s: status %d, stderr %s", delay, status, stderr)
		}
	}
}

// A backend that accepts connections and never responds delays the shutdown only by its part of
// the budget.
func TestHangingCollectorDelaysTheShutdownByAFifth(t *testing.T) {
	t.Parallel()
	url, _ := openHanging(t, overHTTP)
	const budget = 15 * time.Second // a fifth is 3 s; half of the remaining time would be 7.5 s
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple, sending(overHTTP, url, url, budget)...)
	load(t, svc.URL+"/orders", 10)
	if status := svc.Stop(); status != 0 {
		t.Errorf("status %d: %s", status, svc.Stderr())
	}
	line := svc.WaitLog(func(l servicetest.Line) bool { return l["phase"] == "flush" })
	if took := line["duration_seconds"].(float64); took > 6 || line["error"] == nil {
		t.Errorf("the flush took %v s of a budget of %s, want at most a fifth: %v", took, budget, line)
	}
}
