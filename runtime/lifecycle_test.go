package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

var info = runtime.Info{Name: "orders", Version: "v1"}

// execute runs a service until its end without servicetest, for starts that fail.
func execute(t *testing.T, args []string, env map[string]string, run func(context.Context, *runtime.Service) error) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = runtime.Execute(t.Context(), runtime.Process{
		Args:      args,
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Stdout:    &out, Stderr: &errs, Signals: make(chan os.Signal),
	}, info, runtime.Defaults{Owner: "team-orders", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0"}, run)
	return status, out.String(), errs.String()
}

func simple(ctx context.Context, svc *runtime.Service) error {
	router := httpserver.NewRouter()
	router.Get("/orders", func(http.ResponseWriter, *http.Request) {})
	svc.Handle(router)
	return svc.Run(ctx)
}

type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) note(what string) func(context.Context) error {
	return func(context.Context) error {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.entries = append(j.entries, what)
		return nil
	}
}

func TestStartAndStopInOrder(t *testing.T) {
	t.Parallel()
	var j journal
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.OnStart("a", j.note("start a"))
		svc.OnStop("a", j.note("stop a"))
		svc.OnStart("b", j.note("start b"))
		svc.OnStop("b", j.note("stop b"))
		svc.OnDrain("goodbye", j.note("drain"))
		svc.Go("worker", func(ctx context.Context) error {
			<-ctx.Done()
			return j.note("worker ended")(ctx)
		})
		return simple(ctx, svc)
	})
	if status := svc.Stop(); status != 0 {
		t.Fatalf("status %d: %s", status, svc.Stderr())
	}
	want := []string{"start a", "start b", "drain", "worker ended", "stop b", "stop a"}
	if !slices.Equal(j.entries, want) {
		t.Errorf("got %v, want %v", j.entries, want)
	}
	var phases []string
	for _, l := range svc.Logs() {
		if phase, ok := l["phase"].(string); ok {
			phases = append(phases, phase)
		}
	}
	if want := []string{"announce", "delay", "requests", "workers", "flush", "close"}; !slices.Equal(phases, want) {
		t.Errorf("phases %v, want %v", phases, want)
	}
	if logs := svc.Logs(); logs[len(logs)-1]["msg"] != "stopped" {
		t.Errorf("the last line is %v", logs[len(logs)-1])
	}
	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "shutdown" })
	if want := []string{"announce", "delay", "requests", "workers", "flush"}; !slices.Equal(span.Events, want) {
		t.Errorf("shutdown span has events %v, want %v", span.Events, want)
	}
}

// If TRACE_RATIO is set but has no effect, the reason is logged.
func TestRatioWithoutACollectorIsExplained(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env  []string
		want bool
	}{
		"no collector":     {[]string{"TRACE_RATIO=1", "OTEL_EXPORTER_OTLP_ENDPOINT="}, true},
		"a collector":      {[]string{"TRACE_RATIO=1"}, false},
		"the spec's ratio": {[]string{"TRACE_RATIO=", "OTEL_EXPORTER_OTLP_ENDPOINT="}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := servicetest.Start(t, info, runtime.Defaults{}, simple, tc.env...)
			svc.Stop()
			explains := func(l servicetest.Line) bool {
				msg, _ := l["msg"].(string)
				return strings.HasPrefix(msg, "TRACE_RATIO has no effect because traces are not exported")
			}
			if got := slices.ContainsFunc(svc.Logs(), explains); got != tc.want {
				t.Errorf("explained: %t, want %t", got, tc.want)
			}
		})
	}
}

// Requests in flight get responses, and the probes report the shutdown.
func TestDrainUnderLoad(t *testing.T) {
	t.Parallel()
	release, entered := make(chan struct{}), make(chan struct{})
	router := httpserver.NewRouter()
	router.Get("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		w.WriteHeader(http.StatusTeapot)
	})
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.Handle(router)
		return svc.Run(ctx)
	})
	status := make(chan int, 1)
	go func() {
		res, err := http.Get(svc.URL + "/slow")
		if err != nil {
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-entered
	svc.Signal(syscall.SIGTERM)
	svc.WaitMetric(semconv.RuntimeReady, nil, 0)
	if res, err := http.Get(svc.AdminURL + "/livez"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("liveness while draining: %v %v", res, err)
	}
	if res, err := http.Get(svc.AdminURL + "/readyz"); err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readiness while draining: %v %v", res, err)
	}
	close(release)
	if got := <-status; got != http.StatusTeapot {
		t.Errorf("the request in flight got %d", got)
	}
	if status := svc.Wait(); status != 0 {
		t.Errorf("status %d: %s", status, svc.Stderr())
	}
}

func TestStopBudgetIsHard(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.Go("stubborn", func(context.Context) error { select {} })
		svc.OnStop("hanging", func(context.Context) error { select {} })
		return simple(ctx, svc)
	}, "STOP_TIMEOUT=1s")
	began := time.Now()
	if status := svc.Stop(); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %s with a budget of 1s", took)
	}
	for _, want := range []string{"workers still running", "hanging: context deadline exceeded"} {
		if !strings.Contains(svc.Stderr(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, svc.Stderr())
		}
	}
}

func TestSecondSignalSkipsTheWait(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, simple, "DRAIN_DELAY=10m", "STOP_TIMEOUT=15m")
	svc.Signal(os.Interrupt)
	svc.WaitMetric(semconv.RuntimeReady, nil, 0)
	svc.Signal(os.Interrupt)
	select {
	case <-svc.Done():
	case <-time.After(servicetest.Timeout):
		t.Fatal("a second signal did not skip the delay")
	}
	if status := svc.Stop(); status != 0 {
		t.Errorf("status %d: %s", status, svc.Stderr())
	}
}

func TestFailedComponentStopsTheService(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		work func(context.Context) error
		want []string
	}{
		"a worker that fails":  {func(context.Context) error { return errors.New("queue closed") }, []string{"worker mailer: queue closed"}},
		"a worker that panics": {func(context.Context) error { panic("nil map") }, []string{"worker mailer: panic: nil map", "lifecycle_test.go"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, _, stderr := execute(t, nil, nil, func(ctx context.Context, svc *runtime.Service) error {
				svc.Go("mailer", tc.work)
				svc.OnStop("pool", func(context.Context) error { return errors.New("pool was busy") })
				return simple(ctx, svc)
			})
			if status != 1 {
				t.Errorf("status %d, want 1", status)
			}
			for _, want := range append(tc.want, "shutdown, close: pool: pool was busy") {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q is missing in\n%s", want, stderr)
				}
			}
		})
	}
}

func TestStartHookThatFails(t *testing.T) {
	t.Parallel()
	var j journal
	status, stdout, stderr := execute(t, nil, nil, func(ctx context.Context, svc *runtime.Service) error {
		svc.OnStart("index", func(context.Context) error { return errors.New("no such index") })
		svc.OnStop("pool", j.note("stop pool"))
		return simple(ctx, svc)
	})
	if status != 1 || stderr != "orders: start index: no such index\n" {
		t.Errorf("status %d, %q", status, stderr)
	}
	if !slices.Equal(j.entries, []string{"stop pool"}) {
		t.Errorf("after a failed start, the hooks %v ran", j.entries)
	}
	if strings.Contains(stdout, "drain phase done") {
		t.Errorf("the phases of the shutdown hide the error of the start:\n%s", stdout)
	}
}

// A dependency that all replicas share delays the start and later only degrades the service.
func TestSharedDependency(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var broken error
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.Check("database", func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			return broken
		})
		return simple(ctx, svc)
	}, "HEALTH_INTERVAL=100ms", "HEALTH_FAILURES=1")
	svc.WaitMetric(semconv.RuntimeHealthCheckUp, map[string]string{"check": "database"}, 1)
	mu.Lock()
	broken = errors.New("connection refused")
	mu.Unlock()
	svc.WaitMetric(semconv.RuntimeHealthCheckUp, map[string]string{"check": "database"}, 0)
	res, err := http.Get(svc.AdminURL + "/readyz")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("a shared outage made the service unready: %v %v", res, err)
	}
}

func TestInvalidConfigurationIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	var cfg struct {
		Shop struct {
			Currency string `env:"CURRENCY" required:"true" help:"such as EUR"`
			Limit    int    `env:"LIMIT" min:"1" default:"10"`
		}
	}
	status, stdout, stderr := execute(t, nil, map[string]string{
		"DRAIN_DELAY": "soon", "ACCESS_LOG": "some", "SHOP_LIMIT": "0",
	}, func(ctx context.Context, svc *runtime.Service) error {
		if err := svc.Load(&cfg); err != nil {
			return err
		}
		return simple(ctx, svc)
	})
	if status != 64 || stdout != "" || strings.Contains(stderr, "goroutine") {
		t.Errorf("status %d, stdout %q", status, stdout)
	}
	for _, variable := range []string{"DRAIN_DELAY", "ACCESS_LOG", "SHOP_LIMIT", "SHOP_CURRENCY"} {
		if !strings.Contains(stderr, "orders: "+variable) {
			t.Errorf("%s is missing in\n%s", variable, stderr)
		}
	}
}

func TestAddressInUseNamesTheEnvVar(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	status, _, stderr := execute(t, nil, map[string]string{"HTTP_ADDR": taken, "ADMIN_ADDR": taken}, simple)
	want := "orders: ADMIN_ADDR=" + taken + ": listen tcp " + taken + ": bind: address already in use; set ADMIN_ADDR to a free address\n" +
		"orders: HTTP_ADDR=" + taken + ": listen tcp " + taken + ": bind: address already in use; set HTTP_ADDR to a free address\n"
	if status != 64 || stderr != want {
		t.Errorf("status %d, got\n%swant\n%s", status, stderr, want)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	migrate := func(ctx context.Context, svc *runtime.Service) error {
		var cfg struct{ Database string }
		if err := svc.Load(&cfg); err != nil {
			return err
		}
		if cfg.Database == "broken" {
			return errors.New("no database")
		}
		svc.Command("migrate", "Bring the schema up to date.", func(context.Context) error { return nil })
		svc.OnStart("never", func(context.Context) error { t.Error("a command ran a start hook"); return nil })
		return simple(ctx, svc)
	}
	for name, tc := range map[string]struct {
		args   []string
		env    map[string]string
		status int
		stdout string // part of the output
		stderr string
	}{
		"help lists declared commands":           {[]string{"--help"}, map[string]string{"LOG_LEVEL": "loud"}, 0, "migrate     Bring the schema up to date.", ""},
		"help has one line of usage":             {[]string{"--help"}, nil, 0, "requests until it is stopped.\n\nUsage:\n  orders [command]\n\nCommands:\n  config  ", ""},
		"help of a command":                      {[]string{"config", "--help"}, nil, 0, "\n\nUsage:\n  orders config [flags]\n\nFlags:\n  -h, --help ", ""},
		"telemetry needs no configuration":       {[]string{"telemetry"}, map[string]string{"LOG_LEVEL": "loud"}, 0, `"GET /orders"`, ""},
		"config lists all environment variables": {[]string{"config"}, map[string]string{"ADMIN_TOKEN": "s3cret"}, 0, "STOP_TIMEOUT", ""},
		"version names the owner":                {[]string{"version"}, nil, 0, "owner team-orders", ""},
		"a declared command runs":                {[]string{"migrate"}, nil, 0, "", ""},
		"a command reports missing config":       {[]string{"migrate"}, map[string]string{"LOG_LEVEL": "loud"}, 64, "", "orders: LOG_LEVEL="},
		"missing config is the cause":            {[]string{"migrate"}, map[string]string{"LOG_LEVEL": "loud", "DATABASE": "broken"}, 64, "", "orders: LOG_LEVEL="},
		"an unknown command is suggested":        {[]string{"migrat"}, nil, 64, "", "orders: unknown command \"migrat\"; did you mean migrate?\n"},
		"unknown comes before config":            {[]string{"nonsense"}, map[string]string{"LOG_LEVEL": "loud"}, 64, "", "orders: unknown command \"nonsense\"; known commands: config, "},
		"config reports wrong values":            {[]string{"config"}, map[string]string{"HTTP_ADDR": "8080", "LOG_LEVEL": "loud"}, 64, "\nLOG_LEVEL  ", "orders: HTTP_ADDR=\"8080\" (environment): not an address with a port; write :8080\norders: LOG_LEVEL=\"loud\" (environment): not a log level; write one (debug, info, warn or error)\n"},
		"config groups environment variables":    {[]string{"config"}, nil, 0, "\n\nOverload\nOVERLOAD_MODE  ", ""},
		"config takes no argument":               {[]string{"telemetry", "all"}, nil, 64, "", "orders: unexpected argument \"all\"; see orders telemetry --help\n"},
		"a command takes no argument":            {[]string{"migrate", "all"}, nil, 64, "", "orders: unexpected argument \"all\"; see orders --help\n"},
		"an unknown flag is reported":            {[]string{"--port=1"}, nil, 64, "", "orders: unknown flag: --port\n"},
		"openapi needs a document":               {[]string{"openapi"}, nil, 1, "", "orders: GET /openapi.json: status 404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := execute(t, tc.args, tc.env, migrate)
			if status != tc.status || !strings.Contains(stdout, tc.stdout) || !strings.HasPrefix(stderr, tc.stderr) || strings.Contains(stdout, "s3cret") {
				t.Errorf("status %d (want %d)\nstdout %s\nstderr %s", status, tc.status, stdout, stderr)
			}
		})
	}
}

// A log line before Run must not be in the document.
func TestLogLinesAreNotInDocuments(t *testing.T) {
	t.Parallel()
	logging := func(ctx context.Context, svc *runtime.Service) error {
		svc.Logger().Info("wiring")
		return simple(ctx, svc)
	}
	status, stdout, stderr := execute(t, []string{"telemetry"}, nil, logging)
	if status != 0 || !strings.HasPrefix(stdout, "{") || strings.Contains(stdout, "wiring") || !strings.Contains(stderr, `"msg":"wiring"`) {
		t.Errorf("status %d, stdout %.80s, stderr %s", status, stdout, stderr)
	}
}

// Environment variables are grouped; only PORT has no group.
func TestEnvVarsWithoutAGroupComeLast(t *testing.T) {
	t.Parallel()
	_, stdout, _ := execute(t, []string{"config"}, nil, simple)
	_, other, found := strings.Cut(stdout, "\n\nOther\n")
	if !found || !strings.HasPrefix(other, "PORT ") || strings.Contains(other, "\n\n") {
		t.Errorf("got\n%s", stdout)
	}
}

type blockedWriter struct{}

func (blockedWriter) Write([]byte) (int, error) { select {} }

// A blocked standard error does not delay the exit of a failed process.
func TestBlockedStderrDoesNotDelayTheExit(t *testing.T) {
	t.Parallel()
	exited := make(chan int, 1)
	go func() {
		exited <- runtime.Execute(context.WithoutCancel(t.Context()), runtime.Process{Stderr: blockedWriter{}, Stdout: io.Discard}, info,
			runtime.Defaults{}, func(context.Context, *runtime.Service) error { return errors.New("start failed") })
	}()
	select {
	case status := <-exited:
		if status != 1 {
			t.Errorf("status %d", status)
		}
	case <-time.After(servicetest.Timeout):
		t.Error("the process waits for its standard error")
	}
}
