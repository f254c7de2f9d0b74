package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/testkit/release"
)

const quickStart = "make install && cd .. && scaffold new orders && cd orders && make run"

// commands returns the lines in shell blocks of the README, without comments.
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

// Each command of the README is tested: the quick start below, the others by .ci/run.
func TestReadmeCommandsAreRun(t *testing.T) {
	t.Parallel()
	ci, err := os.ReadFile("../../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	all := commands(t)
	if !slices.Contains(all, quickStart) || len(all) < 2 {
		t.Fatalf("commands of the README %q do not include %q", all, quickStart)
	}
	for _, command := range all {
		if command != quickStart && !strings.Contains(string(ci), " "+command+"\n") {
			t.Errorf("README.md: %q is not tested; add it to .ci/run", command)
		}
	}
}

// The README has few pictures, and loads quickly.
func TestReadmePictures(t *testing.T) {
	t.Parallel()
	const most, mostBytes = 3, 100_000
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	pictures := regexp.MustCompile(`!\[[^\]]+\]\(([^)]+)\)`).FindAllStringSubmatch(string(readme), -1)
	if len(pictures) == 0 || len(pictures) > most {
		t.Errorf("%d pictures, want 1 to %d", len(pictures), most)
	}
	for _, p := range pictures {
		if info, err := os.Stat(filepath.Join("../..", p[1])); err != nil || info.Size() > mostBytes {
			t.Errorf("%s is missing, or has more than %d bytes: %v", p[1], mostBytes, err)
		}
	}
}

// Programs of inline commands in the README have a test stage in .ci/run.
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
		"mimirtool": "stage backends make backends\n", "docker": "stage compose make compose\n",
		"scaffold": "stage test make test\n", "make": "stage demo make demo\n", "orders": "stage test make test\n",
		"git": "stage e2e make e2e\n",
	}
	inline := regexp.MustCompile("`([a-z]+) [a-z][^`]*`").FindAllStringSubmatch(string(readme), -1)
	if len(inline) < 10 {
		t.Fatalf("%d inline commands in README.md, want at least 10", len(inline))
	}
	for _, found := range inline {
		if stage, known := by[found[1]]; !known || !strings.Contains(string(ci), stage) {
			t.Errorf("README.md: %s is not tested; add its program to this test and to .ci/run", found[0])
		}
	}
}

// docs/demo.md contains the output of all steps of the demo, in order.
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
			t.Errorf("docs/demo.md: step %q is missing in the last %d characters of the output", title, len(before))
			continue
		}
		shown = after
	}
}

// titles returns the titles of the steps in the order of the output, each up to its
// first format verb.
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
	// Files with several steps need an explicit order. KEEP=1 runs other last steps.
	order := []string{"One request in every signal", "Generated observability files", "Break it on purpose"}
	const last, check = "Stop it under load", "Check it: every panel, every alert, every link"
	found := slices.Contains(all, last) && slices.Contains(all, check)
	all = slices.DeleteFunc(all, func(title string) bool {
		return slices.Contains(append(order, last, check, "Next"), title) || strings.HasPrefix(title, "Running;")
	})
	if !found || len(all) < 5 {
		t.Fatalf("steps %q are incomplete; adapt this test to the titles in the source", all)
	}
	return slices.Concat(all, order, []string{last, check, "Next"})
}

var titleCall = regexp.MustCompile(`d\.title\((?:fmt\.Sprintf\()?"([^"]*)"`)

// README.md has at most 180 lines.
func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(readme), "\n"); lines > 180 {
		t.Errorf("README.md has %d lines, want at most 180", lines)
	}
}

// The quick start works as written in a fresh copy of the tree. Ctrl-C stops the
// service.
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal to the group reaches all processes, like Ctrl-C in a terminal
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
			t.Fatalf("the service is not ready after 5 minutes\n%s", output.String())
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
		t.Fatal("the service still runs after Ctrl-C")
	}
	if !strings.Contains(output.String(), `"msg":"stopped"`) {
		t.Errorf("no clean shutdown:\n%s", output.String())
	}
}

// copyTree copies the files of the repository that git tracks.
func copyTree(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "scaffold") // its parent gets the service
	all := func(string) bool { return true }
	unchanged := func(data []byte) []byte { return data }
	if err := release.Copy(t.Context(), "../..", root, all, unchanged); err != nil {
		t.Fatal(err)
	}
	return root
}
