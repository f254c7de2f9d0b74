//go:build !race

package rulesim_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/slo"
)

func TestFirstFailureOfEachNewPodIsCounted(t *testing.T) {
	t.Parallel()
	for _, scrape := range scrapes() {
		t.Run(scrape.String(), func(t *testing.T) {
			t.Parallel()
			rules := compile(t, specOf(scrape, ""))
			w := newWorld(t, scrape, 3*time.Hour)
			for i := range 5 {
				from := time.Duration(9+7*i)*time.Minute + time.Duration(i*3)*time.Second
				// after one or two scrapes, so that there is a sample to compare with
				failure := from + scrape + time.Duration(5+9*i)*time.Second
				w.add(pod{
					env: "production", name: fmt.Sprint("fresh", i), from: from, good: synthetic.Steady(1),
					bad: synthetic.Steady(0).Then(failure, 1).Then(failure+time.Second, 0),
				})
			}
			ev := w.evaluator(rules, rulesim.Options{Only: isWindow})
			runRange(t, ev, 0, time.Hour+10*time.Minute)
			for _, g := range rules.Groups[:2] {
				increase := slo.BadRecord(model.Duration(g.Interval).String())
				if got := value1(t, ev, "sum_over_time("+increase+"[1h])", time.Hour); math.Abs(got-5) > 0.01 {
					t.Errorf("%s increases counted %v failures, want 5", g.Tier, got)
				}
			}
		})
	}
}

// measured records the increases and hours of the spans, and at the end of the last span the sums over the
// whole period.
func measured(t *testing.T, w *world, rules slo.Rules, spans ...[2]time.Duration) *rulesim.Evaluator {
	t.Helper()
	increases := w.evaluator(rules, rulesim.Options{Only: func(r rulesim.Rule) bool {
		return strings.HasSuffix(r.Name, ":increase30s") || strings.HasSuffix(r.Name, ":increase2m") || hasClockHour(r.Name)
	}})
	for _, span := range spans {
		_, err := increases.RunRange(t.Context(), at(span[0]), at(span[1]+1))
		check(t, err)
	}
	end := spans[len(spans)-1][1]
	period := w.evaluator(rules, rulesim.Options{Only: func(r rulesim.Rule) bool { return strings.HasSuffix(r.Name, "30d") && !r.IsAlert }})
	check(t, period.Run(t.Context(), at(end), at(end+1)))
	return period
}

func TestOutageIsInTheBudgetWithinFiveMinutes(t *testing.T) {
	t.Parallel()
	rules := compile(t, specOf(15*time.Second, ""))
	for _, minute := range []int{0, 10, 50} {
		from := 30*day + time.Duration(minute)*time.Minute
		end := from + 48*time.Minute
		good, bad := synthetic.Incident(50, 1, from, from+43*time.Minute)
		w := newWorld(t, 15*time.Second, end+time.Hour)
		w.replicas("production", 1, good, bad)
		now := end - 15*time.Second
		got := value1(t, measured(t, w, rules, [2]time.Duration{0, end}), "slo:sli_error:ratio_rate30d", now)
		near(t, fmt.Sprintf("ratio after an outage from minute %d", minute), got, 43.0/(30*24*60), 0.001)
	}
}

func TestEvaluationGapLosesOnlyItsOwnEvents(t *testing.T) {
	t.Parallel()
	rules := compile(t, specOf(15*time.Second, ""))
	const end = 31*day + 30*time.Minute
	w := newWorld(t, 15*time.Second, end+time.Hour)
	w.replicas("production", 1, synthetic.Steady(10), synthetic.Steady(0.1))
	gap := 25 * day
	ev := measured(t, w, rules, [2]time.Duration{0, gap - 5*time.Minute}, [2]time.Duration{gap + 5*time.Minute, end})
	missing := 30*24*60 - value1(t, ev, "slo:sli_total:increase30d", end-15*time.Second)/10.1/60
	// Up to one more two-minute increase is missing at each end.
	if missing < 6 || missing > 14 {
		t.Errorf("%.1f minutes are missing after a gap of 10", missing)
	}
}

// value1 returns the single value of an expression.
func value1(t *testing.T, ev *rulesim.Evaluator, expr string, now time.Duration) float64 {
	t.Helper()
	v, err := ev.Query(t.Context(), expr, at(now))
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
