// Package cgroup limits the memory of processes that tests start, as a container does.
package cgroup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Memory is a cgroup with a memory limit.
type Memory struct{ dir, peak string }

// version has the files of one version of cgroups.
type version struct{ root, limit, peak string }

func versions() []version {
	return []version{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"}, // v1
		{"/sys/fs/cgroup", "memory.max", "memory.peak"},                                 // v2
	}
}

// NewMemory creates a cgroup with a limit in bytes, which is removed after the test. It skips the
// test if it lacks the privileges.
func NewMemory(tb testing.TB, limit int64) *Memory {
	tb.Helper()
	name := fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano())
	var reasons []error
	for _, v := range versions() {
		m := &Memory{filepath.Join(v.root, name), v.peak}
		if err := m.create(tb, v, limit); err != nil {
			reasons = append(reasons, err)
			continue
		}
		return m
	}
	tb.Skipf("%s: NOT RUN, missing privileges for a memory cgroup: %v", tb.Name(), reasons)
	return nil
}

func (m *Memory) create(tb testing.TB, v version, limit int64) error {
	tb.Helper()
	if _, err := os.Stat(filepath.Join(v.root, "cgroup.procs")); err != nil {
		return err
	}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		return err
	}
	tb.Cleanup(func() { _ = os.Remove(m.dir) })
	return os.WriteFile(filepath.Join(m.dir, v.limit), []byte(strconv.FormatInt(limit, 10)), 0o600)
}

// Command returns a command that runs the program in the cgroup.
func (m *Memory) Command(ctx context.Context, program string) *exec.Cmd {
	// The shell joins the cgroup and executes the program.
	return exec.CommandContext(ctx, "/bin/sh", "-c", `echo $$ >"$1" && exec "$0"`, program, filepath.Join(m.dir, "cgroup.procs"))
}

// Peak returns the maximum memory in use in bytes, including page cache. Linux before 5.19 does
// not report it for cgroups v2.
func (m *Memory) Peak() (int64, error) {
	text, err := os.ReadFile(filepath.Join(m.dir, m.peak))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
