package overload

import (
	"math"
	goruntime "runtime"
	"runtime/metrics"
	"time"
)

const (
	// memoryEvery is the interval at which memory is checked. A service with 10,000 requests a
	// second begins a hundred in between.
	memoryEvery = 10 * time.Millisecond
	// freeEvery is the interval at which a service that rejects requests for memory frees what
	// slow clients hold and collects garbage. A service that rejects every request allocates
	// nothing, never collects, and would reject forever.
	freeEvery = time.Second
)

// memory tracks how much of the memory limit is in use. It is guarded by the limiter's lock.
type memory struct {
	share     func() float64
	relieve   func()
	from      [priorities]float64 // ratio from which requests of that priority are rejected
	looked    time.Time
	used      float64
	rejecting time.Time // start of the rejections, or time of the last release of memory
	rejected  time.Time // time of the last rejection
}

// newMemory derives a threshold for each priority from MemoryShedRatio, which is that of default
// requests. Critical requests are rejected from half-way between it and the limit, sheddable ones
// from as far below it, but not below half of it.
func newMemory(c Config, share func() float64, relieve func()) memory {
	if share == nil {
		share = newMemoryInUse()
	}
	start, step := c.MemoryShedRatio, (1-c.MemoryShedRatio)/2
	if start == 0 || c.Mode == ModeOff {
		start, step = math.Inf(1), 0
	}
	return memory{share: share, relieve: relieve, from: [priorities]float64{start - min(step, start/2), start, start + step}}
}

// short reports whether memory is short for requests of that priority.
func (m *memory) short(now time.Time, p Priority) bool {
	if math.IsInf(m.from[0], 1) {
		return false
	}
	if now.Sub(m.looked) >= memoryEvery {
		m.looked = now
		m.used = m.share()
	}
	return m.used >= m.from[p.index()]
}

// reject records a rejection for memory, and frees memory if it is time. Sheddable requests do
// not count: any client may declare its requests sheddable.
func (m *memory) reject(now time.Time, p Priority) {
	if p == Sheddable {
		return
	}
	if now.Sub(m.rejected) > freeEvery {
		m.rejecting = now
	}
	m.rejected = now
	if now.Sub(m.rejecting) < freeEvery {
		return
	}
	m.rejecting = now
	go func() {
		m.relieve()
		goruntime.GC()
	}()
}

// newMemoryInUse returns a function that returns the ratio of GOMEMLIMIT in use by live objects
// of the last collection and by stacks. Garbage does not count, since Go lets it grow up to the
// limit. If all memory together exceeds the limit, the collector does not keep up, and all of it
// counts. The ratio is 0 without a limit. The function does not allocate and is not safe for
// concurrent use.
func newMemoryInUse() func() float64 {
	const live, stacks, limit, total, released = 0, 1, 2, 3, 4
	samples := []metrics.Sample{
		live:     {Name: "/gc/heap/live:bytes"},
		stacks:   {Name: "/memory/classes/heap/stacks:bytes"},
		limit:    {Name: "/gc/gomemlimit:bytes"},
		total:    {Name: "/memory/classes/total:bytes"},
		released: {Name: "/memory/classes/heap/released:bytes"},
	}
	bytes := func(i int) float64 { return float64(samples[i].Value.Uint64()) }
	return func() float64 {
		metrics.Read(samples)
		if samples[limit].Value.Uint64() == math.MaxInt64 {
			return 0
		}
		share := (bytes(live) + bytes(stacks)) / bytes(limit)
		if whole := (bytes(total) - bytes(released)) / bytes(limit); whole > 1 {
			return max(share, whole)
		}
		return share
	}
}
