package synthetic_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/value"

	"github.com/observability-first/scaffold/internal/promsim/synthetic"
)

func TestIncidentMovesEventsFromGoodToBad(t *testing.T) {
	t.Parallel()
	good, bad := synthetic.Incident(100, 0.25, time.Minute, 3*time.Minute)
	for _, tc := range []struct {
		from, to  time.Duration
		good, bad float64
	}{
		{0, time.Minute, 6000, 0},
		{time.Minute, 3 * time.Minute, 9000, 3000},
		{3 * time.Minute, 4 * time.Minute, 6000, 0},
		{0, 4 * time.Minute, 21000, 3000},
	} {
		if g, b := good.Between(tc.from, tc.to), bad.Between(tc.from, tc.to); g != tc.good || b != tc.bad {
			t.Errorf("%s to %s: %g good, %g bad, want %g and %g", tc.from, tc.to, g, b, tc.good, tc.bad)
		}
	}
	if n := good.Times(0.5).Count(4 * time.Minute); n != 10500 {
		t.Errorf("half of the flow has %g events, want 10500", n)
	}
	if n := (synthetic.Flow{}).Count(time.Hour); n != 0 {
		t.Errorf("no flow has %g events", n)
	}
}

// A scraper writes one stale marker where a series ends, and nothing for a lost scrape.
func TestSeriesEndsOnceAndHasGaps(t *testing.T) {
	t.Parallel()
	g := synthetic.Series{
		Last: time.Minute, Every: 10 * time.Second,
		Lost:   func(t time.Duration) bool { return t == 10*time.Second },
		Exists: func(t time.Duration) bool { return t < 30*time.Second },
		Read:   time.Duration.Seconds,
	}.Generator()
	for ms, want := range map[int64]float64{0: 0, 20_000: 20} {
		if g.Missing(ms) || g.Value(ms) != want {
			t.Errorf("at %d ms: missing %t, %g, want %g", ms, g.Missing(ms), g.Value(ms), want)
		}
	}
	if !g.Missing(10_000) {
		t.Error("a lost scrape left a sample")
	}
	if g.Missing(30_000) || math.Float64bits(g.Value(30_000)) != value.StaleNaN {
		t.Error("the series does not end with a stale marker")
	}
	if !g.Missing(40_000) {
		t.Error("the series goes on after its end")
	}
}
