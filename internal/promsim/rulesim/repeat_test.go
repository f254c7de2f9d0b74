//go:build !race

package rulesim_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// repeatingSeries adds gauges and counters that repeat in each cycle until a time, and change afterwards.
func repeatingSeries(seed uint64, cycle, until, end time.Duration) func(*metricstore.Store) {
	return nestedSeries(seed, cycle, cycle, until, end)
}

// nestedSeries adds series that repeat short cycles in each half of a long cycle, and repeat the long cycles.
func nestedSeries(seed uint64, short, long, until, end time.Duration) func(*metricstore.Store) {
	return func(store *metricstore.Store) {
		const scrape = 15 * time.Second
		for i, name := range []string{"a", "b", "c_total", "a", "b", "c_total"} {
			l := labels.FromStrings("__name__", name, "job", "shop", "i", strconv.Itoa(i/3))
			phase := time.Duration(seed%15) * time.Second
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			value := 0.0
			for now := time.Duration(0); now+phase < end; now += scrape {
				if now < until && now%short == 0 {
					half := uint64(2 * (now % long) / long)
					rnd = rand.New(rand.NewPCG(seed+half, uint64(i)))
				}
				number, lost := float64(rnd.IntN(5)), rnd.IntN(8) == 0
				if name == "c_total" {
					number += value
				}
				value = number
				if !lost {
					_ = store.Append(l, (now + phase).Milliseconds(), value)
				}
			}
		}
	}
}

// RunRange with repetitions records the same samples and history as without. The random rules include some
// whose results do not repeat: they read the time, their own past, or raw counters.
func TestRepeatsAreRecordedAsWithoutRepeats(t *testing.T) {
	t.Parallel()
	const files, cycle, until, end = 20, 15 * time.Minute, 3 * time.Hour, 4 * time.Hour
	compared := 0
	for seed := range uint64(files) {
		rules := randomRules(rand.New(rand.NewPCG(seed, 3)))
		options := rulesim.Options{Repeats: [][]rulesim.Repetition{{{From: at(0), To: at(until), Every: cycle}}}}
		w := evaluateTwice(t, repeatingSeries(seed, cycle, until, end), 0, end, options, rules)
		if w.runErr != nil || w.rangeErr != nil {
			continue
		}
		compared++
		if w.wantEqual(t); t.Failed() {
			t.Fatalf("seed %d, left out %v:\n%s", seed, w.left, rules)
		}
	}
	if compared < files/2 {
		t.Errorf("only %d of %d files could be compared", compared, files)
	}
}

// nested returns two levels of phases: the long cycles, and the short cycles in each half of them.
func nested(short, long, until time.Duration) [][]rulesim.Repetition {
	var halves []rulesim.Repetition
	for from := time.Duration(0); from < until; from += long / 2 {
		halves = append(halves, rulesim.Repetition{From: at(from), To: at(from + long/2), Every: short})
	}
	return [][]rulesim.Repetition{{{From: at(0), To: at(until), Every: long}}, halves}
}

// Cycles inside repeating cycles are also recorded correctly.
func TestNestedRepeatsAreRecordedAsWithoutRepeats(t *testing.T) {
	t.Parallel()
	const files, short, long, until, end = 6, 5 * time.Minute, 2 * time.Hour, 12 * time.Hour, 13 * time.Hour
	compared := 0
	for seed := range uint64(files) {
		rules := randomRules(rand.New(rand.NewPCG(seed, 3)))
		options := rulesim.Options{Repeats: nested(short, long, until)}
		w := evaluateTwice(t, nestedSeries(seed, short, long, until, end), 0, end, options, rules)
		if w.runErr != nil || w.rangeErr != nil {
			continue
		}
		compared++
		if w.wantEqual(t); t.Failed() {
			t.Fatalf("seed %d, left out %v:\n%s", seed, w.left, rules)
		}
	}
	if compared < files/2 {
		t.Errorf("only %d of %d files could be compared", compared, files)
	}
}

// Some results differ only in some cycles: a slowly growing result crosses a threshold, the time reaches an
// age, an hour of the day starts and ends, or the group interval does not fit the cycle.
func TestLateChangesAreNotRepeats(t *testing.T) {
	t.Parallel()
	rules := `
groups:
- name: g
  interval: 30s
  rules:
  - {record: r:grown, expr: 'sum(sum_over_time(a[2h])) > bool 900'}
  - {record: r:old, expr: 'time() > bool 6000'}
  - {record: r:sum, expr: 'sum(c_total)'}
  - {record: r:crossed, expr: 'sum(r:sum) > bool 1500'}
  - {alert: Late, expr: 'time() - min(last_over_time(b[1h])) * 0 > 6000', for: 10m}
  - {alert: Hour, expr: 'hour() == 1'}
  - {alert: Remainder, expr: 'vector(time()) % 7200 < 600'}
  - {alert: Between, expr: 'vector(time()) > 4000 < 5000'}
  - {record: r:other, expr: 'sum(sum_over_time(a[30s])) > bool 8'}
- name: other
  interval: 70s
  rules:
  - {record: r:odd, expr: 'sum(sum_over_time(a[30s])) > bool 14'}
- name: reader
  interval: 30s
  rules:
  - {record: r:reader, expr: 'r:odd + 1'}
`
	const cycle, until, end = 15 * time.Minute, 3 * time.Hour, 4 * time.Hour
	options := rulesim.Options{Repeats: [][]rulesim.Repetition{{{From: at(0), To: at(until), Every: cycle}}}}
	evaluateTwice(t, repeatingSeries(1, cycle, until, end), 0, end, options, rules).wantEqual(t)
}

// Of twelve cycles three are read, and only a part of those if shorter cycles repeat in them.
func TestRepeatsAreNotEvaluated(t *testing.T) {
	t.Parallel()
	rules := `
groups:
- name: g
  interval: 30s
  rules:
  - {record: r:increase, expr: 'increase(c_total[1m])'}
  - {record: r:sum, expr: 'sum_over_time(r:increase[5m])'}
`
	const cycle, until, end = 2 * time.Hour, 24 * time.Hour, 24 * time.Hour
	reads := func(options rulesim.Options) int {
		store, n := metricstore.New(), 0
		check(t, store.Generate(labels.FromStrings("__name__", "c_total"), metricstore.Generator{
			Last: end.Milliseconds(), Step: 15_000, Value: func(t int64) float64 { n++; return float64(t / 1000) },
		}))
		_, err := newEvaluator(t, store, options, rules).RunRange(t.Context(), at(0), at(end))
		check(t, err)
		return n
	}
	all := reads(rulesim.Options{})
	repeated := reads(rulesim.Options{Repeats: [][]rulesim.Repetition{{{From: at(0), To: at(until), Every: cycle}}}})
	if float64(repeated) > 0.4*float64(all) {
		t.Errorf("%d samples are read of %d", repeated, all)
	}
	if both := reads(rulesim.Options{Repeats: nested(time.Minute, cycle, until)}); float64(both) > 0.4*float64(repeated) {
		t.Errorf("%d samples are read of %d with two levels, %d with one", both, all, repeated)
	}
}
