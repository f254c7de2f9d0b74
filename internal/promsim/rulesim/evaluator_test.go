package rulesim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// values adds a series with a sample every 15 s since the epoch; '_' is a lost scrape, other characters are
// digits.
func values(t *testing.T, store *metricstore.Store, name, digits string) {
	t.Helper()
	for i, c := range digits {
		if c == '_' {
			continue
		}
		check(t, store.Append(labels.FromStrings("__name__", name), int64(i)*15_000, float64(c-'0')))
	}
}

// timeline runs one alert for two minutes and returns ALERTS every 15 s: '.' for none, 'p' for pending, 'F'
// for firing.
func timeline(t *testing.T, rule, digits string) string {
	t.Helper()
	store := metricstore.New()
	values(t, store, "x", digits)
	ev := newEvaluator(t, store, rulesim.Options{}, group("g", "15s", rule))
	check(t, ev.Run(t.Context(), at(0), at(time.Duration(len(digits))*15*time.Second)))
	var out strings.Builder
	for i := range digits {
		v, err := ev.Query(t.Context(), "ALERTS", at(time.Duration(i)*15*time.Second))
		check(t, err)
		switch {
		case len(v) == 0:
			out.WriteByte('.')
		case v[0].Metric.Get("alertstate") == "pending":
			out.WriteByte('p')
		default:
			out.WriteByte('F')
		}
	}
	return out.String()
}

func TestAlertStates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, rule, x, want string }{
		{
			"an alert without for fires and resolves immediately",
			"alert: A\n    expr: x > 0", "001100",
			"..FF..",
		},
		{
			"for keeps an alert pending",
			"alert: A\n    expr: x > 0\n    for: 30s", "0111100",
			".ppFF..",
		},
		{
			"a gap restarts for",
			"alert: A\n    expr: x > 0\n    for: 30s", "01101110",
			".pp.ppF.",
		},
		{
			"keep_firing_for bridges a gap and then expires",
			"alert: A\n    expr: x > 0\n    keep_firing_for: 30s", "0101000000",
			".FFFFF....",
		},
		{
			"keep_firing_for does not keep pending alerts",
			"alert: A\n    expr: x > 0\n    for: 30s\n    keep_firing_for: 1m", "01100",
			".pp..",
		},
		{
			"the look-back bridges a lost scrape",
			"alert: A\n    expr: x > 0", "01__10",
			".FFFF.",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := timeline(t, tc.rule, tc.x); got != tc.want {
				t.Errorf("\nx    %s\ngot  %s\nwant %s", tc.x, got, tc.want)
			}
		})
	}
}

func TestHistoryHasEachEpisode(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "00110010")
	ev := newEvaluator(t, store, rulesim.Options{}, group("g", "15s", `alert: A
    expr: x > 0
    labels: {kind: '{{ $value }}'}
    annotations: {text: '{{ with query "x * 2" }}{{ . | first | value }}{{ end }} on {{ $labels.kind }}.'}`))
	check(t, ev.Run(t.Context(), at(0), at(105*time.Second)))
	type episode struct {
		From, To time.Duration
		Text     string
	}
	var got []episode
	for _, f := range ev.History() {
		e := episode{From: f.FiredAt.Sub(at(0)), To: -1, Text: f.Annotations.Get("text")}
		if !f.ResolvedAt.IsZero() {
			e.To = f.ResolvedAt.Sub(at(0))
		}
		got = append(got, e)
	}
	want := []episode{{30 * time.Second, time.Minute, "2 on ."}, {90 * time.Second, -1, "2 on ."}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRulesOfAGroupRunInOrder(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "12345")
	ev := newEvaluator(t, store, rulesim.Options{}, group("g", "15s", "record: a\n    expr: x", "record: b\n    expr: a * 10", "record: c\n    expr: d", "record: d\n    expr: x"))
	check(t, ev.Run(t.Context(), at(0), at(time.Minute)))
	for expr, want := range map[string]string{
		"b": "{} 40", // from a in the same evaluation
		"c": "{} 3",  // from d in the previous evaluation
	} {
		if got := query(t, ev, expr, at(45*time.Second)); got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
}

func TestEmptyRuleLabelsRemoveResultLabels(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	check(t, store.Append(labels.FromStrings("__name__", "x", "a", "1", "b", "2", "c", "3"), 0, 1))
	src := strings.Replace(group("g", "15s", "record: y\n    expr: x\n    labels: {a: ''}", "alert: A\n    expr: x\n    labels: {a: '', d: '{{ $labels.z }}'}"),
		"  interval", "  labels: {b: ''}\n  interval", 1)
	ev := newEvaluator(t, store, rulesim.Options{}, src)
	check(t, ev.Run(t.Context(), at(0), at(1)))
	if got := query(t, ev, "y", at(0)); got != `{c="3"} 1` {
		t.Errorf("recorded %s", got)
	}
	if got := ev.History()[0].Labels.String(); got != `{alertname="A", c="3"}` {
		t.Errorf("the alert is %s", got)
	}
	// As in Prometheus, the series of the alert keeps a template that expands to nothing.
	if got := query(t, ev, "ALERTS", at(0)); got != `{alertname="A", alertstate="firing", c="3", d="{{ $labels.z }}"} 1` {
		t.Errorf("the series is %s", got)
	}
}

func TestQueryOffsetShiftsReadsAndWrites(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "12345678")
	src := "groups:\n- name: g\n  interval: 30s\n  query_offset: 15s\n  rules:\n  - record: a\n    expr: x\n"
	ev := newEvaluator(t, store, rulesim.Options{}, src)
	check(t, ev.Run(t.Context(), at(30*time.Second), at(61*time.Second)))
	// Evaluations at 30 s and 60 s read and write at 15 s and 45 s.
	if got, want := query(t, ev, "timestamp(a)", at(30*time.Second))+query(t, ev, "a", at(45*time.Second)), "{} 15{} 4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSeriesThatIsNotReturnedBecomesStale(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "1001")
	ev := newEvaluator(t, store, rulesim.Options{}, group("g", "15s", "record: a\n    expr: x > 0"))
	check(t, ev.Run(t.Context(), at(0), at(time.Minute)))
	for when, want := range map[int64]string{0: "{} 1", 15: "", 30: "", 45: "{} 1"} {
		if got := query(t, ev, "a", time.Unix(when, 0)); got != want {
			t.Errorf("at %d s: got %q, want %q", when, got, want)
		}
	}
}

func TestPhaseSkipAndOnlySelectEvaluations(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "1111111111")
	options := rulesim.Options{
		Phase: 13 * time.Second,
		Skip:  func(_ rulesim.Group, when time.Time) bool { return when.Equal(at(43 * time.Second)) },
		Only:  func(r rulesim.Rule) bool { return r.Name != "b" },
	}
	ev := newEvaluator(t, store, options, group("g", "30s", "record: a\n    expr: x", "record: b\n    expr: x"))
	check(t, ev.Run(t.Context(), at(0), at(2*time.Minute)))
	if got, want := query(t, ev, "count_over_time(a[2m]) + min_over_time(timestamp(a)[2m:1s])", at(2*time.Minute)), "{} 16"; got != want {
		t.Errorf("got %s, want %s: evaluations at 13, 73 and 103 s", got, want)
	}
	if got := query(t, ev, "b", at(2*time.Minute)); got != "" {
		t.Errorf("b was recorded: %s", got)
	}
}

func TestCostsMatchTheEngine(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "111111111")
	ev := newEvaluator(t, store, rulesim.Options{}, group("g", "30s", "record: a\n    expr: sum_over_time(x[1m])"))
	check(t, ev.Run(t.Context(), at(time.Minute), at(2*time.Minute)))
	got := ev.Costs()[0]
	// Windows are left-open: four samples of 15 s in a minute.
	if got.Evaluations != 2 || got.Samples != 8 || got.PerEvaluation() != 4 || got.PerSecond() != 4.0/30 {
		t.Errorf("got %+v, %v a second", got, got.PerSecond())
	}
}

func TestFailingRuleStopsTheRun(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, rule, want string }{
		{"two results with the same labels", "record: a\n    expr: label_replace(x, \"i\", \"1\", \"\", \"\") or x\n    labels: {i: '2'}", "two results have the same labels"},
		{"two alerts with the same labels", "alert: a\n    expr: label_replace(x, \"i\", \"1\", \"\", \"\") or x\n    labels: {i: '2'}", "two alerts have the labels"},
		{"a failing template", "alert: a\n    expr: x\n    annotations: {text: '{{ query \"(\" }}'}", "template of text"},
		{"a failing query", "record: a\n    expr: x * on () group_left () (x or label_replace(x, \"i\", \"1\", \"\", \"\"))", "rule a at 1970-01-01T00:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := metricstore.New()
			values(t, store, "x", "1")
			ev := newEvaluator(t, store, rulesim.Options{}, group("g", "15s", tc.rule))
			err := ev.Run(t.Context(), at(0), at(time.Second))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestLimitAppliesToEachRule(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "1")
	values(t, store, "y", "1")
	src := "groups:\n- name: g\n  limit: 1\n  rules:\n  - record: a\n    expr: label_replace({__name__=~\"x|y\"}, \"i\", \"$1\", \"__name__\", \"(.)\")\n"
	err := newEvaluator(t, store, rulesim.Options{}, src).Run(t.Context(), at(0), at(time.Second))
	if err == nil || !strings.Contains(err.Error(), "2 series are more than the group's limit of 1") {
		t.Errorf("got %v", err)
	}
}

func TestLoadReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := rulesim.Load("bad.yaml", []byte(`groups:
- name: g
  rules:
  - {record: a, expr: 'sum('}
  - {alert: b, expr: 'x', labels: {'__name__': n}}
`))
	for _, want := range []string{"bad.yaml", "rule 1", "rule 2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestRangeQueriesEqualStepByStepEvaluation(t *testing.T) {
	t.Parallel()
	rules := group("g", "30s", "record: a\n    expr: sum_over_time(x[1m]) > 3", "record: b\n    expr: a * 2\n    labels: {l: m}")
	contents := func(fill func(*rulesim.Evaluator) error) string {
		store := metricstore.New()
		values(t, store, "x", "12300000123100000")
		ev := newEvaluator(t, store, rulesim.Options{}, rules)
		check(t, fill(ev))
		var out strings.Builder
		for s := range 300 {
			fmt.Fprintln(&out, s, query(t, ev, `{__name__=~"a|b"}`, at(time.Duration(s)*time.Second)))
		}
		return out.String()
	}
	want := contents(func(l *rulesim.Evaluator) error { return l.Run(t.Context(), at(0), at(4*time.Minute)) })
	got := contents(func(l *rulesim.Evaluator) error {
		_, err := l.RunRange(t.Context(), at(0), at(4*time.Minute))
		return err
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(group("g", "15s", "record: a\n    expr: x")))
	f.Add([]byte("groups: [{name: '', rules: [{alert: a, expr: '1'}]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		groups, err := rulesim.Load("fuzz.yaml", data)
		if err != nil && groups != nil {
			t.Error("groups beside an error")
		}
		for _, g := range groups {
			if g.Interval <= 0 {
				t.Errorf("group %q has no interval", g.Name)
			}
		}
	})
}

// group returns a rule file with one group.
func group(name, interval string, rules ...string) string {
	return "groups:\n- name: " + name + "\n  interval: " + interval + "\n  rules:\n  - " + strings.Join(rules, "\n  - ") + "\n"
}

func newEvaluator(t testing.TB, store *metricstore.Store, options rulesim.Options, files ...string) *rulesim.Evaluator {
	t.Helper()
	var groups []rulesim.Group
	for i, src := range files {
		more, err := rulesim.Load(fmt.Sprintf("file%d.yaml", i), []byte(src))
		check(t, err)
		groups = append(groups, more...)
	}
	ev, err := rulesim.New(store, groups, options)
	check(t, err)
	return ev
}

func at(d time.Duration) time.Time { return time.Unix(0, 0).Add(d) }

// query returns the samples without metric names, concatenated.
func query(t testing.TB, ev *rulesim.Evaluator, expr string, when time.Time) string {
	t.Helper()
	v, err := ev.Query(t.Context(), expr, when)
	check(t, err)
	var out []string
	for _, s := range v {
		out = append(out, fmt.Sprint(s.Metric.DropReserved(func(n string) bool { return n == model.MetricNameLabel }), " ", s.F))
	}
	return strings.Join(out, "; ")
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
