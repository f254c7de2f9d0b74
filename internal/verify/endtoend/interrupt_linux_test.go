//go:build !race

package endtoend_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
)

// patience is the timeout of everything that could hang; it is far above normal durations.
const patience = 2 * time.Minute

// A signal in the middle of a run, from a terminal or a CI system, ends the program with an error and leaves
// no processes or files of the build, the service or its database.
func TestEndToEndInterruptLeavesNothing(t *testing.T) {
	bin := scaffold(t)
	postgrestest.Start(t) // skips with a message if there is no PostgreSQL
	for _, tc := range []struct {
		name   string
		during string // a program that runs at that time
		signal syscall.Signal
	}{
		{"Ctrl-C during the build", "compile", syscall.SIGINT},
		{"Ctrl-C while the service runs", "service", syscall.SIGINT},
		{"SIGTERM from a CI system", "service", syscall.SIGTERM},
	} {
		t.Run(tc.name, func(t *testing.T) {
			temp := t.TempDir()
			if tc.during == "compile" {
				t.Setenv("GOCACHE", t.TempDir()) // an empty cache makes the build long enough
			}
			var out bytes.Buffer
			junit := filepath.Join(t.TempDir(), "verify.xml")
			cmd := exec.CommandContext(t.Context(), bin, "verify", "--junit", junit, directory(t, "../../../examples/orders"))
			cmd.Env = append(os.Environ(), "TMPDIR="+temp)
			cmd.Stdout, cmd.Stderr = &out, &out
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			exited := make(chan error, 1)
			go func() { exited <- cmd.Wait() }()
			waitFor(t, "a program named "+tc.during, func() bool {
				select {
				case err := <-exited:
					t.Fatalf("it ended by itself: %v\n%s", err, out.Bytes())
				default:
				}
				return named(descendants(cmd.Process.Pid), tc.during)
			})
			family := descendants(cmd.Process.Pid)
			if err := cmd.Process.Signal(tc.signal); err != nil {
				t.Fatal(err)
			}
			var err error
			select {
			case err = <-exited:
			case <-time.After(patience):
				t.Fatal("it still runs after the signal")
			}
			exit := (*exec.ExitError)(nil)
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out.String(), "interrupted") {
				t.Errorf("it ended with %v: %s", err, out.Bytes())
			}
			report, err := os.ReadFile(junit)
			if err != nil || !strings.Contains(string(report), "the run was interrupted") || !strings.Contains(out.String(), "orders: interrupted after ") {
				t.Errorf("the report of what was judged: %v\n%s\n%s", err, report, out.Bytes())
			}
			waitFor(t, "its programs have ended", func() bool { return !anyRuns(family) })
			if left, err := filepath.Glob(filepath.Join(temp, "*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// waitFor waits until a condition is true.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// process is one program with its start time, which distinguishes it from a later one with the same pid.
type process struct {
	pid     int
	name    string
	started string
}

// stat reads /proc/pid/stat, see proc(5).
func stat(pid int) (p process, parent int, ok bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, 0, false
	}
	_, rest, _ := strings.Cut(string(raw), "(")
	name, rest, _ := strings.Cut(rest, ") ")
	fields := strings.Fields(rest)
	if len(fields) < 20 || fields[0] == "Z" {
		return process{}, 0, false
	}
	parent, _ = strconv.Atoi(fields[1])
	return process{pid, name, fields[19]}, parent, true
}

// descendants returns the processes that a process has started, directly or not.
func descendants(of int) []process {
	directories, _ := filepath.Glob("/proc/[0-9]*")
	children := map[int][]process{}
	for _, f := range directories {
		pid, err := strconv.Atoi(filepath.Base(f))
		if err != nil {
			continue
		}
		if p, parent, ok := stat(pid); ok {
			children[parent] = append(children[parent], p)
		}
	}
	var out []process
	for queue := []int{of}; len(queue) > 0; queue = queue[1:] {
		for _, p := range children[queue[0]] {
			out, queue = append(out, p), append(queue, p.pid)
		}
	}
	return out
}

func named(all []process, name string) bool {
	for _, p := range all {
		if p.name == name {
			return true
		}
	}
	return false
}

func anyRuns(all []process) bool {
	for _, p := range all {
		if now, _, ok := stat(p.pid); ok && now.started == p.started {
			return true
		}
	}
	return false
}
