package overload

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// ErrNoMemoryLimit says that the process may use what memory there is, or has a
// GOMEMLIMIT already: there was nothing to set.
var ErrNoMemoryLimit = errors.New("the process has no memory limit to follow")

// leastMemoryLimit is less than any Go service needs; below it a limit is a
// mistake, and Go would do nothing but collect garbage.
const leastMemoryLimit = 16 << 20 // bytes

// SetMemoryLimit makes a share of the memory of this process' cgroup Go's memory
// limit, so that garbage is collected before the kernel kills. The rest is for
// what Go does not count: the binary itself, C, files in memory. A limit that was
// set, by GOMEMLIMIT or in code, stays. Returned is the limit in bytes.
//
// The limit is of the whole process: call it once, from its main.
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
		return 0, fmt.Errorf("memory limit of the cgroup: %w; set GOMEMLIMIT yourself", err)
	case whole > 1<<53:
		return 0, ErrNoMemoryLimit // cgroup v1 writes "none" as a huge number
	}
	limit := int64(ratio * float64(whole))
	if limit < leastMemoryLimit {
		return 0, fmt.Errorf("the cgroup allows %d bytes, of which OVERLOAD_MEMORY_RATIO=%g is too little for Go; allow more or set GOMEMLIMIT yourself", whole, ratio)
	}
	debug.SetMemoryLimit(limit)
	return limit, nil
}
