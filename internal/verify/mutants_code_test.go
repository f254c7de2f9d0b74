package verify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/verify"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// codeMutant breaks one line of the library that the service uses.
type codeMutant struct{ name, file, old, with string }

func codeMutants() []codeMutant {
	return []codeMutant{
		{"a counter has another name", "semconv/metrics.go", `"http_server_requests_total"`, `"http_requests_total"`},
		{"a histogram has another name", "semconv/metrics.go", `"http_server_request_duration_seconds"`, `"http_server_latency_seconds"`},
		{"exemplars have another label", "semconv/labels.go", `ExemplarTraceID      = "trace_id"`, `ExemplarTraceID      = "traceID"`},
		{"server errors count as client errors", "httpserver/outcome.go", `return ending{status, semconv.OutcomeServerError, strconv.Itoa(status)}`, `return ending{status, semconv.OutcomeClientError, strconv.Itoa(status)}`},
		{"success counts as failure", "httpserver/outcome.go", `return ending{status, semconv.OutcomeSuccess, ""}`, `return ending{status, semconv.OutcomeServerError, ""}`},
		{"a route has no series before its first request", "httpserver/routes.go", `if method != anyMethod && serves(route, method) {`, `if method != anyMethod && method != "DELETE" && serves(route, method) {`},
		{"durations are in milliseconds", "httpserver/observe.go", `d.observer.Observe(took.Seconds())`, `d.observer.Observe(1000 * took.Seconds())`},
		{"no bucket for the objective", "httpserver/config.go", `all := append(semconv.DurationBuckets(), extra...)`, `all := append(semconv.DurationBuckets(), extra[:0]...)`},
		{"spans are named after the method only", "httpserver/span.go", `x.span.SetName(s.spanName)`, ``},
		{"spans do not link to profiles", "telemetry/telemetry.go", `return otelpyroscope.NewTracerProvider(p)`, `_ = otelpyroscope.NewTracerProvider; return p`},
		{"log lines have another key for the trace id", "telemetry/logs.go", `keyTraceID    = "trace_id"`, `keyTraceID    = "traceid"`},
		{"no log line for a successful request", "httpserver/accessline.go", `	level, msg := headline(e.outcome)`, `	if e.outcome == semconv.OutcomeSuccess {
		return
	}
	level, msg := headline(e.outcome)`},
		{"the ready metric is always 0", "health/probe.go", `m.ready.Set(1)`, `m.ready.Set(0)`},
	}
}

// TestEveryMutantOfTheCodeIsCaught builds the smallest example with a broken library and verifies it.
func TestEveryMutantOfTheCodeIsCaught(t *testing.T) {
	long(t)
	const dir = "../../examples/minimal"
	src, err := os.ReadFile(filepath.Join(dir, spec.FileName))
	must(t, err)
	service, err := spec.Parse(spec.FileName, src)
	must(t, err)
	rules, err := slo.Compile(service.SLO())
	must(t, err)
	telemetry, err := os.ReadFile(filepath.Join(dir, "observability", "telemetry.json"))
	must(t, err)
	signals, err := templates.ParseSignals("telemetry.json", telemetry)
	must(t, err)
	subject, err := verify.Load(dir, &rules, signals.Routes)
	must(t, err)
	subject.Package = "./cmd/minimal"
	for _, m := range codeMutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			seen, err := verify.Observe(t.Context(), subject, verify.Options{
				BuildFlags: []string{"-overlay", m.overlay(t)}, StartWithin: 15 * time.Second, TrailWithin: 10 * time.Second,
			})
			must(t, err)
			why := failure(seen.Report().Checks)
			if why == "" {
				t.Fatal("nobody notices")
			}
			t.Logf("caught: %s", why)
		})
	}
}

// Every test run checks that each mutant still finds its line, not only the long run.
func TestEveryMutantOfTheCodeFindsItsLine(t *testing.T) {
	t.Parallel()
	for _, m := range codeMutants() {
		m.overlay(t)
	}
}

// overlay returns a build overlay that contains the broken line.
func (m codeMutant) overlay(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../runtime", filepath.FromSlash(m.file)))
	must(t, err)
	text, err := os.ReadFile(path)
	must(t, err)
	broken := strings.Replace(string(text), m.old, m.with, 1)
	if broken == string(text) {
		t.Fatalf("%s does not hold %s", m.file, m.old)
	}
	dir := t.TempDir()
	with := filepath.Join(dir, "broken.go")
	must(t, os.WriteFile(with, []byte(broken), 0o600))
	doc, err := json.Marshal(map[string]map[string]string{"Replace": {path: with}})
	must(t, err)
	overlay := filepath.Join(dir, "overlay.json")
	must(t, os.WriteFile(overlay, doc, 0o600))
	return overlay
}
