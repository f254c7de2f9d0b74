//go:build !race

package rulelab_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/rulelab"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// maxSamplesPerSecond is what the rules of one availability objective may read
// on the reference fleet. Rules on raw windows read 208,480.
const maxSamplesPerSecond = 200

// TestRuleCostOnTheReferenceFleet counts what the engine reads for one
// availability objective, its alerts and the service's own, on 20 routes, 3
// replicas and 3 outcomes, scraped each 15 s.
func TestRuleCostOnTheReferenceFleet(t *testing.T) {
	t.Parallel()
	const end = 31 * day
	scrape := 15 * time.Second
	rules := compile(t, specOf(scrape, "replicas: {min: 3}"))
	w := newWorld(t, scrape, end)
	referenceFleet(w)
	// The tiles of a month and what reads its own past, then an hour as it runs.
	tiles := w.lab(rules, rulelab.Options{Only: isWindow})
	check(t, tiles.Backfill(t.Context(), at(0), at(end-time.Hour)))
	hours := w.lab(rules, rulelab.Options{Only: func(r rulelab.Rule) bool { return !r.IsAlert && hasClockHour(r.Name) }})
	check(t, hours.Backfill(t.Context(), at(0), at(end-time.Hour)))
	lab := w.lab(rules, rulelab.Options{})
	check(t, lab.Run(t.Context(), at(end-time.Hour), at(end)))

	var all float64
	for _, c := range lab.Costs() {
		t.Logf("%-50s %10.0f samples, peak %6d, %8.2f a second", c.Rule, c.PerEvaluation(), c.Peak, c.PerSecond())
		all += c.PerSecond()
	}
	t.Logf("%d rules read %.1f samples a second", len(lab.Costs()), all)
	if all > maxSamplesPerSecond {
		t.Errorf("%.1f samples a second, more than %d", all, maxSamplesPerSecond)
	}
	if len(lab.History()) > 0 {
		t.Errorf("%s fires on the healthy fleet", lab.History()[0].Alert)
	}
	if got := query(t, lab, "count(slo:sli_error:ratio_rate30d)", at(end)); got != "{} 1" {
		t.Errorf("the rules that were counted recorded nothing: %q", got)
	}
}

func hasClockHour(name string) bool {
	return name == "slo:bad:increase_clock_hour" || name == "slo:total:increase_clock_hour"
}

func referenceFleet(w *world) {
	rates := map[string]float64{semconv.OutcomeSuccess: 9.97, semconv.OutcomeClientError: 0.02, semconv.OutcomeServerError: 0.0005}
	for replica := range 3 {
		p := pod{env: "production", name: fmt.Sprint("i", replica), unreported: true}
		w.add(p)
		for route := range 20 {
			for outcome, rate := range rates {
				phase := time.Duration(route*7+replica*13) * 100 * time.Millisecond % w.scrape
				w.series(p, phase, semconv.HTTPServerRequests, func(time.Duration) bool { return true },
					func(t time.Duration) float64 { return rate * t.Seconds() },
					semconv.LabelOutcome, outcome, semconv.LabelRoute, fmt.Sprintf("/r%d", route), semconv.LabelMethod, "GET")
			}
		}
	}
}
