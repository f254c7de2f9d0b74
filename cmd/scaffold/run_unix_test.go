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
		t.Errorf("make run does not print in colour where the service listens, on free ports:\n%s", all)
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, " stopped") {
		t.Errorf("the last line is %q", last)
	}
}
