package overload

import (
	"math"
	goruntime "runtime"
	"runtime/metrics"
	"time"
)

const (
	// memoryEvery is how often memory is looked at: between two looks, a service
	// that answers 10,000 requests a second begins a hundred.
	memoryEvery = 10 * time.Millisecond
	// freeEvery is how often a service that rejects requests for memory frees what slow
	// clients hold and collects garbage. Only the collector knows what is alive, and a
	// service that rejects every request allocates nothing and never collects: it would
	// reject for ever.
	freeEvery = time.Second
)

// memory is how much of the memory limit is in use. The limiter's lock guards it.
type memory struct {
	share     func() float64
	relieve   func()
	from      [priorities]float64 // share from which that priority is rejected
	looked    time.Time
	used      float64
	rejecting time.Time // since when requests are rejected, or when memory was last freed
	rejected  time.Time // when one last was
}

// newMemory spreads the refusal: half-way to the limit from where it begins, the
// important are refused too, and the unimportant are as far below, but no lower than
// half-way to nothing.
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

// reject notes that a request of that priority was rejected for memory, and frees memory
// when it is time. Sheddable requests do not count: any client may call its own so.
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

// newMemoryInUse returns a function that tells the share of GOMEMLIMIT that is
// in use by what is alive: objects that the last collection left, and stacks.
// Garbage is not counted, since Go lets it grow up to the limit by design; but
// when all memory together is over the limit, the collector does not keep up, and
// that counts. It is 0 without a limit. It allocates nothing and is not safe for
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
