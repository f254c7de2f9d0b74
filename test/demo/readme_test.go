package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/testkit/release"
)

const quickStart = "make install && scaffold new orders && cd orders && make run"

// commands are the lines of the README's shell blocks, without comments.
func commands(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	shell := false
	for line := range strings.Lines(string(readme)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			shell = line == "```sh"
		case shell && line != "":
			command, _, _ := strings.Cut(line, "  #")
			all = append(all, strings.TrimSpace(command))
		}
	}
	return all
}

// Each command of the README is run: the quick start below, the others by .ci/run.
func TestReadmeCommandsAreRun(t *testing.T) {
	t.Parallel()
	ci, err := os.ReadFile("../../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	all := commands(t)
	if !slices.Contains(all, quickStart) || len(all) < 2 {
		t.Fatalf("the README's commands are %q", all)
	}
	for _, command := range all {
		if command != quickStart && !strings.Contains(string(ci), " "+command+"\n") {
			t.Errorf("the README says %q, which nothing runs", command)
		}
	}
}

// What the README's table tells people to type to other programs is typed to
// them by a module of its own, which .ci/run calls.
func TestReadmeNamesNoOtherProgram(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	ci, err := os.ReadFile("../../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{
		"mimirtool": "stage mimir make mimir\n", "docker": "stage compose make compose\n",
		"scaffold": "stage test make test\n", "make": "stage demo make demo\n", "orders": "stage test make test\n",
	}
	typed := regexp.MustCompile("`([a-z]+) [a-z][^`]*`").FindAllStringSubmatch(string(readme), -1)
	if len(typed) < 10 {
		t.Fatalf("the README names %d commands in its text", len(typed))
	}
	for _, found := range typed {
		if stage, known := by[found[1]]; !known || !strings.Contains(string(ci), stage) {
			t.Errorf("the README says %s, which nothing runs", found[0])
		}
	}
}

// docs/demo.md shows the output of a demo: every step of it, in order.
func TestDocumentShowsTheDemo(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/demo.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(document), "<!-- demo:begin -->")
	shown, _, _ = strings.Cut(shown, "<!-- demo:end -->")
	for _, title := range titles(t) {
		before, after, found := strings.Cut(shown, "── "+title)
		if !found {
			t.Errorf("docs/demo.md does not show the step %q after %d characters", title, len(before))
			continue
		}
		shown = after
	}
}

// titles are the steps of the demo in the order of its source, up to the first
// verb of a format.
func titles(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, file := range []string{"demo.go", "service.go", "traffic.go", "signals.go", "artifacts.go", "signals.go", "stop.go"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range titleCall.FindAllStringSubmatch(string(src), -1) {
			title, _, _ := strings.Cut(match[1], "%")
			if !slices.Contains(all, title) {
				all = append(all, title)
			}
		}
	}
	// Some files hold several steps, and the one that is left running is another demo.
	order := []string{"One request in every signal", "What was written beside the code", "Break it on purpose"}
	const last, check = "Stop it under load", "Check it: every panel, every alert, every link"
	found := slices.Contains(all, last) && slices.Contains(all, check)
	all = slices.DeleteFunc(all, func(title string) bool {
		return slices.Contains(append(order, last, check, "Next"), title) || strings.HasPrefix(title, "It keeps running")
	})
	if !found || len(all) < 5 {
		t.Fatalf("steps %q", all)
	}
	return slices.Concat(all, order, []string{last, check, "Next"})
}

var titleCall = regexp.MustCompile(`d\.title\((?:fmt\.Sprintf\()?"([^"]*)"`)

// The first screen and the whole stay short.
func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(readme), "\n"); lines > 180 {
		t.Errorf("README.md has %d lines, more than 180", lines)
	}
}

// The quick start works as it is written, in a fresh copy of the tree, and
// Ctrl-C ends it.
func TestEndToEndQuickStart(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command and a service")
	}
	root := copyTree(t)
	api, admin, err := freeAddrs()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	cmd := exec.Command("bash", "-c", quickStart)
	var output bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &output, &output
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HTTP_ADDR="+api, "ADMIN_ADDR="+admin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that Ctrl-C reaches all of it, as in a terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for ready := false; !ready; {
		select {
		case err := <-ended:
			t.Fatalf("%s: %v\n%s", quickStart, err, output.String())
		case <-ctx.Done():
			t.Fatalf("the service is not ready\n%s", output.String())
		default:
		}
		status, _, err := get(ctx, "http://"+admin+"/readyz")
		ready = err == nil && status == http.StatusOK
		pause(ctx, 50*time.Millisecond)
	}
	if status, body, err := get(ctx, "http://"+api+"/v1/orders"); err != nil || status != http.StatusOK {
		t.Errorf("GET /v1/orders: %d %s %v", status, body, err)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		t.Fatal("Ctrl-C did not end the service")
	}
	if !strings.Contains(output.String(), `"msg":"stopped"`) {
		t.Errorf("the service did not stop in order:\n%s", output.String())
	}
}

// copyTree copies what git would give to somebody who clones the tree.
func copyTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	everything := func(string) bool { return true }
	asItIs := func(data []byte) []byte { return data }
	if err := release.Copy(t.Context(), "../..", root, everything, asItIs); err != nil {
		t.Fatal(err)
	}
	return root
}
