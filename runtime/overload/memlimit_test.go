package overload

import (
	"errors"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// The memory limit is global to the process, so this test does not run in parallel.
func TestSetMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	cgroup := func(limit uint64, err error) func() (uint64, error) {
		return func() (uint64, error) { return limit, err }
	}
	for _, tc := range []struct {
		name  string
		ratio float64
		set   int64 // before
		read  func() (uint64, error)
		want  int64
		err   string
	}{
		{"a ratio of the cgroup", 0.9, math.MaxInt64, cgroup(1000<<20, nil), 900 << 20, ""},
		{"GOMEMLIMIT wins", 0.9, 77 << 20, cgroup(1000<<20, nil), 77 << 20, "no memory limit to follow"},
		{"switched off", 0, math.MaxInt64, cgroup(1000<<20, nil), math.MaxInt64, "no memory limit to follow"},
		{"no limit", 0.9, math.MaxInt64, cgroup(0, memlimit.ErrNoLimit), math.MaxInt64, "no memory limit to follow"},
		{"no limit in v1", 0.9, math.MaxInt64, cgroup(9223372036854771712, nil), math.MaxInt64, "no memory limit to follow"},
		{"no cgroups", 0.9, math.MaxInt64, cgroup(0, memlimit.ErrCgroupsNotSupported), math.MaxInt64, "no memory limit to follow"},
		{"too small", 0.9, math.MaxInt64, cgroup(1<<20, nil), math.MaxInt64, "OVERLOAD_MEMORY_RATIO"},
		{"unreadable", 0.9, math.MaxInt64, cgroup(0, errors.New("permission denied")), math.MaxInt64, "set GOMEMLIMIT"},
	} {
		debug.SetMemoryLimit(tc.set)
		_, err := setMemoryLimit(tc.ratio, tc.read)
		if got := debug.SetMemoryLimit(-1); got != tc.want {
			t.Errorf("%s: the limit is %d, want %d", tc.name, got, tc.want)
		}
		if (tc.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: the error is %v, want %q", tc.name, err, tc.err)
		}
	}
}
