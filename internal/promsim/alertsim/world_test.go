package alertsim

import (
	"testing"
	"time"

	"github.com/observability-first/scaffold/slo"
)

// Scrapes every 59 s sample steady traffic in the same way only after 59 cycles.
func TestCyclesAreMultiplesOfTheScrapeInterval(t *testing.T) {
	t.Parallel()
	for scrape, want := range map[time.Duration]time.Duration{15 * time.Second: steady, 60 * time.Second: steady, 59 * time.Second: 59 * steady, 7 * time.Second: 7 * steady} {
		w := Simulation{Rules: slo.Rules{Spec: slo.Spec{ScrapeInterval: scrape}}}.newWorld(time.Hour)
		w.repeat(steady, time.Hour)
		if got := w.repeats[0][0].Every; got != want {
			t.Errorf("scrapes every %s: cycle of %s, want %s", scrape, got, want)
		}
	}
}
