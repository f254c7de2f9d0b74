//go:build !race

package rulesim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// randomSteps returns what a subquery evaluates at each step: often a sum of counter increases, with
// conditions that are always, sometimes or never true.
func randomSteps(rnd *rand.Rand) string {
	s := pick(rnd, "a", "b", "c_total")
	condition := pick(
		rnd, "a > 3", "b > 100", "max_over_time(b[1m] offset 15s) >= 0 or a > 3", "b", "(c_total or a) unless on (i) b > 2",
		"a * on (i, job) b > 2", "timestamp(a) % 60 > 20", "last_over_time({__name__=~\"a|b\"}[1m]) > 1",
	)
	increase := fmt.Sprintf("%s - (last_over_time(%s[1m] offset 15s) unless on (i) (%s)) >= 0", s, s, condition)
	return pick(
		rnd, increase+" or "+s+" and on (i) ("+condition+")", increase+" or on (i) "+s+" and on (i) ("+condition+")", s+" * 2 or on (__name__) "+s+" and on (i) ("+condition+")", s+" * 2 or "+s+" and on (i) ("+condition+")",
		s+" or "+s+" * on (i) b", s+" * 2 or ignoring (i) "+s+" and on (i) ("+condition+")",
		increase+" or b and on (i) ("+condition+")", increase+" or (a and on (i) ("+condition+"))", s+" or "+s+" and on () ("+condition+")", s+" unless on (i) ("+condition+")",
		s+" and on (i) ("+condition+")", s+" or on (i) ("+condition+")", s+" offset 1m or "+s+" and "+s, "max_over_time("+s+"[1m:15s]) unless on (i) ("+condition+")",
	)
}

func randomSubqueries(rnd *rand.Rand) string {
	steps := randomSteps(rnd)
	aggregation := pick(rnd, "%s", "sum by (i) (%s)", "(%s)", "count(%s)", "-(%s)", "time() - (%s)")
	if aggregation == "%s" {
		steps = "(" + steps + ")"
	}
	steps = fmt.Sprintf(aggregation, steps)
	var b strings.Builder
	b.WriteString("groups:\n")
	for g, step := range []string{"15s", pick(rnd, "15s", "30s", "7s")} {
		interval := pick(rnd, "30s", "1m", "2m", "45s")
		fmt.Fprintf(&b, "- name: g%d\n  interval: %s\n  query_offset: %s\n  rules:\n", g, interval, pick(rnd, "0s", "15s", "20s"))
		function := pick(rnd, "sum_over_time", "last_over_time", "count_over_time", "absent_over_time", "max_over_time")
		fmt.Fprintf(&b, "  - record: r:%d\n    expr: %s((%s)[%s:%s] offset %s) or on () vector(-1)\n", g, function, steps, pick(rnd, interval, "10s", "5m"), step, pick(rnd, "0s", "1m", "20s"))
	}
	return b.String()
}

// Shared subqueries give each rule the same results as separate evaluation.
func TestSharedSubqueriesEqualEvaluations(t *testing.T) {
	t.Parallel()
	const files, from, end = 200, 170 * time.Minute, 190 * time.Minute // a block ends within this range
	compared := 0
	for seed := range uint64(files) {
		rules := randomSubqueries(rand.New(rand.NewPCG(seed, 3)))
		w := evaluateTwice(t, randomSeries(seed, end), from, end, rulesim.Options{Phase: time.Duration(seed%3) * 5 * time.Second}, rules)
		if w.runErr != nil {
			if w.rangeErr == nil {
				t.Errorf("a run says %v, a range run nothing:\n%s", w.runErr, rules)
			}
			continue
		}
		compared++
		if w.wantEqual(t); t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, rules)
		}
	}
	if compared < files/2 {
		t.Errorf("only %d of %d files could be compared", compared, files)
	}
}

// Skipping an operand must not hide its error.
func TestRunRangeFailsWhereRunFails(t *testing.T) {
	t.Parallel()
	const end = 10 * time.Minute
	for _, steps := range []string{"a or a and on (i) (a * on () b)", "a or a and on (i) max by (i) (a * on () b)", "a or a and on (i) max_over_time({__name__=~\"a|b\"}[1m])", "a unless on (i) (a * on () b)"} {
		t.Run(steps, func(t *testing.T) {
			t.Parallel()
			w := evaluateTwice(t, randomSeries(1, end), time.Minute, end, rulesim.Options{}, group("g", "1m", "record: r\n    expr: sum_over_time(("+steps+")[1m:15s])"))
			if w.runErr == nil || w.rangeErr == nil {
				t.Errorf("a run says %v, a range run %v", w.runErr, w.rangeErr)
			}
		})
	}
}

// RunRangeFrom evaluates subqueries as far back as rules read them.
func TestSharedSubqueriesFromALaterTime(t *testing.T) {
	t.Parallel()
	const shown, end = 4 * time.Hour, 5 * time.Hour
	rules := []string{
		group("short", "30s", "record: short\n    expr: sum_over_time(sum(a unless on (i) (b > 2))[30s:15s])"),
		group("long", "1m", "record: long\n    expr: sum_over_time(sum(a unless on (i) (b > 2))[90m:15s])", "record: longer\n    expr: sum_over_time(long[2h])"),
	}
	run, ranged := metricstore.New(), metricstore.New()
	for _, store := range []*metricstore.Store{run, ranged} {
		randomSeries(1, end)(store)
	}
	check(t, newEvaluator(t, run, rulesim.Options{}, rules...).Run(t.Context(), at(0), at(end)))
	_, err := newEvaluator(t, ranged, rulesim.Options{}, rules...).RunRangeFrom(t.Context(), at(0), at(shown), at(end))
	check(t, err)
	if diff := cmp.Diff(since(dump(t, run, nil), shown), since(dump(t, ranged, nil), shown)); diff != "" {
		t.Errorf("samples (-run +range):\n%.3000s", diff)
	}
}

// counted returns a store with one process that keeps running, and counts how often samples of each metric
// are computed.
func counted(t *testing.T, end time.Duration) (*metricstore.Store, map[string]int) {
	t.Helper()
	store, reads := metricstore.New(), map[string]int{}
	for name, value := range map[string]func(ms int64) float64{
		"http_server_routed_requests_total": func(ms int64) float64 { return float64(ms / 1000) },
		"up":                                func(int64) float64 { return 1 },
		"process_start_time_seconds":        func(int64) float64 { return 0 },
	} {
		l := labels.FromStrings("__name__", name, "job", "orders", "instance", "p", "deployment_environment_name", "production", "outcome", "success")
		check(t, store.Generate(l, metricstore.Generator{Last: end.Milliseconds(), Step: 15_000, Value: func(ms int64) float64 {
			reads[name]++
			return value(ms)
		}}))
	}
	return store, reads
}

// The page group and the ticket group count the same events, which are evaluated once. Process metrics are
// not read while the counters only grow.
func TestIncreasesAreEvaluatedOnce(t *testing.T) {
	t.Parallel()
	const end = 2 * time.Hour
	rules := compile(t, specOf(15*time.Second, ""))
	reads := func(names ...string) map[string]int {
		store, reads := counted(t, end)
		w := world{t: t, store: store}
		ev := w.evaluator(rules, rulesim.Options{Only: func(r rulesim.Rule) bool { return slices.Contains(names, r.Name) }})
		_, err := ev.RunRange(t.Context(), at(15*time.Minute), at(end))
		check(t, err)
		return reads
	}
	ticket, both := reads("slo:sli_total:increase2m"), reads("slo:sli_total:increase30s", "slo:sli_total:increase2m")
	if diff := cmp.Diff(ticket, both); diff != "" {
		t.Errorf("reads of one tile, and of two:\n%s", diff)
	}
	if requests := both["http_server_routed_requests_total"]; requests == 0 || both["up"] > requests/20 {
		t.Errorf("reads: %v", both)
	}
}
