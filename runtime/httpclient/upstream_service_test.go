package httpclient_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/config"
	"github.com/observability-first/scaffold/runtime/httpclient"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// wiring is the run function of a service with the upstream payments.
func wiring(defaults httpclient.UpstreamConfig) func(context.Context, *runtime.Service) error {
	return func(ctx context.Context, svc *runtime.Service) error {
		cfg := struct{ Payments httpclient.UpstreamConfig }{defaults}
		if err := svc.Load(&cfg); err != nil {
			return err
		}
		payments, err := httpclient.NewUpstream(svc, "payments", cfg.Payments)
		if err != nil {
			return err
		}
		svc.CheckOptional("payments", payments.Check)
		svc.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, err := payments.NewRequest(r.Context(), http.MethodGet, r.URL.Path, nil)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			resp, err := payments.Do(req)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			_, _ = io.Copy(w, resp.Body)
		}))
		return svc.Run(ctx)
	}
}

// execute runs a command of the service and returns its exit code and output.
func execute(t *testing.T, defaults httpclient.UpstreamConfig, env map[string]string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	process := runtime.Process{
		Args: args, Stdout: &out, Stderr: &problems,
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
	status = runtime.Execute(t.Context(), process, runtime.Info{Name: "orders"}, runtime.Defaults{}, wiring(defaults))
	return status, out.String(), problems.String()
}

// A service without the URL of an upstream prints its description, but does not start.
func TestAServiceWithoutAURLDescribesItself(t *testing.T) {
	t.Parallel()
	status, signals, stderr := execute(t, httpclient.UpstreamConfig{}, nil, "telemetry")
	if status != 0 || stderr != "" || !strings.Contains(signals, semconv.HTTPClientRequestDuration) || !strings.Contains(signals, semconv.HTTPClientBreakerOpen) {
		t.Errorf("telemetry: exit code %d\n%s%s", status, signals, stderr)
	}
	status, table, stderr := execute(t, httpclient.UpstreamConfig{}, nil, "config")
	if status != 0 || stderr != "" || !slices.Contains(rows(table), "PAYMENTS_URL URL required - base URL, such as http://payments:8080; without credentials") {
		t.Errorf("config: exit code %d\n%s%s", status, table, stderr)
	}
	status, _, stderr = execute(t, httpclient.UpstreamConfig{}, nil)
	const want = "orders: PAYMENTS_URL: required and not set; write a URL such as http://127.0.0.1:4318 (base URL, such as http://payments:8080; without credentials)\n"
	if status != 64 || stderr != want {
		t.Errorf("exit code %d\ngot  %swant %s", status, stderr, want)
	}
}

func TestCredentialsInAURLAreNotPrinted(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"config"}, {"telemetry"}} {
		env := map[string]string{"PAYMENTS_URL": "http://user:hunter2@payments"}
		status, stdout, stderr := execute(t, httpclient.UpstreamConfig{}, env, args...)
		if status != 1 || !strings.HasPrefix(stderr, "orders: upstream payments: PAYMENTS_URL contains credentials") || strings.Contains(stdout+stderr, "hunter2") {
			t.Errorf("%v: exit code %d\n%s%s", args, status, stdout, stderr)
		}
	}
}

// rows returns the lines of a table with single blanks.
func rows(table string) []string {
	var list []string
	for line := range strings.Lines(table) {
		list = append(list, strings.Join(strings.Fields(line), " "))
	}
	return list
}

// A struct with some values still gets the defaults of the tags, and environment variables
// override both.
func TestDefaultsOfAnUpstream(t *testing.T) {
	t.Parallel()
	load := func(env map[string]string) httpclient.UpstreamConfig {
		t.Helper()
		cfg := struct{ Payments httpclient.UpstreamConfig }{httpclient.UpstreamConfig{
			URL: "http://payments", Config: httpclient.Config{Timeout: time.Second},
		}}
		if err := config.Load(&cfg, config.Source{Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}); err != nil {
			t.Fatal(err)
		}
		return cfg.Payments
	}
	want := httpclient.UpstreamConfig{URL: "http://payments", HealthPath: "/healthz", Config: httpclient.Config{
		Timeout: time.Second, DialTimeout: 2 * time.Second, TLSTimeout: 3 * time.Second, HeaderTimeout: 5 * time.Second,
		Attempts: 3, BreakerRatio: 0.5, BreakerOpen: 5 * time.Second, IdleConns: 32,
	}}
	if got := load(nil); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	want.URL, want.HealthPath, want.Timeout, want.Attempts, want.BreakerRatio = "https://other", "/ready", 2*time.Second, 1, 0
	if got := load(map[string]string{
		"PAYMENTS_URL": "https://other", "PAYMENTS_HEALTH_PATH": "/ready", "PAYMENTS_TIMEOUT": "2s", "PAYMENTS_ATTEMPTS": "1", "PAYMENTS_BREAKER_RATIO": "0",
	}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The check of an upstream delays the start and later degrades the service, and each attempt is a
// series of the upstream's host.
func TestAServiceCallsAnUpstream(t *testing.T) {
	t.Parallel()
	payments := newServer(t)
	payments.handle(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	svc := servicetest.Start(t, runtime.Info{Name: "orders"}, runtime.Defaults{}, wiring(httpclient.UpstreamConfig{}),
		"PAYMENTS_URL="+payments.URL+"/base", "PAYMENTS_ATTEMPTS=1", "HEALTH_INTERVAL=100ms", "HEALTH_FAILURES=1", "HEALTH_SUCCESSES=1")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, svc.URL+"/v1/charges/42", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); string(text) != "/base/v1/charges/42" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	host := map[string]string{semconv.LabelServerAddress: "127.0.0.1"}
	if n, _ := svc.Metric(semconv.HTTPClientRequestDuration, host); n < 2 { // the call and a check
		t.Errorf("%g attempts were observed, want at least 2", n)
	}
	payments.respond(http.StatusServiceUnavailable)
	down := svc.WaitLog(func(l servicetest.Line) bool { return l["msg"] == "health check is down" })
	if down["check"] != "payments" || down["error"] != "upstream payments: GET /base/healthz: status 503" {
		t.Errorf("got %v", down)
	}
	svc.WaitMetric(semconv.RuntimeHealthCheckUp, map[string]string{semconv.LabelCheck: "payments"}, 0)
	payments.respond(http.StatusOK)
	svc.WaitMetric(semconv.RuntimeHealthCheckUp, map[string]string{semconv.LabelCheck: "payments"}, 1)
}
