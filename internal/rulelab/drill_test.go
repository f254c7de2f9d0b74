//go:build !race

package rulelab_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/rulelab"
	"github.com/observability-first/scaffold/slo"
)

// Before the incident of a drill, the longest window of an alert is full.
const drillWarmUp = 73 * time.Hour

// lengths of incidents: longer than every alert that fires needs, and than the
// short window that it resolves by.
var drillLength = map[float64]time.Duration{
	0.002: 43 * time.Hour, 0.01: 14 * time.Hour, 0.1: 7 * time.Hour, 0.5: 7 * time.Hour, 1: 7 * time.Hour,
}

// scrapes are the intervals that specifications are likely to have.
func scrapes() []time.Duration {
	return []time.Duration{10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
}

// TestBurnAlertsKeepTheirTimetable goes through every share of errors of the
// drill at every scrape interval that a specification is likely to have.
func TestBurnAlertsKeepTheirTimetable(t *testing.T) {
	t.Parallel()
	for _, scrape := range scrapes() {
		for _, share := range slo.DrillShares() {
			t.Run(fmt.Sprintf("%g%% errors at a scrape of %s", share*100, scrape), func(t *testing.T) {
				t.Parallel()
				drill(t, scrape, share)
			})
		}
	}
}

func drill(t *testing.T, scrape time.Duration, share float64) {
	t.Helper()
	rules := compile(t, specOf(scrape, ""))
	from := drillWarmUp + 7*time.Second
	to := from + drillLength[share]
	end := to + 7*time.Hour
	w := newWorld(t, scrape, end)
	good, bad := incident(100, share, from, to)
	w.replicas("production", 1, good, bad)

	recordings := w.lab(rules, rulelab.Options{Only: isWindow})
	check(t, recordings.Backfill(t.Context(), at(0), at(end)))
	alerts := w.lab(rules, rulelab.Options{Only: func(r rulelab.Rule) bool { return r.IsAlert && strings.Contains(r.Name, "BudgetBurn") }})
	check(t, alerts.Run(t.Context(), at(drillWarmUp), at(end)))

	for _, d := range rules.Drill(share) {
		holdToTimetable(t, rules, d, alerts.History(), from, to)
	}
}

// isWindow tells the recordings that burn alerts read from those of the period
// and of the service, which read their own past.
func isWindow(r rulelab.Rule) bool {
	return !r.IsAlert && (strings.HasPrefix(r.Name, "slo:bad:") || strings.HasPrefix(r.Name, "slo:total:") ||
		strings.HasPrefix(r.Name, "slo:sli_error:") || r.Name == "slo:coverage:ratio1h") &&
		!strings.HasSuffix(r.Name, "30d") && !strings.HasSuffix(r.Name, "clock_hour")
}

func holdToTimetable(t *testing.T, rules slo.Rules, d slo.Drill, history []rulelab.Firing, from, to time.Duration) {
	t.Helper()
	var got []rulelab.Firing
	for _, f := range history {
		if f.Alert == d.Alert {
			got = append(got, f)
		}
	}
	if !d.Fires {
		if len(got) > 0 {
			t.Errorf("%s fires at %s, although it should not at all", d.Alert, got[0].FiredAt.Sub(at(from)))
		}
		return
	}
	if len(got) != 1 {
		t.Errorf("%s fires %d times, want once", d.Alert, len(got))
		return
	}
	delay := rules.Delay(d.Pair.Tier)
	for _, moment := range []struct {
		what      string
		got, want time.Duration
	}{
		{"fires", got[0].FiredAt.Sub(at(from)), d.FiresAfter},
		{"resolves", got[0].ResolvedAt.Sub(at(to)), d.ResolvesAfter},
	} {
		if late := moment.got - moment.want; late < 0 || late > delay {
			t.Errorf("%s %s %s after, predicted %s, at most %s late", d.Alert, moment.what, moment.got, moment.want, delay)
		}
		t.Logf("%s %s %s after, predicted %s", d.Alert, moment.what, moment.got, moment.want)
	}
}
