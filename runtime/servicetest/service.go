package servicetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/runtime"
)

// Timeout is the maximum time that a helper waits before it fails the test.
const Timeout = 20 * time.Second

// Service is a service that runs in a test.
type Service struct {
	URL      string // of the API, such as http://127.0.0.1:40123
	AdminURL string // of probes and metrics
	Receiver *Receiver

	tb      testing.TB
	signals chan os.Signal
	exited  chan struct{}
	status  int
	stdout  output
	stderr  output
}

// Start starts the service and returns when it is ready. env has additional environment variables
// as "KEY=value", which override the defaults of this package. By default, all requests are
// sampled and logged. The service stops with the test.
func Start(tb testing.TB, info runtime.Info, defaults runtime.Defaults, run func(context.Context, *runtime.Service) error, env ...string) *Service {
	tb.Helper()
	s := &Service{
		Receiver: NewReceiver(tb), tb: tb,
		signals: make(chan os.Signal, 2), exited: make(chan struct{}),
	}
	variables := s.environment(env)
	started := make(chan [2]net.Addr, 1)
	process := runtime.Process{
		LookupEnv: func(name string) (string, bool) { v, ok := variables[name]; return v, ok },
		Stdout:    &s.stdout, Stderr: &s.stderr, Signals: s.signals,
		Started: func(http, admin net.Addr) { started <- [2]net.Addr{http, admin} },
	}
	go func() {
		defer close(s.exited)
		s.status = runtime.Execute(context.WithoutCancel(tb.Context()), process, info, defaults, run)
	}()
	tb.Cleanup(func() { s.Stop() })
	select {
	case addrs := <-started:
		if addrs[0] != nil {
			s.URL = "http://" + addrs[0].String()
		}
		s.AdminURL = s.URL
		if addrs[1] != nil {
			s.AdminURL = "http://" + addrs[1].String()
		}
	case <-s.exited:
		tb.Fatalf("the service exited with code %d before it started:\n%s%s", s.status, s.stderr.String(), s.stdout.String())
	case <-time.After(Timeout):
		tb.Fatalf("the service did not start:\n%s%s", s.stderr.String(), s.stdout.String())
	}
	s.WaitReady()
	return s
}

func (s *Service) environment(extra []string) map[string]string {
	variables := map[string]string{
		"HTTP_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "DRAIN_DELAY": "0s", "ACCESS_LOG": "all",
		"OTEL_EXPORTER_OTLP_ENDPOINT": s.Receiver.URL, "OTEL_TRACES_SAMPLER": "always_on", "OTEL_BSP_SCHEDULE_DELAY": "10",
	}
	for _, pair := range extra {
		name, value, _ := strings.Cut(pair, "=")
		variables[name] = value
	}
	return variables
}

// WaitReady waits until /readyz responds with 200.
func (s *Service) WaitReady() {
	s.tb.Helper()
	s.wait("ready", func() bool {
		status, _ := s.get(s.AdminURL + "/readyz")
		return status == http.StatusOK
	})
}

// Stop sends SIGTERM and returns the exit code. If the service is already stopping, this is a
// second signal, which skips waits.
func (s *Service) Stop() int {
	s.tb.Helper()
	s.Signal(syscall.SIGTERM)
	return s.Wait()
}

// Wait waits for the service to exit and returns the exit code.
func (s *Service) Wait() int {
	s.tb.Helper()
	select {
	case <-s.exited:
	case <-time.After(2 * Timeout):
		s.tb.Fatalf("the service did not stop:\n%s", s.stdout.String())
	}
	return s.status
}

// Signal sends a signal to the service and returns immediately.
func (s *Service) Signal(sig os.Signal) {
	select {
	case s.signals <- sig:
	default: // two signals are pending; a third has no effect
	}
}

// Done returns a channel that is closed when the service has exited.
func (s *Service) Done() <-chan struct{} { return s.exited }

// Stderr returns the standard error of the service.
func (s *Service) Stderr() string { return s.stderr.String() }

// Spans returns the spans received so far.
func (s *Service) Spans() []Span { return s.Receiver.Spans() }

// WaitSpan waits for a span for which accept returns true.
func (s *Service) WaitSpan(accept func(Span) bool) Span {
	s.tb.Helper()
	return waitFor(s, "span", s.Spans, accept)
}

// Line is a log line.
type Line map[string]any

// Logs returns the lines logged so far.
func (s *Service) Logs() []Line {
	var lines []Line
	scanner := bufio.NewScanner(strings.NewReader(s.stdout.String()))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line Line
		if json.Unmarshal(scanner.Bytes(), &line) == nil {
			lines = append(lines, line)
		}
	}
	return lines
}

// WaitLog waits for a log line for which accept returns true.
func (s *Service) WaitLog(accept func(Line) bool) Line {
	s.tb.Helper()
	return waitFor(s, "log line", s.Logs, accept)
}

// Metric scrapes the service and returns the sum of the metric's series that have the given
// labels. For a histogram it is the number of observations. found is false if there is no such
// series.
func (s *Service) Metric(name string, labels map[string]string) (sum float64, found bool) {
	s.tb.Helper()
	_, body := s.get(s.AdminURL + "/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		s.tb.Fatalf("scrape: %v", err)
	}
	for _, m := range families[name].GetMetric() {
		have := map[string]string{}
		for _, pair := range m.GetLabel() {
			have[pair.GetName()] = pair.GetValue()
		}
		if includes(have, labels) {
			found = true
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum, found
}

// WaitMetric waits until the metric has the value.
func (s *Service) WaitMetric(name string, labels map[string]string, want float64) {
	s.tb.Helper()
	s.wait(fmt.Sprintf("%s%v = %v", name, labels, want), func() bool {
		got, found := s.Metric(name, labels)
		return found && got == want
	})
}

func includes(have, want map[string]string) bool {
	merged := maps.Clone(have)
	maps.Copy(merged, want)
	return maps.Equal(have, merged)
}

func (s *Service) get(url string) (status int, body []byte) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(s.tb.Context()), http.MethodGet, url, http.NoBody)
	if err != nil {
		s.tb.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(res.Body); err != nil {
		return 0, nil
	}
	return res.StatusCode, buf.Bytes()
}

func waitFor[T any](s *Service, what string, list func() []T, accept func(T) bool) (found T) {
	s.tb.Helper()
	s.wait(what, func() bool {
		for _, item := range list() {
			if accept(item) {
				found = item
				return true
			}
		}
		return false
	})
	return found
}

// wait polls until holds returns true. If it times out, it fails the test with the log of the
// service.
func (s *Service) wait(what string, holds func() bool) {
	s.tb.Helper()
	deadline := time.After(Timeout)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			s.tb.Fatalf("waited %s for: %s\nlog:\n%s", Timeout, what, s.stdout.String())
		}
	}
}

// output is a buffer that the service writes and the test reads.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
