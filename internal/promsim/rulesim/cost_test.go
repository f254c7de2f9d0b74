//go:build !race

package rulesim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// maxSamplesPerSecond limits what the rules of one availability objective read on the reference fleet. Rules
// on raw windows read 208,480.
const maxSamplesPerSecond = 200

// TestRuleCostOnTheReferenceFleet counts the samples that the engine reads for one availability objective,
// with its alerts and the service alerts, on 3 replicas and 4 outcomes, scraped every 15 s. The number of
// routes must not matter.
func TestRuleCostOnTheReferenceFleet(t *testing.T) {
	t.Parallel()
	for _, routes := range []int{10, 20, 100, 500} {
		t.Run(fmt.Sprint(routes, " routes"), func(t *testing.T) {
			t.Parallel()
			costOn(t, routes)
		})
	}
}

func costOn(t *testing.T, routes int) {
	t.Helper()
	const end = 31 * day
	scrape := 15 * time.Second
	rules := compile(t, specOf(scrape, "replicas: {min: 3}"))
	w := newWorld(t, scrape, end)
	referenceFleet(w, routes)
	// Record a month of increases and rules that read their own past, then run one hour step by step.
	increases := w.evaluator(rules, rulesim.Options{Only: isWindow})
	_, err := increases.RunRange(t.Context(), at(0), at(end-time.Hour))
	check(t, err)
	hours := w.evaluator(rules, rulesim.Options{Only: func(r rulesim.Rule) bool { return !r.IsAlert && hasClockHour(r.Name) }})
	_, err = hours.RunRange(t.Context(), at(0), at(end-time.Hour))
	check(t, err)
	ev := w.evaluator(rules, rulesim.Options{})
	check(t, ev.Run(t.Context(), at(end-time.Hour), at(end)))

	var all float64
	for _, c := range ev.Costs() {
		t.Logf("%-50s %10.0f samples, peak %6d, %8.2f a second", c.Rule, c.PerEvaluation(), c.Peak, c.PerSecond())
		all += c.PerSecond()
	}
	t.Logf("%d rules read %.1f samples a second", len(ev.Costs()), all)
	golden.Figure(t, "../../../docs/benchmarks.md", `\| <= 200 samples/s \| ([\d.]+) for any number of routes`, all, 0)
	if all > maxSamplesPerSecond {
		t.Errorf("%.1f samples a second, more than %d", all, maxSamplesPerSecond)
	}
	if len(ev.History()) > 0 {
		t.Errorf("%s fires on the healthy fleet", ev.History()[0].Alert)
	}
	if got := query(t, ev, "count(slo:sli_error:ratio_rate30d)", at(end)); got != "{} 1" {
		t.Errorf("the rules that were counted recorded nothing: %q", got)
	}
}

func hasClockHour(name string) bool {
	return name == "slo:sli_bad:increase_clock_hour" || name == "slo:sli_total:increase_clock_hour"
}

func referenceFleet(w *world, routes int) {
	rates := map[string]float64{
		semconv.OutcomeSuccess: 199.4, semconv.OutcomeClientError: 0.4, semconv.OutcomeServerError: 0.01, semconv.OutcomeShed: 0,
	}
	always := func(time.Duration) bool { return true }
	for replica := range 3 {
		p := pod{env: "production", name: fmt.Sprint("i", replica), unreported: true}
		w.add(p)
		phase := time.Duration(replica) * 1300 * time.Millisecond
		for outcome, rate := range rates {
			w.series(p, phase, semconv.HTTPServerRoutedRequests, always, func(t time.Duration) float64 { return rate * t.Seconds() },
				semconv.LabelOutcome, outcome)
			for route := range routes {
				w.series(p, phase, semconv.HTTPServerRequests, always, func(t time.Duration) float64 { return rate / float64(routes) * t.Seconds() },
					semconv.LabelOutcome, outcome, semconv.LabelRoute, fmt.Sprintf("/r%d", route), semconv.LabelMethod, "GET")
			}
		}
	}
}
