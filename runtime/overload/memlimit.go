package overload

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// ErrNoMemoryLimit means that the process has no cgroup limit, or that GOMEMLIMIT is already set.
var ErrNoMemoryLimit = errors.New("no memory limit to follow")

// leastMemoryLimit is less than any Go service needs. With a smaller limit, Go would only collect
// garbage.
const leastMemoryLimit = 16 << 20 // bytes

// SetMemoryLimit sets Go's memory limit to a ratio of the memory of the process's cgroup, so that
// Go collects garbage before the kernel kills the process. The rest is for memory that Go does
// not count: the binary, C, mapped files. It does not change a limit that was set by GOMEMLIMIT
// or in code. It returns the limit in bytes.
//
// The limit is global to the process: call SetMemoryLimit once, from main.
func SetMemoryLimit(ratio float64) (int64, error) {
	return setMemoryLimit(ratio, memlimit.FromCgroup)
}

func setMemoryLimit(ratio float64, read func() (uint64, error)) (int64, error) {
	if ratio == 0 || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return 0, ErrNoMemoryLimit
	}
	whole, err := read()
	switch {
	case errors.Is(err, memlimit.ErrNoLimit), errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
		return 0, ErrNoMemoryLimit
	case err != nil:
		return 0, fmt.Errorf("memory limit of the cgroup: %w; set GOMEMLIMIT", err)
	case whole > 1<<53:
		return 0, ErrNoMemoryLimit // cgroup v1 reports no limit as a huge number
	}
	limit := int64(ratio * float64(whole))
	if limit < leastMemoryLimit {
		return 0, fmt.Errorf("the cgroup allows %d bytes, and OVERLOAD_MEMORY_RATIO=%g of that is too little for Go; raise the memory limit or set GOMEMLIMIT", whole, ratio)
	}
	debug.SetMemoryLimit(limit)
	return limit, nil
}
