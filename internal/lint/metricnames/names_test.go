package metricnames_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

func known() metricnames.Known {
	return metricnames.NewKnown(exposition.Declared(declared.Signals{Metrics: []declared.Metric{
		{Name: "orders_placed_total", Type: "counter", Labels: []string{"channel"}},
		{Name: "wait_seconds", Type: "histogram", Labels: []string{"queue"}, Bounds: []float64{0.5, 1, 2}},
	}}), []metricnames.Recorded{
		{Name: "slo:sli_bad:increase1h", Expr: `sum_over_time(slo:sli_bad:increase30s[1h])`},
		{Name: "slo:sli_bad:increase30s", Expr: `sum by (environment) (increase(orders_placed_total[45s]))`, Labels: []string{"slo"}},
	}, []string{"environment"})
}

// rulesOf returns the queries and records of a rule file.
func rulesOf(t *testing.T, src string) ([]metricnames.Query, []metricnames.Recorded) {
	t.Helper()
	file, err := rulefile.Parse("a.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return metricnames.RuleQueries(file)
}

func dashboardOf(t *testing.T, src string) []metricnames.Query {
	t.Helper()
	dashboard, err := dashboardfile.Parse("b.json", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return metricnames.DashboardQueries(dashboard)
}

func TestNamesInQueries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		expr string
		want []string
	}{
		"a declared metric":                        {`sum by (channel) (rate(orders_placed_total{job="x",environment="p"}[$__rate_interval]))`, nil},
		"a histogram's parts":                      {`histogram_quantile(0.99, sum by (le, queue) (rate(wait_seconds_bucket[5m]))) / wait_seconds_count`, nil},
		"a recorded name":                          {`sum_over_time(slo:sli_bad:increase30s[1h]) > 5`, nil},
		"what the scraper writes":                  {`sum(up{job="x"}) == 0 or absent(up{job="x"})`, nil},
		"variables everywhere":                     {`topk($n, rate(orders_placed_total{channel=~"${channel:regex}",job=~"[[job]]"}[$__range]))`, nil},
		"a grouping by a variable":                 {`sum by (channel) (sum by ($by) (orders_placed_total))`, nil},
		"a match on a variable":                    {`sum by (channel) (orders_placed_total / on ($by) orders_placed_total)`, nil},
		"a label that a variable makes":            {`sum by (a, b, c) (label_replace(up, "$x", "$1", "job", "(.*)") + on (job) group_left ($x) up)`, nil},
		"a value and a variable":                   {`sum by (queue, $by) (orders_placed_total)`, []string{`"orders_placed_total" has no label queue`}},
		"a variable in a message":                  {`sum by (queue) (orders_placed_total{channel="$c"})`, []string{`"orders_placed_total{channel=\"$c\"}" has no label queue`}},
		"labels of an info metric":                 {`sum by (version) (info(orders_placed_total))`, nil},
		"sizes that the scraper writes":            {`scrape_samples_scraped / scrape_sample_limit + scrape_timeout_seconds + scrape_body_size_bytes`, nil},
		"alerts":                                   {`ALERTS{alertname=~"Orders.*", slo="x"}`, nil},
		"undeclared metric":                        {`rate(orders_place_total[5m])`, []string{`metric orders_place_total is not declared; did you mean "orders_placed_total"?`}},
		"a label it does not have":                 {`orders_placed_total{chanel="web"}`, []string{`metric orders_placed_total has no label chanel; did you mean "channel"?`}},
		"grouping by a missing label":              {`sum by (queue) (orders_placed_total)`, []string{`"orders_placed_total" has no label queue`}},
		"labels flow through rules":                {`slo:sli_bad:increase1h{environment="p",slo="x"}`, nil},
		"and end where they are summed":            {`slo:sli_bad:increase1h{channel="web"}`, []string{"metric slo:sli_bad:increase1h has no label channel"}},
		"a match on what is summed away":           {`sum(orders_placed_total) / on (channel) orders_placed_total`, []string{`"sum(orders_placed_total)" has no label channel`}},
		"ignoring what is not there":               {`orders_placed_total / ignoring (nothing) orders_placed_total`, nil},
		"a label of the other side":                {`orders_placed_total * on (job) group_left (le) wait_seconds_bucket`, nil},
		"a label of the side that is filled":       {`sum by (channel) (sum by (job) (up) + fill_left(0) orders_placed_total)`, nil},
		"a label of a side that is not filled":     {`sum by (channel) (sum by (job) (up) + orders_placed_total)`, []string{`"sum by (job) (up) + orders_placed_total" has no label channel`}},
		"a label of neither filled side":           {`sum by (queue) (sum by (job) (up) + fill(0) orders_placed_total)`, []string{`"sum by (job) (up) + fill (0) orders_placed_total" has no label queue`}},
		"a label that a filled match drops":        {`sum by (channel) (up + on (job) fill(0) orders_placed_total)`, []string{`"up + on (job) fill (0) orders_placed_total" has no label channel`}},
		"a label that a filled match ignores":      {`sum by (channel) (up + ignoring (channel) fill(0) orders_placed_total)`, []string{`"up + ignoring (channel) fill (0) orders_placed_total" has no label channel`}},
		"labels of many filled series":             {`sum by (channel, le) (orders_placed_total * on (job) group_left (le) fill(0) wait_seconds_bucket)`, nil},
		"a label of the one side of filled series": {`sum by (instance) (up * on (job) group_right () fill(0) sum by (job) (orders_placed_total))`, nil},
		"neither filled side of one to many":       {`sum by (queue) (sum by (job) (up) * on (job) group_right () fill(0) orders_placed_total)`, []string{`"sum by (job) (up) * on (job) group_right () fill (0) orders_placed_total" has no label queue`}},
		"any label of an open filled side":         {`sum by (anything) (up + fill_left(0) {job="x"}) + sum by (anything) ({job="x"} + fill_left(0) up)`, nil},
		"a label of neither side":                  {`orders_placed_total * on (job) group_left (version) wait_seconds_count`, []string{`"wait_seconds_count" has no label version`}},
		"a label that is made":                     {`sum by (made) (label_replace(orders_placed_total, "made", "$1", "channel", "(.*)"))`, nil},
		"a label that counts values":               {`sum by (v) (count_values("v", up)) or sum by (v, job) (count_values by (job) ("v", up)) or sum by (v, job) (count_values without (instance) ("v", up))`, nil},
		"a label and counted values":               {`sum by (channel) (count_values("v", orders_placed_total))`, []string{`"count_values(\"v\", orders_placed_total)" has no label channel`}},
		"labels that Prometheus renames":           {`max by (exported_job, exported_instance) (orders_placed_total{exported_channel="web",exported_environment="x"})`, nil},
		"a counter as a histogram":                 {`orders_placed_total_bucket`, []string{"metric orders_placed_total_bucket is not declared"}},
		"no PromQL":                                {`sum(`, []string{"not PromQL: unclosed left parenthesis"}},
		"a name by its label":                      {`{__name__="nothing"}`, []string{"metric nothing is not declared"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range known().Check([]metricnames.Query{{Expr: tc.expr}}) {
				got = append(got, p.Message)
			}
			if len(got) != len(tc.want) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tc.want[i]) {
					t.Errorf("got %q, want %q", got[i], tc.want[i])
				}
			}
		})
	}
}

// Near is a similar query without a finding.
func TestRules(t *testing.T) {
	t.Parallel()
	k := metricnames.NewKnown(exposition.Declared(declared.Signals{Metrics: []declared.Metric{
		{Name: semconv.HTTPServerRequests, Type: "counter", Labels: []string{"outcome", "method"}},
		{Name: semconv.DBClientConnectionCount, Type: "gauge", Labels: []string{semconv.LabelPoolState}},
		{Name: "wait_seconds", Type: "histogram", Labels: []string{"outcome"}, Bounds: []float64{0.25, 1}},
	}}), []metricnames.Recorded{
		{Name: "job:requests:rate5m", Expr: "sum by (outcome) (rate(http_server_requests_total[5m]))"},
		{Name: "job:foreign:rate5m", Expr: "rate(undeclared_total[5m])"},
	}, nil)
	covered := map[string]bool{}
	for _, tc := range []struct{ rule, name, bad, says, near string }{
		{"query-syntax", "half a query", "sum(", "not PromQL", "sum(up)"},
		{"unknown-metric", "a misspelled metric", "sum(wait_second_count)", "metric wait_second_count is not declared", "sum(wait_seconds_count)"},
		{"unknown-label", "a misspelled label", `wait_seconds_count{outcom="x"}`, `metric wait_seconds_count has no label outcom; did you mean "outcome"?`, `wait_seconds_count{outcome="x",pod=""}`},
		{"unknown-label", "a label that a rule sums away", `job:requests:rate5m{method="x"}`, "metric job:requests:rate5m has no label method", `job:foreign:rate5m{anything="x"}`},
		{"unknown-value", "unknown outcome", `http_server_requests_total{outcome="server-error"}`, `outcome of http_server_requests_total is never "server-error"; use one of success, client_error, server_error, shed; did you mean "server_error"?`, `http_server_requests_total{outcome=~"server_error|shed"}`},
		{"unknown-value", "one of several", `http_server_requests_total{outcome!~"shed|failed"}`, `is never "failed"`, `http_server_requests_total{outcome!=""} + http_server_requests_total{outcome=~"|success"}`},
		{"unknown-value", "a pattern that matches none", `http_server_requests_total{outcome=~"5.."}`, `never matches "5.."; use one of success, client_error, server_error, shed`, `http_server_requests_total{outcome=~".*_error",method="5.."}`},
		{"unknown-value", "unknown state", `db_client_connection_count{db_client_connection_state="busy"}`, "use one of idle, used", `db_client_connection_count{db_client_connection_state=~"$state"}`},
		{"unknown-value", "a bound that the histogram has not", `wait_seconds_bucket{le="0.3"}`, `wait_seconds_bucket has no bucket le="0.3"; its bounds are 0.25, 1`, `wait_seconds_bucket{le=~"0.25|1|1.0|[+]Inf"}`},
		{"unknown-value", "a bound with another number of digits", `wait_seconds_bucket{le="1.00"}`, `wait_seconds_bucket has no bucket le="1.00"; write le="1.0"`, `wait_seconds_bucket{le="+Inf"} + wait_seconds_bucket{le="0.25"}`},
		{"unknown-value", "a bound with an exponent", `wait_seconds_bucket{le=~"1|1e0"}`, `wait_seconds_bucket has no bucket le="1e0"; write le="1.0"`, `wait_seconds_bucket{le=~"0.25|1|1.0"}`},
		{"unknown-value", "a spelling that Prometheus 3 does not use", `wait_seconds_bucket{le="1"}`, `match both spellings with le=~"1|1\\.0"`, `wait_seconds_bucket{le="1.0"} + wait_seconds_bucket{le="+Inf"}`},
		{"record-unknown", "unknown record", "sum(job:request:rate5m)", `no rule records job:request:rate5m; did you mean "job:requests:rate5m"?`, "sum(job:requests:rate5m)"},
	} {
		covered[tc.rule] = true
		t.Run(tc.rule+": "+tc.name, func(t *testing.T) {
			t.Parallel()
			got := k.Check([]metricnames.Query{{Expr: tc.bad}})
			if len(got) != 1 || got[0].Rule != tc.rule || !strings.Contains(got[0].Message, tc.says) {
				t.Errorf("%s: got %+v, want %s: %s", tc.bad, got, tc.rule, tc.says)
			}
			if got := k.Check([]metricnames.Query{{Expr: tc.near}}); len(got) > 0 {
				t.Errorf("%s: got %+v, want nothing", tc.near, got)
			}
		})
	}
	for _, rule := range metricnames.Catalog() {
		if !covered[rule.Name] {
			t.Errorf("no test case for rule %s", rule.Name)
		}
	}
}

// Prometheus 2 stores a bound in the spelling of the page.
func TestSpellingOfAPageIsAllowed(t *testing.T) {
	t.Parallel()
	const text = "# TYPE size_bytes histogram\nsize_bytes_bucket{a=\"le\",le=\"1.0E7\"} 1\nsize_bytes_bucket{le=\"+Inf\",a=\"le\"} 1\nsize_bytes_sum 1\nsize_bytes_count 1\n"
	page, err := exposition.Parse("page", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"1e+07":      "",
		"1.0E7":      `size_bytes_bucket: Prometheus 3 spells a scraped bound le="1e+07"; match both spellings with le=~"1\\.0E7|1e\\+07"`,
		"10000000.0": `size_bytes_bucket: Prometheus 3 spells a scraped bound le="1e+07"; match both spellings with le=~"10000000\\.0|1e\\+07"`,
		"10000000":   `size_bytes_bucket: Prometheus 3 spells a scraped bound le="1e+07"; match both spellings with le=~"10000000|1e\\+07"`,
		"1.00E7":     `size_bytes_bucket has no bucket le="1.00E7"; write le="1e+07"`,
		"1.0E8":      `size_bytes_bucket has no bucket le="1.0E8"; its bounds are 1e+07`,
	} {
		var got []string
		for _, f := range metricnames.NewKnown(exposition.Merge(page, page), nil, nil).Check([]metricnames.Query{{Expr: fmt.Sprintf("size_bytes_bucket{le=%q}", value)}}) {
			got = append(got, f.Message)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}

// Names that other exporters or the scrape may add are warnings.
func TestNamesThatMayExistAreWarnings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		known   metricnames.Known
		expr    string
		warning bool
	}{
		{"a metric and a declaration", known(), "windows_up", false},
		{"a bound that a scrape spells in another way", known(), `wait_seconds_bucket{le="1"}`, true},
		{"a bound that does not exist", known(), `wait_seconds_bucket{le="3"}`, false},
		{"a metric and a page", known().OtherMetrics(), "windows_up", true},
		{"a record and a page", known().OtherMetrics(), "node:windows_cpu:sum", true},
		{"a label with the labels of the scrape", known().OtherMetrics(), `orders_placed_total{pod="a"}`, false},
		{"another value of a label that does not exist", known(), `orders_placed_total{pod!="a"}`, true},
		{"no value or another of a label that does not exist", known(), `orders_placed_total{pod=~"|a"}`, true},
		{"any value of a label that does not exist", known(), `orders_placed_total{pod!=""}`, false},
		{"a label without them", known().OtherLabels(), `orders_placed_total{pod="a"}`, true},
		{"a label that a page does not show", known().LabelsOfPages(), `orders_placed_total{error_type="500"}`, true},
		{"a grouping that a page does not show", known().LabelsOfPages(), `sum by (error_type) (rate(orders_placed_total[5m]))`, true},
		{"a label of what Prometheus writes", known().LabelsOfPages(), `up{error_type="500"}`, false},
		{"a label that a sum drops", known().LabelsOfPages(), `sum by (error_type) (sum by (channel) (orders_placed_total))`, false},
		{"a grouping without them", known().OtherLabels(), `sum by (pod) (orders_placed_total)`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := tc.known.Check([]metricnames.Query{{Expr: tc.expr}})
			if len(got) != 1 || got[0].Warning != tc.warning {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// The labels of a result are closed if an aggregation lists them, also through a record, and open
// if the scrape may add some.
func TestLabelsOf(t *testing.T) {
	t.Parallel()
	k := metricnames.NewKnown(exposition.Declared(declared.Signals{Metrics: []declared.Metric{{Name: "jobs_total", Type: "counter", Labels: []string{"kind"}}}}), []metricnames.Recorded{
		{Name: "kind:jobs:rate5m", Expr: "sum by (kind) (rate(jobs_total[5m]))"}, {Name: "instance:jobs:rate5m", Expr: "rate(jobs_total[5m])", Labels: []string{"x"}},
	}, nil).OtherLabels()
	for expr, want := range map[string]bool{
		"up": false, "rate(jobs_total[5m])": false, "instance:jobs:rate5m": false,
		"sum by (kind) (jobs_total)": true, "kind:jobs:rate5m": true, "absent(up)": true, "sum(up)": true,
	} {
		tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if labels, closed := k.LabelsOf(tree); closed != want || expr == "kind:jobs:rate5m" && !slices.Equal(labels, []string{"kind"}) {
			t.Errorf("%s: got %q, closed %v", expr, labels, closed)
		}
	}
}

func TestNamesWithoutLabelsAllowAnyLabel(t *testing.T) {
	t.Parallel()
	k := metricnames.NewKnown(exposition.Page{}, nil, nil).WithNames([]string{"windows_up", "a:b:c"})
	if got := k.Check([]metricnames.Query{{Expr: `sum by (x) (windows_up{y="z"}) + on (x) a:b:c`}}); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
	if got := k.Check([]metricnames.Query{{Expr: "windows_down"}}); len(got) != 1 || got[0].Rule != "unknown-metric" {
		t.Errorf("got %+v", got)
	}
}

func TestSuggestionsAreBounded(t *testing.T) {
	t.Parallel()
	var queries []metricnames.Query
	for i := range 1_100 {
		queries = append(queries, metricnames.Query{Expr: fmt.Sprintf("up2_%d", i%10)})
	}
	found := metricnames.NewKnown(exposition.Declared(declared.Signals{Metrics: []declared.Metric{{Name: "up2_a"}}}), nil, nil).Check(queries)
	if len(found) != 1_100 || !strings.Contains(found[999].Message, "did you mean") || strings.Contains(found[1_000].Message, "did you mean") {
		t.Errorf("%d findings, the last %v", len(found), found[len(found)-1])
	}
}

func TestLabelsOfTheScrapeAreGuessed(t *testing.T) {
	t.Parallel()
	queries := []metricnames.Query{
		{Expr: `sum by (cluster) (rate(orders_placed_total{namespace="a", chanel="web"}[5m]))`},
		{Expr: `wait_seconds_count{namespace="b",queue="c"} / on (cluster, node) wait_seconds_sum`},
		{Expr: `unknown{pod="x"} + other{pod="y"}`},
		{Expr: "sum("},
	}
	if got, want := known().TargetLabels(queries), []string{"cluster", "namespace", "node"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLabelsOfAbsent(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string][]string{
		`absent(up{job="a",instance=~"b"})`: {"job"}, `absent((up{job="a"}))`: {"job"}, `absent_over_time(up{job="a"}[5m])`: {"job"},
		`absent(sum(up{job="a"}))`: nil, `absent(rate(up{job="a"}[5m]))`: nil,
	} {
		tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got, closed := known().LabelsOf(tree); !slices.Equal(got, want) || !closed {
			t.Errorf("%s: got %q, %v", expr, got, closed)
		}
	}
}

func TestWithoutDeclaredSignalsOnlyRecordsAreKnown(t *testing.T) {
	t.Parallel()
	k := metricnames.OnlyRecords([]metricnames.Recorded{{Name: "a:b:c", Expr: "sum by (x) (b)"}})
	if got := k.Check([]metricnames.Query{{Expr: `a:b:c{y="z"} + b{any="thing"}`}}); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
	if got := k.Check([]metricnames.Query{{Expr: "a:b:d"}}); len(got) != 1 || got[0].Rule != "record-unknown" {
		t.Errorf("got %+v", got)
	}
	if got := k.WithoutRules().Check([]metricnames.Query{{Expr: "a:b:d"}}); len(got) > 0 {
		t.Errorf("other rules may exist: %+v", got)
	}
}

func TestUnknownLabelOfAVariableIsReported(t *testing.T) {
	t.Parallel()
	queries := dashboardOf(t, `{"panels":[],"templating":{"list":[
		{"name":"a","type":"query","query":"label_values(orders_placed_total{job=~\"$job\"}, channel)"},
		{"name":"b","type":"query","query":"label_values(orders_placed_total, chanel)"}]}}`)
	got := known().Check(queries)
	if len(got) != 1 || got[0].Line != 3 || got[0].At() != "variable b" || got[0].Message != `"orders_placed_total" has no label chanel; did you mean "channel"?` {
		t.Errorf("got %+v", got)
	}
}

func TestReadRules(t *testing.T) {
	t.Parallel()
	queries, recorded := rulesOf(t, `groups:
- name: g
  rules:
  - record: slo:sli_total:increase30s
    expr: sum by (environment) (orders_placed_total{job="x"})
    labels: {tier: page}
  - alert: OrdersDown
    expr: up == 0
`)
	if want := []metricnames.Query{
		{At: lint.Finding{File: "a.yaml", Line: 5, Column: 11, Group: "g", Record: "slo:sli_total:increase30s"}, Expr: `sum by (environment) (orders_placed_total{job="x"})`},
		{At: lint.Finding{File: "a.yaml", Line: 8, Column: 11, Group: "g", Alert: "OrdersDown"}, Expr: "up == 0"},
	}; !slices.Equal(queries, want) {
		t.Errorf("got %+v", queries)
	}
	if len(recorded) != 1 || recorded[0].Name != "slo:sli_total:increase30s" || !slices.Equal(recorded[0].Labels, []string{"tier"}) {
		t.Errorf("recorded %+v", recorded)
	}
}

func TestRecordedNamesInAnnotationsAreQueries(t *testing.T) {
	t.Parallel()
	queries, _ := rulesOf(t, `groups:
- name: g
  rules:
  - alert: A
    expr: up == 0
    annotations:
      description: 'At 12:30:15, see a:b:c. {{ range query (printf "slo:sli_bad:increase1h%s / slo:sli_bad:increase1h" $m) }}{{ .Value }}{{ end }}'
      summary: '{{ range query "slo:sli_bad:increase2h" }}{{ .Value }}{{ end }}'
`)
	got := known().Check(queries)
	if len(queries) != 3 || len(got) != 1 || got[0].Line != 8 || got[0].At() != "alert A, summary" || got[0].Rule != "record-unknown" {
		t.Errorf("got %+v of %+v", got, queries)
	}
}

func TestReadDashboards(t *testing.T) {
	t.Parallel()
	queries := dashboardOf(t, `{"panels":[
		{"title":"A","datasource":{"type":"prometheus"},"targets":[{"refId":"A","expr":"up"},{"refId":"B","expr":"{x=\"y\"}","datasource":{"type":"loki"}}]},
		{"type":"row","panels":[{"title":"C","targets":[{"refId":"A","expr":"ALERTS"}]}]},
		{"title":"D","datasource":{"type":"grafana-pyroscope-datasource"},"targets":[{"refId":"A"}]}],
		"annotations":{"list":[{"name":"Deploys","expr":"build_info"}]}}`)
	if want := []metricnames.Query{
		{At: lint.Finding{File: "b.json", Line: 2, Column: 82, Panel: "A", Target: "A"}, Expr: "up"},
		{At: lint.Finding{File: "b.json", Line: 3, Column: 71, Panel: "C", Target: "A"}, Expr: "ALERTS"},
		{At: lint.Finding{File: "b.json", Line: 5, Column: 51, Part: "annotation Deploys"}, Expr: "build_info"},
	}; !slices.Equal(queries, want) {
		t.Errorf("got %+v", queries)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(`sum by (a) (rate(b{c=~"$d"}[$__rate_interval]))`)
	k := known()
	f.Add(`wait_seconds_bucket{le="0.3"} + nothing{a="b"}`)
	f.Fuzz(func(t *testing.T, expr string) {
		for _, p := range k.Check([]metricnames.Query{{At: lint.Finding{File: "a.yaml", Line: 3}, Expr: expr}}) {
			if p.Rule == "" || p.Message == "" || p.Place() != "a.yaml:3" {
				t.Errorf("%q: %+v", expr, p)
			}
		}
	})
}

func TestQueriesOfAnnotationsAreChecked(t *testing.T) {
	t.Parallel()
	src := "groups:\n- name: g\n  rules:\n  - alert: Fails\n    expr: up == 0\n    annotations:\n" +
		"      description: 'Worst:{{ range query (printf `topk(3, rate(misspelled_total{job=%q}[5m]))` $labels.job) }} {{ .Value }}{{ end }}'\n"
	queries, recorded := rulesOf(t, src)
	problems := metricnames.NewKnown(exposition.Declared(declared.Signals{Metrics: []declared.Metric{{Name: "right_total", Type: "counter"}}}), recorded, []string{"job"}).Check(queries)
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "misspelled_total") || problems[0].Line != 7 {
		t.Errorf("got %+v", problems)
	}
}

func TestUnseenSuggestsSimilarValues(t *testing.T) {
	t.Parallel()
	for value, tc := range map[string]struct{ known, hint string }{
		"fail":        {"failed", "failed"},
		"faild":       {"failed", "failed"},
		"unavailable": {"available", ""},
		"valid":       {"invalid", ""},
		"patch":       {"match", ""},
		"p2":          {"p1", ""},
	} {
		got := metricnames.Unseen([]string{tc.known}, labels.MustNewMatcher(labels.MatchEqual, "result", value))
		want := ""
		if tc.hint != "" {
			want = fmt.Sprintf(`result=%q; did you mean %q?`, value, tc.hint)
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A misspelled alternative is reported, unless the similar value is selected, too.
func TestUnseenAlternativesAndStatuses(t *testing.T) {
	t.Parallel()
	outcomes, statuses := []string{"server_error", "shed", "success"}, []string{"200", "500"}
	regexp, equal := labels.MatchRegexp, labels.MatchEqual
	for _, tc := range []struct {
		known []string
		kind  labels.MatchType
		value string
		want  string
		label string // x unless it is set
	}{
		{outcomes, regexp, "server_eror|shed", `x="server_eror"; did you mean "server_error"?`, ""},
		{outcomes, regexp, "server_eror|server_error", "", ""},
		{outcomes, regexp, "|server_eror", "", ""},
		{outcomes, labels.MatchNotRegexp, "server_eror|shed", "", ""},
		{outcomes, regexp, "timeout|shed", "", ""},
		{statuses, regexp, "5*", `code=~"5*"; did you mean "5.."?`, "code"},
		{statuses, regexp, "4*", `http_status=~"4*"; did you mean "4.."?`, "http_status"},
		{statuses, regexp, "5.*|4..", "", "code"},
		{statuses, labels.MatchNotRegexp, "5*", "", "code"},
		{statuses, equal, "50", `responseCode="50"; statuses are 100 to 599`, "responseCode"},
		{statuses, equal, "600", `code="600"; statuses are 100 to 599`, "code"},
		{statuses, equal, "503", "", "code"},
		{statuses, equal, "0", "", "response_code"},
		{statuses, equal, "50", `statusCode="50"; statuses are 100 to 599`, "statusCode"},
		{statuses, equal, "50", `http_response_status_code="50"; statuses are 100 to 599`, "http_response_status_code"},
		{statuses, equal, "14", "", "grpc_response_status"},
		{[]string{"0"}, equal, "14", "", "status_code"},
		{[]string{"0", "137"}, equal, "1", "", "exit_code"},
		{[]string{"200"}, equal, "1", "", "statuses"},
		{[]string{"0", "200"}, equal, "50", `response_code="50"; statuses are 100 to 599`, "response_code"},
		{statuses, equal, "50", "", "size"},
		{statuses, regexp, "5*", "", "size"},
		{[]string{"200", "50"}, equal, "5", "", "code"},
		{outcomes, regexp, "5*", "", "code"},
		{nil, equal, "50", "", "code"},
	} {
		if got := metricnames.Unseen(tc.known, labels.MustNewMatcher(tc.kind, cmp.Or(tc.label, "x"), tc.value)); got != tc.want {
			t.Errorf("%s %s of %q: got %q, want %q", tc.label, tc.value, tc.known, got, tc.want)
		}
	}
}
