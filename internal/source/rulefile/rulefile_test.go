package rulefile_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/source/rulefile"
)

func TestParseReturnsPlaces(t *testing.T) {
	t.Parallel()
	f, err := rulefile.Parse("a.yaml", []byte(`groups:
- name: g
  interval: 30s
  query_offset: 15s
  labels: {team: a, tier: page}
  rules:
  - record: job:x:rate5m
    labels: {tier: ticket}
    expr: |
      sum by (job) (
        rate(x_total[5m]))
  - alert: Down
    for: 5m
    keep_firing_for: 10m
    expr: up == 0
    annotations:
      summary: x
`))
	if err != nil {
		t.Fatal(err)
	}
	g := f.Groups[0]
	if g.Name != "g" || g.Interval != 30*time.Second || g.QueryOffset != 15*time.Second || g.Line != 2 || len(g.Rules) != 2 {
		t.Fatalf("got %+v", g)
	}
	record, alert := g.Rules[0], g.Rules[1]
	if record.Name() != "record job:x:rate5m" || record.Line != 7 || record.Labels["tier"] != "ticket" || record.Labels["team"] != "a" {
		t.Errorf("got %+v", record)
	}
	if line, column := record.ExprPlace(strings.Index(record.Expr, "rate")); line != 11 || column != 9 {
		t.Errorf("rate is at %d:%d", line, column)
	}
	if alert.Name() != "alert Down" || alert.For != 5*time.Minute || alert.KeepFiringFor != 10*time.Minute || alert.Labels["tier"] != "page" {
		t.Errorf("got %+v", alert)
	}
	if line, column := alert.TextPlace("annotations.summary"); line != 17 || column != 16 {
		t.Errorf("the summary is at %d:%d", line, column)
	}
}

func TestPrometheusRuleIsRead(t *testing.T) {
	t.Parallel()
	f, err := rulefile.Parse("a.yaml", []byte("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: x}\nspec:\n  groups:\n  - name: g\n    rules:\n    - alert: A\n      expr: up ==\n"))
	if err == nil || err.Error() != "a.yaml:9:18: spec.groups[0].rules[0].expr: not PromQL: unexpected end of input" {
		t.Errorf("got %v", err)
	}
	if len(f.Groups) != 1 || len(f.Groups[0].Rules) != 1 || f.Groups[0].Rules[0].Tree != nil {
		t.Errorf("got %+v", f)
	}
}

func TestResourcesOfOneFileAreSeparateDocuments(t *testing.T) {
	t.Parallel()
	const first = "kind: PrometheusRule\nspec:\n  groups:\n  - name: g\n    rules: [{record: a, expr: up}]\n"
	const service = "---\nkind: Service\nspec: {}\n"
	const plain = "groups:\n- name: g\n  rules: []\n"
	second := strings.ReplaceAll(first, "up}", "up ==}")
	for _, tc := range []struct {
		name, src string
		want      int // documents
		problem   string
	}{
		{"two", "---\n" + first + "--- \n" + second, 2, "a.yaml:12:36: spec.groups[0].rules[0].expr: not PromQL: unexpected end of input"},
		{"a syntax error in the second", first + "---\n" + strings.ReplaceAll(first, "}", ""), 2, "a.yaml:11:1: not valid YAML: did not find expected ',' or '}'"},
		{"a byte that is not UTF-8 in the second", first + "---\n" + strings.ReplaceAll(first, "record", "\xff"), 2, "a.yaml:11:14: the byte 0xff is not UTF-8; save the file as UTF-8"},
		{"an unknown anchor in the second", first + "---\n" + strings.ReplaceAll(first, "up", "*up"), 2, "a.yaml:11:1: not valid YAML: unknown anchor 'up' referenced"},
		{"a duplicate key in the second", first + "---\n" + strings.ReplaceAll(first, "expr", "record: b, expr"), 2, "a.yaml:11:25: spec.groups[0].rules[0].record: duplicate key, first on line 11; keep one"},
		{"a third without a separator", first + "---\n" + first + "--- {x: y}", 2, "a.yaml:12:1: several documents; write each document to its own file"},
		{"a second that is a list", first + "---\n- \"\n" + first + "  \"", 2, "a.yaml:7:1: the document is a list; write keys and values"},
		{"a value that is missing at the end of the second", first + "---\nkind: PrometheusRule\nspec:", 2, ""},
		{"a text of several lines", first + "---\n" + strings.ReplaceAll(first, "[{record: a, expr: up}]", "\n    - record: a\n      expr: |\n        up +\n        rats(x)"), 2,
			`a.yaml:15:9: spec.groups[0].rules[0].expr: not PromQL: unknown function rats; did you mean "rate"?`},
		{"two with a comment", first + "--- # the second\n" + second, 2, "a.yaml:11:36: spec.groups[0].rules[0].expr: not PromQL: unexpected end of input"},
		{"one and another resource", first + service, 1, ""},
		{"one behind another resource", service + "---\n" + second, 1, "a.yaml:9:36: spec.groups[0].rules[0].expr: not PromQL: unexpected end of input"},
		{"two and another resource", first + service + "---\n" + first, 2, ""},
		{"one", first, 1, ""},
		{"two files of rules", plain + "---\n" + plain, 1, "a.yaml:4:1: several documents; write each document to its own file"},
		{"a resource and a file of rules", first + "---\n" + plain, 1, "a.yaml:6:1: several documents; write each document to its own file"},
		{"a file of rules and a resource", plain + "---\n" + first, 1, "a.yaml:4:1: several documents; write each document to its own file"},
		{"dashes in a text", strings.ReplaceAll(first, "up}", "up, labels: {a: '---'}}"), 1, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			docs := rulefile.Documents([]byte(tc.src))
			got := ""
			for _, doc := range docs {
				if _, err := rulefile.ParsePart("a.yaml", doc); err != nil {
					got = err.Error()
				}
			}
			if len(docs) != tc.want || got != tc.problem {
				t.Errorf("got %d documents: %s", len(docs), got)
			}
		})
	}
}

func TestErrorsAreReportedAtTheirPlaces(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, rule, want string }{
		{"an unknown function", "{record: a, expr: 'sum(rats(x[5m]))'}", `a.yaml:4:28: groups[0].rules[0].expr: not PromQL: unknown function rats; did you mean "rate"?`},
		{"an unknown aggregation", "{record: a, expr: summ(x)}", `a.yaml:4:23: groups[0].rules[0].expr: not PromQL: unknown function summ; did you mean "sum"?`},
		{"half a query", "{record: a, expr: 'sum('}", "a.yaml:4:28: groups[0].rules[0].expr: not PromQL: unclosed left parenthesis"},
		{"the wrong type", "{record: a, expr: rate(x)}", "a.yaml:4:28: groups[0].rules[0].expr: not PromQL: expected type range vector in call to function \"rate\", got instant vector"},
		{"an unknown key", "{record: a, exp: x, expr: x}", `a.yaml:4:17: groups[0].rules[0].exp: unknown key; did you mean "expr"?`},
		{"a misspelled key instead of the expression", "{alert: A, exprs: up}", `a.yaml:4:16: groups[0].rules[0].exprs: unknown key; did you mean "expr"?`},
		{"an expression of the wrong type", "{alert: A, expr: [up]}", "a.yaml:4:22: groups[0].rules[0].expr: a list is not text; write an expression"},
		{"no duration", "{alert: A, expr: x, for: 5 min}", `a.yaml:4:30: groups[0].rules[0].for: "5 min" is not a duration; write one such as 200ms, 15s or 30d`},
		{"a duration with a fraction", "{alert: A, expr: x, for: 1.5h}", `a.yaml:4:30: groups[0].rules[0].for: "1.5h" is not a duration; write one such as 200ms, 15s or 30d`},
		{"less than no time", "{alert: A, expr: x, for: -5m}", "a.yaml:4:30: groups[0].rules[0].for: negative duration; write one such as 5m"},
		{"neither record nor alert", "{expr: x}", "a.yaml:4:5: groups[0].rules[0]: the rule has neither record nor alert; write one of them"},
		{"record and alert", "{record: a, alert: b, expr: x}", "a.yaml:4:5: groups[0].rules[0]: the rule has both record and alert; write two rules"},
		{"no expression", "{alert: A}", "a.yaml:4:5: groups[0].rules[0].expr: the rule has no expr; write an expression"},
		{"an invalid name", "{record: 'a{b}', expr: x}", `a.yaml:4:14: groups[0].rules[0].record: invalid metric name "a{b}"; use letters, digits, underscores and colons`},
		{"a record that waits", "{record: a, expr: x, for: 5m}", "a.yaml:4:5: groups[0].rules[0]: a recording rule has no for, keep_firing_for and annotations; remove them"},
		{"an empty label", "{record: a, expr: x, labels: {'': c}}", `a.yaml:4:39: groups[0].rules[0].labels.: invalid label name ""; use letters, digits and underscores`},
		{"a label that is the name", "{record: a, expr: x, labels: {__name__: c}}", `a.yaml:4:45: groups[0].rules[0].labels.__name__: invalid label name "__name__"; use letters, digits and underscores`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := rulefile.Parse("a.yaml", []byte("groups:\n- name: g\n  rules:\n  - "+tc.rule+"\n"))
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
	if _, err := rulefile.Parse("a.yaml", []byte("groups:\n- name: g\n  rules:\n  - {record: 'job.x:sum', expr: x, labels: {a.b: c}}\n")); err != nil {
		t.Errorf("Prometheus 3 takes dots in names: %v", err)
	}
	if _, err := rulefile.Parse("a.yaml", []byte("groups:\n- name: g\n  interval:\n  limit:\n  rules: [{alert: A, expr: x, for: , annotations: {__name__: b}}]\n")); err != nil {
		t.Errorf("Prometheus takes empty durations, and any name of an annotation: %v", err)
	}
	for key, want := range map[string]string{"interval": "a.yaml:3:13", "query_offset": "a.yaml:3:17", "evaluation_delay": "a.yaml:3:21"} {
		_, err := rulefile.Parse("a.yaml", []byte("groups:\n- name: g\n  "+key+": -1m\n  rules: []\n"))
		if want += ": groups[0]." + key + ": negative duration; write one such as 5m"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := rulefile.Parse("a.yaml", nil); err != nil {
		t.Errorf("an empty file holds no rules: %v", err)
	}
	if _, err := rulefile.Parse("a.yaml", []byte("groups:\n- rules: []\n")); err == nil || err.Error() != "a.yaml:2:3: groups[0]: the group has no name; add one" {
		t.Errorf("got %v", err)
	}
}

// differs reports whether an error of Prometheus is about input that is accepted on purpose: keys of
// Mimir and Thanos, functions of Prometheus 2, and group names and templates, which lint reports.
func differs(err error) bool {
	return regexp.MustCompile(`is repeated in the same file|template: |holt_winters|` +
		`field (namespace|source_tenants|evaluation_delay|align_evaluation_time_on_interval|partial_response_strategy) not found`).MatchString(err.Error())
}

// FuzzParse checks that a file is rejected if Prometheus rejects it.
func FuzzParse(f *testing.F) {
	f.Add([]byte("groups:\n- name: g\n  interval: 1m\n  rules:\n  - record: a:b\n    expr: sum(x)\n    labels: {a: b}\n"))
	f.Add([]byte("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up ==\n    for: 1\n"))
	for _, duration := range []string{"1.5h", "0.5m", "300us", "1m1h", "-1m", "'0'", "1d12h"} {
		f.Add([]byte("groups:\n- name: g\n  interval: " + duration + "\n  rules: []\n"))
		f.Add([]byte("groups:\n- name: g\n  query_offset: " + duration + "\n  rules: []\n"))
		f.Add([]byte("groups:\n- name: g\n  rules:\n  - {alert: A, expr: up, for: " + duration + "}\n"))
	}
	f.Add([]byte("namespace: a\ngroups:\n- name: g\n  source_tenants: [a]\n  rules: []\n- name: g\n  rules: [{alert: A, expr: 'holt_winters(x[5m], 0.5, 0.5)', labels: {a: '{{'}}]\n"))
	files, err := filepath.Glob("../../../examples/*/observability/rules/*.rules.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		ours, err := rulefile.Parse("a.yaml", src)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "a.yaml:") {
				t.Errorf("%v does not name the file", err)
			}
			return
		}
		for _, g := range ours.Groups {
			for _, r := range g.Rules {
				if line, column := r.ExprPlace(len(r.Expr)); line < 1 || column < 1 || r.Tree == nil {
					t.Errorf("%s is at %d:%d", r.Name(), line, column)
				}
			}
		}
		theirs, errs := rulefmt.Parse(src, true, model.UTF8Validation, parser.NewParser(parser.Options{EnableExperimentalFunctions: true}), slog.New(slog.DiscardHandler))
		if strings.Contains(string(src), "kind:") {
			return // a resource, or something else
		}
		for _, err := range errs {
			if !differs(err) {
				t.Errorf("Prometheus rejects: %v", err)
			}
		}
		if len(errs) == 0 && len(theirs.Groups) != len(ours.Groups) {
			t.Errorf("Prometheus reads %d groups, we %d", len(theirs.Groups), len(ours.Groups))
		}
	})
}

func TestRulesOfLokiAreRecognized(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]bool{
		`sum(count_over_time({app="x"} |= "a" [5m]))`:                                          true,
		`sum(count_over_time({app="x"} |~ "a" [5m]))`:                                          true,
		`sum(count_over_time({app="x"} |> "<_> a" [5m]))`:                                      true,
		`sum(count_over_time({app="x"} |= ip("10.0.0.1") [5m]))`:                               true,
		`sum(count_over_time({app="x"} != "a" [5m]))`:                                          true,
		`sum(count_over_time({app="x"} !~ "a|b" [5m]))`:                                        true,
		`sum(rate({app="x"} !> "<_> foo" [5m])) > 1`:                                           true,
		`sum(count_over_time({app="x"}[5m] |= "err")) > 1`:                                     true,
		`sum(count_over_time({app="x"}[5m] offset 1h | json)) > 1`:                             true,
		`sum(count_over_time({app="x"}[5m] | json)) > 1`:                                       true,
		`sum(count_over_time((({app="x"}) |= "a")[5m])) > 1`:                                   true,
		`sum(count_over_time({app="x"} | Status >= 500 [5m])) > 1`:                             true,
		`sum(count_over_time({app="x"} | (level="error" or level="fatal") [5m])) > 0`:          true,
		`quantile_over_time(0.9, {app="x"} | json | unwrap ms [5m]) by (app) > 1`:              true,
		`approx_topk(10, sum by (a) (count_over_time({app="x"}[5m]))) > 1`:                     true,
		"sum(count_over_time({app=\"x\"}\n      # without {a} |= \"b\"\n      |= \"a\" [5m]))": true,
		"sum(rate({app=`x`} | json [5m]))":                                                     true,
		`sum by (app) (bytes_rate({app="x"}[1m]))`:                                             true,
		`sum(rate({app="x"}[5m]))`:                                                             false, // PromQL has it too
		`sum(count_over_time({app="x"} != ip("10.0.0.0/8") [5m]))`:                             true,
		`http_requests_total{code!="500"} != bool 3)`:                                          false,
		`kube_a{job="x"} != kube_b{job="x"})`:                                                  false,
		`http_requests_total{a="}|x"} > sum(rats(b[5m]))`:                                      false,
		`up{job="x"} != "b"`:           false,
		`up{job="x"} !~ "a"`:           false,
		`up {job="x"} |= "a"`:          false,
		`up{job="a"} | up{job="b"}`:    false,
		`sum(bytes_rate(x[5m]))`:       false,
		`{job="a"} - {job="b"} | json`: false,
	} {
		src := "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      " + expr + "\n"
		file, _ := rulefile.Parse("a.yaml", []byte(src))
		if _, got := file.LogQL(); got != want {
			t.Errorf("%s: LogQL %t, want %t", expr, got, want)
		}
	}
}

// Loki rejects rules that name a metric.
func TestFileWithAMetricIsNotOfLoki(t *testing.T) {
	t.Parallel()
	const logs = `sum(count_over_time({app="x"} |= "a" [5m])) > 1`
	for expr, want := range map[string]bool{
		`up == 0`: false, `sum(rats(x[5m]))`: false, `up{job="x"} != "b"`: false, `sum(up{job="x"}`: false,
		`sum(rate({app="x"}[5m])) > 1`: true, `vector(1)`: true, `sum(rate({app="x"}[5m]`: true, `''`: true,
		`1 >= 1`: true, `1e3 > 0`: true, `1 > up`: false, `1 >= 1 + a:b`: false,
	} {
		for _, exprs := range [][2]string{{expr, logs}, {logs, expr}} {
			src := "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: " + exprs[0] + "\n  - alert: B\n    expr: " + exprs[1] + "\n"
			file, _ := rulefile.Parse("a.yaml", []byte(src))
			if _, got := file.LogQL(); got != want {
				t.Errorf("%q: LogQL %t, want %t", exprs, got, want)
			}
		}
	}
}

// Exported files have thousands of resources.
func TestManyResourcesTakeLinearMemory(t *testing.T) { //nolint:paralleltest // it counts allocations
	allocated := func(n int) uint64 {
		resource := "---\nkind: PrometheusRule\nspec:\n  groups:\n  - name: g\n    rules:\n    - record: a\n      expr: rats(x)\n" + strings.Repeat("\n", 90)
		src := []byte(strings.Repeat(resource, n))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		last := error(nil)
		for _, part := range rulefile.Documents(src) {
			_, last = rulefile.ParsePart("a.yaml", part)
		}
		runtime.ReadMemStats(&after)
		if want := fmt.Sprintf("a.yaml:%d:13: ", (n-1)*98+8); last == nil || !strings.HasPrefix(last.Error(), want) {
			t.Errorf("got %v, want %s", last, want)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	if few, many := allocated(200), allocated(2000); many > 20*few {
		t.Errorf("200 resources take %d bytes, and 2000 take %d", few, many)
	}
	src := []byte(strings.Repeat("---\nkind: PrometheusRule\n", 600_000))
	if _, err := rulefile.ParsePart("a.yaml", rulefile.Documents(src)[0]); err == nil || !strings.Contains(err.Error(), "more than 1048576 values; split the file") {
		t.Errorf("got %v", err)
	}
}

func TestLimitsAreThoseOfPrometheus(t *testing.T) {
	t.Parallel()
	for limit, want := range map[string]bool{
		"": true, "1": true, "0x1F": true, "1_000": true, "1e3": true, "1.5": true, "-1": true, "!!int 1": true,
		"'1'": false, "a": false, "[1]": false, "1e30": false, "true": false,
	} {
		src := []byte("groups:\n- name: g\n  limit: " + limit + "\n  rules: []\n")
		_, err := rulefile.Parse("a.yaml", src)
		_, errs := rulefmt.Parse(src, true, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
		if (err == nil) != want || (len(errs) == 0) != want {
			t.Errorf("%s: got %v, and Prometheus %v", limit, err, errs)
		}
		if !want && err != nil && err.Error() != "a.yaml:3:10: groups[0].limit: not a number, or too large; write one such as 100" {
			t.Errorf("%s: got %v", limit, err)
		}
	}
	for _, src := range []string{"groups :\n- {name: g, rules: []}\n", "? groups\n: [{name: g, rules: []}]\n"} {
		if file, err := rulefile.Parse("a.yaml", []byte(src)); err != nil || len(file.Groups) != 1 {
			t.Errorf("%q: got %+v, %v", src, file, err)
		}
	}
}
