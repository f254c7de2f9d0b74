//go:build !race

package rulesim_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// target is one address with a sequence of processes. Each process counts from zero.
type target struct {
	name    string
	starts  []time.Duration // of its processes
	ends    []time.Duration
	good    float64 // events per second
	bad     float64
	lost    func(t time.Duration) bool
	born    bool // its counters start with their first event
	created bool // each process has a sample of zero at its start
}

// process returns the index of the process that runs at t, or -1.
func (g target) process(t time.Duration) int {
	for i := range g.starts {
		if g.starts[i] <= t && t < g.ends[i] {
			return i
		}
	}
	return -1
}

func (g target) alive(t time.Duration) bool { return g.process(t) >= 0 && !g.failed(t) }

// failed reports whether the scrape at t reached the target but got no samples.
func (g target) failed(t time.Duration) bool { return g.lost != nil && g.lost(t) }

func (g target) count(rate float64) func(time.Duration) float64 {
	return func(t time.Duration) float64 { return math.Floor(rate * (t - g.starts[g.process(t)]).Seconds()) }
}

// scraped returns the number of events that the scrapes contain: for each process its count at its last
// scrape, minus the count at the first scrape of the target.
func (g target) scraped(first, every, until time.Duration, rate float64) float64 {
	last := map[int]float64{}
	var before float64
	if g.starts[0] < 0 {
		before = g.count(rate)(first)
	}
	for t := first; t <= until; t += every {
		if g.alive(t) {
			last[g.process(t)] = g.count(rate)(t)
		}
	}
	sum := -before
	for _, n := range last {
		sum += n
	}
	return sum
}

// lives returns successive processes until end, each with a random lifetime.
func lives(r *rand.Rand, from, end, shortest, longest, pause time.Duration) (starts, ends []time.Duration) {
	for from < end {
		life := shortest + time.Duration(r.Int64N(int64(longest-shortest)+1))
		starts, ends = append(starts, from), append(ends, min(from+life, end))
		from += life + pause
	}
	return starts, ends
}

// targets returns events in the life of processes within one hour.
func targets(r *rand.Rand, scrape time.Duration) map[string]func(i int) target {
	const from, end = 5 * time.Minute, 50 * time.Minute
	at := func() time.Duration {
		return from + time.Duration(r.Int64N(int64(20*time.Minute))).Round(time.Millisecond)
	}
	one := func(good, bad float64) func(int) target {
		return func(i int) target {
			return target{name: fmt.Sprint("t", i), starts: []time.Duration{at()}, ends: []time.Duration{end}, good: good, bad: bad}
		}
	}
	looping := func(shortest, longest, pause time.Duration) func(int) target {
		return func(i int) target {
			starts, ends := lives(r, at(), end, shortest, longest, pause)
			return target{name: fmt.Sprint("t", i), starts: starts, ends: ends, good: 30, bad: 7 + 5*r.Float64()}
		}
	}
	return map[string]func(i int) target{
		"a process starts with failures":        one(0, 40),
		"a process starts with traffic":         one(100, 0.2),
		"restarts in place":                     looping(4*time.Minute, 9*time.Minute, 2*time.Second),
		"restarts with a pause":                 looping(4*time.Minute, 9*time.Minute, 3*time.Minute),
		"a crash loop shorter than two scrapes": looping(scrape/2, 2*scrape, time.Second),
		"a crash loop":                          looping(2*scrape, 5*scrape, 4*time.Second),
		"a counter starts with its first failure": func(i int) target {
			g := one(3, 0.004)(i)
			g.born = true
			return g
		},
		"processes are older than the scraper": func(i int) target {
			return target{name: fmt.Sprint("t", i), starts: []time.Duration{-10*time.Minute - at()}, ends: []time.Duration{end}, good: 100, bad: 3}
		},
		"lost scrapes": func(i int) target {
			g := one(100, 1)(i)
			g.lost = func(t time.Duration) bool { return (t/scrape)%11 < 3 }
			return g
		},
	}
}

// TestEveryEventOfEveryScrapeIsCountedOnce compares the increases with what the scrapes contain, for all
// kinds of process events, at every scrape interval and at random phases of scrapes, starts and evaluations.
func TestEveryEventOfEveryScrapeIsCountedOnce(t *testing.T) {
	t.Parallel()
	for _, scrape := range []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 25 * time.Second, 30 * time.Second, time.Minute} {
		t.Run(scrape.String(), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(5) {
				r := rand.New(rand.NewPCG(seed, uint64(scrape)))
				all := targets(r, scrape)
				for _, name := range slices.Sorted(maps.Keys(all)) {
					countedExactly(t, r, name, scrape, all[name])
				}
			}
		})
	}
}

// TestCreatedTimestampsChangeNoCount gives each process a sample of zero at its start, like a Prometheus that
// ingests created timestamps. The rules count the same. Plain increase becomes more accurate but stays wrong
// (docs/adr/016).
func TestCreatedTimestampsChangeNoCount(t *testing.T) {
	t.Parallel()
	const scrape, end = 15 * time.Second, time.Hour
	for _, created := range []bool{false, true} {
		r := rand.New(rand.NewPCG(1, 2))
		all := targets(r, scrape)
		for _, name := range []string{"a crash loop", "a process starts with failures", "restarts in place"} {
			w := newWorld(t, scrape, end)
			var bad float64
			for i := range 5 {
				g := all[name](i)
				g.created = created
				first := time.Duration(r.Int64N(int64(scrape))).Round(time.Millisecond)
				g.onto(w, first)
				bad += g.scraped(first, scrape, end, g.bad)
			}
			ev := w.evaluator(compile(t, specOf(scrape, "")), rulesim.Options{Only: isWindow, Phase: 7 * time.Second})
			runRange(t, ev, 0, end)
			exactly(t, name, value1(t, ev, "sum_over_time(slo:sli_bad:increase30s[1h])", end), bad)
			plain := value1(t, ev, `sum_over_time(sum(increase(http_server_routed_requests_total{outcome="server_error"}[45s]))[1h:30s]) * 30 / 45`, end)
			t.Logf("created timestamps %t, %s: sums of increase[45s] are off by %+.2f %%", created, name, 100*(plain/bad-1))
		}
	}
}

func countedExactly(t *testing.T, r *rand.Rand, name string, scrape time.Duration, nth func(int) target) {
	t.Helper()
	const end = time.Hour
	w := newWorld(t, scrape, end)
	var good, bad float64
	for i := range 5 {
		g := nth(i)
		first := time.Duration(r.Int64N(int64(scrape))).Round(time.Millisecond)
		g.onto(w, first)
		good += g.scraped(first, scrape, end, g.good)
		bad += g.scraped(first, scrape, end, g.bad)
	}
	rules := compile(t, specOf(scrape, ""))
	ev := w.evaluator(rules, rulesim.Options{Only: isWindow, Phase: time.Duration(r.Int64N(int64(30 * time.Second))).Round(time.Millisecond)})
	runRange(t, ev, 0, end)
	for _, increase := range []string{"30s", "2m"} {
		exactly(t, name+", bad increases of "+increase, value1(t, ev, "sum_over_time(slo:sli_bad:increase"+increase+"[1h])", end), bad)
		exactly(t, name+", increases of "+increase, value1(t, ev, "sum_over_time(slo:sli_total:increase"+increase+"[1h])", end), good+bad)
	}
}

func exactly(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*want {
		t.Errorf("%s: %.2f events, the scrapes contain %.0f (%+.2f %%)", what, got, want, 100*(got/want-1))
	}
}

// onto adds the series of a target. Its address exists from the start.
func (g target) onto(w *world, first time.Duration) {
	w.t.Helper()
	p := pod{env: "production", name: g.name}
	for outcome, rate := range map[string]float64{semconv.OutcomeSuccess: g.good, semconv.OutcomeServerError: g.bad} {
		exists := func(t time.Duration) bool { return g.alive(t) && (!g.born || g.count(rate)(t) > 0) }
		if g.created {
			g.zeros(w, p, first, rate, outcome)
			continue
		}
		w.series(p, first, semconv.HTTPServerRoutedRequests, exists, g.count(rate), semconv.LabelOutcome, outcome)
	}
	always := func(time.Duration) bool { return true }
	w.series(p, first, semconv.Up, always, func(t time.Duration) float64 { return synthetic.Number(g.alive(t)) })
	w.series(p, first, semconv.ProcessStartTime, g.alive, func(t time.Duration) float64 { return g.starts[g.process(t)].Seconds() })
}

// zeros adds a counter with the samples that created timestamps produce.
func (g target) zeros(w *world, p pod, first time.Duration, rate float64, outcome string) {
	w.t.Helper()
	l := labels.FromStrings("__name__", semconv.HTTPServerRoutedRequests, "job", "orders", "instance", p.name,
		"deployment_environment_name", p.env, semconv.LabelOutcome, outcome)
	last := -1
	for t := first; t <= w.end; t += w.scrape {
		if !g.alive(t) {
			check(w.t, w.store.MarkStale(l, t.Milliseconds()))
			continue
		}
		if now := g.process(t); now != last {
			check(w.t, w.store.Append(l, g.starts[now].Milliseconds(), 0))
			last = now
		}
		check(w.t, w.store.Append(l, t.Milliseconds(), g.count(rate)(t)))
	}
}
