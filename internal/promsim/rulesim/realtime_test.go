package rulesim_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// contents returns every sample of a store between the epoch and a time.
func contents(t testing.TB, ev *rulesim.Evaluator, end time.Duration) string {
	t.Helper()
	m, err := ev.QueryRange(t.Context(), `{__name__!=""}`, at(0), at(end), time.Second)
	check(t, err)
	return m.String()
}

func TestManyShortRunsEqualOneLongRun(t *testing.T) {
	t.Parallel()
	const end = 10 * time.Minute
	rules := []string{
		group("fast", "15s", "record: a\n    expr: sum_over_time(x[1m])", "alert: A\n    expr: x > 5\n    for: 30s\n    keep_firing_for: 1m"),
		group("slow", "40s", "record: b\n    expr: a - a offset 1m", "record: c\n    expr: ALERTS"),
	}
	digits := strings.Repeat("0179_8624", 6)
	run := func(spans func(*rulesim.Evaluator) error) (string, []rulesim.Firing) {
		store := metricstore.New()
		values(t, store, "x", digits)
		ev := newEvaluator(t, store, rulesim.Options{Phase: 7 * time.Second}, rules...)
		check(t, spans(ev))
		return contents(t, ev, end), ev.History()
	}
	want, wantHistory := run(func(l *rulesim.Evaluator) error { return l.Run(t.Context(), at(0), at(end)) })
	rnd := rand.New(rand.NewPCG(5, 5))
	for _, tc := range []struct {
		name string
		back time.Duration // how far a span overlaps the previous one
	}{{"one after the other", 0}, {"overlapping", 20 * time.Second}} {
		got, gotHistory := run(func(l *rulesim.Evaluator) error {
			for now := time.Duration(0); now < end; {
				next := min(now+time.Duration(rnd.Int64N(int64(time.Minute))), end)
				if err := l.Run(t.Context(), at(max(now-tc.back, 0)), at(next)); err != nil {
					return err
				}
				now = next
			}
			return nil
		})
		if got != want {
			t.Errorf("%s: other samples:\n%s", tc.name, cmp.Diff(want, got))
		}
		if fmt.Sprint(gotHistory) != fmt.Sprint(wantHistory) {
			t.Errorf("%s: got %v, want %v", tc.name, gotHistory, wantHistory)
		}
	}
	if len(wantHistory) == 0 {
		t.Error("nothing fired, so nothing is shown")
	}
}

func TestAnEvaluatorWithoutRulesRuns(t *testing.T) {
	t.Parallel()
	check(t, newEvaluator(t, metricstore.New(), rulesim.Options{}).Run(t.Context(), at(0), at(time.Hour)))
}

func TestFailedDecidesWhetherOtherRulesContinue(t *testing.T) {
	t.Parallel()
	rules := group("g", "15s", "record: twice\n    expr: x or label_replace(x, \"i\", \"1\", \"\", \"\")\n    labels: {i: '2'}", "record: b\n    expr: x",
		"alert: A\n    expr: x\n    annotations: {text: '{{ query \"(\" }}'}")
	for _, goOn := range []bool{true, false} {
		store := metricstore.New()
		values(t, store, "x", "1")
		var heard []string
		ev := newEvaluator(t, store, rulesim.Options{Failed: func(err error) bool { heard = append(heard, err.Error()); return goOn }}, rules)
		err := ev.Run(t.Context(), at(0), at(time.Second))
		if (err == nil) != goOn || !strings.Contains(heard[0], "rule twice at 1970-01-01T00:00:00Z") {
			t.Errorf("with %v: error %v, heard %q", goOn, err, heard)
		}
		if got := query(t, ev, "b", at(0)); (got == "{} 1") != goOn {
			t.Errorf("with %v: b is %q", goOn, got)
		}
		if !goOn {
			continue
		}
		got := ev.Alerts()
		if len(got) != 1 || !got[0].Firing || !strings.HasPrefix(got[0].Annotations.Get("text"), "<error expanding template: ") || len(heard) != 2 {
			t.Errorf("alerts %v, heard %q", got, heard)
		}
	}
}

func TestAlertsReturnsPendingAndFiringAlerts(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "1234")
	ev := newEvaluator(t, store, rulesim.Options{Annotate: true, ExternalLabels: labels.FromStrings("region", "eu")}, group("g", "15s",
		"alert: B\n    expr: x > 1\n    for: 1m", "alert: A\n    expr: x\n    annotations: {text: '{{ $value }} in {{ $externalLabels.region }}'}"))
	check(t, ev.Run(t.Context(), at(0), at(time.Minute)))
	var got []string
	for _, a := range ev.Alerts() {
		got = append(got, fmt.Sprint(a.File, " ", a.Group, " ", a.Name, " ", a.Firing, " ", a.Value, " ", a.ActiveAt.Unix(), " ", a.Annotations))
	}
	want := []string{"file0.yaml g B false 4 15 {}", `file0.yaml g A true 4 0 {text="4 in eu"}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestQueryLimitErrorsNameTheRuleAndTheFix(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		options rulesim.Options
		want    string
	}{
		{"too many samples", rulesim.Options{MaxSamples: 3}, "holds more than 3 samples at once"},
		{"too slow", rulesim.Options{QueryTimeout: time.Nanosecond}, "takes longer than 1ns"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := metricstore.New()
			values(t, store, "x", "123456789")
			ev := newEvaluator(t, store, tc.options, group("g", "1m", "record: a\n    expr: sum_over_time(x[2m])"))
			err := ev.Run(t.Context(), at(2*time.Minute), at(3*time.Minute))
			for _, want := range []string{tc.want, "group g: rule a at", "shorten its windows"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if _, err := ev.QueryRange(t.Context(), "sum_over_time(x[2m])", at(0), at(2*time.Minute), time.Second); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("a range query: %v", err)
			}
		})
	}
}

func TestSubqueryWithoutStepUsesSubstep(t *testing.T) {
	t.Parallel()
	for step, want := range map[time.Duration]string{0: "{} 2", 15 * time.Second: "{} 8"} {
		store := metricstore.New()
		values(t, store, "x", "123456789")
		ev := newEvaluator(t, store, rulesim.Options{Substep: step})
		if got := query(t, ev, "count_over_time(x[2m:])", at(2*time.Minute)); got != want {
			t.Errorf("with %s: got %s, want %s", step, got, want)
		}
	}
}

func TestQueryRange(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "12345")
	ev := newEvaluator(t, store, rulesim.Options{})
	for _, tc := range []struct {
		name, expr string
		from, to   time.Duration
		step       time.Duration
		want, err  string
	}{
		{"a series", "x", 0, time.Minute, 30 * time.Second, "{__name__=\"x\"} =>\n1 @[0]\n3 @[30000]\n5 @[60000]", ""},
		{"a scalar", "1", 0, 15 * time.Second, 15 * time.Second, "{} =>\n1 @[0]\n1 @[15000]", ""},
		{"no step", "x", 0, 1, 0, "", "at least 1ms"},
		{"a step below 1 ms", "x", 0, 1, 999, "", "at least 1ms"},
		{"end before start", "x", time.Minute, 0, time.Second, "", "ends at 1970-01-01T00:00:00Z, before it begins"},
		{"not an expression", "(", 0, 1, time.Second, "", "(: "},
		{"a failing query", "x * on () group_left () (x or label_replace(x, \"i\", \"1\", \"\", \"\"))", 0, 1, time.Second, "", "many-to-many"},
	} {
		m, err := ev.QueryRange(t.Context(), tc.expr, at(tc.from), at(tc.to), tc.step)
		switch {
		case tc.err == "" && (err != nil || m.String() != tc.want):
			t.Errorf("%s: got %s, %v; want %s", tc.name, m, err, tc.want)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%s: got %v, want %q in it", tc.name, err, tc.err)
		}
	}
}

func TestNativeHistogramsAreRecorded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		fill func(*rulesim.Evaluator) error
	}{
		{"step by step", func(l *rulesim.Evaluator) error { return l.Run(t.Context(), at(0), at(3*time.Minute)) }},
		{"by a range query", func(l *rulesim.Evaluator) error {
			_, err := l.RunRange(t.Context(), at(0), at(3*time.Minute))
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := metricstore.New()
			for i := range 5 {
				h := &histogram.FloatHistogram{
					Count: float64(10 * i), Sum: float64(20 * i), PositiveBuckets: []float64{float64(10 * i)},
					PositiveSpans: []histogram.Span{{Offset: 1, Length: 1}},
				}
				check(t, store.AppendHistogram(labels.FromStrings("__name__", "took"), int64(i)*15_000, h))
			}
			ev := newEvaluator(t, store, rulesim.Options{}, group("g", "15s", "record: took:rate\n    expr: sum(rate(took[1m]))"))
			check(t, tc.fill(ev))
			// Ten each 15 s, all in the bucket from 1 to 2.
			if got, want := query(t, ev, "histogram_count(took:rate) * 60", at(time.Minute)), "{} 40"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			v, err := ev.Query(t.Context(), "histogram_quantile(0.5, took:rate)", at(time.Minute))
			check(t, err)
			if len(v) != 1 || math.Abs(v[0].F-math.Sqrt2) > 1e-9 {
				t.Errorf("the median is %v, want the middle of the bucket", v)
			}
			// The series ends when the samples have left the window.
			if got := query(t, ev, "histogram_count(took:rate)", at(150*time.Second)); got != "" {
				t.Errorf("after its end there is %s", got)
			}
		})
	}
}

func TestSeriesThatAnotherRuleContinuesIsNotStale(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	values(t, store, "x", "1100")
	ev := newEvaluator(t, store, rulesim.Options{}, group("g", "15s", "record: a\n    expr: x == 0", "record: a\n    expr: x == 1"))
	check(t, ev.Run(t.Context(), at(0), at(time.Minute)))
	// At 30 s the first rule starts to write the series that the second rule stops writing.
	if got := query(t, ev, "a", at(30*time.Second)); got != "{} 0" {
		t.Errorf("got %q, want the first rule's sample", got)
	}
	backward := metricstore.New()
	values(t, backward, "x", "0011")
	ev = newEvaluator(t, backward, rulesim.Options{}, group("g", "15s", "record: a\n    expr: x == 0", "record: a\n    expr: x == 1"))
	// The marker of the first rule comes before the sample of the second.
	err := ev.Run(t.Context(), at(0), at(time.Minute))
	if !errors.Is(err, metricstore.ErrDuplicate) || !strings.Contains(err.Error(), "another rule") {
		t.Errorf("got %v", err)
	}
}
