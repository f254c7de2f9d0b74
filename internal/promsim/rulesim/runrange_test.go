//go:build !race

package rulesim_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
)

// dump returns every sample of every metric, stale markers included, without the metrics in left.
func dump(t *testing.T, store *metricstore.Store, left []string) []string {
	t.Helper()
	q, err := store.Querier(math.MinInt64, math.MaxInt64)
	check(t, err)
	var out []string
	for set := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchNotEqual, "__name__", "")); set.Next(); {
		l := set.At().Labels()
		if slices.Contains(left, l.Get("__name__")) {
			continue
		}
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			at, v := it.At()
			out = append(out, fmt.Sprintf("%s %d %v %x", l, at/1000, v, math.Float64bits(v)))
		}
		check(t, it.Err())
	}
	slices.Sort(out)
	return out
}

// twin evaluates rule files over two equal stores, step by step and with RunRange.
type twin struct {
	run, ranged          *rulesim.Evaluator
	runStore, rangeStore *metricstore.Store
	left                 []string
	runErr, rangeErr     error
}

func evaluateTwice(t *testing.T, fill func(*metricstore.Store), from, to time.Duration, options rulesim.Options, files ...string) twin {
	t.Helper()
	w := twin{runStore: metricstore.New(), rangeStore: metricstore.New()}
	fill(w.runStore)
	fill(w.rangeStore)
	w.run, w.ranged = newEvaluator(t, w.runStore, options, files...), newEvaluator(t, w.rangeStore, options, files...)
	w.runErr = w.run.Run(t.Context(), at(from), at(to))
	w.left, w.rangeErr = w.ranged.RunRange(t.Context(), at(from), at(to))
	return w
}

// wantEqual checks for the same samples and the same history.
func (w twin) wantEqual(t *testing.T) {
	t.Helper()
	check(t, w.runErr)
	check(t, w.rangeErr)
	if diff := cmp.Diff(dump(t, w.runStore, w.left), dump(t, w.rangeStore, w.left)); diff != "" {
		t.Errorf("samples (-run +range):\n%.3000s", diff)
	}
	if diff := cmp.Diff(told(w.run), told(w.ranged)); diff != "" {
		t.Errorf("history (-run +range):\n%.3000s", diff)
	}
}

// told returns a history as lines, in an order that does not depend on the groups.
func told(ev *rulesim.Evaluator) []string {
	var out []string
	for _, f := range ev.History() {
		out = append(out, fmt.Sprintf("%s %s value %v active %d fired %d resolved %d", f.Labels, f.Annotations, f.Value, f.ActiveAt.Unix(), f.FiredAt.Unix(), f.ResolvedAt.Unix()))
	}
	slices.Sort(out)
	return out
}

// randomSeries adds gauges that jump, disappear and return, and counters with resets, scraped every 15 s with
// lost scrapes.
func randomSeries(seed uint64, end time.Duration) func(*metricstore.Store) {
	return func(store *metricstore.Store) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		for _, name := range []string{"a", "b", "c_total"} {
			for i := range 3 {
				l := labels.FromStrings("__name__", name, "job", "shop", "i", strconv.Itoa(i))
				value, gone := float64(rnd.IntN(5)), false
				for now := time.Duration(rnd.IntN(15)) * time.Second; now < end; now += 15 * time.Second {
					switch {
					case rnd.IntN(40) == 0 && !gone: // ends with a stale marker, as from a scraper
						gone = true
						_ = store.MarkStale(l, now.Milliseconds())
						continue
					case gone && rnd.IntN(10) > 0, rnd.IntN(8) == 0:
						continue // absent, or a lost scrape
					}
					gone = false
					if name == "c_total" && rnd.IntN(30) > 0 {
						value += float64(rnd.IntN(4))
					} else {
						value = float64(rnd.IntN(5))
					}
					_ = store.Append(l, now.Milliseconds(), value)
				}
			}
		}
	}
}

// pick returns a random element.
func pick[T any](rnd *rand.Rand, from ...T) T { return from[rnd.IntN(len(from))] }

// randomRules returns a rule file whose rules read series, earlier rules and their own past.
func randomRules(rnd *rand.Rand) string {
	var b strings.Builder
	b.WriteString("groups:\n")
	var records, alerts []string
	window := func() string { return pick(rnd, "30s", "1m", "2m30s", "5m", "10m") }
	for g := range 1 + rnd.IntN(3) {
		fmt.Fprintf(&b, "- name: g%d\n  interval: %s\n  query_offset: %s\n  rules:\n", g, pick(rnd, "15s", "30s", "1m", "45s"), pick(rnd, "0s", "15s", "20s"))
		for n := range 2 + rnd.IntN(4) {
			self := fmt.Sprintf("r:%d%d", g, n)
			before := "b offset 30s"
			if len(records) > 0 {
				before = pick(rnd, records...)
			}
			if rnd.IntN(3) == 0 {
				alert := fmt.Sprintf("A%d%d", g, n)
				exprs := []string{
					before + " > 2", "sum by (i) (rate(c_total[2m])) > 0.05", "absent(a{i=\"1\"})", "min(" + before + ") < 2",
					fmt.Sprintf("sum(a) > 6 or (sum(a) > 4 and on () ALERTS{alertname=%q})", alert),
				}
				if len(alerts) > 0 {
					exprs = append(exprs, fmt.Sprintf("sum(a) > 5 unless on () ALERTS{alertname=%q, alertstate=\"firing\"}", pick(rnd, alerts...)))
				}
				fmt.Fprintf(&b, "  - alert: %s\n    expr: %s\n    for: %s\n    keep_firing_for: %s\n    labels: {at: '{{ $labels.i }}'}\n    annotations: {text: '{{ $value }} of {{ $labels.i }}'}\n",
					alert, pick(rnd, exprs...), pick(rnd, "0s", "30s", "1m", "2m"), pick(rnd, "0s", "30s", "3m"))
				alerts = append(alerts, alert)
				continue
			}
			expr := pick(
				rnd, "sum by (i) (rate(c_total["+window()+"]))", "a > 2", "avg_over_time(b["+window()+"])", "a and on (i) b > 2", "count(a) or vector(0)",
				"topk(1, a)", "max_over_time(sum(a)["+window()+":30s])", "timestamp(a)", "time() - a", "1",
				"max_over_time("+before+"["+window()+":15s])", "sum("+before+") - 1", "a > on () group_left (kind) sum by (kind) ("+before+")", before+" * 2", "sum_over_time("+before+"["+window()+":45s])",
				"sum(a) * 0 + time() or on () last_over_time("+self+"[10m])", "a or on (i) max_over_time("+self+"[5m:1m])", "("+self+" or on () vector(0)) + 1",
				"sum(a) > 3 or (sum(a) > 1 and on () "+self+")", "vector(time()) unless on () ("+self+" != time())", "count(a) or (count(b) unless on () count_over_time("+self+"[1m]) > 2)",
			)
			kind := pick(rnd, "x", "y")
			fmt.Fprintf(&b, "  - record: %s\n    expr: %s\n    labels: {kind: %s}\n", self, expr, kind)
			records = append(records, self+`{kind="`+kind+`"}`)
			if rnd.IntN(6) == 0 { // the same name with another label
				fmt.Fprintf(&b, "  - record: %s\n    expr: %s\n    labels: {kind: z}\n", self, pick(rnd, "sum(b)", "max(a)"))
				records = append(records, self+`{kind="z"}`, "sum by (i) ("+self+")")
			}
		}
	}
	return b.String()
}

// Over random series and rules RunRange records the same samples and history as Run.
func TestRunRangeEqualsRun(t *testing.T) {
	t.Parallel()
	const files, end = 60, 40 * time.Minute
	compared, left := 0, 0
	for seed := range uint64(files) {
		rules := randomRules(rand.New(rand.NewPCG(seed, 2)))
		options := rulesim.Options{Phase: time.Duration(seed%3) * 5 * time.Second}
		w := evaluateTwice(t, randomSeries(seed, end), time.Duration(seed%2)*7*time.Second, end, options, rules)
		if w.runErr != nil {
			if w.rangeErr == nil && len(w.left) == 0 {
				t.Errorf("a run says %v, a range run nothing:\n%s", w.runErr, rules)
			}
			continue
		}
		if w.rangeErr != nil {
			if !strings.Contains(w.rangeErr.Error(), "use Run") {
				t.Errorf("%v\n%s", w.rangeErr, rules)
			}
			continue
		}
		compared++
		left += len(w.left)
		if w.wantEqual(t); t.Failed() {
			t.Fatalf("seed %d, left out %v:\n%s", seed, w.left, rules)
		}
	}
	t.Logf("%d of %d files compared, %d rules left out", compared, files, left)
	if compared < files/2 {
		t.Errorf("only %d of %d files could be compared", compared, files)
	}
}

// Compiled rules have the same results in RunRange, through an outage, a deploy and lost scrapes.
func TestCompiledRulesHaveTheSameResultsInRunRange(t *testing.T) {
	t.Parallel()
	var files []string
	for _, tier := range []string{"instances", "page", "ticket"} {
		src, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "orders", "observability", "rules", "orders."+tier+".rules.yaml"))
		check(t, err)
		files = append(files, string(src))
	}
	const end = 5 * time.Hour
	fill := func(store *metricstore.Store) {
		w := &world{t: t, store: store, scrape: 15 * time.Second, end: end}
		good, bad := synthetic.Incident(50, 0.4, 2*time.Hour+7*time.Second, 2*time.Hour+20*time.Minute)
		for n := range 2 {
			p := pod{
				env: "production", name: fmt.Sprint("p", n), to: 3*time.Hour + time.Duration(n)*20*time.Second, vanishes: true,
				good: good.Times(1.0 / 2), bad: bad.Times(1.0 / 2), lost: func(t time.Duration) bool { return t/w.scrape%37 == 5 },
			}
			w.add(p)
			w.add(pod{env: "production", name: fmt.Sprint("q", n), from: p.to - 15*time.Second, to: 4 * time.Hour, good: p.good, bad: p.bad})
		}
		w.add(pod{env: "staging", name: "s", good: synthetic.Steady(1), ready: until(90 * time.Minute)})
	}
	w := evaluateTwice(t, fill, 0, end, rulesim.Options{}, files...)
	// The sum over a period looks an hour ahead; the rest of the list reads it.
	if got := fmt.Sprint(w.left); got != "[slo:sli_bad:increase30d slo:sli_total:increase30d slo:sli_error:ratio_rate30d slo:period_burn_rate:ratio slo:period_error_budget_remaining:ratio]" {
		t.Errorf("left out: %s", got)
	}
	fired := map[string]bool{}
	for _, ev := range []*rulesim.Evaluator{w.run, w.ranged} {
		for _, f := range ev.History() {
			fired[f.Alert] = true
		}
	}
	for _, alert := range []string{"OrdersAvailabilityErrorBudgetBurn", "OrdersDown", "OrdersNotReady"} {
		if !fired[alert] {
			t.Errorf("%s does not fire, so that the comparison shows little: %v", alert, fired)
		}
	}
	check(t, w.runErr)
	check(t, w.rangeErr)
	if diff := cmp.Diff(dump(t, w.runStore, w.left), dump(t, w.rangeStore, w.left)); diff != "" {
		t.Errorf("samples (-run +range):\n%.3000s", diff)
	}
	// Their descriptions query what a later group records.
	if diff := cmp.Diff(withoutDescriptions(told(w.run)), withoutDescriptions(told(w.ranged))); diff != "" {
		t.Errorf("history (-run +range):\n%.3000s", diff)
	}
}

func withoutDescriptions(history []string) []string {
	var out []string
	for _, line := range history {
		before, rest, _ := strings.Cut(line, `description="`)
		_, after, _ := strings.Cut(rest, `", summary`)
		out = append(out, before+after)
	}
	return out
}

func TestRunRangeLeavesOutRulesThatReadTheFuture(t *testing.T) {
	t.Parallel()
	fill := func(store *metricstore.Store) { values(t, store, "x", "0123210123") }
	slow := "- name: slow\n  interval: 15s\n  query_offset: 30s\n  rules:\n  - {record: s, expr: x}\n"
	for _, tc := range []struct {
		name, rules, left, err string
	}{
		{"a negative offset", "  - {record: r, expr: x offset -1m}\n  - {record: fine, expr: x}\n", "[r]", ""},
		{"a negative offset around a subquery", "  - {record: r, expr: 'max_over_time(x[1m:15s] offset -1m)'}\n", "[r]", ""},
		{"a negative offset that another offset compensates", "  - {record: r, expr: 'max_over_time((x offset -30s)[1m:15s] offset 1m)'}\n", "[]", ""},
		{"a fixed time", "  - {record: r, expr: x @ 60}\n", "[r]", ""},
		{"the end of a range", "  - {record: r, expr: x @ end()}\n", "[r]", ""},
		{"a later rule", "  - {record: r, expr: later}\n  - {record: later, expr: x}\n", "[r]", ""},
		{"a rule that reads a rule left out", "  - {record: r, expr: x offset -1m}\n  - {record: q, expr: r * 2}\n  - {record: p, expr: 'q{i=\"1\"}'}\n", "[r q p]", ""},
		{"another rule with the same name and another label", "  - {record: r, expr: 'r{k=\"b\"}', labels: {k: a}}\n  - {record: r, expr: 'x', labels: {k: c}}\n", "[]", ""},
		{"a group that records later than it is read", "  - {record: fine, expr: x}\n" + slow + "- name: h\n  interval: 15s\n  rules:\n  - {record: r, expr: s}\n  - {record: back, expr: s offset 30s}\n", "[r]", ""},
		{"the state of a later alert", "  - {record: r, expr: ALERTS}\n  - {alert: A, expr: x > 1}\n", "[r]", ""},
		{"an alert on the future", "  - {alert: A, expr: x offset -1m > 1}\n", "[]", "group g: alert A reads what only a step by step evaluation gives; use Run"},
		{"an alert that reads a rule left out", "  - {record: r, expr: x offset -1m}\n  - {alert: A, expr: r > 1}\n", "[r]", "alert A reads what only"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := evaluateTwice(t, fill, 0, 150*time.Second, rulesim.Options{}, "groups:\n- name: g\n  interval: 15s\n  rules:\n"+tc.rules)
			if got := fmt.Sprint(w.left); got != tc.left {
				t.Errorf("left out %s, want %s", got, tc.left)
			}
			if tc.err != "" {
				if w.rangeErr == nil || !strings.Contains(w.rangeErr.Error(), tc.err) {
					t.Errorf("got %v, want %q", w.rangeErr, tc.err)
				}
				return
			}
			w.wantEqual(t)
		})
	}
}

// Errors and results that one query over the whole range would hide are the same as step by step.
func TestRunRangeFindsWhatOnlySingleStepsShow(t *testing.T) {
	t.Parallel()
	fill := func(store *metricstore.Store) {
		values(t, store, "x", "01232")
		check(t, store.MarkStale(labels.FromStrings("__name__", "x"), 75_000))
		check(t, store.Append(labels.FromStrings("__name__", "y"), 120_000, 3))
		check(t, store.Append(labels.FromStrings("__name__", "y"), 135_000, 4))
	}
	for _, tc := range []struct{ name, rules, err string }{
		{"two metrics that never exist at the same time", "  - {record: r, expr: 'last_over_time({__name__=~\"x|y\"}[30s]) * 2'}\n", ""},
		{"a rule that alternates with its own past", "  - {record: r, expr: 'vector(time()) unless on () (r != time())'}\n", ""},
		{"a rule that counts its own samples", "  - {record: r, expr: 'count(x) unless on () count_over_time(r[1m]) > 2'}\n", ""},
		{"an alert that lasts because it fires", "  - {alert: A, expr: 'x > 2 or (x > 0 and on () ALERTS{alertname=\"A\"})'}\n", ""},
		{"two results with the same labels", "  - {record: r, expr: 'label_replace(x, \"i\", \"1\", \"\", \"\") or label_replace(x, \"i\", \"2\", \"\", \"\")', labels: {i: same}}\n", "two results have the same labels"},
		{"more series than the group's limit", "  - {record: r, expr: 'label_replace(x, \"i\", \"1\", \"\", \"\") or x'}\n  limit: 1\n", "2 series are more than the group's limit of 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := evaluateTwice(t, fill, 0, 150*time.Second, rulesim.Options{}, "groups:\n- name: g\n  interval: 15s\n  rules:\n"+tc.rules)
			if tc.err == "" {
				w.wantEqual(t)
				return
			}
			for who, err := range map[string]error{"run": w.runErr, "range run": w.rangeErr} {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("the %s says %v, want %q", who, err, tc.err)
				}
			}
		})
	}
}

func TestInputsAreTheRulesThatARuleReads(t *testing.T) {
	t.Parallel()
	groups, err := rulesim.Load("a.yaml", []byte(`groups:
- name: g
  rules:
  - {record: tile, expr: 'rate(x[1m])'}
  - {record: other, expr: x}
  - {record: half, expr: 'sum_over_time(tile[5m])', labels: {w: a}}
  - {record: half, expr: 'other', labels: {w: b}}
  - {record: ratio, expr: 'half{w="a"} / on () tile'}
  - {alert: Burn, expr: ratio > 1}
  - {alert: Also, expr: 'ALERTS{alertname="Burn"} and on () y'}
  - {record: everything, expr: 'count({__name__=~".+"})'}
`))
	check(t, err)
	for _, tc := range []struct {
		name  string
		names []string
		want  string
	}{
		{"a rule that reads only scraped series", []string{"tile"}, "tile"},
		{"an alert and all rules below it", []string{"Burn"}, "Burn half other ratio tile"},
		{"an alert that reads an alert", []string{"Also"}, "Also Burn half other ratio tile"},
		{"several rules", []string{"other", "tile"}, "other tile"},
		{"a selector without a name may read every rule", []string{"everything"}, "Also Burn everything half other ratio tile"},
		{"no rules", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for name := range rulesim.Inputs(groups, tc.names...) {
				got = append(got, name)
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// RunRangeFrom a later time has the same results as RunRange from the start.
func TestRunRangeFromALaterTime(t *testing.T) {
	t.Parallel()
	const files, end, shown = 40, 60 * time.Minute, 35 * time.Minute
	compared := 0
	for seed := range uint64(files) {
		rules := randomRules(rand.New(rand.NewPCG(seed, 3)))
		if strings.Contains(rules, "alert:") && strings.Contains(rules, "ALERTS") {
			continue // the range does not know whether an alert was active before
		}
		var stores []*metricstore.Store
		var failed error
		for _, from := range []time.Duration{0, shown} {
			store := metricstore.New()
			randomSeries(seed, end)(store)
			_, err := newEvaluator(t, store, rulesim.Options{}, rules).RunRangeFrom(t.Context(), at(0), at(from), at(end))
			stores, failed = append(stores, store), errors.Join(failed, err)
		}
		if failed != nil {
			continue // an error applies to any time, see TestRunRangeEqualsRun
		}
		compared++
		if diff := cmp.Diff(since(dump(t, stores[0], nil), shown), since(dump(t, stores[1], nil), shown)); diff != "" {
			t.Fatalf("seed %d (-from the beginning +later):\n%.2000s\n%s", seed, diff, rules)
		}
	}
	if compared < files/3 {
		t.Errorf("only %d of %d files could be compared", compared, files)
	}
}

// since returns recorded samples from a time on, without alerts and without stale markers of series that
// ended before.
func since(samples []string, from time.Duration) []string {
	return slices.DeleteFunc(samples, func(s string) bool {
		fields := strings.Fields(s)
		at, err := strconv.Atoi(fields[len(fields)-3])
		return err != nil || time.Duration(at)*time.Second < from || strings.Contains(s, "ALERTS") || fields[len(fields)-2] == "NaN"
	})
}
