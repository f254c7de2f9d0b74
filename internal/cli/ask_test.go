package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/cli"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/testkit/testdir"
	"github.com/observability-first/scaffold/templates"
)

// asked counts builds of services, and the maximum that ran in parallel.
type asked struct {
	mu                    sync.Mutex
	builds, running, most int
	// together is the number of builds that wait for each other.
	together int
	arrived  chan struct{}
}

// ask returns what the service printed last.
func (a *asked) ask(ctx context.Context, dir, _ string, verbs []string) (map[string]project.Output, error) {
	a.mu.Lock()
	a.builds++
	a.running++
	a.most = max(a.most, a.running)
	if a.running == a.together {
		close(a.arrived)
	}
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.running--
		a.mu.Unlock()
	}()
	if a.together > 0 {
		select {
		case <-a.arrived:
		case <-time.After(30 * time.Second): // the test fails on the smaller number
		}
	}
	printed := map[string]project.Output{}
	for _, verb := range verbs {
		file := map[string]string{"telemetry": "observability/telemetry.json"}[verb]
		if file == "" {
			continue
		}
		src, err := os.ReadFile(filepath.Join(dir, file))
		printed[verb] = project.Output{Out: src, Err: err}
	}
	return printed, ctx.Err()
}

// scaffold runs a command without the go tool.
func (a *asked) scaffold(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	f := cli.System(templates.Render)
	f.Streams = cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}
	f.Getenv = func(string) string { return "" }
	f.Ask = a.ask
	if status := cli.Main(t.Context(), args, f); status != cli.ExitDone && args[0] != "check" {
		t.Fatalf("%v: status %d: %s", args, status, &stderr)
	}
	return stdout.String()
}

func newServices(t *testing.T, n int) (root string) {
	t.Helper()
	root = t.TempDir()
	runtime, err := filepath.Abs("../../runtime")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		name := fmt.Sprintf("shop%d", i)
		(&asked{}).scaffold(t, "new", name, "--dir", filepath.Join(root, name), "--module", "example.com/"+name, "--runtime", runtime)
	}
	return root
}

func TestServiceIsBuiltOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(newServices(t, 1), "shop0")
	for _, command := range []string{"check", "generate"} {
		a := &asked{}
		a.scaffold(t, command, dir)
		if a.builds != 1 {
			t.Errorf("%s built the service %d times, want once", command, a.builds)
		}
	}
	a := &asked{}
	a.scaffold(t, "generate", "--dry-run", dir)
	if a.builds != 0 {
		t.Errorf("generate --dry-run built the service %d times", a.builds)
	}
}

func TestServicesAreCheckedInParallelAndReportedInOrder(t *testing.T) {
	t.Parallel()
	const limit = 4
	root := newServices(t, limit+2)
	a := &asked{together: limit, arrived: make(chan struct{})}
	out := a.scaffold(t, "check", "--all", root)
	if a.most != limit || a.builds != limit+2 {
		t.Errorf("%d builds, up to %d in parallel; want %d, up to %d", a.builds, a.most, limit+2, limit)
	}
	names := regexp.MustCompile(`(?m)^shop\d`).FindAllString(out, -1)
	if len(names) != limit+2 || !slices.IsSorted(names) {
		t.Errorf("services are not reported in order: %v\n%s", names, out)
	}
}

func TestFailedCommandKeepsOtherOutputs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a program")
	}
	dir := testdir.New(t, map[string]string{
		"go.mod": "module example.com/x\n\ngo 1.26.0\n",
		"cmd/x/main.go": `package main

import "os"

func main() {
	if os.Args[1] == "config" {
		os.Stderr.WriteString("no settings")
		os.Exit(2)
	}
	os.Stdout.WriteString("this is " + os.Args[1])
}
`,
	})
	printed, err := project.RunVerbs(t.Context(), dir, "x", []string{"telemetry", "routes", "config"})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"telemetry", "routes"} {
		if p := printed[verb]; p.Err != nil || string(p.Out) != "this is "+verb {
			t.Errorf("%s: %q, %v", verb, p.Out, p.Err)
		}
	}
	if err := printed["config"].Err; err == nil || err.Error() != "x config: exit status 2\nno settings" {
		t.Errorf("config: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := project.RunVerbs(t.Context(), dir, "x", []string{"config"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("another file as go.mod: %v", err)
	}
}

// The findings of an interrupted check may be caused by the interrupt.
func TestInterruptedCheckReportsNoFindings(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(newServices(t, 1), "shop0")
	ctx, interrupt := context.WithCancelCause(t.Context())
	var stdout, stderr bytes.Buffer
	f := cli.System(templates.Render)
	f.Streams = cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}
	f.Getenv = func(string) string { return "" }
	f.Ask = func(context.Context, string, string, []string) (map[string]project.Output, error) {
		interrupt(errors.New("Ctrl-C"))
		return nil, ctx.Err()
	}
	if status := cli.Main(ctx, []string{"check", dir}, f); status != cli.ExitError || stdout.Len() > 0 || !strings.Contains(stderr.String(), "Ctrl-C") {
		t.Errorf("status %d, output %q, error %q", status, &stdout, &stderr)
	}
}

// full is a writer that fails like a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestWriteErrorOfOutputIsReported(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"version"}, {"version", "--output", "json"}, {"schema"}} {
		var stderr bytes.Buffer
		f := cli.System(templates.Render)
		f.Streams = cli.Streams{In: strings.NewReader(""), Out: full{}, Err: &stderr}
		if status := cli.Main(t.Context(), args, f); status != cli.ExitError || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("%q: status %d, %s", args, status, &stderr)
		}
	}
}

// Files and servers may send characters that a terminal or a pipeline interprets.
func TestControlCharactersAreReplaced(t *testing.T) {
	t.Parallel()
	const (
		key   = `"\e]0;x\a\u009b\u202e\e[31m\n::error::y": 1`
		shown = "\ufffd]0;x\ufffd\ufffd\ufffd\ufffd[31m\\n::error::y"
		sloth = "version: prometheus/v1\nservice: s\nslos:\n- name: a\n  objective: 99\n  sli:\n    events:\n      error_query: sum(rate(x_total{code=\"5\"}[{{.window}}]))\n      total_query: sum(rate(x_total[{{.window}}]))\n"
	)
	for src, want := range map[string]int{
		"apiVersion: scaffold.slo/v1\nslos: []\n" + key + "\n": cli.ExitError,
		sloth + key + "\n":                cli.ExitDone,
		sloth + "labels: {" + key + "}\n": cli.ExitError,
	} {
		file := filepath.Join(t.TempDir(), "a.slo.yaml")
		if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		f := cli.System(templates.Render)
		f.Streams = cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: &stderr}
		status := cli.Main(t.Context(), []string{"slo", file}, f)
		if out := stderr.String(); status != want || strings.ContainsAny(out, "\x1b\a\u009b\u202e") || strings.Contains(out, "\n::error") || !strings.Contains(out, shown) {
			t.Errorf("%s: status %d, %q", src, status, out)
		}
	}
}
