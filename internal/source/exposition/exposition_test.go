package exposition_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/runtime/declared"
)

const text = `# HELP jobs_total Jobs that ran.
# TYPE jobs_total counter
jobs_total{kind="mail"} 5
jobs_total{kind="print",room="1"} 5
# TYPE queue_length gauge
queue_length 3
# TYPE wait_seconds histogram
wait_seconds_bucket{queue="a",le="0.5"} 1
wait_seconds_bucket{queue="a",le="1"} 1
wait_seconds_bucket{queue="a",le="+Inf"} 2
wait_seconds_sum{queue="a"} 3
wait_seconds_count{queue="a"} 2
# TYPE size_bytes summary
size_bytes{quantile="0.5"} 1
size_bytes_sum 1
size_bytes_count 1
odd 1
`

const openMetrics = `# TYPE jobs counter
# UNIT wait_seconds seconds
# TYPE wait_seconds gauge
# TYPE build info
jobs_total{kind="mail"} 5 # {trace_id="x"} 1
jobs_created{kind="mail"} 1
wait_seconds 3
build_info{version="1"} 1
# EOF
`

func TestMetricsOfAPage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, src string
		want      []declared.Metric
	}{
		{"the text format", text, []declared.Metric{
			{Name: "jobs_total", Type: "counter", Help: "Jobs that ran.", Labels: []string{"kind", "room"}},
			{Name: "odd", Labels: []string{}},
			{Name: "queue_length", Type: "gauge", Labels: []string{}},
			{Name: "size_bytes", Type: "summary", Labels: []string{}},
			{Name: "wait_seconds", Type: "histogram", Labels: []string{"queue"}, Bounds: []float64{0.5, 1}},
		}},
		{"OpenMetrics", openMetrics, []declared.Metric{
			{Name: "build_info", Type: "gauge", Labels: []string{"version"}},
			{Name: "jobs_total", Type: "counter", Labels: []string{"kind"}},
			{Name: "wait_seconds", Type: "gauge", Unit: "seconds", Labels: []string{}},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := exposition.Parse("page", []byte(tc.src))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(exposition.Declared(declared.Signals{Metrics: tc.want}), got, withoutValues); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOtherPagesAreRejected(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, src, want string }{
		{"a login page", "\n<!doctype html><html>", "page: not metrics but an HTML page; use the URL that Prometheus scrapes, which usually ends in /metrics"},
		{"nothing", "", "page: no metrics; use the URL that Prometheus scrapes"},
		{"prose", "Not Found\n", "page:1: not a page of metrics; use the URL that Prometheus scrapes, or --signals for a telemetry.json"},
		{"prose after a comment", "# Not Found\nNot Found\n", "page:2: not a page of metrics; use the URL that Prometheus scrapes, or --signals for a telemetry.json"},
		{"a page with a mistake", "# TYPE a gauge\na 1\n\na secret\n", "page:4: the value or the timestamp is not a number; correct the line"},
		{"the first sample is a mistake", "# TYPE a gauge\na{b=\"secret\"} x\n", "page:2: the value or the timestamp is not a number; correct the line"},
		{"labels that are not closed", "a 1\nb{c=\"secret\" 5\n", "page:2: the labels are not separated by commas, or not closed with }; correct the line"},
		{"labels that are not closed in OpenMetrics", "a 1\nb{c=\"secret\" 5\n# EOF\n", "page:2: the labels are not separated by commas, or not closed with }; correct the line"},
		{"a quote that is not closed", "a 1\nb{c=\"secret} 5\n", "page:2: a label value does not have double quotes on both sides; correct the line"},
		{"no quotes", "a 1\nb{c=secret} 5\n", "page:2: a label value does not have double quotes on both sides; correct the line"},
		{"no equals sign", "a 1\nb{secret} 5\n", "page:2: a label has no = after its name; correct the line"},
		{"no value", "a 1\nsecret\n", "page:2: the metric has no value; correct the line"},
		{"no timestamp", "a 1\nb 1 secret\n", "page:2: the text after the value is not a timestamp; correct the line"},
		{"text after the timestamp", "a 1\nb 1 1 secret\n", "page:2: there is text after the timestamp; correct the line"},
		{"an unknown type", "a 1\n# TYPE b secret\n", "page:2: the type is unknown; write counter, gauge, histogram, summary or untyped"},
		{"no name", "a 1\n{} 5\n", "page:2: not in the text format of Prometheus; correct the line"},
		{"a long line", "a 1\nb{c=\"" + strings.Repeat("x", 17<<20) + "\"} 1\n", "page:2: the line is longer than 1024 KiB; use the URL that Prometheus scrapes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := exposition.Parse("page", []byte(tc.src))
			if err == nil || err.Error() != tc.want || strings.Contains(err.Error(), "secret") {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte(openMetrics))
	f.Fuzz(func(t *testing.T, src []byte) {
		signals, err := exposition.Parse("page", src)
		if err == nil && len(signals.Metrics) == 0 {
			t.Error("no metric and no error")
		}
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	var pages []exposition.Page
	for _, src := range []string{
		"# TYPE a_total counter\na_total{x=\"1\"} 1\n# TYPE w histogram\nw_bucket{le=\"1\"} 1\nw_sum 1\nw_count 1\n# TYPE odd gauge\nodd 1\n",
		"# TYPE a_total counter\na_total{y=\"1\"} 1\n# TYPE w histogram\nw_bucket{role=\"x\",le=\"2.0E0\"} 1\nw_sum 1\nw_count 1\n# TYPE odd counter\nodd 1\n# TYPE only gauge\nonly 1\n",
	} {
		page, err := exposition.Parse("page", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
	}
	want := exposition.Declared(declared.Signals{Metrics: []declared.Metric{
		{Name: "a_total", Type: "counter", Labels: []string{"x", "y"}},
		{Name: "odd", Labels: []string{}},
		{Name: "only", Type: "gauge", Labels: []string{}},
		{Name: "w", Type: "histogram", Labels: []string{"role"}, Bounds: []float64{1, 2}},
	}})
	merged := exposition.Merge(pages...)
	if diff := cmp.Diff(want, merged, cmpopts.EquateEmpty(), withoutValues); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	histogram, _ := merged.Find("w")
	if diff := cmp.Diff([]string{"1", "2.0E0"}, histogram.Spellings); diff != "" {
		t.Errorf("spellings (-want +got):\n%s", diff)
	}
}

// withoutValues ignores Values, which TestValuesOfLabels compares.
var withoutValues = cmpopts.IgnoreFields(exposition.Metric{}, "Values", "Form", "Spellings")

func TestValuesOfLabels(t *testing.T) {
	t.Parallel()
	one := `a_total{result="ok",id="1",only="x"} 1` + "\n" + `a_total{result="failed",id="2"} 1` + "\n"
	lines := []string{`a_total{result="late"} 1`}
	for i := range 101 {
		lines = append(lines, fmt.Sprintf("a_total{id=\"%d\"} 1", i))
	}
	other := strings.Join(lines, "\n") + "\n"
	halves := make([]string, 2) // of what is too many together
	for i := range 102 {
		halves[i%2] += fmt.Sprintf("a_total{id=\"%d\"} 1\n", i)
	}
	var pages []exposition.Page
	for _, src := range append([]string{one, other}, halves...) {
		page, err := exposition.Parse("page", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
	}
	announced := exposition.Declared(declared.Signals{Metrics: []declared.Metric{{Name: "a_total", Labels: []string{"result"}}}})
	for name, test := range map[string]struct {
		of   []exposition.Page
		want map[string][]string
	}{
		"a page":                               {pages[:1], map[string][]string{"result": {"failed", "ok"}, "id": {"1", "2"}, "only": {"x"}}},
		"a label with many values is left out": {pages[:2], map[string][]string{"result": {"failed", "late", "ok"}, "only": {"x"}}},
		"as is one with many of two pages":     {pages[2:], map[string][]string{}},
		"a declaration has no values":          {append([]exposition.Page{announced}, pages[1]), map[string][]string{"result": {"late"}}},
	} {
		if diff := cmp.Diff(test.want, exposition.Merge(test.of...).Metrics[0].Values, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestMetricWithoutSeries(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"# TYPE a_total counter\n# TYPE b_seconds histogram\nup 1\n":          "a_total counter true b_seconds histogram true up  false",
		"# TYPE a counter\n# TYPE b counter\nb_total 1\nup 1\n# EOF\n":        "a_total counter true b_total counter false up  false",
		"# TYPE b_seconds histogram\nb_seconds_bucket{le=\"+Inf\"} 1\nup 1\n": "b_seconds histogram false up  false",
	} {
		page, err := exposition.Parse("page", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range exposition.Merge(page, page).Metrics {
			got = append(got, fmt.Sprintf("%s %s %t", m.Name, m.Type, m.NoSeries))
		}
		if joined := strings.Join(got, " "); joined != want {
			t.Errorf("%q: got %q, want %q", src, joined, want)
		}
	}
}

func TestPageWithTooManyMetricsIsRejected(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{"series": "m%d 1\n", "types": "# TYPE m%d counter\n"} {
		var page strings.Builder
		for i := range 60_000 {
			fmt.Fprintf(&page, line, i)
		}
		_, err := exposition.Parse("page.txt", []byte(page.String()))
		if want := "page.txt:50001: more than 50000 metrics; pass the page of one service"; err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestMergeOfForms(t *testing.T) {
	t.Parallel()
	const (
		classic = "# TYPE w_seconds histogram\nw_seconds_bucket{le=\"1\"} 1\nw_seconds_bucket{le=\"+Inf\"} 1\nw_seconds_sum 1\nw_seconds_count 1\n"
		native  = "# TYPE w_seconds histogram\nw_seconds_bucket{le=\"+Inf\"} 1\nw_seconds_sum 1\nw_seconds_count 1\n"
		gauge   = "# TYPE w_seconds gauge\nw_seconds 1\n"
		declare = "declared" // and not a page
		unseen  = "# TYPE w_seconds histogram\n# TYPE up gauge\nup 1\n"
	)
	for name, test := range map[string]struct {
		pages []string
		want  exposition.Form
	}{
		"classic":                            {[]string{classic, classic}, exposition.Classic},
		"classic and native":                 {[]string{classic, native}, ""},
		"native and classic":                 {[]string{native, classic}, ""},
		"classic and unseen":                 {[]string{classic, unseen}, exposition.Classic},
		"unseen and classic":                 {[]string{unseen, classic}, exposition.Classic},
		"classic and a gauge without series": {[]string{classic, "# TYPE w_seconds gauge\n# TYPE up gauge\nup 1\n"}, ""},
		"classic and a declaration":          {[]string{classic, declare}, exposition.Classic},
		"a declaration and classic":          {[]string{declare, classic}, exposition.Classic},
		"classic and a gauge":                {[]string{classic, gauge}, ""},
	} {
		var pages []exposition.Page
		for _, src := range test.pages {
			if src == declare {
				pages = append(pages, exposition.Declared(declared.Signals{Metrics: []declared.Metric{{Name: "w_seconds", Type: declared.Histogram}}}))
				continue
			}
			page, err := exposition.Parse("page", []byte(src))
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, page)
		}
		m, found := exposition.Merge(pages...).Find("w_seconds")
		if !found || m.Form != test.want {
			t.Errorf("%s: the form is %q, want %q", name, m.Form, test.want)
		}
	}
}
