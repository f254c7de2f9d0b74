package dashboardlint_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/dashboardlint"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/runtime/declared"
)

type object = map[string]any

// good returns a new dashboard without findings.
func good() object {
	prometheus := object{"type": "prometheus", "uid": "${datasource}"}
	values := func(name string) object {
		return object{
			"name": name, "type": "query", "datasource": prometheus, "query": object{"query": "label_values(up, " + name + ")"}, "includeAll": true, "refresh": 2,
		}
	}
	return object{
		"uid": "shop", "title": "Shop", "editable": false,
		"templating": object{"list": []any{
			object{"name": "datasource", "type": "datasource", "query": "prometheus"}, values("job"), values("instance"),
		}},
		"panels": []any{
			object{
				"title": "Jobs", "description": "Jobs a second.", "type": "timeseries", "datasource": prometheus,
				"fieldConfig": object{"defaults": object{"unit": "ops"}},
				"targets":     []any{object{"refId": "A", "expr": `sum(rate(jobs_total{job=~"$job",instance=~"$instance"}[$__rate_interval]))`}},
			},
		},
	}
}

func panel(b object) object           { return b["panels"].([]any)[0].(object) }
func target(b object) object          { return panel(b)["targets"].([]any)[0].(object) }
func variable(b object, i int) object { return b["templating"].(object)["list"].([]any)[i].(object) }

// query sets the query and the unit of the panel.
func query(expr, unit string) func(object) {
	return func(b object) {
		target(b)["expr"] = strings.ReplaceAll(expr, "{M", `{job=~"$job",instance=~"$instance"`)
		panel(b)["fieldConfig"] = object{"defaults": object{"unit": unit, "custom": object{"axisSoftMax": 1}}}
	}
}

// logs sets a Loki query.
func logs(expr string) func(object) {
	return func(b object) {
		target(b)["datasource"], target(b)["expr"] = object{"type": "loki", "uid": "$loki"}, expr
	}
}

// parsed returns a good dashboard with a change.
func parsed(t testing.TB, name string, change func(object)) dashboardfile.Dashboard {
	t.Helper()
	b := good()
	change(b)
	src, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	dashboard, err := dashboardfile.Parse(name, src)
	if err != nil {
		t.Fatal(err)
	}
	return dashboard
}

func check(t *testing.T, changes ...func(object)) []lint.Finding {
	t.Helper()
	world := promlint.NewWorld([]declared.Metric{
		{Name: "jobs_total", Type: "counter"}, {Name: "queue_length", Type: "gauge"}, {Name: "heap_bytes", Type: "gauge"},
		{Name: "wait_seconds", Type: "histogram", Unit: "seconds"},
	}, 15*time.Second)
	in := dashboardlint.Input{World: world}
	for i, change := range changes {
		in.Dashboards = append(in.Dashboards, parsed(t, string(rune('a'+i))+".json", change))
	}
	return dashboardlint.Check(in)
}

func unchanged(object) {}

// all makes several changes.
func all(changes ...func(object)) func(object) {
	return func(b object) {
		for _, change := range changes {
			change(b)
		}
	}
}

// fields sets the field configuration of the panel.
func fields(config string) func(object) {
	return func(b object) { merge(panel(b), `{"fieldConfig":`+config+`}`) }
}

// kind changes the type and the unit of the panel, and adds settings to it.
func kind(name, unit, settings string) func(object) {
	return func(b object) {
		panel(b)["type"], panel(b)["fieldConfig"] = name, object{"defaults": object{"unit": unit}}
		merge(panel(b), "{"+settings+"}")
		if name == "alertlist" {
			delete(panel(b), "targets")
		}
	}
}

// profile makes the panel a flame graph.
func profile(kind, from string) func(object) {
	return func(b object) {
		panel(b)["type"], panel(b)["timeFrom"] = "flamegraph", from
		panel(b)["targets"] = []any{object{"refId": "A", "datasource": object{"type": "grafana-pyroscope-datasource", "uid": "$p"}, "labelSelector": `{service_name="a"}`, "profileTypeId": kind}}
	}
}

// annotated adds an annotation.
func annotated(expr string) func(object) {
	return func(b object) {
		b["annotations"] = object{"list": []any{object{"name": "Deploys", "enable": true, "datasource": object{"type": "prometheus", "uid": "${datasource}"}, "expr": expr, "step": "60s"}}}
	}
}

// merge sets the keys of a JSON object.
func merge(into object, src string) {
	if err := json.Unmarshal([]byte(src), &into); err != nil {
		panic(err)
	}
}

// Near is a similar dashboard without a finding.
func TestRules(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{"dashboard-file": true} // reported by package checks
	list := func(changes ...func(object)) []func(object) { return changes }
	uid := func(uid string) func(object) { return func(b object) { b["uid"] = uid } }
	old := func(kind string, fields object) func(object) {
		return func(b object) {
			query(`sum(queue_length{M})`, "")(b)
			panel(b)["type"] = kind
			maps.Copy(panel(b), fields)
		}
	}
	ratio := func(settings string) func(object) {
		return all(query(`sum(rate(jobs_total{M}[$__rate_interval])) / sum(rate(jobs_total{M}[$__rate_interval]))`, "percentunit"), func(b object) { merge(panel(b), "{"+settings+"}") })
	}
	single := func(settings string) func(object) {
		return all(query(`sum(rate(jobs_total{M}[5m])) / sum(rate(jobs_total{M}[5m]))`, "percentunit"), func(b object) {
			merge(panel(b), "{"+settings+"}")
			panel(b)["type"], target(b)["instant"] = "stat", true
		})
	}
	table := func(settings string) func(object) {
		return all(query(`sum(rate(jobs_total{M}[5m]))`, "ops"), func(b object) {
			merge(panel(b), "{"+settings+"}")
			panel(b)["type"], target(b)["instant"] = "table", true
		})
	}
	const lined = `{"defaults":{"unit":"ops","max":9,"thresholds":{"steps":[{"value":null},{"value":8}]},"custom":{"thresholdsStyle":{"mode":"line"}}},`
	const p95 = "histogram_quantile(0.95, sum by (le) (rate(wait_seconds_bucket{M}[$__rate_interval])))"
	for _, tc := range []struct {
		rule, name string
		bad        []func(object)
		says       string
		near       []func(object)
	}{
		{"dashboard-uid", "none", list(uid("")), "the dashboard has no uid", list(uid("a-B_1"))},
		{"dashboard-uid", "too long", list(uid(strings.Repeat("x", 41))), "has 41 characters, but Grafana allows 40", list(uid(strings.Repeat("x", 40)))},
		{"dashboard-uid", "a space", list(uid("a b")), "invalid uid \"a b\"; use letters", list(uid("a-b"))},
		{"dashboard-uid-duplicate", "two files", list(unchanged, unchanged), "a.json has the same uid shop", list(unchanged, uid("other"))},
		{"uneditable-dashboard", "editable", list(func(b object) { delete(b, "editable") }), `write "editable": false`, list(unchanged)},
		{
			"template-datasource", "no variable", list(func(b object) { variable(b, 0)["query"] = "loki" }), "no variable selects the Prometheus",
			list(func(b object) { variable(b, 0)["name"] = "metrics" }),
		},
		{"template-job", "no variable", list(func(b object) { variable(b, 1)["name"] = "service" }), "no variable job", list(query(`sum(a:b:rate5m)`, "short"))},
		{"template-job", "no variable, several jobs", list(func(b object) {
			variable(b, 1)["name"] = "service"
			query(`sum(queue_length{job=~"a|b",instance=~"$instance"})`, "short")(b)
		}), "no variable job", list(func(b object) {
			variable(b, 1)["name"] = "service"
			query(`sum(queue_length{job="a",instance=~"$instance"}) + sum(kube_pod_info)`, "short")(b)
		})},
		{"template-job", "another variable with several values", list(func(b object) {
			variable(b, 1)["name"] = "service"
			query(`sum(queue_length{job=~"$service",instance=~"$instance"})`, "short")(b)
		}), "no variable job", list(func(b object) {
			variable(b, 1)["name"] = "service"
			query(`sum(queue_length{job="$service",instance=~"$instance"}) + count(build_info)`, "short")(b)
		})},
		{"template-job", "a single value", list(func(b object) { variable(b, 1)["includeAll"] = false }), "has a single value", list(func(b object) { variable(b, 1)["includeAll"], variable(b, 1)["multi"] = false, true })},
		{
			"template-instance", "no query", list(func(b object) { variable(b, 2)["type"] = "custom" }), "the variable instance is of type custom",
			list(func(b object) { query(`ALERTS{alertstate="firing"}`, "short")(b); variable(b, 2)["name"] = "other" }),
		},
		{
			"template-label-promql", "half a query", list(func(b object) { variable(b, 1)["query"] = "label_values(up{, job)" }), "variable job: not PromQL: unexpected end",
			list(func(b object) { variable(b, 1)["query"] = `label_values(up{env=~"$instance"}, job)` }),
		},
		{
			"unknown-variable", "misspelled", list(query(`sum(a:b:c{job=~"$jobs"})`, "short")), `the dashboard has no variable jobs; did you mean "job"?`,
			list(query(`label_replace(a:b:c{job=~"${job:regex}",x="${__user.login}",y=~"${instance.text}"}, "a", "$name", "b", "(?P<name>.*)")`, "short")),
		},
		{
			"unknown-variable", "in a query of a variable", list(func(b object) { variable(b, 1)["query"] = `label_values(up{a="$b"}, job)` }), "has no variable b",
			list(func(b object) {
				variable(b, 1)["query"] = `label_values(up{a="$b"}, job)`
				b["__inputs"] = []any{object{"name": "b", "type": "constant"}}
			}),
		},
		{"template-on-time-change-reload", "read once", list(func(b object) { variable(b, 1)["refresh"] = 1 }), "set refresh to 2", list(func(b object) { variable(b, 0)["refresh"] = 1 })},
		{
			"panel-datasource", "an id", list(func(b object) { panel(b)["datasource"] = object{"type": "prometheus", "uid": "P123"} }), "the data source id P123 exists in one Grafana only",
			list(func(b object) {
				panel(b)["datasource"] = object{"uid": "-- Mixed --"}
				target(b)["datasource"] = "$datasource"
				panel(b)["targets"] = append(panel(b)["targets"].([]any), object{"datasource": object{"type": "__expr__", "uid": "__expr__"}, "expression": "$A * 2"})
			}),
		},
		{"panel-title-description", "no description", list(func(b object) { panel(b)["description"] = " " }), "has no description", list(unchanged)},
		{
			"panel-units", "no unit", list(query(`sum(queue_length{M})`, "")), "the panel has no unit",
			list(func(b object) { query(`sum(queue_length{M})`, "")(b); panel(b)["type"] = "state-timeline" }),
		},
		{
			"panel-units", "no unit of the second axis", list(old("graph", object{"yaxes": []any{object{}, object{"format": "ops"}}})), "the panel has no unit",
			list(old("graph", object{"yaxes": []any{object{"format": "short"}, object{"format": "ops"}}})),
		},
		{"panel-units", "no unit of a number", list(old("singlestat", object{"yaxes": []any{object{"format": "short"}}})), "the panel has no unit", list(old("singlestat", object{"format": "short"}))},
		{"panel-units", "no unit of a gauge", list(old("gauge", object{"format": "short"})), "the panel has no unit", list(old("gauge", object{"options": object{"fieldOptions": object{"defaults": object{"unit": "short"}}}}))},
		{
			"panel-unit-mismatch", "seconds on the left axis", list(old("graph", object{"yaxes": []any{object{"format": "ms"}}, "targets": []any{object{"expr": strings.ReplaceAll(p95, "{M", `{job=~"$job",instance=~"$instance"`)}}})), "the unit ms is for",
			list(old("graph", object{"yaxes": []any{object{"format": "ms"}, object{"format": "s"}}, "seriesOverrides": []any{object{"alias": "p95", "yaxis": 2}}, "targets": []any{object{"expr": strings.ReplaceAll(p95, "{M", `{job=~"$job",instance=~"$instance"`)}}})),
		},
		{
			"panel-no-targets", "no query", list(func(b object) { panel(b)["targets"] = []any{} }), "the panel has no query",
			list(func(b object) { panel(b)["targets"], panel(b)["type"] = []any{}, "text" }),
		},
		{"target-promql", "half a query", list(query(`sum(`, "short")), "not PromQL: unclosed left parenthesis", list(query(`topk($instance, a:b:c)`, "short"))},
		{"target-logql", "half a selector", list(logs(`{job="a"`)), "unclosed bracket {", list(logs(`{job="a}"} | json | line_format "{{.x}}" |~ "(\\d+"`))},
		{"target-logql", "an open quote", list(logs(`{job="a}`)), `unclosed quote "`, list(logs("{job=`a`} |= `{`"))},
		{"target-logql", "an open quote before a comment", list(logs(`{job="a} # "`)), "unclosed bracket {", list(logs("{job=\"a\"} # the \"slow one\n|= \"#x\" # see :)"))},
		{"target-logql", "only a comment", list(logs(`# {job="a"}`)), "no stream selector", list(logs(" "))},
		{"target-logql", "nothing to select", list(logs(`{}`)), "empty stream selector", list(logs(`{job=~"$job"}`))},
		{"target-logql", "a matcher that matches nothing, too", list(logs(`{app=~".*"} |= "x"`)), `the stream selector {app=~".*"} also matches streams without these labels; add a matcher that needs a value, such as app=~".+"`, list(logs(`{app=~".*",job!=""} |= "x"`))},
		{"target-logql", "only an exclusion", list(logs(`sum(rate({app!="a"}[$__auto]))`)), `the stream selector {app!="a"} also matches streams without`, list(logs(`sum(rate({app=~"$job",b!~"$instance"}[$__auto]))`))},
		{"target-logql", "an exclusion of what is chosen", list(logs(`{app!="a",b=""}`)), "matches streams without", list(logs(`{app!="$job"}`))},
		{"target-logql", "no range", list(logs(`sum(rate({app="a"}))`)), "rate has no range; write [$__auto] before the closing bracket", list(logs(`sum(rate({app="a"} [$__auto] | json)) + max(last_over_time ({app="a"} | (b="(" or c="d") | unwrap x [$__auto]) ) by (rate) # rate({})`))},
		{"target-logql", "one range of two", list(logs(`sum(bytes_rate({app="a"}[$__auto])) / sum (quantile_over_time (0.9, {app="a"} | unwrap x))`)), "quantile_over_time has no range", list(logs(`{app="a"} |= "rate(x)" | line_format "rate({{.a}})"`))},
		{"target-logql", "a metric", list(logs(`vector(up)`)), "no stream selector", list(logs("vector(1)\n+\t2\r\n"))},
		{"target-logql", "a metric and a number", list(logs(`2 * up`)), "no stream selector", list(logs("vector(1e3)"))},
		{"target-logql", "a name", list(logs(`e`)), "no stream selector", list(logs(`label_replace(vector(0), "a", "b", "", "")`))},
		{"target-logql", "brackets", list(logs(`()`)), "no stream selector", list(logs("-1.5e3 >= bool 2 ^ 2"))},
		{"target-logql", "no selector", list(logs(`rate(up)`)), "no stream selector", list(logs(`sum by (x) (rate({job="${job}"}[$__auto])) / 60`))},
		{"target-logql", "a bracket too many", list(logs(`{job="a"})`)), "unexpected bracket )", list(logs(`({job="a"})`))},
		{"target-logql-auto", "a fixed time", list(logs(`sum(count_over_time({job="a"}[5m]))`)), "the range 5m does not", list(logs(`sum(count_over_time({job="a"} |= "[5m]" [$__auto]))`))},
		{"target-logql-auto", "a time that a reader chooses", list(logs(`sum(count_over_time({job="a"}[$job]))`)), "the range $job does not", list(logs(`sum(count_over_time({job="a"}[$__interval])) / sum(count_over_time({job="a"}[${__range}]))`))},
		{"target-rate-interval", "a fixed time", list(query(`sum(rate(jobs_total{M}[5m]))`, "ops")), "rate over 5m does not follow the step", list(query(`sum(increase(jobs_total{M}[$__range]))`, "short"))},
		{"target-rate-interval", "the step of the graph", list(query(`sum(rate(jobs_total{M}[$__interval]))`, "ops")), "rate over $__interval may cover fewer than two scrapes; write [$__rate_interval]", list(query(`sum(rate(jobs_total{M}[$__rate_interval]))`, "ops"))},
		{"target-rate-interval", "the step of the graph in milliseconds", list(query(`sum(rate(jobs_total{M}[${__interval_ms}ms]))`, "ops")), "may cover fewer than two scrapes", list(query(`sum(rate(jobs_total{M}[${__range_s}s]))`, "ops"))},
		{"target-job", "not bound", list(query(`sum(queue_length{instance=~"$instance"})`, "short")), "queue_length does not use the variable job", list(query(`sum(queue_length{instance=~"$instance",job="a"}) + sum(kube_pod_info)`, "short"))},
		{"dashboard-alertlist-datasource", "a variable", list(kind("alertlist", "", `"options":{"datasource":"${datasource}"}`)), "so the list is always empty", list(kind("alertlist", "", `"options":{"datasource":""}`))},
		{"dashboard-annotation-region", "five minutes", list(annotated("count(a) unless count(a offset 5m)")), "annotation Deploys is a region of 5m", list(annotated("count(a) unless count(a offset 1m)"))},
		{"dashboard-annotation-region", "of the step", list(annotated("count(a) unless on () count(a offset 61s)")), "write offset $__interval", list(annotated("count(a) unless count(last_over_time(a[1h] offset $__interval))"))},
		{"dashboard-bargauge-names", "narrow", list(kind("bargauge", "short", `"gridPos":{"w":5}`)), "5 columns wide, so names of bars are cut", list(kind("bargauge", "short", `"gridPos":{"w":6}`))},
		{"dashboard-color-meaning", "outcomes", list(query(`sum by (outcome) (rate(jobs_total{M}[$__rate_interval]))`, "ops")), "values of outcome are good or bad", list(query(`sum by (queue) (rate(jobs_total{M}[$__rate_interval]))`, "ops"))},
		{"dashboard-color-meaning", "a palette", list(all(query(`sum by (code) (rate(jobs_total{M}[$__rate_interval]))`, "ops"), fields(`{"defaults":{"unit":"ops","color":{"mode":"palette-classic-by-name"}}}`))), "values of code", list(all(
			query(`sum by (code) (rate(jobs_total{M}[$__rate_interval]))`, "ops"), fields(`{"defaults":{"unit":"ops"},"overrides":[{"matcher":{"id":"byRegexp","options":"5.."},"properties":[{"id":"color","value":{"mode":"fixed","fixedColor":"red"}}]}]}`)))},
		{"dashboard-environment-all", "all", list(func(b object) { variable(b, 2)["name"], variable(b, 2)["includeAll"] = "environment", true }), "whose average hides an incident", list(func(b object) {
			list := b["templating"].(object)["list"].([]any)
			one := maps.Clone(list[2].(object))
			one["name"], one["includeAll"] = "environment", false
			b["templating"].(object)["list"] = append(list, one)
		})},
		{"dashboard-headline-color", "no thresholds", list(single(`"fieldConfig":{"defaults":{"unit":"percentunit"}}`)), "the ratio has no thresholds", list(single(`"fieldConfig":{"defaults":{"unit":"percentunit","color":{"mode":"fixed","fixedColor":"blue"}}}`))},
		{"dashboard-headline-color", "a palette", list(single(`"fieldConfig":{"defaults":{"unit":"percentunit","color":{"mode":"palette-classic"},"thresholds":{"steps":[{"color":"green","value":null},{"color":"red","value":1}]}}}`)), "depends on the order of the series", list(single(`"fieldConfig":{"defaults":{"unit":"percentunit","thresholds":{"steps":[{"color":"green","value":null},{"color":"red","value":1}]}}}`))},
		{"dashboard-headline-window", "the last point of a graph", list(kind("stat", "ops", "")), "depends on the time range", list(all(query(`sum(rate(jobs_total{M}[5m]))`, "ops"), func(b object) { panel(b)["type"], target(b)["instant"] = "stat", true }))},
		{"dashboard-headline-window", "a table", list(all(kind("table", "ops", `"transformations":[{"id":"organize","options":{"renameByName":{"Value":"Jobs"}}}]`), func(b object) { target(b)["instant"] = true })), "depends on the time range", list(table(`"transformations":[{"id":"organize","options":{"renameByName":{"Value":"Jobs"}}}]`))},
		{"dashboard-log-novalue", "both", list(fields(`{"defaults":{"unit":"ops","noValue":"none","custom":{"scaleDistribution":{"type":"log","log":10}}}}`)), "writes noValue along", list(fields(`{"defaults":{"unit":"ops","noValue":"none"}}`))},
		{"dashboard-profile-sum", "goroutines", list(profile("goroutines:goroutine:count:goroutine:count", "")), "adds up all profiles of the time range, although each has the whole goroutine", list(profile("goroutines:goroutine:count:goroutine:count", "15s"))},
		{"dashboard-profile-sum", "memory", list(profile("memory:inuse_space:bytes:space:bytes", "")), "inuse_space", list(profile("memory:alloc_space:bytes:space:bytes", ""))},
		{"dashboard-ratio-axis", "no maximum", list(ratio(`"fieldConfig":{"defaults":{"unit":"percentunit"}}`)), "on an axis to 10,000 %", list(ratio(`"fieldConfig":{"defaults":{"unit":"percentunit","max":1}}`))},
		{"dashboard-table-headers", "raw", list(table("")), "the headers are names of labels", list(table(`"transformations":[{"id":"organize","options":{"renameByName":{"Value":"Jobs"}}}]`))},
		{"dashboard-threshold-axis", "both axes", list(fields(lined + `"overrides":[{"matcher":{"id":"byFrameRefID","options":"B"},"properties":[{"id":"custom.axisPlacement","value":"right"}]}]}`)), "are drawn on the right one, too", list(fields(
			lined + `"overrides":[{"matcher":{"id":"byFrameRefID","options":"B"},"properties":[{"id":"custom.axisPlacement","value":"right"},{"id":"custom.thresholdsStyle","value":{"mode":"off"}}]}]}`))},
		{"dashboard-threshold-scale", "above a hard maximum", list(fields(`{"defaults":{"unit":"ops","max":5,"thresholds":{"steps":[{"value":null},{"value":8}]},"custom":{"thresholdsStyle":{"mode":"dashed"}}}}`)), "the threshold 8 is above max 5", list(fields(
			`{"defaults":{"unit":"ops","max":5,"thresholds":{"steps":[{"value":null},{"value":8}]}}}`))},
		{"dashboard-threshold-scale", "no maximum", list(fields(`{"defaults":{"unit":"ops","thresholds":{"steps":[{"value":null},{"value":8}]},"custom":{"thresholdsStyle":{"mode":"line"},"axisSoftMax":7}}}`)), "the axis may end below the threshold 8", list(fields(
			`{"defaults":{"unit":"ops","thresholds":{"steps":[{"value":null},{"value":8}]},"custom":{"thresholdsStyle":{"mode":"line"},"axisSoftMax":8}}}`))},
		{"target-instance", "not bound", list(query(`sum(queue_length{job=~"$job"})`, "short")), "does not use the variable instance", list(query(`a:b:c{job=~"$job"} + on () ALERTS`, "short"))},
		{"target-counter-agg", "without rate", list(query(`sum(jobs_total{M})`, "short")), "jobs_total is a counter; show rate", list(query(`count(jobs_total{M})`, "short"))},
		{"target-counter-agg", "beside zero", list(query(`sum(jobs_total{M}) + (1)`, "short")), "jobs_total is a counter; show rate", list(query(`(0) * jobs_total{M}`, "short"))},
		{"panel-unit-mismatch", "seconds as milliseconds", list(query(p95, "ms")), "the unit ms is for milliseconds, but the query returns seconds; set s", list(query("1000 * "+p95, "ms"))},
		{"panel-unit-mismatch", "a rate as a share", list(query(`sum(rate(jobs_total{M}[$__rate_interval]))`, "percentunit")), "is for a ratio, but the query returns a number per second; set ops", list(query(`sum(rate(jobs_total{M}[$__rate_interval]))`, "short"))},
		{"panel-unit-mismatch", "a count per second", list(query(`sum(increase(jobs_total{M}[$__range]))`, "reqps")), "the query returns a number; set short", list(query(`sum(rate(jobs_total{M}[$__rate_interval]))`, "reqps"))},
		{"panel-unit-mismatch", "bytes as a plain number", list(query(`sum(heap_bytes{M})`, "short")), "the unit is short, but the query returns bytes; set bytes", list(query(`sum(heap_bytes{M}) / 1048576`, "short"))},
		{"panel-unit-mismatch", "a number as a share", list(query(`count(queue_length{M})`, "percentunit")), "set short", list(query(`count(queue_length{M} > 5) / count(queue_length{M})`, "percentunit"))},
		{
			"panel-unit-mismatch", "a share as percent", list(query(`count(queue_length{M} > 5) / count(queue_length{M})`, "percent")), "set percentunit",
			list(func(b object) {
				query(`count(queue_length{M} > 5) / count(queue_length{M})`, "percent")(b)
				panel(b)["transformations"] = []any{object{"id": "calculateField"}}
			}),
		},
		{"rate-range", "one short range and a variable", list(query(`sum(rate(jobs_total{M}[10s])) / sum(rate(jobs_total{M}[$__rate_interval]))`, "percentunit")), "rate over 10s", list(query(`sum(rate(jobs_total{M}[$__rate_interval])) / sum(rate(jobs_total{M}[$__range]))`, "percentunit"))},
		{
			"impossible-comparison", "one range beside two",
			list(query(`sum(rate(jobs_total{job="a",instance="b"}[$__range])) / sum(rate(jobs_total{job="a",instance="b"}[${__range}])) > 1`, "percentunit")), "[$__range])) > 1 is never true",
			list(query(`sum(rate(jobs_total{job="a",instance="b"}[$__rate_interval])) / sum(rate(jobs_total{job="a",instance="b"}[$__range])) > 2 or sum(increase(jobs_total{job="a",instance="b"}[$__range])) / sum(increase(jobs_total{job="a",instance="b"}[$__rate_interval])) > 1`, "percentunit")),
		},
		{
			"impossible-comparison", "not with a number of Grafana",
			list(query(`count(queue_length{job="a",instance="b"}) < 0`, "short")), "is never true",
			list(query(`(count(queue_length{job="a",instance="b"}) > $__range_s) and on () vector($__interval_ms) > 99999999999`, "short")),
		},
		{"rate-gauge", "rules of promlint run, too", list(query(`sum(rate(queue_length{M}[$__rate_interval]))`, "short")), "of the gauge queue_length", list(query(`sum(delta(queue_length{M}[5m]))`, "short"))},
	} {
		covered[tc.rule] = true
		t.Run(tc.rule+": "+tc.name, func(t *testing.T) {
			t.Parallel()
			got := check(t, tc.bad...)
			if !slices.ContainsFunc(got, func(f lint.Finding) bool { return f.Rule == tc.rule && strings.Contains(f.Message, tc.says) }) {
				t.Errorf("got %+v\nwant %s: %s", got, tc.rule, tc.says)
			}
			if got := check(t, tc.near...); len(got) > 0 {
				t.Errorf("near: got %+v, want nothing", got)
			}
		})
	}
	for _, rule := range dashboardlint.Catalog() {
		if !covered[rule.Name] {
			t.Errorf("no test case for rule %s", rule.Name)
		}
	}
}

// Units and types that depend on names, and parts that depend on variables, are guesses.
func TestGuessesAreWarnings(t *testing.T) {
	t.Parallel()
	const p99 = "histogram_quantile(0.99, sum by (le) (rate(request_duration_seconds_bucket[$__rate_interval])))"
	untyped := func(uid, expr string) func(object) {
		return func(b object) {
			target(b)["datasource"], target(b)["expr"] = object{"uid": uid}, expr
			b["templating"].(object)["list"] = append(b["templating"].(object)["list"].([]any), object{"name": "logs", "type": "datasource", "query": "loki"})
		}
	}
	for _, tc := range []struct {
		name   string
		change func(object)
		rule   string
		want   string // error, warning, or nothing
	}{
		{"seconds as milliseconds", query(p99, "ms"), "panel-unit-mismatch", "error"},
		{"seconds as operations", query(p99, "ops"), "panel-unit-mismatch", "error"},
		{"milliseconds as seconds", query("1e3 * "+p99, "s"), "panel-unit-mismatch", "error"},
		{"bytes per second as bytes", query("rate(net_receive_bytes_total[$__rate_interval])", "bytes"), "panel-unit-mismatch", "error"},
		{"bytes that may be those of each second", query("heap_inuse_bytes", "binBps"), "panel-unit-mismatch", "warning"},
		{"bytes per second of what may be bytes per second", query("rate(net_receive_bytes_total[$__rate_interval]) / link_bytes", "percentunit"), "panel-unit-mismatch", "warning"},
		{"a declared counter of bytes as bytes per second", query("increase(sent_bytes_total[$__range])", "Bps"), "panel-unit-mismatch", "error"},
		{"a declared gauge of bytes as bytes per second", query("page_bytes", "Bps"), "panel-unit-mismatch", "error"},
		{"the speed of a link", query(`node_network_speed_bytes{instance=~"$instance"}`, "Bps"), "panel-unit-mismatch", ""},
		{"the speed of a link in bits", query("node_network_speed_bytes * 8", "bps"), "panel-unit-mismatch", ""},
		{"the utilization of a link", query("rate(net_receive_bytes_total[$__rate_interval]) / node_network_speed_bytes", "percentunit"), "panel-unit-mismatch", ""},
		{"the declared speed of a link", query("page_speed_bytes", "Bps"), "panel-unit-mismatch", ""},
		{"what limits at a rate as seconds", query("rate(rate_limited_bytes_total[$__rate_interval])", "s"), "panel-unit-mismatch", "error"},
		{"bytes as a share", query("heap_inuse_bytes", "percentunit"), "panel-unit-mismatch", "error"},
		{"bytes as seconds", query("heap_inuse_bytes", "s"), "panel-unit-mismatch", "error"},
		{"bytes as bits", query("heap_inuse_bytes", "bits"), "panel-unit-mismatch", "error"},
		{"a fraction of CPU time as percent", query("rate(process_cpu_seconds_total[$__rate_interval])", "percent"), "panel-unit-mismatch", "error"},
		{"seconds as a plain number", query(p99, "short"), "panel-unit-mismatch", "warning"},
		{"seconds in each second", query("rate(io_time_seconds_total[$__rate_interval])", "s"), "panel-unit-mismatch", "warning"},
		{"drops in bytes per second", query("rate(net_receive_drop_total[$__rate_interval])", "Bps"), "panel-unit-mismatch", "warning"},
		{"bytes in the middle of the name", query("rate(distributor_bytes_received_total[$__rate_interval])", "Bps"), "panel-unit-mismatch", ""},
		{"a ratio that may be a percentage", query("buffer_hit_ratio", "percent"), "panel-unit-mismatch", "warning"},
		{"a difference of two counters", query("mallocs_total - frees_total", "short"), "target-counter-agg", "warning"},
		{"a difference of two declared counters", query("jobs_total - on () jobs_done_total", "short"), "target-counter-agg", "warning"},
		{"a declared counter above a number", query("jobs_total > 600e12", "short"), "target-counter-agg", "warning"},
		{"a declared counter as a part of a quota", query("jobs_total / on (device) endurance_jobs", "short"), "target-counter-agg", "warning"},
		{"a declared counter and a rate", query("jobs_total + on () rate(jobs_done_total[5m])", "short"), "target-counter-agg", "error"},
		{"a declared counter with the labels of an info metric", query("jobs_total * on (pod) group_left (node) kube_pod_info", "short"), "target-counter-agg", "error"},
		{"a declared counter that a transformation may subtract", func(b object) {
			query("jobs_total", "short")(b)
			panel(b)["transformations"] = []any{object{"id": "calculateField"}}
		}, "target-counter-agg", "warning"},
		{"a declared counter over the time since the start", query("jobs_total / (time() - process_start_time_seconds)", "short"), "target-counter-agg", ""},
		{"a declared counter in thousands", query("jobs_total / 1000", "short"), "target-counter-agg", "error"},
		{"a declared counter over a range that Grafana chooses, with rare scrapes", query("sum(rate(jobs_total[$__rate_interval]))", "ops"), "rate-range", ""},
		{"a declared counter over a range in seconds", query("sum(increase(jobs_total[${__range_s}s]))", "short"), "rate-range", ""},
		{"a declared counter over a range in old brackets", query("sum(increase(jobs_total[[[range]]]))", "short"), "rate-range", ""},
		{"a declared counter over a fixed range, with rare scrapes", query("sum(rate(jobs_total{a=~\"[$a]\"}[5m]))", "ops"), "rate-range", "error"},
		{"a query that is not shown", func(b object) { query(p99, "ms")(b); target(b)["hide"] = true }, "panel-unit-mismatch", ""},
		{"a total in a graph", query("sum(pods_total)", "short"), "target-counter-agg", "warning"},
		{"a character class in a regular expression", query(`sum(rate(x_total{path=~"/[a-z]+"}[$__rate_interval]))`, "short"), "target-rate-interval", ""},
		{"a sum of a range", query(`sum(a:b:c{slo="$slo"}[$__rate_interval])`, "short"), "target-promql", "error"},
		{"a leftover of another template language", query(`rate(x_total{%(matchers)s}[5m])`, "short"), "target-promql", "error"},
		{"a grouping that a variable names", query(`sum by ($by) (rate(x_total[5m]))`, "short"), "target-promql", ""},
		{"a quantile that a variable names", query(`histogram_quantile($q, sum by (le) (rate(x_seconds_bucket[$__rate_interval])))`, "s"), "quantile-le", ""},
		{"a quantile that a variable in braces names", query(`histogram_quantile(${q}, sum by (le) (rate(x_seconds_bucket[$__rate_interval])))`, "s"), "quantile-le", ""},
		{"a quantile that is too high", query(`histogram_quantile(95, sum by (le,$by) (rate(x_seconds_bucket[$__rate_interval])))`, "s"), "quantile-le", "error"},
		{"le in a grouping that a variable names", query(`histogram_quantile(0.9, sum by ($by) (rate(x_seconds_bucket[$__rate_interval])))`, "s"), "quantile-le", ""},
		{"le left out and a variable", query(`histogram_quantile(0.9, sum without (le,$by) (rate(x_seconds_bucket[$__rate_interval])))`, "s"), "quantile-le", "error"},
		{"a grouping and a range that variables name", query(`sum by ($by) (rate(x_total[$interval]))`, "ops"), "target-promql", ""},
		{"a declared counter that rose by more than a variable names", query(`delta(jobs_total[$__range]) > $n`, "short"), "delta-counter", ""},
		{"a declared counter that fell by less than a variable names", query(`delta(jobs_total[$__range]) < $n`, "short"), "delta-counter", ""},
		{"a declared counter whose sum is grouped by what a variable names", query(`rate(sum by (${by}) (jobs_total)[5m:15s])`, "ops"), "rate-sum", ""},
		{"a declared counter whose sum is of one instance that a variable names", query(`rate(sum(jobs_total{instance="$instance"})[5m:15s])`, "ops"), "rate-sum", ""},
		{"a declared counter whose sum is of all instances", query(`rate(sum(jobs_total)[5m:15s])`, "ops"), "rate-sum", "error"},
		{"a step that a variable names", query(`rate(jobs_total[1h:$step])`, "ops"), "rate-range", ""},
		{"a declared counter whose change is multiplied", query(`delta(jobs_total[$__range]) * $n`, "short"), "delta-counter", "error"},
		{"a declared counter whose fall is multiplied", query(`delta(jobs_total[$__range]) * $n < 0`, "short"), "delta-counter", ""},
		{"a declared counter whose sum is of one instance", query(`rate(sum(jobs_total{instance=~"$instance"})[5m:15s])`, "ops"), "rate-sum", ""},
		{"a step in milliseconds that a variable names", query(`rate(jobs_total[10m:${step}ms])`, "ops"), "rate-range", ""},
		{"a step that Grafana chooses", query(`rate(jobs_total[1h:$__interval])`, "ops"), "rate-range", ""},
		{"a number of series that a variable names", query(`topk($n, up)`, "short"), "always-empty", ""},
		{"two values that variables name", query(`up{a="$a",a="x"}`, "short"), "always-empty", ""},
		{"a bound that a variable names", query(`clamp_max(x, $bound) > 5`, "short"), "impossible-comparison", ""},
		{"a metric that a variable names", query(`max(${metric}{a="b"}[5m:])`, "short"), "target-promql", "warning"},
		{"an operator that a variable names", query(`up $operator on (job) down`, "short"), "target-promql", "warning"},
		{"a data source whose variable is for logs", untyped("${logs}", `{a="b"} |= "c"`), "target-promql", ""},
		{"a data source of an unknown type", untyped("abc", `{a="b"} |= "c"`), "target-promql", "warning"},
		{"LogQL with matchers that a variable names", logs(`{job="a",${adhoc}}`), "target-logql", ""},
		{"matchers that a variable names", query("up{${adhoc}}", "short"), "target-promql", ""},
		{"LogQL with a range that a variable may have", logs(`sum(rate({a="b"} $filter))`), "target-logql", "warning"},
		{"LogQL of a variable", logs("$query"), "target-logql", "warning"},
		{"a plugin without a query", func(b object) { panel(b)["targets"], panel(b)["type"] = []any{}, "acme-clock-panel" }, "panel-no-targets", "warning"},
		{"a graph without a query", func(b object) { panel(b)["targets"] = []any{} }, "panel-no-targets", "error"},
		{"no uid", func(b object) { b["uid"] = "" }, "dashboard-uid", "warning"},
		{"a query of a variable with two commas", func(b object) { variable(b, 1)["query"] = `label_values(up{a=~"$a",,b="c"}, job)` }, "template-label-promql", "error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			world := promlint.NewWorld(nil, 15*time.Second)
			if strings.Contains(tc.name, "declared counter") {
				world = promlint.NewWorld([]declared.Metric{{Name: "jobs_total", Type: "counter"}, {Name: "jobs_done_total", Type: "counter"}}, 15*time.Second)
			}
			if strings.Contains(tc.name, "a declared gauge") {
				world = promlint.NewWorld([]declared.Metric{{Name: "page_bytes", Type: "gauge", Unit: "bytes"}, {Name: "page_speed_bytes", Type: "gauge", Unit: "bytes"}}, 15*time.Second)
			}
			if strings.Contains(tc.name, "rare scrapes") {
				world.Scrape = 5 * time.Minute
			}
			world.OtherMetrics = true
			got := map[string]bool{}
			for _, f := range dashboardlint.Check(dashboardlint.Input{World: world, Dashboards: []dashboardfile.Dashboard{parsed(t, "a.json", tc.change)}}) {
				if f.Rule == tc.rule {
					got[map[bool]string{true: "warning", false: "error"}[f.Warning]] = true
				}
			}
			if all := strings.Join(slices.Sorted(maps.Keys(got)), " and "); all != tc.want {
				t.Errorf("got %q, want %q", all, tc.want)
			}
		})
	}
}

// Messages have the variables instead of their placeholders.
func TestMessagesNameVariables(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`absent(sum by ($by) (up))`:               "absent(sum by ($by) (up)) is true only",
		`absent(sum by (a) (up{a="${a}"}))`:       `absent(sum by (a) (up{a="${a}"})) is true only`,
		`absent(sum by ($by) (up{a="$a"}))`:       `absent(sum by (…) (up{a="…"})) is true only`,
		`up{$a $a}`:                               "not PromQL: unexpected character inside braces: '$a'",
		`absent(sum by ($by) (up)) + $__range_ms`: "absent(sum by ($by) (up)) is true only",
	} {
		got := check(t, query(expr, "short"))
		if !slices.ContainsFunc(got, func(f lint.Finding) bool { return strings.HasPrefix(f.Message, want) }) {
			t.Errorf("%s: got %+v, want %s", expr, got, want)
		}
	}
}

func TestUnknownVariableIsReportedOnce(t *testing.T) {
	t.Parallel()
	var got []string
	for _, f := range check(t, func(b object) {
		query(`sum(a:b:c{job=~"${jobs.text}",x=~"${jobs.value}",y=~"$jobs"})`, "short")(b)
		second, third := maps.Clone(panel(b)), maps.Clone(panel(b))
		third["targets"] = []any{object{"refId": "A", "expr": `sum(a:b:c{instance=~"${instances.text}"})`}}
		b["panels"] = append(b["panels"].([]any), second, third)
	}) {
		if f.Rule == "unknown-variable" {
			got = append(got, f.Message)
		}
	}
	want := []string{`the dashboard has no variable jobs; did you mean "job"?`, `the dashboard has no variable instances; did you mean "instance"?`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Files in two directories may be for two Grafana servers.
func TestSameUIDInTwoDirectoriesIsAWarning(t *testing.T) {
	t.Parallel()
	one, other := parsed(t, "x/a.json", unchanged), parsed(t, "y/a.json", unchanged)
	for together, warning := range map[bool]bool{false: true, true: false} {
		got := dashboardlint.Check(dashboardlint.Input{Dashboards: []dashboardfile.Dashboard{one, other}, OneGrafana: together})
		if i := slices.IndexFunc(got, func(f lint.Finding) bool { return f.Rule == "dashboard-uid-duplicate" }); i < 0 || got[i].Warning != warning {
			t.Errorf("for one Grafana: %v: got %v", together, got)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(`sum(rate({job="a"} |= "x" [5m]))`, "loki")
	f.Add("{job=`a`", "loki")
	f.Add(`sum(rate(x_total{a="$b"}[$__rate_interval]))`, "prometheus")
	f.Fuzz(func(t *testing.T, expr, kind string) {
		for _, p := range dashboardlint.Check(dashboardlint.Input{Dashboards: []dashboardfile.Dashboard{{
			File: "a.json", UID: "shop",
			Panels: []dashboardfile.Panel{{Title: "A", Unit: "s", Targets: []dashboardfile.Target{{Expr: expr, Datasource: dashboardfile.Datasource{Type: kind}, Line: 3}}}},
		}}}) {
			if p.Rule == "" || p.Message == "" || p.File != "a.json" || p.Line == 3 && p.Panel != "A" {
				t.Errorf("%q of %q: %+v", expr, kind, p)
			}
		}
	})
}

// The time per variable does not depend on the number of variables.
func BenchmarkUnknownVariables(b *testing.B) {
	for _, n := range []int{4_000, 48_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var names []string
			for i := range n {
				names = append(names, fmt.Sprintf("$other%d", i))
			}
			dashboards := []dashboardfile.Dashboard{parsed(b, "a.json", query(strings.Join(names, " + "), "short"))}
			b.ReportAllocs()
			for b.Loop() {
				dashboardlint.Check(dashboardlint.Input{World: promlint.NewWorld(nil, 15*time.Second), Dashboards: dashboards})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/variable")
		})
	}
}
