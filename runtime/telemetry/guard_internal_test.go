package telemetry

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// After a label collapsed, no further value is known, not even a concurrent one.
func TestNoValueIsLearnedAfterTheCollapse(t *testing.T) {
	t.Parallel()
	for range 100 {
		g := &labelGuard{registry: NewRegistry(""), metric: "visits_total", label: "page", known: map[string]string{}}
		g.registry.SetLabelLimit(1 << 20)
		var ended atomic.Bool
		var visitors sync.WaitGroup
		for v := range 4 {
			visitors.Go(func() {
				for i := 0; !ended.Load(); i++ {
					g.learn(strconv.Itoa(v) + "-" + strconv.Itoa(i))
				}
			})
		}
		for g.values() < 10 {
			runtime.Gosched()
		}
		g.collapse()
		g.mu.RLock()
		before := len(g.known)
		g.mu.RUnlock()
		ended.Store(true)
		visitors.Wait()
		if after := len(g.known); after != before {
			t.Fatalf("%d values were known when the label collapsed, %d afterwards", before, after)
		}
	}
}
