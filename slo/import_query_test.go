package slo_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/observability-first/scaffold/slo"
)

// slothQueries returns a sloth file with one objective.
func slothQueries(sli string) string {
	return "version: prometheus/v1\nservice: shop\nslos:\n- name: a\n  objective: 99.9\n  sli:\n    " +
		strings.ReplaceAll(sli, "\n", "\n    ") + "\n"
}

// slothRatio returns a sloth file with one ratio of bad events.
func slothRatio(query string) string {
	return slothQueries("raw:\n  error_ratio_query: '" + query + "'")
}

func TestImportQueries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query string
		want  slo.Ratio
	}{
		"the bucket of all events": {
			`1 - sum(rate(wait_seconds_bucket{le="+Inf",code!~"5.."}[{{.window}}])) / sum(rate(wait_seconds_count[{{.window}}]))`,
			slo.Ratio{Total: "wait_seconds_count", Good: `wait_seconds_bucket{code!~"5..",le="+Inf"}`},
		},
		"a bucket of another unit": {
			`1 - sum(rate(response_size_bytes_bucket{le="1000"}[{{.window}}])) / sum(rate(response_size_bytes_count[{{.window}}]))`,
			slo.Ratio{Total: "response_size_bytes_count", Good: `response_size_bytes_bucket{le=~"1000|1000\\.0"}`},
		},
		"a bound that Prometheus 3 writes with an exponent": {
			`1 - sum(rate(size_bytes_bucket{le="2500000.0"}[{{.window}}])) / sum(rate(size_bytes_count[{{.window}}]))`,
			slo.Ratio{Total: "size_bytes_count", Good: `size_bytes_bucket{le=~"2\\.5e\\+06|2500000\\.0"}`},
		},
		"a large bound of a duration": {
			`1 - sum(rate(wait_ms_bucket{le="1000000"}[{{.window}}])) / sum(rate(wait_ms_count[{{.window}}]))`,
			slo.Ratio{Total: "wait_ms_count", Good: `wait_ms_bucket{le=~"1e\\+06|1000000"}`},
		},
		"a bound with an exponent": {
			`1 - sum(rate(wait_seconds_bucket{le="1e-3"}[{{.window}}])) / sum(rate(wait_seconds_count[{{.window}}]))`,
			slo.Ratio{Total: "wait_seconds_count", Good: `wait_seconds_bucket{le=~"0\\.001|1e-3"}`},
		},
		"a bound with a trailing zero": {
			`1 - sum(rate(wait_seconds_bucket{le="0.50"}[{{.window}}])) / sum(rate(wait_seconds_count[{{.window}}]))`,
			slo.Ratio{Total: "wait_seconds_count", Good: `wait_seconds_bucket{le=~"0\\.5|0\\.50"}`},
		},
		"another spelling of +Inf": {
			`1 - sum(rate(wait_bucket{le="Inf",a="b"}[{{.window}}])) / sum(rate(wait_count[{{.window}}]))`,
			slo.Ratio{Total: "wait_count", Good: `wait_bucket{a="b",le=~"\\+Inf|Inf"}`},
		},
		"the bucket of all events as the total": {
			`1 - sum(rate(wait_count{code="2"}[{{.window}}])) / sum(rate(wait_bucket{le="+Inf"}[{{.window}}]))`,
			slo.Ratio{Total: `wait_bucket{le="+Inf"}`, Good: `wait_count{code="2"}`},
		},
		"a metric name in a matcher": {
			`sum(rate({__name__="e_total",code="5"}[{{.window}}])) / sum(rate({"all_total"}[{{.window}}]))`,
			slo.Ratio{Total: "all_total", Bad: `e_total{code="5"}`},
		},
		"a bucket of bad events": {
			`sum(rate(size_bytes_bucket{le="2"}[{{.window}}])) / sum(rate(size_bytes_count[{{.window}}]))`,
			slo.Ratio{Total: "size_bytes_count", Bad: `size_bytes_bucket{le=~"2|2\\.0"}`},
		},
		"a bucket without a unit": {
			`1 - sum(rate(wait_bucket{le="0.5"}[{{.window}}])) / sum(rate(wait_count[{{.window}}]))`,
			slo.Ratio{Total: "wait_count", Good: `wait_bucket{le="0.5"}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := slo.Import("f", []byte(slothRatio(test.query)), slo.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.want, got.Spec.SLOs[0].Indicator.Ratio); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			rules, err := slo.Compile(got.Spec)
			if err != nil {
				t.Fatal(err)
			}
			load(t, rules.RuleFile())
		})
	}
}

func TestImportListsChangedQueries(t *testing.T) {
	t.Parallel()
	const (
		noData = "f:8:26: slos[0].sli.raw.error_ratio_query: is 100 % errors without data, because of vector(0); the rules then count no events"
		series = "f:8:26: slos[0].sli.raw.error_ratio_query: has one value for each series; the rules use the sum"
		ranges = "f:8:26: slos[0].sli.raw.error_ratio_query: counts over 1h, and another query of the objective over 5m; the rules count both over the same windows"
	)
	raw := func(kind, query string) string {
		return strings.NewReplacer("rawType: failure", "rawType: "+kind, `sum(rate(a_total{b="c"}[5m])) / sum(rate(a_total[5m]))`, query).Replace(referring)
	}
	openSLO := func(message string) string {
		_, message, _ = strings.Cut(message, "query: ")
		return "f:13:98: spec.ratioMetric.raw: " + message
	}
	for name, test := range map[string]struct {
		src  string
		want []string
	}{
		"no data is no good event":           {slothRatio("1 - (sum(rate(g_total[5m])) / sum(rate(t_total[5m])) or vector(0))"), []string{noData}},
		"no data is no bad event":            {slothRatio("(1 - sum(rate(g_total[5m])) / sum(rate(t_total[5m]))) or vector(0)"), nil},
		"no good events":                     {slothRatio("1 - (sum(rate(g_total[5m])) or vector(0)) / sum(rate(t_total[5m]))"), nil},
		"no data is no success":              {raw("success", "sum(rate(g_total[5m])) / sum(rate(t_total[5m])) or vector(0)"), []string{openSLO(noData)}},
		"no data is no success, from errors": {raw("success", "1 - sum(rate(b_total[5m])) / sum(rate(t_total[5m])) or vector(0)"), []string{openSLO(noData)}},
		"no data is a success":               {raw("success", "1 - (sum(rate(b_total[5m])) / sum(rate(t_total[5m])) or vector(0))"), nil},
		"rates of series":                    {slothRatio("rate(b_total[5m]) / rate(t_total[5m])"), []string{series}},
		"a sum without no label":             {slothRatio("sum without () (rate(b_total[5m])) / sum(rate(t_total[5m]))"), []string{series}},
		"a sum by no label":                  {slothRatio("sum by () (rate(b_total[5m])) / sum(rate(t_total[5m]))"), nil},
		"two ranges":                         {slothRatio("sum(rate(b_total[5m])) / sum(rate(t_total[1h]))"), []string{ranges}},
		"an increase over a rate": {
			slothRatio("sum(increase(b_total[5m])) / sum(rate(t_total[5m]))"),
			[]string{"f:8:26: slos[0].sli.raw.error_ratio_query: uses rate, and another query of the objective uses increase; the rules count events for both"},
		},
		"a range beside the template of one":   {slothRatio("sum(rate(b_total[1m])) / sum(rate(t_total[{{.window}}]))"), []string{strings.NewReplacer("1h", "{{.window}}", "5m", "1m").Replace(ranges)}},
		"5m beside the template of a range":    {slothRatio("sum(rate(b_total[{{ .Window }}])) / sum(rate(t_total[5m]))"), []string{strings.NewReplacer("1h", "5m", "5m", "{{.window}}").Replace(ranges)}},
		"the template of a range in each rate": {slothRatio("sum(rate(b_total[{{ .window }}])) / sum(rate(t_total[{{.window}}]))"), nil},
		"5m in one of two queries": {
			slothQueries("events:\n  error_query: sum(rate(b_total[5m]))\n  total_query: sum(rate(t_total[{{.window}}]))"),
			[]string{"f:8:20: slos[0].sli.events.error_query: counts over 5m, and another query of the objective over {{.window}}; the rules count both over the same windows"},
		},
		"two ranges in two queries": {
			slothQueries("events:\n  error_query: sum(rate(b_total[5m]))\n  total_query: sum(rate(t_total[30m]))"),
			[]string{"f:8:20: slos[0].sli.events.error_query: counts over 5m, and another query of the objective over 30m; the rules count both over the same windows"},
		},
		"ranges of two objectives": {strings.NewReplacer(`"}[{{ .window }}]))`, `"}[5m]))`, "[{{.window}}])) or", "[5m])) or").Replace(slothFile), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := slo.Import("f", []byte(test.src), slo.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			listed := slices.DeleteFunc(got.Changed, func(line string) bool {
				return !strings.Contains(line, "vector(0)") && !strings.Contains(line, "each series") && !strings.Contains(line, "counts over") && !strings.Contains(line, "count events for both")
			})
			if diff := cmp.Diff(test.want, listed, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
