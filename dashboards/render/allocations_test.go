//go:build !race

package render

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

// A dashboard of 25 panels takes at most 20 MB and 150 kB. A test of time would be flaky; make bench
// prints it.
func TestAllocationsOfADashboard(t *testing.T) {
	src, source := panels25(), busy()
	var size int
	draw := func() {
		p, err := Dashboard(t.Context(), "x.json", src, source, Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC})
		if err != nil {
			t.Fatal(err)
		}
		var svg bytes.Buffer
		if err := p.SVG(&svg); err != nil {
			t.Fatal(err)
		}
		size = svg.Len()
	}
	draw()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	draw()
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if most := uint64(20 << 20); allocated > most || size > 150_000 {
		t.Errorf("%d bytes allocated, %d bytes of SVG", allocated, size)
	}
	t.Logf("%.1f MB allocated, with the results; %d kB of SVG", float64(allocated)/(1<<20), size/1000)
}
