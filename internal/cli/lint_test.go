package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func lintOf(t *testing.T, rules string, flags ...string) (status int, out, errs string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	f := Factory{Streams: Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}, Getenv: func(name string) string {
		return map[string]string{prometheusToken: "secret"}[name]
	}}
	status = Main(t.Context(), append([]string{"lint", "--rules", file}, flags...), f)
	return status, strings.ReplaceAll(stdout.String(), filepath.ToSlash(file), "rules.yaml"), stderr.String()
}

// File names may contain escape sequences that a log viewer interprets.
func TestLintWritesNoControlCharactersForGitHub(t *testing.T) {
	t.Parallel()
	status, out, errs := lintOf(t, "groups:\n- name: \"g\\e[2J\"\n  rules:\n  - {alert: \"A\\e[31m\\u202e\", expr: \"up[5m]\"}\n", "--output", "github")
	if status != ExitDrift || strings.ContainsAny(out, "\x1b\u202e") || !strings.Contains(out, "::alert A\ufffd[31m\ufffd: ") {
		t.Errorf("exit code %d\nstdout: %q\nstderr: %s", status, out, errs)
	}
	file := filepath.Join(t.TempDir(), "a\xff\x1b[0m.yaml")
	if err := os.WriteFile(file, []byte("groups: 1\n"), 0o600); err != nil {
		t.Skip("the file system has no such names")
	}
	var stdout bytes.Buffer
	f := Factory{Streams: Streams{In: strings.NewReader(""), Out: &stdout, Err: io.Discard}, Getenv: func(string) string { return "" }}
	if status := Main(t.Context(), []string{"lint", "--rules", file, "--output", "github"}, f); status != ExitDrift || !strings.Contains(stdout.String(), "/a\ufffd\ufffd[0m.yaml,") {
		t.Errorf("exit code %d\nstdout: %q", status, &stdout)
	}
}

func TestInterruptStopsLintBetweenFiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte("groups: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	var stdout, stderr bytes.Buffer
	f := Factory{Streams: Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}, Getenv: func(string) string { return "" }}
	status := Main(ctx, []string{"lint", "--rules", file, "--update-baseline", "--baseline", file + ".json"}, f)
	if status != ExitError || stdout.Len() > 0 || stderr.String() != "scaffold: interrupt signal received\n" {
		t.Errorf("exit code %d\nstdout: %s\nstderr: %s", status, &stdout, &stderr)
	}
}

func TestInterruptEndsUntilDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	begun, never := make(chan struct{}), make(chan int)
	go func() {
		<-begun
		cancel(errors.New("interrupted"))
	}()
	_, err := untilDone(ctx, func() int {
		close(begun)
		return <-never
	})
	if err == nil || err.Error() != "interrupted" {
		t.Errorf("got %v", err)
	}
}

// A running Prometheus has the metric names of all exporters, recorded series, and types in its
// metadata.
func TestNamesAndTypesComeFromAPrometheus(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer secret":
			http.Error(w, "no", http.StatusUnauthorized)
		case r.URL.Path == "/prefix/api/v1/label/__name__/values":
			_, _ = fmt.Fprint(w, `{"status":"success","data":["jobs_total","queue_length","odd","node:cpu:sum","wait_seconds_bucket"]}`)
		case r.URL.Path == "/prefix/api/v1/metadata":
			_, _ = fmt.Fprint(w, `{"status":"success","data":{"jobs":[{"type":"counter"}],"queue_length":[{"type":"gauge"}],"odd":[{"type":"gauge"},{"type":"counter"}],"wait_seconds":[{"type":"histogram"}]}}`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	const rules = `groups:
- name: g
  rules:
  - record: a:b:c
    expr: rate(queue_length{any="label"}[5m])
  - record: a:b:d
    expr: jobs_total > on () rate(odd[5m])
  - record: a:b:e
    expr: rate(odd[5m]) + node:cpu:sum + sum by (le) (rate(wait_seconds_bucket[5m]))
  - record: a:b:f
    expr: job_total
`
	status, out, errs := lintOf(t, rules, "--prometheus", server.URL+"/prefix/")
	want := `error   rules.yaml:5:11: record a:b:c: rate of the gauge queue_length counts each decrease as a restart; use delta or deriv [rate-gauge]
error   rules.yaml:7:11: record a:b:d: jobs_total is a counter; use rate(jobs_total[...]) or increase(...) [counter-rate]
warning rules.yaml:11:11: record a:b:f: metric job_total is not declared; did you mean "jobs_total"? [unknown-metric]
1 rule file, 0 dashboards: 2 errors, 1 warning found
`
	if diff := cmp.Diff(want, out); diff != "" || status != ExitDrift || errs != "" {
		t.Errorf("status %d, %s (-want +got):\n%s", status, errs, diff)
	}
	status, _, errs = lintOf(t, rules, "--prometheus", server.URL)
	if status != ExitError || !strings.HasPrefix(errs, "scaffold: --prometheus: "+server.URL+"/api/v1/") || !strings.Contains(errs, "404 Not Found; write the URL of Prometheus") {
		t.Errorf("another server: status %d, %s", status, errs)
	}
}

// Many findings begin with a summary and are grouped; errors have all places.
func TestManyFindingsAreSummarizedAndGrouped(t *testing.T) {
	t.Parallel()
	var rules strings.Builder
	rules.WriteString("groups:\n- name: g\n  rules:\n")
	for i := range 500 {
		expr := fmt.Sprintf("metric_%d_total > 5", i)
		if i%10 == 0 {
			expr = fmt.Sprintf("count(metric_%d) == 0", i)
		}
		fmt.Fprintf(&rules, "  - record: a:b:c%d\n    expr: %s\n", i, expr)
	}
	status, out, _ := lintOf(t, rules.String())
	lines := strings.Split(out, "\n")
	if status != ExitDrift || len(lines) > 80 {
		t.Errorf("status %d, %d lines:\n%s", status, len(lines), out)
	}
	for _, want := range []string{
		"    50  error   impossible-comparison\n   450  warning counter-rate\n\n",
		"\nerror   impossible-comparison (50 times): … is never true: the left side is never below 1\n    rules.yaml:5:11: record a:b:c0 (count(metric_0) == 0)\n",
		"    rules.yaml:985:11: record a:b:c490 (count(metric_490) == 0)\n",
		"    and 440 more; --output json lists all\n",
		"1 rule file, 0 dashboards: 50 errors, 450 warnings found\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s\nwithout\n%s", out, want)
		}
	}
}
