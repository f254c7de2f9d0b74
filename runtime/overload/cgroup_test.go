//go:build linux

package overload

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// memoryCgroup makes a group that may use so much memory, or skips by name.
func memoryCgroup(t *testing.T, bytes int) (procs string) {
	t.Helper()
	name := fmt.Sprintf("overload-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	var reasons []error
	for _, version := range []struct{ root, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, // v1
		{"/sys/fs/cgroup", "memory.max"},                   // v2
	} {
		dir := filepath.Join(version.root, name)
		if _, err := os.Stat(filepath.Join(version.root, "cgroup.procs")); err != nil {
			reasons = append(reasons, err)
			continue
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			reasons = append(reasons, err)
			continue
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		if err := os.WriteFile(filepath.Join(dir, version.limit), []byte(strconv.Itoa(bytes)), 0o600); err != nil {
			reasons = append(reasons, err)
			continue
		}
		return filepath.Join(dir, "cgroup.procs")
	}
	t.Skipf("%s: NOT RUN, memory cgroups are not to be had here: %v", t.Name(), reasons)
	return ""
}

// Requests that need twice the memory that there is: without the limiter the
// kernel kills the server, with it some are refused and the server lives.
func TestTwiceTheMemoryEndsInShedding(t *testing.T) {
	if testing.Short() {
		t.Skip("TestTwiceTheMemoryEndsInShedding: loads a real process for ten seconds")
	}
	const (
		cgroup = 96 << 20
		holds  = 1 << 20
		takes  = time.Second
		rate   = 2 * float64(cgroup/holds) // a second
	)
	run := func(shedRatio float64) (childReport, answers, bool) {
		procs := memoryCgroup(t, cgroup)
		// The shell joins the group and becomes the server.
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `echo $$ >"$1" && exec "$0"`, childBinary(t), procs)
		p := startCommand(t, cmd, childPlan{
			Takes: takes, Holds: holds,
			Limiter: Config{InitialLimit: 16, MaxLimit: 2000, MemoryRatio: 0.9, MemoryShedRatio: shedRatio}, Grown: 2000,
		})
		a := offer(t.Context(), p.url, rate, 4*time.Second, 5*time.Second, false)
		r, alive := p.end(t)
		t.Logf("refusing from %g of the limit: alive %t; %s; %+v", shedRatio, alive, a, r)
		return r, a, alive
	}
	r, a, alive := run(0.8)
	if !alive || r.MemoryShed == 0 || r.MemLimit == 0 {
		t.Errorf("with the limiter: alive %t, %d refused for memory, limit %d", alive, r.MemoryShed, r.MemLimit)
	}
	if a.good == 0 {
		t.Error("nobody was answered")
	}
	if _, _, alive := run(0); alive {
		t.Error("without the limiter the server lives too: the load proves nothing")
	}
}
