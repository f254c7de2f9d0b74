package promtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/testkit/promtest"
)

const unitTests = `
rule_files: [r.yaml]
evaluation_interval: 30s
tests:
- name: doubles
  interval: 15s
  input_series:
  - {series: 'x{a="1"}', values: '1 _ 3+1x4'}
  promql_expr_test:
  - {expr: y, eval_time: 1m, exp_samples: [{labels: 'y{a="1"}', value: 10}]}
  - {expr: z, eval_time: 1m}
`

func TestFailedExpectationsAreReported(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, rule, tests, want string }{
		{"a met expectation is no error", "x * 2", unitTests, ""},
		{"a wrong value", "x * 3", unitTests, `tests[0] "doubles": y at 1m: got`},
		{"a wrong label", "sum(x) * 2", unitTests, `want [{__name__="y", a="1"} 10]`},
		{"a rule that does not parse", "(", unitTests, "r.yaml"},
		{"a kind of test that is not known", "x", strings.Replace(unitTests, "promql_expr_test", "rule_test", 1), "rule_test"},
		{"a file that is not there", "x", strings.Replace(unitTests, "r.yaml", "s.yaml", 1), "no such file"},
		{"a test without an expectation", "x", strings.Split(unitTests, "  promql_expr_test")[0], "add an expectation"},
		{"a series that does not parse", "x", strings.Replace(unitTests, "1 _ 3", "one", 1), "input series x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := promtest.Run(t.Context(), []byte(tc.tests), func(name string) ([]byte, error) {
				if name != "r.yaml" {
					return nil, errors.New("no such file")
				}
				return []byte(group("g", "2m", "record: y\n    expr: "+tc.rule)), nil
			})
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

const alertTests = `
rule_files: [r.yaml]
evaluation_interval: 1m
group_eval_order: [second, first]
fuzzy_compare: true
tests:
- name: alerts
  interval: 1m
  start_timestamp: 2026-01-02T15:04:30Z
  external_labels: {region: eu}
  external_url: http://prom.test
  input_series:
  - {series: 'x{a="1"}', values: '0 1 2 3 0 0'}
  - {series: 'h', values: '{{count:2 sum:3 buckets:[2]}}x5'}
  alert_rule_test:
  - {eval_time: 1m59s, alertname: A}
  - eval_time: 3m
    alertname: A
    exp_alerts:
    - {exp_labels: {a: "1"}, exp_annotations: {text: 3 in eu at http://prom.test}}
  - {eval_time: 4m, alertname: A}
  promql_expr_test:
  - {expr: y, eval_time: 3m, exp_samples: [{labels: 'y{a="1"}', value: 0.30000000000000004}]}
  - {expr: z, eval_time: 3m, exp_samples: [{labels: 'z{a="1"}', value: 0.6}]}
  - {expr: 'time()', eval_time: 1m, exp_samples: [{labels: '{}', value: 1767366330}]}
  - {expr: 'count_over_time(x[3m:])', eval_time: 3m, exp_samples: [{labels: '{a="1"}', value: 3}]}
  - {expr: 'sum(h)', eval_time: 3m, exp_samples: [{labels: '{}', histogram: '{{count:2 sum:3 counter_reset_hint:not_reset buckets:[2]}}'}]}
`

const alertRules = `
groups:
- name: first
  rules:
  - {record: z, expr: y * 2}
- name: second
  rules:
  - {record: y, expr: x / 10}
  - {alert: A, expr: x > 0, for: 1m, annotations: {text: '{{ $value }} in {{ $externalLabels.region }} at {{ $externalURL }}'}}
`

func TestUnitTestsOfAlerts(t *testing.T) {
	t.Parallel()
	change := func(old, replacement string) string { return strings.Replace(alertTests, old, replacement, 1) }
	for _, tc := range []struct{ name, tests, want string }{
		{"an expected alert is no error", alertTests, ""},
		{"an alert too early", change("1m59s", "2m"), "alert A at 2m: got\n  {a=\"1\", alertname=\"A\"} with {text=\"2 in eu at http://prom.test\"}\nwant\n  nothing"},
		{"other annotations", change("text: 3", "text: 4"), "alert A at 3m: got"},
		{"other labels", change(`{a: "1"}`, `{a: "2"}`), "alert A at 3m: got"},
		{"an alert that does not fire", change("{eval_time: 4m, alertname: A}", "{eval_time: 4m, alertname: B, exp_alerts: [{}]}"), "alert B at 4m: got\n  nothing"},
		{"an alert without a name", change("1m59s, alertname: A", "1m59s"), "alertname is missing"},
		{"the other order of groups", change("[second, first]", "[first, second]"), "z at 3m"},
		{"an order that names a group twice", change("[second, first]", "[first, first]"), "duplicate group first"},
		{"an exact comparison", change("fuzzy_compare: true", "fuzzy_compare: false"), "y at 3m"},
		{"another start", change("2026-01-02T15:04:30Z", "1767366331"), "time() at 1m"},
		{"an invalid start", change("2026-01-02T15:04:30Z", "noon"), `line 9: invalid start_timestamp "noon"; write`},
		{"another histogram", change("histogram: '{{count:2", "histogram: '{{count:3"), "sum(h) at 3m"},
		{"an invalid expected histogram", change("histogram: '{{count:2 sum:3 counter_reset_hint:not_reset buckets:[2]}}'", "histogram: '3'"), "write one such as"},
		{"an expected histogram that does not parse", change("histogram: '{{count:2 sum:3 counter_reset_hint:not_reset buckets:[2]}}'", "histogram: '{{'"), "histogram: "},
		{"NaN equals nothing, as in promtool", change("{expr: 'time()', eval_time: 1m, exp_samples: [{labels: '{}', value: 1767366330}]}", "{expr: 'NaN', eval_time: 1m, exp_samples: [{labels: '{}', value: .nan}]}"), "NaN at 1m"},
		{"more samples than promtool reads", change("count_over_time(x[3m:])", "count_over_time(x[3m:10ms])"), "more than 10000 samples"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := promtest.Run(t.Context(), []byte(tc.tests), func(string) ([]byte, error) { return []byte(alertRules), nil })
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func FuzzUnitTests(f *testing.F) {
	f.Add([]byte(unitTests))
	f.Add([]byte("tests: [{start_timestamp: 1e300, input_series: [{series: x, values: '1x3'}], alert_rule_test: [{eval_time: 1ms, alertname: A}]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Skip long tests: a file may simulate years.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := promtest.Run(ctx, data, func(string) ([]byte, error) { return []byte(alertRules), nil })
		if err != nil && err.Error() == "" {
			t.Error("an error without a message")
		}
	})
}

func group(name, interval string, rules ...string) string {
	return "groups:\n- name: " + name + "\n  interval: " + interval + "\n  rules:\n  - " + strings.Join(rules, "\n  - ") + "\n"
}
