//go:build !race

package rulelab_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/internal/rulelab"
	"github.com/observability-first/scaffold/slo"
)

func TestEachFirstFailureOfAFreshPodIsCounted(t *testing.T) {
	t.Parallel()
	for _, scrape := range scrapes() {
		t.Run(scrape.String(), func(t *testing.T) {
			t.Parallel()
			rules := compile(t, specOf(scrape, ""))
			w := newWorld(t, scrape, 3*time.Hour)
			for i := range 5 {
				from := time.Duration(9+7*i)*time.Minute + time.Duration(i*3)*time.Second
				// After a scrape or two, so that there is something to compare with.
				failure := from + scrape + time.Duration(5+9*i)*time.Second
				w.add(pod{
					env: "production", name: fmt.Sprint("fresh", i), from: from, good: newFlow(segment{0, 1}),
					bad: newFlow(segment{0, 0}, segment{failure, 1}, segment{failure + time.Second, 0}),
				})
			}
			lab := w.lab(rules, rulelab.Options{Only: isWindow})
			check(t, lab.Run(t.Context(), at(0), at(time.Hour+10*time.Minute)))
			for _, g := range rules.Groups[:2] {
				tile := slo.BadRecord(model.Duration(g.Interval).String())
				if got := value1(t, lab, "sum_over_time("+tile+"[1h])", time.Hour); math.Abs(got-5) > 0.01 {
					t.Errorf("%s tiles counted %v failures, want 5", g.Tier, got)
				}
			}
		})
	}
}

// shapes are the four kinds of traffic that an average of ratios gets wrong. An
// hour of 20 % failures hits the 20th day.
func shapes() map[string]struct{ day, night, at float64 } {
	return map[string]struct{ day, night, at float64 }{
		"flat traffic":                      {100, 100, 12},
		"less at night":                     {100, 5, 12},
		"less at night, incident at night":  {100, 5, 2},
		"none at night, incident by day":    {100, 0, 12},
		"none at night, incident at sunset": {100, 0, 19.5},
	}
}

func TestBudgetIsWithinAThousandthOfTheTrueCount(t *testing.T) {
	t.Parallel()
	const end = 31 * day
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := compile(t, specOf(15*time.Second, ""))
			good, bad := shaped(shape.day, shape.night, 20*day+time.Duration(shape.at*float64(time.Hour)), end)
			w := newWorld(t, 15*time.Second, end+time.Hour)
			w.replicas("production", 2, good, bad)
			lab := measured(t, w, rules, [2]time.Duration{0, end})
			now := end - 15*time.Second
			wantBad, wantGood := bad.between(now-30*day, now), good.between(now-30*day, now)
			near(t, "bad events", value1(t, lab, "slo:bad:increase30d", now), wantBad, 0.001)
			near(t, "events", value1(t, lab, "slo:total:increase30d", now), wantBad+wantGood, 0.001)
			near(t, "budget use", value1(t, lab, "slo:bad:increase30d / on () slo:total:increase30d", now), wantBad/(wantBad+wantGood), 0.001)
		})
	}
}

// shaped has a day from 8 to 20 o'clock and an hour of 20 % failures.
func shaped(byDay, byNight float64, failing, end time.Duration) (good, bad flow) {
	var gs, bs []segment
	for t := time.Duration(0); t < end; t += 30 * time.Minute {
		rate := byNight
		if hour := t % day; hour >= 8*time.Hour && hour < 20*time.Hour {
			rate = byDay
		}
		share := 0.0
		if t >= failing && t < failing+time.Hour {
			share = 0.2
		}
		gs, bs = append(gs, segment{t, rate * (1 - share)}), append(bs, segment{t, rate * share})
	}
	return newFlow(gs...), newFlow(bs...)
}

// measured records the tiles and hours of the spans, and at the end of the last
// one what the whole period sums up to.
func measured(t *testing.T, w *world, rules slo.Rules, spans ...[2]time.Duration) *rulelab.Lab {
	t.Helper()
	tiles := w.lab(rules, rulelab.Options{Only: func(r rulelab.Rule) bool {
		return strings.HasSuffix(r.Name, ":increase30s") || strings.HasSuffix(r.Name, ":increase2m") || hasClockHour(r.Name)
	}})
	for _, span := range spans {
		check(t, tiles.Backfill(t.Context(), at(span[0]), at(span[1]+1)))
	}
	end := spans[len(spans)-1][1]
	period := w.lab(rules, rulelab.Options{Only: func(r rulelab.Rule) bool { return strings.HasSuffix(r.Name, "30d") && !r.IsAlert }})
	check(t, period.Run(t.Context(), at(end), at(end+1)))
	return period
}

func TestAnOutageMovesTheBudgetWithinFiveMinutes(t *testing.T) {
	t.Parallel()
	rules := compile(t, specOf(15*time.Second, ""))
	for _, minute := range []int{0, 10, 50} {
		from := 30*day + time.Duration(minute)*time.Minute
		end := from + 48*time.Minute
		good, bad := incident(50, 1, from, from+43*time.Minute)
		w := newWorld(t, 15*time.Second, end+time.Hour)
		w.replicas("production", 1, good, bad)
		now := end - 15*time.Second
		got := value1(t, measured(t, w, rules, [2]time.Duration{0, end}), "slo:sli_error:ratio_rate30d", now)
		near(t, fmt.Sprintf("ratio after an outage from minute %d", minute), got, 43.0/(30*24*60), 0.001)
	}
}

func TestAGapInTheRulesCostsOnlyItself(t *testing.T) {
	t.Parallel()
	rules := compile(t, specOf(15*time.Second, ""))
	const end = 31*day + 30*time.Minute
	w := newWorld(t, 15*time.Second, end+time.Hour)
	w.replicas("production", 1, newFlow(segment{0, 10}), newFlow(segment{0, 0.1}))
	gap := 25 * day
	lab := measured(t, w, rules, [2]time.Duration{0, gap - 5*time.Minute}, [2]time.Duration{gap + 5*time.Minute, end})
	missing := 30*24*60 - value1(t, lab, "slo:total:increase30d", end-15*time.Second)/10.1/60
	// Up to one tile of two minutes more at either end.
	if missing < 6 || missing > 14 {
		t.Errorf("%.1f minutes are missing after a gap of 10", missing)
	}
}

func TestAnIdleNightRecordsNoNaN(t *testing.T) {
	t.Parallel()
	rules := compile(t, specOf(15*time.Second, "replicas: {min: 2}"))
	end := 10 * time.Hour
	w := newWorld(t, 15*time.Second, end)
	w.replicas("production", 2, newFlow(segment{0, 20}, segment{time.Hour, 0}, segment{9 * time.Hour, 20}), newFlow(segment{0, 0}))
	lab := w.lab(rules, rulelab.Options{})
	check(t, lab.Run(t.Context(), at(0), at(end)))
	for now := time.Duration(0); now <= end; now += 2 * time.Minute {
		v, err := lab.Query(t.Context(), `{__name__=~"slo:.+|sloth.+|ALERTS"}`, at(now))
		check(t, err)
		for _, s := range v {
			if math.IsNaN(s.F) || math.IsInf(s.F, 0) {
				t.Fatalf("%s is %v after %s", s.Metric, s.F, now)
			}
		}
		if len(v) < 20 && now > time.Hour {
			t.Fatalf("only %d series are recorded after %s", len(v), now)
		}
	}
	for _, f := range lab.History() {
		t.Errorf("%s fires in an idle night", f.Alert)
	}
}

// value1 is the one value that an expression has.
func value1(t *testing.T, lab *rulelab.Lab, expr string, now time.Duration) float64 {
	t.Helper()
	v, err := lab.Query(t.Context(), expr, at(now))
	check(t, err)
	if len(v) != 1 {
		t.Fatalf("%s gives %d values, want 1", expr, len(v))
	}
	return v[0].F
}

func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*want {
		t.Errorf("%s: got %v, want %v within %g%%", what, got, want, share*100)
	}
}
