package rulelint_test

import (
	"fmt"
	"maps"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/lint/rulelint"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/runtime/declared"
)

// guessed at the end of a file means that metrics may have unknown labels.
const guessed = "# target labels are guessed\n"

// check lints files, which are separated by ---. Words after "dashboards:" on the first line are
// queries of dashboards.
func check(t *testing.T, src string) []lint.Finding {
	t.Helper()
	in := rulelint.Input{Runbooks: strings.Contains(src, "runbook")}
	if first, rest, _ := strings.Cut(src, "\n"); strings.HasPrefix(first, "dashboards:") {
		in.Elsewhere, src = []string{first}, rest
	}
	signals := exposition.Declared(declared.Signals{Metrics: []declared.Metric{{Name: "jobs_total", Type: "counter", Labels: []string{"kind"}}}})
	in.World = promlint.NewWorld([]declared.Metric{{Name: "jobs_total", Type: "counter"}, {Name: "job:requests:sum", Type: "gauge"}}, 15*time.Second)
	in.World.OtherRecords = strings.HasPrefix(src, otherRecords)
	var recorded []metricnames.Recorded
	for i, text := range strings.Split(src, "---\n") {
		name := string(rune('a'+i)) + ".yaml"
		for doc := range strings.SplitSeq(text, "--- # the same file\n") {
			f, err := rulefile.Parse(name, []byte(doc))
			if err != nil {
				return lint.ParseFindings("rule-file", name, err)
			}
			_, r := metricnames.RuleQueries(f)
			recorded = append(recorded, r...)
			in.Files = append(in.Files, f)
		}
	}
	known := metricnames.NewKnown(signals, recorded, nil)
	if strings.HasSuffix(src, guessed) {
		known = known.OtherLabels()
	}
	in.Known = &known
	return rulelint.Check(in)
}

// otherRecords before files means that other rules may record the same names.
const otherRecords = "# not all files\n"

// group returns a group of rules in YAML's flow form.
func group(name, more string, rules ...string) string {
	return "groups:\n- name: " + name + "\n" + more + "  rules:\n  - " + strings.Join(rules, "\n  - ") + "\n"
}

// alert returns an alert without other findings.
func alert(name, expr, more string) string {
	return "{alert: " + name + ", expr: '" + expr + "', " + more + "annotations: {summary: s, description: d}}"
}

// Near is a similar file without a finding.
func TestRules(t *testing.T) {
	t.Parallel()
	const rate = "{record: job:jobs:rate5m, expr: 'sum by (kind) (rate(jobs_total[5m]))'"
	covered := map[string]bool{}
	for _, tc := range []struct{ rule, name, bad, at, says, near string }{
		{
			"rule-file", "an unknown function", group("g", "", "{record: a, expr: nofunc(up)}"), "a.yaml:4:23", "unknown function nofunc",
			group("g", "", "{record: a, expr: abs(up)}"),
		},
		{
			"rule-result", "a range of samples", group("g", "", alert("A", "up[5m]", "")), "a.yaml:4:22", "the result is a range vector, so each evaluation fails; write an expression that returns an instant vector or a scalar",
			group("g", "", "{record: a:b:d, expr: 'max_over_time(up[5m])'}"),
		},
		{
			"rule-result", "a string", group("g", "", "{record: a:b:c, expr: '\"foo\"'}"), "a.yaml:4:27", "the result is a string",
			group("g", "", "{record: a:b:c, expr: time()}"),
		},
		{
			"rule-file", "a query that is too long to check", group("g", "", "{record: a:b:c, expr: 'up{a=~\""+strings.Repeat("x|", 10_000)+"\"}'}"), "a.yaml:4:27", "the query has 20009 bytes and is too long to check",
			group("g", "", "{record: a:b:c, expr: up}"),
		},
		{
			"group-duplicate", "twice in a file", group("g", "", rate+"}") + "- name: g\n  rules: []\n", "a.yaml:5", "duplicate group name in this file",
			group("g", "", rate+"}") + "- name: h\n  rules: []\n",
		},
		{
			"group-shared-name", "in two files", group("g", "", rate+"}") + "---\n" + "groups:\n- name: g\n  rules: []\n", "b.yaml:2", "a group of a.yaml has the same name",
			group("g", "", rate+"}") + "---\n" + "groups:\n- name: h\n  rules: []\n",
		},
		{
			"group-interval", "ten minutes", group("g", "  interval: 10m\n", rate+"}"), "a.yaml:2", "evaluated every 10m, but queries see samples for 5m only",
			group("g", "  interval: 5m\n", rate+"}"),
		},
		{
			"record-duplicate", "the same name", group("g", "", rate+"}", "{record: job:jobs:rate5m, expr: 'sum(rate(jobs_total[1m]))'}"), "a.yaml:5", "same name and labels as line 4 of a.yaml",
			group("g", "", rate+"}", rate+", labels: {x: y}}"),
		},
		{
			"record-duplicate", "one within the other", group("g", "", "{record: a:b:c, expr: 'up{job=\"a\"}'}", "{record: a:b:c, expr: 'up{job=\"a\",x=\"y\"}'}"), "a.yaml:5", "same name and labels",
			group("g", "", "{record: a:b:c, expr: 'up{job=\"a\"}'}", "{record: a:b:c, expr: 'up{job=~\"b.\"}'}"),
		},
		{
			"alert-duplicate", "the same labels", group("g", "", alert("A", "up == 0", ""), alert("A", "up < 1", "")), "a.yaml:5", "same name and labels",
			group("g", "", alert("A", "up == 0", "labels: {severity: page}, "), alert("A", "up < 1", "labels: {severity: ticket}, ")),
		},
		{
			"rule-cycle", "two rules", group("g", "", "{record: a:b:c, expr: d:e:f}", "{record: d:e:f, expr: 1 + a:b:c}"), "a.yaml:4", "form a cycle: a:b:c -> d:e:f -> a:b:c",
			group("g", "", "{record: a:b:c, expr: 'd:e:f{x=\"2\"}'}", "{record: d:e:f, labels: {x: '1'}, expr: a:b:c}", "{record: d:e:f, labels: {x: '2'}, expr: up}"),
		},
		{
			"rule-cycle", "itself", group("g", "", "{record: a:b:c, expr: a:b:c + 1}"), "a.yaml:4", "write last_over_time(a:b:c[1h])",
			group("g", "", "{record: a:b:c, expr: 'up * time() or last_over_time(a:b:c[1h])'}"),
		},
		{
			"rule-cycle", "the name of a metric", group("g", "", "{record: node_load1, expr: avg(node_load1)}"), "a.yaml:4", "the rule reads its own last sample and other series of node_load1; record another name",
			group("g", "", "{record: 'job:node_load1:avg', expr: avg(node_load1)}"),
		},
		{
			"rule-cycle", "many rules", group("g", "", "{record: a:b:1, expr: a:b:2}", "{record: a:b:2, expr: a:b:3}", "{record: a:b:3, expr: a:b:4}", "{record: a:b:4, expr: a:b:5}", "{record: a:b:5, expr: a:b:6}", "{record: a:b:6, expr: a:b:1}"),
			"a.yaml:4", "6 recording rules form a cycle: a:b:1 -> a:b:2 -> a:b:3 -> ... -> a:b:1",
			group("g", "", "{record: a:b:1, expr: a:b:2}", "{record: a:b:2, expr: a:b:3}", "{record: a:b:3, expr: up}"),
		},
		{
			"rule-cycle", "itself, not series with another label", group("g", "", "{record: 'jobs:rate5m', labels: {level: job}, expr: 'sum by (kind) (jobs:rate5m)'}"), "a.yaml:4", "reads its own last sample",
			group("g", "", "{record: 'jobs:rate5m', expr: 'sum by (kind, instance) (rate(jobs_total[5m]))'}", "{record: 'jobs:rate5m', labels: {level: job}, expr: 'sum by (kind) (jobs:rate5m{instance!=\"\"})'}"),
		},
		{
			"rule-dependency", "another resource with a group of this name", group("g", "", rate+"}") + "--- # the same file\n" + group("g", "", "{record: x:y:z, expr: sum(job:jobs:rate5m)}"),
			"a.yaml:4:31", "reads job:jobs:rate5m of group g",
			group("g", "", rate+"}") + "--- # the same file\n" + group("h", "", "{record: x:y:z, expr: sum(job:jobs:rate5m offset 1m)}"),
		},
		{
			"rule-dependency", "another group", group("g", "  interval: 30s\n  query_offset: 20s\n", rate+"}") + "---\n" + group("h", "  interval: 1m\n  query_offset: 5s\n", "{record: x:y:z, expr: sum(job:jobs:rate5m)}"),
			"b.yaml:6:31", "reads job:jobs:rate5m of group g, evaluated every 30s, so changes arrive up to 45s later",
			group("g", "  interval: 30s\n", rate+"}", "{record: x:y:z, expr: sum(job:jobs:rate5m)}"),
		},
		{
			"rule-dependency", "the server's interval", group("g", "", rate+"}") + "---\n" + group("h", "", "{record: x:y:z, expr: sum(job:jobs:rate5m)}"),
			"b.yaml:4:31", "evaluated at the server's interval (default 1m), so changes arrive up to 1m later",
			group("g", "", rate+"}") + "---\n" + group("h", "", "{record: x:y:z, expr: sum(job:jobs:rate5m offset 1m)}"),
		},
		{
			"rule-dependency", "the past of another group, and its last sample", group("g", "", rate+"}") + "---\n" + group("h", "", "{record: x:y:z, expr: 'job:jobs:rate5m offset 5m - job:jobs:rate5m'}"),
			"b.yaml:4:56", "reads job:jobs:rate5m of group g, evaluated",
			group("g", "", rate+"}") + "---\n" + group("h", "", "{record: x:y:z, expr: 'job:jobs:rate5m offset 5m - job:jobs:rate5m offset 1h'}"),
		},
		{
			"rule-dependency", "several groups", group("g", "", rate+", labels: {a: '1'}}") + "---\n" + group("h", "  interval: 2m\n", rate+", labels: {a: '2'}}") + "---\n" + group("i", "", "{record: x:y:z, expr: sum(job:jobs:rate5m)}"),
			"c.yaml:4:31", "reads job:jobs:rate5m of 2 groups, such as h, so changes arrive up to 2m later; put all into one group",
			group("g", "", rate+", labels: {a: '1'}}") + "---\n" + group("h", "  interval: 2m\n", rate+", labels: {a: '2'}}") + "---\n" + group("i", "", "{record: x:y:z, expr: sum(job:jobs:rate5m offset 2m)}"),
		},
		{
			"record-unused", "no reader", "dashboards: other\n" + group("g", "", rate+"}"), "a.yaml:4", "no rule, alert or dashboard reads it",
			"dashboards: sum(job:jobs:rate5m)\n" + group("g", "", rate+"}"),
		},
		{
			"record-unused", "itself alone", "dashboards: other\n" + group("g", "", "{record: a:b:c, expr: 'up or last_over_time(a:b:c[1h])'}"), "a.yaml:4", "no rule",
			"dashboards: other\n" + group("g", "", "{record: a:b:c, expr: up}", "{alert: A, expr: up == 0, annotations: {summary: s, description: '{{ range query `a:b:c` }}{{ .Value }}{{ end }}'}}"),
		},
		{
			"alert-comparison", "no condition", group("g", "", alert("A", "sum(rate(jobs_total[5m]))", "")), "a.yaml:4:22", "the alert has no condition",
			group("g", "", alert("A", "vector(1)", ""), alert("B", "absent(up)", ""), alert("C", "up unless up{job=\"a\"}", "")),
		},
		{
			"alert-comparison", "a bool", group("g", "", alert("A", "up == bool 0", "")), "a.yaml:4:22", "the alert has no condition",
			group("g", "", alert("A", "up == 0", "")),
		},
		{
			"alert-template", "half a template", group("g", "", "{alert: A, expr: up == 0, annotations: {summary: '{{ $value', description: d}}"), "a.yaml:4:54", "annotations.summary: invalid template: unclosed action",
			group("g", "", "{alert: A, expr: up == 0, annotations: {summary: '{{ $value }}', description: d}}"),
		},
		{
			"alert-template", "an unknown function", group("g", "", "{alert: A, expr: up == 0, annotations: {summary: '{{ $value | humanise }}', description: d}}"), "a.yaml:4:54", `function "humanise" not defined`,
			group("g", "", "{alert: A, expr: up == 0, annotations: {summary: '{{ $value | humanize }}', description: d}}"),
		},
		{
			"alert-template", "a label that was summed away", group("g", "", "{alert: A, expr: 'sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ with $labels.job }}{{ . }}{{ end }}', description: d}}"),
			"a.yaml:4:89", "annotations.summary reads $labels.job, but the expression's result has no such label; it has kind",
			group("g", "", "{alert: A, expr: 'sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ $labels.kind }}', description: '{{ $externalLabels.job }}'}}"),
		},
		{
			"alert-template", "a label beside counted values", group("g", "", "{alert: A, expr: 'count_values(\"v\", jobs_total) > 1', annotations: {summary: '{{ $labels.kind }}', description: d}}"),
			"a.yaml:4", "reads $labels.kind, but the expression's result has no such label; it has v",
			group("g", "", "{alert: A, expr: 'count_values(\"v\", jobs_total) > 1', annotations: {summary: '{{ $labels.v }}', description: d}}"),
		},
		{
			"alert-template", "a label that no metric has", group("g", "", "{alert: A, expr: 'jobs_total offset 1h > 1e9 unless jobs_total > 1e9', annotations: {summary: '{{ $labels.kinds }}', description: d}}"),
			"a.yaml:4", "has no such label; it has instance, job, kind",
			group("g", "", "{alert: A, expr: 'absent(x) unless up == 0', annotations: {summary: s, description: d}}", "{alert: B, expr: 'sum by (exported_job) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ $labels.exported_job }}', description: d}}"),
		},
		{
			"alert-template", "a label of the data", group("g", "", "{alert: A, expr: 'sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ range .Labels }}{{ end }}{{ .Labels.nope }}', description: d}}"),
			"a.yaml:4", "reads $labels.nope, but the expression's result has no such label; it has kind",
			group("g", "", "{alert: A, expr: 'sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ range query `up` }}{{ .Labels.job }}{{ end }}{{ .Labels.kind }}', description: '{{ with query `up` | first }}{{ .Labels.job }}{{ end }}'}}"),
		},
		{
			"alert-template", "a label of the data behind its variable", group("g", "", "{alert: A, expr: 'sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ range query `up` }}{{ $.Labels.nope }}{{ else }}{{ end }}', description: d}}"),
			"a.yaml:4", "reads $labels.nope",
			group("g", "", "{alert: A, expr: 'sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ with query `up` }}{{ else }}{{ $.Labels.kind }}{{ end }}', description: d}}"),
		},
		{
			"alert-template", "a label in a label", group("g", "", alert("A", "sum(rate(jobs_total[5m])) > 1", "labels: {x: \"{{ $labels.kind }}\"}, ")), "a.yaml:4", "labels.x reads $labels.kind, but the expression's result has no such label; it has none",
			group("g", "", alert("A", "undeclared > 1", "labels: {x: \"{{ $labels.kind }}\"}, ")),
		},
		{
			"alert-template", "text as a number", group("g", "", "{alert: A, expr: up == 0, annotations: {summary: '{{ $labels.job | humanizeDuration }}', description: d}}"), "a.yaml:4", "passes $labels.job to humanizeDuration, which formats numbers",
			group("g", "", "{alert: A, expr: up == 0, annotations: {summary: '{{ $labels.job | title }}', description: d}}"),
		},
		{
			"alert-annotations", "no words", group("g", "", "{alert: A, expr: up == 0, annotations: {summary: s}}"), "a.yaml:4", "the alert has no annotation description; add it",
			group("g", "", alert("A", "up == 0", "")),
		},
		{
			"alert-annotations", "no runbook", group("g", "", alert("runbookA", "up == 0", "")), "a.yaml:4", "the alert has no runbook_url",
			group("g", "", "{alert: A, expr: up == 0, annotations: {summary: s, description: d, runbook_url: u}}"),
		},
		{
			"alert-for", "shorter than the interval", group("g", "  interval: 1m\n", alert("A", "up == 0", "for: 30s, ")), "a.yaml:5:38", "for: 30s is shorter than the group's interval 1m",
			group("g", "  interval: 1m\n", alert("A", "up == 0", "for: 1m, ")),
		},
		{
			"alert-for", "kept for less", group("g", "  interval: 1m\n", alert("A", "up == 0", "keep_firing_for: 30s, ")), "a.yaml:5", "keep_firing_for: 30s is shorter",
			group("g", "", alert("A", "up == 0", "keep_firing_for: 30s, ")),
		},
		{
			"rate-range", "rules of promlint run, too", group("g", "", "{record: a:b:c, expr: 'sum(rate(jobs_total[15s]))'}"), "a.yaml:4:32", "never has two samples",
			group("g", "", "{record: a:b:c, expr: 'sum(rate(jobs_total[30s]))'}"),
		},
	} {
		covered[tc.rule] = true
		t.Run(tc.rule+": "+tc.name, func(t *testing.T) {
			t.Parallel()
			got := check(t, tc.bad)
			file, place, _ := strings.Cut(tc.at, ":")
			if !slices.ContainsFunc(got, func(f lint.Finding) bool {
				at := strings.HasPrefix(place+":", lineOf(f)) || strings.HasPrefix(lineOf(f), place+":")
				return f.Rule == tc.rule && f.File == file && at && strings.Contains(f.Message, tc.says)
			}) {
				t.Errorf("got %+v\nwant %s: %s: %s", got, tc.rule, tc.at, tc.says)
			}
			if got := check(t, tc.near); len(got) > 0 {
				t.Errorf("the near miss: got %+v, want nothing", got)
			}
		})
	}
	for _, rule := range rulelint.Catalog() {
		if !covered[rule.Name] {
			t.Errorf("no test case for rule %s", rule.Name)
		}
	}
}

func lineOf(f lint.Finding) string { return fmt.Sprintf("%d:%d:", f.Line, f.Column) }

// Findings that depend on a guess are warnings.
func TestGuessesAreWarnings(t *testing.T) {
	t.Parallel()
	const kind = "{record: 'kind:jobs:rate5m', expr: 'sum by (kind) (rate(jobs_total[5m]))'"
	twice := func(a, b string) string { return group("g", "", alert("A", a, ""), alert("A", b, "")) }
	for _, tc := range []struct{ name, src, rule, want string }{
		{"one alert with two conditions", twice("time() - up > 10800", "up == 0"), "alert-duplicate", "warning"},
		{"the same alert twice", twice("up == 0", "up  ==  0"), "alert-duplicate", "error"},
		{"an alert with fewer conditions", group("g", "", alert("A", `up{x="1"} == 0`, ""), alert("A", `up{x="2"} == 0`, ""), alert("A", "up == 0", "")), "alert-duplicate", "warning"},
		{"the same alert in two files", group("g", "", alert("A", "up == 0", "")) + "---\n" + group("h", "", alert("A", "up == 0", "")), "alert-duplicate", "warning"},
		{"the same alert in two resources of a file", group("g", "", alert("A", "up == 0", "")) + "--- # the same file\n" + group("g", "", alert("A", "up == 0", "")), "alert-duplicate", "warning"},
		{"the same record in two resources of a file", group("g", "", "{record: a:b:c, expr: up}") + "--- # the same file\n" + group("h", "", "{record: a:b:c, expr: up}"), "record-duplicate", "warning"},
		{"two records of one name", group("g", "", "{record: a:b:c, expr: up}", "{record: a:b:c, expr: down}"), "record-duplicate", "warning"},
		{"the same record twice", group("g", "", "{record: a:b:c, expr: up}", "{record: a:b:c, expr: up}"), "record-duplicate", "error"},
		{"alerts that are looked at rarely", group("g", "  interval: 1h\n", alert("A", "up == 0", "")), "group-interval", ""},
		{"a cycle of a record that other files may have", otherRecords + group("g", "", "{record: a:b:c, labels: {l: all}, expr: max(a:b:c)}"), "rule-cycle", "warning"},
		{"a cycle of a record that no other file has", group("g", "", "{record: a:b:c, labels: {l: all}, expr: max(a:b:c)}"), "rule-cycle", "error"},
		{"a cycle and one of other series", group("g", "", "{record: a:b:c, expr: 'a:b:c{env=\"p\"} + d:e:f'}", "{record: d:e:f, expr: a:b:c + 1}"), "rule-cycle", "error"},
		{"information of itself", group("g", "", "{record: a:b:c, expr: 'info(up, {__name__=\"a:b:c\"})'}"), "rule-cycle", "warning"},
		{"itself with information", group("g", "", "{record: a:b:c, expr: 'info(a:b:c)'}"), "rule-cycle", "error"},
		{"a cycle and one that begins again", group("g", "", "{record: a:b:c, expr: '(a:b:c or up) + d:e:f'}", "{record: d:e:f, expr: a:b:c + 1}"), "rule-cycle", "error"},
		{"a cycle and one with series of a target", group("g", "", "{record: load, expr: avg(load) + a:b:c}", "{record: a:b:c, expr: d:e:f + load}", "{record: d:e:f, expr: a:b:c + 1}"), "rule-cycle", "error and warning"},
		{"records that are made rarely", group("g", "  interval: 1h\n", "{record: a:b:c, expr: up}"), "group-interval", "warning"},
		{"records that are made rarely and read over an hour", group("g", "  interval: 10m\n", "{record: a:b:c, expr: up}", "{record: a:b:d, expr: 'max_over_time(a:b:c[1h])'}", alert("A", "last_over_time(a:b:d[10m]) > 1", "")), "group-interval", ""},
		{"records that are made rarely and read over less", group("g", "  interval: 10m\n", "{record: a:b:c, expr: up}", alert("A", "last_over_time(a:b:c[9m]) > 1", "")), "group-interval", "warning"},
		{"records that are made rarely and read as they are", group("g", "  interval: 10m\n", "{record: a:b:c, expr: up}", alert("A", "last_over_time(a:b:c[1h]) > a:b:c", "")), "group-interval", "warning"},
		{"records that are made rarely and shown", "dashboards: a:b:c\n" + group("g", "  interval: 10m\n", "{record: a:b:c, expr: up}", alert("A", "last_over_time(a:b:c[1h]) > 1", "")), "group-interval", "warning"},
		{"records that are made rarely and a shown one with a longer name", "dashboards: sum(a:b:c:max)\n" + group("g", "  interval: 10m\n", "{record: a:b:c, expr: up}", alert("A", "last_over_time(a:b:c[1h]) > 1", "")), "group-interval", ""},
		{"records with dots in their names that are made rarely and shown", "dashboards: sum({\"job.x:sum\"})\n" + group("g", "  interval: 10m\n", "{record: job.x:sum, expr: up}", alert("A", "last_over_time({\"job.x:sum\"}[1h]) > 1", "")), "group-interval", "warning"},
		{"a record with dots in its name that is shown", "dashboards: sum({\"job.x:sum\"})\n" + group("g", "", "{record: job.x:sum, expr: up}"), "record-unused", ""},
		{"a record with dots in its name in the text of an alert", "dashboards: none\n" + group("g", "", "{record: job.x:sum, expr: up}", "{alert: A, expr: up == 0, annotations: {summary: 's', description: '{{ query `{\"job.x:sum\"}` | len }}'}}"), "record-unused", ""},
		{"a record with dots in its name that is shown unquoted, at the end of a sentence", "dashboards: see job.x:sum.\n" + group("g", "", "{record: job.x:sum, expr: up}"), "record-unused", ""},
		{"a record with dots in its name and a shown one with a longer name", "dashboards: sum({\"my.job.x:sum_total\"})\n" + group("g", "", "{record: job.x:sum, expr: up}"), "record-unused", "warning"},
		{"a record with a dash in its name that is shown", "dashboards: sum({\"job-x:sum\"})\n" + group("g", "", "{record: job-x:sum, expr: up}"), "record-unused", ""},
		{"a record in a quoted query of a template", "dashboards: none\n" + group("g", "", "{record: job-x:sum, expr: up}", "{alert: A, expr: up == 0, annotations: {summary: 's', description: '{{ query \"{\\\"job-x:sum\\\"}\" | len }}'}}"), "record-unused", ""},
		{"a record that is shown in single quotes", "dashboards: sum({'job-x:sum'})\n" + group("g", "", "{record: job-x:sum, expr: up}"), "record-unused", ""},
		{"a record before a full stop", "dashboards: see job:x:sum.Then go\n" + group("g", "", "{record: job:x:sum, expr: up}"), "record-unused", ""},
		{"a record that is shown at the end of a sentence", "dashboards: see job:x:sum.\n" + group("g", "", "{record: job:x:sum, expr: up}"), "record-unused", ""},
		{"a record with dots in its name that nothing reads", "dashboards: x:sum\n" + group("g", "", "{record: job.x:sum, expr: up}"), "record-unused", "warning"},
		{"the same alert of two tenants", group("g", "  source_tenants: [a]\n", alert("A", "up == 0", "")) + strings.TrimPrefix(group("h", "  source_tenants: [b]\n", alert("A", "up == 0", "")), "groups:\n"), "alert-duplicate", ""},
		{"the same alert of the same tenants", group("g", "  source_tenants: [a, b]\n", alert("A", "up == 0", "")) + strings.TrimPrefix(group("h", "  source_tenants: [b, a]\n", alert("A", "up == 0", "")), "groups:\n"), "alert-duplicate", "error"},
		{"a label that may be a number", group("g", "", "{alert: A, expr: usage > 0, annotations: {summary: '{{ $labels.quota | humanize }}', description: d}}"), "alert-template", "warning"},
		{"a label that was summed away", group("g", "", "{alert: A, expr: sum by (pod) (unreachable_nodes) > 0, annotations: {summary: '{{ $labels.instance }}', description: d}}"), "alert-template", "error"},
		{"a label that a ruler may add to a record", group("g", "", "{record: 'kind:jobs:rate5m', expr: 'sum by (kind) (rate(jobs_total[5m]))'}", "{alert: A, expr: 'kind:jobs:rate5m > 1', annotations: {summary: '{{ $labels.cluster }}', description: d}}") + guessed, "alert-template", "warning"},
		{"a label that is summed away of a record", group("g", "", "{record: 'kind:jobs:rate5m', expr: 'sum by (kind) (rate(jobs_total[5m]))'}", "{alert: A, expr: 'sum by (kind) (kind:jobs:rate5m) > 1', annotations: {summary: '{{ $labels.cluster }}', description: d}}") + guessed, "alert-template", "error"},
		{"a label that a record does not have, with known labels of the scrape", group("g", "", "{record: 'kind:jobs:rate5m', expr: 'sum by (kind) (rate(jobs_total[5m]))'}", "{alert: A, expr: 'kind:jobs:rate5m > 1', annotations: {summary: '{{ $labels.cluster }}', description: d}}"), "alert-template", "error"},
		{"a label of the side whose missing series are filled", group("g", "", "{alert: A, expr: 'sum by (job) (up) + fill_left(0) sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ $labels.kind }}', description: d}}"), "alert-template", ""},
		{"a label of the other side", group("g", "", "{alert: A, expr: 'sum by (job) (up) + sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ $labels.kind }}', description: d}}"), "alert-template", "error"},
		{"a label that the template tests", group("g", "", "{alert: A, expr: 'sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ if $labels.namespace }}in {{ $labels.namespace }}{{ end }}', description: '{{ or .Labels.pod `all` }}'}}"), "alert-template", "warning"},
		{"a label and one that the template tests", group("g", "", "{alert: A, expr: 'sum by (kind) (rate(jobs_total[5m])) > 1', annotations: {summary: '{{ if $labels.kind }}in {{ $labels.namespace }}{{ end }}', description: d}}"), "alert-template", "error"},
		{"a label that absent cannot know", group("g", "", "{alert: A, expr: 'absent(up{job=~\"x.*\"})', annotations: {summary: '{{ $labels.job }}', description: d}}"), "alert-template", "error"},
		{"a record that reads its own last sample", group("g", "", "{record: a:b:c, expr: up * a:b:c}"), "rule-cycle", "error"},
		{"a record of what it may have recorded", group("g", "", "{record: a:b:c, expr: 'rate(up[5m]) + a:b:c{job=\"x\"}'}"), "rule-cycle", "warning"},
		{"a record that selects the value that it sets", group("g", "", "{record: a:b:c, labels: {x: '1'}, expr: 'a:b:c{x=\"1\"} + up'}"), "rule-cycle", "error"},
		{"a record that keeps what was there", group("g", "", "{record: a:b:c, expr: up or a:b:c}"), "rule-cycle", "warning"},
		{"a count that begins again", group("g", "", "{record: a:b:c, expr: (a:b:c + 1) or vector(0)}"), "rule-cycle", "warning"},
		{"both sides of or end", group("g", "", "{record: a:b:c, expr: (a:b:c + 1) or a:b:c}"), "rule-cycle", "error"},
		{"a record that remembers and reads itself", group("g", "", "{record: a:b:c, expr: 'last_over_time(a:b:c[1h]) or a:b:c'}"), "rule-cycle", "warning"},
		{"a record that remembers and selects other series of itself", group("g", "", "{record: a:b:c, expr: 'up + a:b:c{job=\"x\"} * 2 + last_over_time(a:b:c[1h])'}"), "rule-cycle", "warning"},
		{"two records, one of which remembers and selects other series", group("g", "", "{record: a:b:c, expr: 'up + d:e:f{job=\"x\"} * 2 + last_over_time(d:e:f[1h])'}", "{record: d:e:f, expr: a:b:c}"), "rule-cycle", "warning"},
		{"a record of what it may have recorded with a label of the ruler", group("g", "", "{record: a:b:c, expr: 'a:b:c{job=\"x\"} * 2 + last_over_time(a:b:c[1h])'}") + guessed, "rule-cycle", "warning"},
		{"a record that is read with a label that a ruler may add", group("g", "", kind+"}") + "---\n" + group("h", "", "{record: x:y:z, expr: 'kind:jobs:rate5m{cluster=\"x\"}'}") + guessed, "rule-dependency", "warning"},
		{"a record that is read with a label that it does not have", group("g", "", kind+"}") + "---\n" + group("h", "", "{record: x:y:z, expr: 'kind:jobs:rate5m{cluster=\"x\"}'}"), "rule-dependency", ""},
		{"a record that is read with a label that only another of the name has", group("g", "", kind+", labels: {level: kind}}", "{record: 'kind:jobs:rate5m', expr: 'rate(jobs_total[5m])'}") + "---\n" +
			group("h", "", "{record: 'kind:jobs:rate5m', labels: {level: all}, expr: 'sum(kind:jobs:rate5m{instance!=\"\"})'}") + guessed, "rule-dependency", "warning"},
		{"a record of a name whose other records have the label that it selects", group("g", "", "{record: 'kind:jobs:rate5m', expr: 'rate(jobs_total[5m])'}", "{record: 'kind:jobs:rate5m', labels: {level: all}, expr: 'sum(kind:jobs:rate5m{instance!=\"\"})'}") + guessed, "rule-cycle", ""},
		{"a record of what is not recorded", group("g", "", "{record: a:first, expr: timestamp(up) unless a:first}"), "rule-cycle", "warning"},
		{"a record that ends with what it is taken from", group("g", "", "{record: a:first, expr: a:first unless up}"), "rule-cycle", "error"},
		{"a record of its absence", group("g", "", "{record: a:abs, expr: absent(a:abs)}"), "rule-cycle", "warning"},
		{"two records that end", group("g", "", "{record: a:b:c, expr: up * d:e:f}", "{record: d:e:f, expr: a:b:c}"), "rule-cycle", "error"},
		{"two records that begin again", group("g", "", "{record: a:b:c, expr: up or d:e:f}", "{record: d:e:f, expr: a:b:c}"), "rule-cycle", "warning"},
		{"a record that starts again through scalar", group("g", "", "{record: 'a:latch', expr: 'up > bool (5 - 2 * scalar(a:latch))'}"), "rule-cycle", "warning"},
		{"a record that starts again with a value for missing series", group("g", "", "{record: a:b:c, expr: 'a:b:c + fill_left(0) up'}"), "rule-cycle", "warning"},
		{"a record of the name of a scraped metric", group("g", "", "{record: node_load1, labels: {level: all}, expr: avg(node_load1)}"), "rule-cycle", "warning"},
		{"a record of the name of a declared metric", group("g", "", "{record: 'job:requests:sum', labels: {level: all}, expr: 'sum(job:requests:sum)'}"), "rule-cycle", "warning"},
		{"two records, one of which has the name of a scraped metric", group("g", "", "{record: up, expr: 'min(a:b:c)'}", "{record: a:b:c, expr: up}"), "rule-cycle", "warning"},
		{"a record that reads itself and another record of its name", group("g", "", "{record: a:b:c, expr: up}", "{record: a:b:c, labels: {level: all}, expr: sum(a:b:c)}"), "rule-cycle", "warning"},
		{"a record that another record remembers", group("g", "", "{record: a:b:c, expr: up + d:e:f}", "{record: d:e:f, expr: 'last_over_time(a:b:c[1h])'}"), "rule-cycle", ""},
		{"a record that another record reads in the past", group("g", "", "{record: a:b:c, expr: up + d:e:f}", "{record: d:e:f, expr: a:b:c offset 5m}"), "rule-cycle", ""},
		{"a record that remembers itself in a subquery", group("g", "", "{record: a:b:c, expr: 'up or max_over_time((a:b:c > 0)[1h:1m])'}"), "rule-cycle", ""},
		{"a record that reads itself over a range that is an expression", group("g", "", "{record: a:b:c, expr: 'up or last_over_time(a:b:c[step() * 5])'}"), "rule-cycle", ""},
		{"a record that reads itself before a time that is an expression", group("g", "", "{record: a:b:c, expr: 'up + a:b:c offset (step() * 5)'}"), "rule-cycle", ""},
		{"a record that reads itself at a fixed time", group("g", "", "{record: a:b:c, expr: 'up + a:b:c @ 1700000000'}"), "rule-cycle", ""},
		{"a record that reads itself at the time of the evaluation", group("g", "", "{record: a:b:c, expr: 'up + a:b:c @ end()'}"), "rule-cycle", "error"},
		{"a record that reads the series of other tenants", group("g", "  source_tenants: [x]\n", "{record: a:b:c, expr: sum(a:b:c)}"), "rule-cycle", ""},
		{"a record of other tenants' series of a record", group("g", "  source_tenants: [x]\n", "{record: a:b:c, expr: sum(d:e:f)}") + "---\n" + group("h", "", "{record: d:e:f, expr: a:b:c}"), "rule-cycle", ""},
		{"a group of other tenants' series that another group records", group("g", "  source_tenants: [x]\n", "{record: a:b:c, expr: sum(d:e:f)}") + "---\n" + group("h", "", "{record: d:e:f, expr: up}"), "rule-dependency", ""},
		{"a name with dots", group("g", "", "{record: a:b:c, expr: 'http.server.requests > 5'}"), "server-feature", "warning"},
		{"a name with dots in quotes", group("g", "", "{record: a:b:c, expr: '{\"http.server.requests\"} > 5.5'}"), "server-feature", ""},
		{"a record that only a query reads which is too deep to check", "dashboards: none\n" + group("g", "", "{record: a:b:c, expr: up}", alert("A", strings.Repeat("(", 200)+"a:b:c > 1"+strings.Repeat(")", 200), "")), "record-unused", ""},
		{"a query that is too deep to check", group("g", "", "{record: a:b:c, expr: '"+strings.Repeat("(", 200)+"up"+strings.Repeat(")", 200)+"'}"), "rule-file", "warning"},
		{"a label that may be there", group("g", "", "{alert: A, expr: unreachable_nodes > 0, annotations: {summary: '{{ $labels.instance }}', description: d}}"), "alert-template", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := map[string]bool{}
			for _, f := range check(t, tc.src) {
				if f.Rule == tc.rule {
					always := slices.ContainsFunc(rulelint.Catalog(), func(r lint.Rule) bool { return r.Name == f.Rule && r.Warning })
					got[map[bool]string{true: "warning", false: "error"}[f.Warning || always]] = true
				}
			}
			if all := strings.Join(slices.Sorted(maps.Keys(got)), " and "); all != tc.want {
				t.Errorf("got %q, want %q", all, tc.want)
			}
		})
	}
}

func TestDependenciesAreReportedOncePerGroup(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]int{
		"a:b:c / a:b:c": 1, "a:b:c / d:e:f": 1, "a:b:c offset 5m / a:b:c": 1, "a:b:c / a:b:c offset 5m": 1, "a:b:c offset 5m": 0, "a:b:c / g:h:i": 2,
	} {
		src := group("g", "", "{record: a:b:c, expr: up}", "{record: d:e:f, expr: up}") + "---\n" + group("h", "", "{record: g:h:i, expr: up}") + "---\n" + group("i", "", "{record: x:y:z, expr: '"+expr+"'}")
		if got := check(t, src); len(got) != want || slices.ContainsFunc(got, func(f lint.Finding) bool { return f.Rule != "rule-dependency" }) {
			t.Errorf("%s: got %v, want %d findings", expr, got, want)
		}
	}
}

// Generated files have thousands of rules. Quadratic time would be minutes.
func TestManyRulesTakeLinearTime(t *testing.T) { //nolint:paralleltest // it compares times
	const few, times = 500, 8
	readers := func(i, _ int) string { return fmt.Sprintf("{record: 'd:e:f%d', expr: 'a:b:c / a:b:c'}", i) }
	labeled := func(i, _ int) string {
		return fmt.Sprintf("{record: 'a:b:c', labels: {l: '%d'}, expr: up}", i)
	}
	for name, rules := range map[string][]func(i, n int) string{ // by turns, of a group each
		"alerts of one name": {func(i, _ int) string { return alert("A", fmt.Sprintf(`up{pod="p%d"} == 0`, i), "") }},
		"records that read the next one": {func(i, _ int) string {
			return fmt.Sprintf("{record: 'a:b:r%d', expr: 'a:b:r%d'}", i, i+1)
		}},
		"records of one name, and as many readers in their group": {func(i, n int) string {
			if i%2 == 0 {
				return labeled(i, n)
			}
			return readers(i, n)
		}},
		"records of one name, and as many readers": {labeled, readers},
		"records of one name in a group each, and as many readers": {func(i, n int) string {
			return fmt.Sprintf("%s\n- name: group%d\n  rules:\n  - {record: 'x:y:z%d', expr: up}", labeled(i, n), i, i)
		}, readers},
		"records of one name that read a record, and as many readers": {
			func(i, _ int) string {
				return fmt.Sprintf("{record: 'a:b:c', labels: {l: '%d'}, expr: 'a:b:r{l=\"%d\"}'}", i, i)
			}, readers,
			func(i, _ int) string { return fmt.Sprintf("{record: 'a:b:r', labels: {l: '%d'}, expr: up}", i-2) },
		},
		"records of one name that remember themselves": {func(i, _ int) string {
			return fmt.Sprintf("{record: 'a:b:c', labels: {l: '%d'}, expr: 'up or last_over_time(a:b:c[1h])'}", i)
		}},
		"records in a cycle": {func(i, n int) string {
			return fmt.Sprintf("{record: 'a:b:r%d', expr: 'a:b:r%d'}", i, (i+1)%n)
		}},
		"records that read both neighbors": {func(i, _ int) string {
			return fmt.Sprintf("{record: 'a:b:r%d', expr: 'a:b:r%d + a:b:r%d'}", i, i+1, max(i-1, 0))
		}},
	} {
		took := func(n int) (best time.Duration, allocated uint64) {
			src := []string{"groups:\n"}
			for turn, rule := range rules {
				var all []string
				for i := turn; i < n; i += len(rules) {
					all = append(all, rule(i, n))
				}
				src = append(src, strings.TrimPrefix(group(fmt.Sprint("g", turn), "", all...), "groups:\n"))
			}
			best = time.Hour
			for range 3 {
				var before, after goruntime.MemStats
				goruntime.ReadMemStats(&before)
				begin := time.Now()
				found := check(t, strings.Join(src, ""))
				for _, f := range found {
					if f.Rule != "rule-dependency" && f.Rule != "rule-cycle" || len(f.Message) > 200 {
						t.Errorf("%s: got %.500s", name, f)
					}
				}
				if len(found) > n {
					t.Errorf("%s: %d rules have %d findings", name, n, len(found))
				}
				best = min(best, time.Since(begin))
				goruntime.ReadMemStats(&after)
				allocated = after.TotalAlloc - before.TotalAlloc
			}
			return best, allocated
		}
		one, bytesOne := took(few)
		many, bytesMany := took(times * few)
		if many > 5*times*one || bytesMany > 2*times*bytesOne {
			t.Errorf("%s: %d take %s and %d bytes, and %d take %s and %d bytes", name, few, one, bytesOne, times*few, many, bytesMany)
		}
	}
}
