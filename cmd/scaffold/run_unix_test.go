//go:build unix

package main_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/observability-first/scaffold/internal/testkit/golden"
)

// On a terminal, make run shows lines for people, and Ctrl-C ends it with success.
func TestEndToEndMakeRunEndsWithSuccessOnCtrlC(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a service")
	}
	t.Parallel()
	// Another service, unless the machine has one already.
	if l, err := net.Listen("tcp", "127.0.0.1:9464"); err == nil {
		t.Cleanup(func() { _ = l.Close() })
	}
	parent := t.TempDir()
	run(t, parent, built(t), "new", "orders")
	cmd := exec.CommandContext(t.Context(), "make", "run")
	cmd.Dir = filepath.Join(parent, "orders")
	cmd.Env = append(os.Environ(), "HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=", "TERM=xterm", "NO_COLOR=")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() }) // hangs up, if the test failed
	deadline := time.AfterFunc(time.Minute, func() { _ = tty.Close() })
	defer deadline.Stop()
	var lines []string
	for scanner := bufio.NewScanner(tty); scanner.Scan(); {
		line := strings.TrimRight(scanner.Text(), "\r")
		lines = append(lines, line)
		if strings.Contains(line, "service started") {
			if _, err := tty.WriteString("\x03"); err != nil {
				t.Fatal(err)
			}
		}
	}
	err, all := cmd.Wait(), strings.Join(lines, "\n")
	if err != nil {
		t.Errorf("make run ended with %v:\n%s", err, all)
	}
	started := regexp.MustCompile(`\x1b\[32mINFO \x1b\[0m service started .*http_addr=127\.0\.0\.1:[1-9]\d* admin_addr=127\.0\.0\.1:(\d+)`)
	if m := started.FindStringSubmatch(all); m == nil || m[1] == "9464" {
		t.Errorf("make run does not print in color where the service listens, on free ports:\n%s", all)
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, " stopped") {
		t.Errorf("the last line is %q", last)
	}
	golden.Compare(t, filepath.Join(transcripts, "make-run.txt"), []byte("$ make run\n"+steady(all)+"\n"))
}

// steady replaces what differs between two runs, and removes colors.
func steady(log string) string {
	for _, r := range []struct{ old, new string }{
		{`\x1b\[[0-9;]*m|\^C`, ""}, // the terminal may show ^C anywhere
		{`(?m)^\d\d:\d\d:\d\d\.\d+`, "12:00:00.000"},
		{`\bhttp_addr=127\.0\.0\.1:\d+`, "http_addr=127.0.0.1:8080"},
		{`\badmin_addr=127\.0\.0\.1:\d+`, "admin_addr=127.0.0.1:9464"},
		{`\bpid=\d+`, "pid=4711"},
		{`\bduration_seconds=\S+`, "duration_seconds=0.001"},
		{`\bgomaxprocs=\d+`, "gomaxprocs=2"},
		{`\bversion=\S+`, "version=v1.0.0"},
	} {
		log = regexp.MustCompile(r.old).ReplaceAllString(log, r.new)
	}
	return log
}
