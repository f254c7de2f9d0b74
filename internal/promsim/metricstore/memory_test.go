//go:build !race

package metricstore_test

import (
	"runtime"
	"testing"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// One hour of a development server fits into 100 MB, and the store's byte count, which its limit uses,
// matches the memory that it occupies.
func TestAnHourOfFiveThousandSeriesFits(t *testing.T) {
	if testing.Short() {
		t.Skip("appends eighteen million samples")
	}
	before := heap()
	s := metricstore.New()
	fill(t, s, 5000, 3600)
	used := int(heap() - before)
	got := s.Stats()
	t.Logf("%d samples in %.1f MB, counted as %.1f MB", got.Samples, float64(used)/1e6, float64(got.Bytes)/1e6)
	if used > 100e6 {
		t.Errorf("%d bytes, more than 100 MB", used)
	}
	if off := float64(used)/float64(got.Bytes) - 1; off > 0.1 || off < -0.1 {
		t.Errorf("occupies %d bytes and counts %d", used, got.Bytes)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
