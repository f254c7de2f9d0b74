//go:build unix

package runtime_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

const hangupChild = "SCAFFOLD_TEST_HANGUP_CHILD"

// TestHangupChild is the process that TestHangup sends signals to.
func TestHangupChild(t *testing.T) {
	if os.Getenv(hangupChild) == "" {
		t.Skip("runs as a child of TestHangup")
	}
	os.Exit(runtime.Execute(t.Context(), runtime.Process{
		LookupEnv: func(name string) (string, bool) {
			return "127.0.0.1:0", name == "HTTP_ADDR" || name == "ADMIN_ADDR"
		},
		Stdout: os.Stdout, Stderr: os.Stderr,
		Started: func(_, _ net.Addr) { _, _ = os.Stdout.WriteString("started\n") },
	}, info, runtime.Defaults{}, simple))
}

// A closed terminal drains a service as SIGTERM does, except under nohup.
func TestHangup(t *testing.T) {
	t.Parallel()
	// Signals that are caught here have their default action in children. Otherwise they would
	// ignore them under nohup.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) })
	for name, tc := range map[string]struct {
		trap    string
		signals []syscall.Signal
		reason  string
	}{
		"SIGHUP drains":                    {"", []syscall.Signal{syscall.SIGHUP}, "signal: hangup"},
		"SIGTERM drains":                   {"", []syscall.Signal{syscall.SIGTERM}, "signal: terminated"},
		"SIGHUP stays ignored under nohup": {"trap '' HUP; ", []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM}, "signal: terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), servicetest.Timeout)
			defer cancel()
			cmd := exec.CommandContext(ctx, "sh", "-c", tc.trap+`exec "$0" -test.run='^TestHangupChild$'`, os.Args[0])
			cmd.Env = append(os.Environ(), hangupChild+"=1")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var output strings.Builder
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				output.WriteString(lines.Text() + "\n")
				if lines.Text() == "started" {
					for _, signal := range tc.signals {
						if err := cmd.Process.Signal(signal); err != nil {
							t.Error(err)
						}
					}
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("the service ended with %v", err)
			}
			if want := `"msg":"stop requested","reason":"` + tc.reason; !strings.Contains(output.String(), want) {
				t.Errorf("the output does not have %s:\n%s", want, output.String())
			}
		})
	}
}
