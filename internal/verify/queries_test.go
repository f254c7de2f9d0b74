package verify

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/runtime/declared"
)

const scrapedEvery = 15 * time.Second

// scrapedAt is the time of the newest sample in the stores of these tests.
func scrapedAt() time.Time { return time.UnixMilli(1_700_000_000_000).UTC().Truncate(scrapedEvery) }

func parseSeries(t *testing.T, text string) labels.Labels {
	t.Helper()
	l, err := parser.NewParser(parser.Options{}).ParseMetric(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// watchOf returns a watch that has scraped the series for a minute.
func watchOf(t *testing.T, series map[string]float64) *watch {
	t.Helper()
	store := metricstore.New()
	ev, err := rulesim.New(store, nil, rulesim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for text, value := range series {
		for at := scrapedAt().Add(-time.Minute); !at.After(scrapedAt()); at = at.Add(scrapedEvery) {
			if err := store.Append(parseSeries(t, text), at.UnixMilli(), value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &watch{store: store, ev: ev, interval: scrapedEvery, now: scrapedAt()}
}

// proberOf returns a prober of the series. Dashboards show the last ten minutes.
func proberOf(t *testing.T, series map[string]float64, known ...string) *prober {
	t.Helper()
	return &prober{watch: watchOf(t, series), from: scrapedAt().Add(-10 * time.Minute), to: scrapedAt(), known: known}
}

func jobs() map[string]float64 {
	return map[string]float64{
		`jobs_total{job="shop",result="ok"}`:       3,
		`jobs_total{job="shop",result="failed"}`:   1,
		`jobs_total{job="depot",result="dropped"}`: 1,
		`queue_length{job="shop",queue="mail"}`:    0,
	}
}

func TestEmptyQueriesAreExplained(t *testing.T) {
	t.Parallel()
	p := proberOf(t, jobs(), "mails_total")
	for expr, want := range map[string]string{
		`jobs_total > 5`:                               "every metric in it has series, but the expression has no result",
		`jobs_total{color=""} > 5`:                     "every metric in it has series, but the expression has no result",
		`rate(job_total[5m])`:                          `metric job_total does not exist; did you mean "jobs_total"?`,
		`rate(mail_total[5m])`:                         `metric mail_total does not exist; did you mean "mails_total"?`,
		`rate(mails_total[5m])`:                        "metric mails_total is declared and has no series yet",
		`sum(jobs_total) / sum(entirely_unknown)`:      "metric entirely_unknown does not exist",
		`jobs_total{resul="ok"}`:                       `metric jobs_total has no label resul; did you mean "result"?`,
		`jobs_total{color="red"}`:                      "metric jobs_total has no label color",
		`jobs_total{result="late"}`:                    `no series of jobs_total has result="late"; available: dropped, failed, ok`,
		`jobs_total{result=~"late|lost"}`:              `no series of jobs_total has result=~"late|lost"; available: dropped, failed, ok`,
		`jobs_total{result="ok",job="depot"}`:          `no series of jobs_total has all of jobs_total{job="depot",result="ok"}`,
		`jobs_total{color="",result="ok",job="depot"}`: `no series of jobs_total has all of jobs_total{color="",job="depot",result="ok"}`,
		`{result="late"}`:                              `nothing matches {result="late"}`,
	} {
		if got := p.why(t.Context(), expr); got != want {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
	if got := p.why(t.Context(), "sum("); !strings.Contains(got, "parse error") {
		t.Errorf("a query that does not parse: got %q", got)
	}
}

func TestUnknownReportsWhatNoSeriesWillHave(t *testing.T) {
	t.Parallel()
	series := jobs()
	series[`other_total{result="late"}`] = 0
	p := proberOf(t, series, "mails_total", "ALERTS")
	for expr, want := range map[string]string{
		`jobs_total{result="ok"}`:      "",
		`jobs_total{result="late"}`:    "", // another metric has the value
		`jobs_total{result="ok"} > 5`:  "",
		`mails_total`:                  "",
		`mails_total{priority="high"}`: "", // no metric has the label
		`ALERTS{result="never"}`:       "",
		`jobs_total{result=~"never"}`:  "",
		`job_total`:                    `metric job_total does not exist; did you mean "jobs_total"?`,
		`jobs_total{resul="ok"}`:       `metric jobs_total has no label resul; did you mean "result"?`,
		`jobs_total{result="never"}`:   `nothing has result="never"; available: dropped, failed, late, ok`,
		`mails_total{result="never"}`:  `nothing has result="never"; available: dropped, failed, late, ok`,
		`queue_length + job_total`:     `metric job_total does not exist; did you mean "jobs_total"?`,
	} {
		if got := p.unknown(t.Context(), expr); got != want {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
	if got := p.unknown(t.Context(), "sum("); !strings.Contains(got, "parse error") {
		t.Errorf("a query that does not parse: got %q", got)
	}
}

// The label of an error appears with the first error.
func TestDeclaredLabelsAreNotUnknown(t *testing.T) {
	t.Parallel()
	const expr = `jobs_total{error_type!=""}`
	p := proberOf(t, jobs())
	if got, want := p.unknown(t.Context(), expr), "metric jobs_total has no label error_type"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s := &session{signals: declared.Signals{Metrics: []declared.Metric{{Name: "jobs_total", Labels: []string{"error_type"}}}}}
	p.labels = s.declaredLabels()
	if got := p.unknown(t.Context(), expr); got != "" {
		t.Errorf("got %q", got)
	}
	if got, want := p.why(t.Context(), expr), "no series of jobs_total has the label error_type yet"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBucketBoundsAreNotUnknown(t *testing.T) {
	t.Parallel()
	p := proberOf(t, map[string]float64{`jobs_seconds_bucket{le="0.1"}`: 1})
	if got := p.unknown(t.Context(), `jobs_seconds_bucket{le="0.3"}`); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestHistogramsInTheOtherFormAreExplained(t *testing.T) {
	t.Parallel()
	p := proberOf(t, map[string]float64{`jobs_seconds_bucket{le="0.1"}`: 1, `jobs_seconds_count`: 1, `sizes{quantile="0.5"}`: 1, `filled_bucket`: 1})
	native := &histogram.FloatHistogram{Count: 1, Sum: 1}
	if err := p.watch.store.AppendHistogram(parseSeries(t, `mails_seconds`), scrapedAt().UnixMilli(), native); err != nil {
		t.Fatal(err)
	}
	p.known = append(p.known, "jobs_seconds", "mails_seconds_bucket", "mails_seconds_count", "early_seconds", "sizes_bucket", "filled")
	for expr, want := range map[string]string{
		`jobs_seconds{job="shop"} > 1`:       "jobs_seconds is a classic histogram; write jobs_seconds_bucket, jobs_seconds_count or jobs_seconds_sum",
		`rate(mails_seconds_bucket[5m])`:     "mails_seconds is a native histogram and has no mails_seconds_bucket; write histogram_quantile(0.99, rate(mails_seconds[5m]))",
		`filled`:                             "metric filled is declared and has no series yet",
		`sizes_bucket`:                       "metric sizes_bucket is declared and has no series yet",
		`early_seconds + jobs_seconds_count`: "metric early_seconds is declared and has no series yet",
	} {
		if got := p.why(t.Context(), expr); got != want {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
		if got := p.unknown(t.Context(), expr); (got == want) == strings.Contains(want, "yet") {
			t.Errorf("%s: got %q as unknown", expr, got)
		}
	}
}

func TestLookCountsSeriesWithNumbers(t *testing.T) {
	t.Parallel()
	p := proberOf(t, jobs())
	native := &histogram.FloatHistogram{Count: 1, Sum: 1}
	if err := p.watch.store.AppendHistogram(parseSeries(t, `jobs_seconds{job="shop"}`), scrapedAt().UnixMilli(), native); err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]int{
		`jobs_total`:                              3,
		`jobs_total{job="shop"}`:                  2,
		`rate(jobs_total{result="ok"}[5m])`:       1,
		`queue_length / queue_length`:             0, // 0 / 0 is NaN
		`jobs_seconds`:                            1,
		`histogram_quantile(0.9, jobs_seconds*0)`: 0,
		`jobs_total > 5`:                          0,
		`entirely_unknown`:                        0,
	} {
		for _, instant := range []bool{true, false} {
			if got, err := p.look(t.Context(), expr, instant); err != nil || got != want {
				t.Errorf("%s, instant %v: got %d, %v, want %d", expr, instant, got, err, want)
			}
		}
	}
	for _, instant := range []bool{true, false} {
		if _, err := p.look(t.Context(), "sum(", instant); err == nil {
			t.Errorf("instant %v: a query that does not parse is no error", instant)
		}
	}
}

// Series that have ended are in the range of a panel but have no current value.
func TestLookReadsTheTimeThatAPanelShows(t *testing.T) {
	t.Parallel()
	p := proberOf(t, nil)
	if err := p.watch.store.Append(parseSeries(t, "ended"), p.from.UnixMilli(), 1); err != nil {
		t.Fatal(err)
	}
	for instant, want := range map[bool]int{true: 0, false: 1} {
		if got, err := p.look(t.Context(), "ended", instant); err != nil || got != want {
			t.Errorf("instant %v: got %d, %v, want %d", instant, got, err, want)
		}
	}
}

func TestReadableListsAFewValues(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]string{0: "", 1: "v0", 2: "v0, v1", 6: "v0, v1, v2, v3, v4, v5", 7: "v0, v1, v2, v3, v4, v5, …"} {
		var values []string
		for i := range count {
			values = append(values, fmt.Sprintf("v%d", i))
		}
		if got := readable(values); got != want {
			t.Errorf("%d values: got %q, want %q", count, got, want)
		}
	}
}

func TestValuesAndNamesAreSortedAndUnique(t *testing.T) {
	t.Parallel()
	series := []labels.Labels{
		labels.FromStrings("job", "shop", "result", "ok"), labels.FromStrings("job", "depot"), labels.FromStrings("job", "shop"),
	}
	for name, want := range map[string][]string{"job": {"depot", "shop"}, "result": {"ok"}, "color": nil} {
		if got := valuesOf(series, name); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got, want := namesOf(series), []string{"job", "result"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSamplesThatAreNotANumberAreNoData(t *testing.T) {
	t.Parallel()
	p := proberOf(t, map[string]float64{"quantile": math.NaN()})
	for _, instant := range []bool{true, false} {
		if got, err := p.look(t.Context(), "quantile", instant); err != nil || got != 0 {
			t.Errorf("instant %v: got %d, %v", instant, got, err)
		}
	}
}
