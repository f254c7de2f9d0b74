package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/observability-first/scaffold/runtime/health"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

var errConnRefused = errors.New("connection refused")

type dependency struct {
	away  atomic.Bool
	calls atomic.Int64
}

func (d *dependency) check(context.Context) error {
	d.calls.Add(1)
	if d.away.Load() {
		return errConnRefused
	}
	return nil
}

// afterCalls advances the simulated time until the check has run n more times. Jitter makes the duration random.
func (d *dependency) afterCalls(n int64) {
	for want := d.calls.Load() + n; d.calls.Load() < want; {
		after(interval / 10)
	}
}

type fixture struct {
	*health.Monitor

	metrics *telemetry.Registry
	log     bytes.Buffer
}

func newFixture(t *testing.T, cfg health.Config) *fixture {
	t.Helper()
	f := &fixture{metrics: telemetry.NewRegistry(telemetry.Classic)}
	m, err := health.New(health.Options{Config: cfg, Registry: f.metrics, Logger: slog.New(slog.NewTextHandler(&f.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	f.Monitor = m
	return f
}

// start runs the checks until the test ends.
func (f *fixture) start(t *testing.T) {
	t.Helper()
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	synctest.Wait()
}

// after advances the simulated time and waits for everything due.
func after(d time.Duration) {
	time.Sleep(d) // simulated time
	synctest.Wait()
}

func get(t *testing.T, h http.Handler) (int, health.Report) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	var report health.Report
	if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil {
		t.Fatalf("the response %q: %v", w.Body, err)
	}
	return w.Code, report
}

func (f *fixture) expect(t *testing.T, startup, ready int, status string) {
	t.Helper()
	gotStartup, _ := get(t, f.Startupz())
	gotReady, report := get(t, f.Readyz())
	gotLive, _ := get(t, f.Livez())
	if gotStartup != startup || gotReady != ready || gotLive != http.StatusOK || report.Status != status {
		t.Errorf("got startup %d, ready %d (%s), live %d; want %d, %d (%s), 200",
			gotStartup, gotReady, report.Status, gotLive, startup, ready, status)
	}
	want := "0"
	if ready == http.StatusOK {
		want = "1"
	}
	f.expectMetric(t, semconv.RuntimeReady, want)
	if f.Ready() != (ready == http.StatusOK) {
		t.Errorf("Ready is %t, but /readyz responds with %d", f.Ready(), ready)
	}
}

func (f *fixture) expectMetric(t *testing.T, series, want string) {
	t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, family := range families {
		for _, m := range family.GetMetric() {
			text.WriteString(family.GetName())
			for _, l := range m.GetLabel() {
				fmt.Fprintf(&text, "{%s=%s}", l.GetName(), l.GetValue())
			}
			fmt.Fprintf(&text, " %g\n", m.GetGauge().GetValue())
		}
	}
	if !strings.Contains(text.String(), series+" "+want+"\n") {
		t.Errorf("got metrics\n%swant %s %s", text.String(), series, want)
	}
}

const (
	interval = 5 * time.Second
	// round is the longest interval, with jitter.
	round = interval + interval/10
)

func TestAStartThatWaitsShowsItsReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		var db dependency
		f.Add("postgres", db.check)
		f.Waiting("postgres", errConnRefused)
		f.Waiting("unknown", errConnRefused)
		code, report := get(t, f.Readyz())
		if code != 503 || report.Status != "starting" || len(report.Checks) != 1 || report.Checks[0].Status != "pending" || report.Checks[0].Error != errConnRefused.Error() {
			t.Errorf("got %d and %+v", code, report)
		}
		f.start(t)
		f.Waiting("postgres", errConnRefused)
		if code, report := get(t, f.Readyz()); code != 200 || report.Checks[0].Error != "" {
			t.Errorf("after the start: got %d and %+v", code, report)
		}
	})
}

func TestStartWaitsForHooksAndEveryCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		var db dependency
		db.away.Store(true)
		f.Add("postgres", db.check)
		f.expect(t, 503, 503, "starting")
		f.start(t)
		f.expect(t, 503, 503, "starting")
		after(time.Minute + time.Second)
		f.expect(t, 503, 503, "starting")
		// One line immediately and one a minute later.
		const waiting = `level=WARN msg="not ready, a health check has not succeeded yet" check=postgres pending_seconds=`
		if n := strings.Count(f.log.String(), waiting); n != 2 || !strings.Contains(f.log.String(), `error="connection refused"`) {
			t.Errorf("%d lines about the check that fails, want 2:\n%s", n, f.log.String())
		}
		if calls := db.calls.Load(); calls < 100 {
			t.Errorf("got %d checks in the first minute, want one every half second", calls)
		}
		select {
		case <-f.Started():
			t.Error("started before the check succeeded")
		default:
		}

		db.away.Store(false)
		after(time.Second)
		f.expect(t, 200, 200, "ready")
		<-f.Started()
	})
}

func TestNothingIsReadyBeforeStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	f.expect(t, 503, 503, "starting")
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.expect(t, 200, 200, "ready")
}

func TestASharedDependencyDegrades(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		var db dependency
		f.Add("postgres", db.check)
		f.start(t)
		f.expect(t, 200, 200, "ready")
		f.expectMetric(t, "runtime_health_check_up{check=postgres}", "1")

		db.away.Store(true)
		db.afterCalls(2)
		f.expect(t, 200, 200, "ready") // two failures are not enough
		_, report := get(t, f.Readyz())
		if c := report.Checks[0]; c.Status != "up" || c.Error != errConnRefused.Error() {
			t.Errorf("got %+v, want up with the last error", c)
		}
		db.afterCalls(1)
		f.expect(t, 200, 200, "degraded")
		f.expectMetric(t, "runtime_health_check_up{check=postgres}", "0")

		db.away.Store(false)
		db.afterCalls(1)
		f.expect(t, 200, 200, "degraded") // one success is not enough
		db.afterCalls(1)
		f.expect(t, 200, 200, "ready")
		f.expectMetric(t, "runtime_health_check_up{check=postgres}", "1")

		for _, want := range []string{
			`level=INFO msg="health check is up" check=postgres pending_seconds=`,
			`level=WARN msg="health check is down" check=postgres up_seconds=`,
			`error="connection refused"`,
			`level=INFO msg="health check is up" check=postgres down_seconds=`,
		} {
			if !strings.Contains(f.log.String(), want) {
				t.Errorf("got log\n%swant %s", f.log.String(), want)
			}
		}
		if lines := strings.Count(f.log.String(), "\n"); lines != 3 {
			t.Errorf("got %d log lines, want one per change:\n%s", lines, f.log.String())
		}
	})
}

func TestCriticalCheckMakesTheReplicaUnready(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{Failures: 1, Successes: 1})
		var disk, db dependency
		f.Add("disk", disk.check, health.Critical)
		f.Add("postgres", db.check)
		f.start(t)
		disk.away.Store(true)
		db.away.Store(true)
		after(round)
		f.expect(t, 200, 503, "unready")
		disk.away.Store(false)
		after(round)
		f.expect(t, 200, 200, "degraded")
	})
}

func TestAnOptionalCheckDoesNotDelayTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		var payments dependency
		payments.away.Store(true)
		var runs atomic.Int64
		f.Add("payments", func(ctx context.Context) error { runs.Add(1); return payments.check(ctx) }, health.Optional)
		f.start(t)
		f.expect(t, 200, 200, "degraded")
		f.expectMetric(t, "runtime_health_check_up{check=payments}", "0")
		if _, report := get(t, f.Readyz()); !report.Checks[0].Optional {
			t.Errorf("got %+v, want an optional check", report.Checks[0])
		}
		after(10 * interval)
		if n := runs.Load(); n > 13 {
			t.Errorf("%d runs within ten intervals", n)
		}
		if log := f.log.String(); !strings.Contains(log, `msg="a health check has not succeeded yet" check=payments`) {
			t.Errorf("got log\n%s", log)
		}
		payments.away.Store(false)
		after(3 * interval)
		f.expect(t, 200, 200, "ready")
		f.expectMetric(t, "runtime_health_check_up{check=payments}", "1")
	})
}

func TestDrainingIsLiveAndNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		var db dependency
		f.Add("postgres", db.check)
		f.start(t)
		f.Drain()
		f.expect(t, 200, 503, "draining")
		after(3 * round)
		f.expect(t, 200, 503, "draining")
	})
}

func TestProbesNeverAskADependency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		var db dependency
		f.Add("postgres", db.check)
		f.start(t)
		before := db.calls.Load()
		for range 100 {
			for range 100 {
				get(t, f.Readyz())
			}
			after(10 * time.Millisecond)
		}
		if got := db.calls.Load() - before; got > 1 {
			t.Errorf("10,000 probes in a second cost %d checks, want at most 1", got)
		}
	})
}

func TestIntervalsHaveJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		var at []time.Time
		f.Add("postgres", func(context.Context) error {
			at = append(at, time.Now())
			return nil
		})
		f.start(t)
		after(200 * round)
		seen := map[time.Duration]bool{}
		for i := range at[1:] {
			gap := at[i+1].Sub(at[i])
			if gap < interval*9/10 || gap > round {
				t.Fatalf("got a wait of %s, want 5s within a tenth", gap)
			}
			seen[gap] = true
		}
		if len(seen) < 100 {
			t.Errorf("got %d different waits among %d, want jitter", len(seen), len(at)-1)
		}
	})
}

func TestAHangingCheckFailsAndRunsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		var running, most atomic.Int64
		release := make(chan struct{})
		var hang atomic.Bool
		f.Add("stuck", func(context.Context) error { // ignores its context
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if hang.Load() {
				<-release
			}
			return nil
		})
		f.start(t)
		hang.Store(true)
		after(5 * round)
		f.expect(t, 200, 200, "degraded")
		_, report := get(t, f.Readyz())
		if got := report.Checks[0].Error; got != "no result within 2s" {
			t.Errorf("got %q, want the timeout", got)
		}
		if most.Load() != 1 {
			t.Errorf("got %d concurrent runs, want 1", most.Load())
		}
		hang.Store(false)
		close(release)
		after(3 * round)
		f.expect(t, 200, 200, "ready")
	})
}

func TestACheckGetsADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{Timeout: time.Second})
		f.Add("slow", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		f.start(t)
		after(10 * time.Second)
		f.expect(t, 503, 503, "starting")
	})
}

func TestAPanicIsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		f.Add("broken", func(context.Context) error { panic("nil map " + strings.Repeat("x", 300)) })
		f.start(t)
		_, report := get(t, f.Readyz())
		got := report.Checks[0].Error
		if !strings.HasPrefix(got, "the check panicked: nil map") || len(got) > 203 {
			t.Errorf("got %q, want the panic, shortened", got)
		}
	})
}

func TestProbesTakeGetAndHead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, h := range map[string]http.Handler{"/livez": f.Livez(), "/readyz": f.Readyz(), "/startupz": f.Startupz()} {
		for method, want := range map[string]int{http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405, http.MethodDelete: 405} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
			if w.Code != want {
				t.Errorf("%s %s gave %d, want %d", method, path, w.Code, want)
			}
			if want == 200 && w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s may be cached", method, path)
			}
			if (w.Body.Len() == 0) != (method == http.MethodHead) {
				t.Errorf("%s %s gave %d bytes", method, path, w.Body.Len())
			}
		}
	}
}

func TestStartReturnsAllErrorsOfAdd(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	var db dependency
	f.Add("postgres", db.check)
	f.Add("postgres", db.check)
	f.Add("", db.check)
	f.Add("x", nil)
	err := f.Start(t.Context())
	want := `health check "postgres" already exists; rename one of them
health check "" needs a name and a function
health check "x" needs a name and a function`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := health.New(health.Options{}); err == nil || !strings.Contains(err.Error(), "Metrics()") {
		t.Errorf("got %v, want an error with the missing option", err)
	}
}

// A negative interval would cause a busy loop.
func TestNegativeConfigurationIsRejected(t *testing.T) {
	t.Parallel()
	for _, cfg := range []health.Config{{Interval: -1}, {Timeout: -time.Second}, {Failures: -1}, {Successes: -1}} {
		_, err := health.New(health.Options{Config: cfg, Registry: telemetry.NewRegistry(telemetry.Classic)})
		if err == nil || !strings.Contains(err.Error(), "negative") {
			t.Errorf("%+v: got %v", cfg, err)
		}
	}
}

// With a hanging dependency, only one check runs at a time, and probes respond immediately.
func TestProbesOfAHangingDependency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		release := make(chan struct{})
		var calls atomic.Int64
		f.Add("stuck", func(context.Context) error {
			calls.Add(1)
			<-release
			return nil
		})
		f.start(t)
		began := time.Now()
		for range 10_000 {
			get(t, f.Readyz())
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the probes waited %s", took)
		}
		after(10 * round)
		if got := calls.Load(); got != 1 {
			t.Errorf("%d checks run behind one that hangs, want none", got-1)
		}
		f.expect(t, 503, 503, "starting")
		close(release)
		after(round)
		f.expect(t, 200, 200, "ready")
	})
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, health.Config{})
		f.Stop() // has no effect before the start
		var db dependency
		f.Add("postgres", db.check)
		f.start(t)
		if err := f.Start(t.Context()); err == nil {
			t.Error("a second Start was accepted")
		}
		f.Stop()
		before := db.calls.Load()
		after(time.Minute)
		if got := db.calls.Load(); got != before {
			t.Errorf("got %d checks after Stop, want none", got-before)
		}
		f.expect(t, 200, 200, "ready")
	})
}

func TestMetricsPassTheLinter(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	var db dependency
	f.Add("postgres", db.check)
	found, err := testutil.GatherAndLint(f.metrics)
	if err != nil || len(found) != 0 {
		t.Errorf("got %v, %v", found, err)
	}
	var names []string
	for _, d := range f.metrics.Declarations() {
		names = append(names, d.Name)
	}
	if got, want := strings.Join(names, " "), "runtime_health_check_up runtime_ready"; got != want {
		t.Errorf("got declarations %s, want %s", got, want)
	}
}
