package boardlint_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/boardfile"
	"github.com/observability-first/scaffold/internal/boardlint"
	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/promlint"
)

type object = map[string]any

// good is a board that no rule objects to. Each call gives one of its own.
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

// query gives the panel a query and a unit.
func query(expr, unit string) func(object) {
	return func(b object) {
		target(b)["expr"] = strings.ReplaceAll(expr, "{M", `{job=~"$job",instance=~"$instance"`)
		panel(b)["fieldConfig"] = object{"defaults": object{"unit": unit}}
	}
}

// logs gives the panel a query of Loki.
func logs(expr string) func(object) {
	return func(b object) {
		target(b)["datasource"], target(b)["expr"] = object{"type": "loki", "uid": "$loki"}, expr
	}
}

func check(t *testing.T, changes ...func(object)) []lint.Finding {
	t.Helper()
	world := promlint.NewWorld([]promlint.Declared{
		{Name: "jobs_total", Type: "counter"}, {Name: "queue_length", Type: "gauge"}, {Name: "heap_bytes", Type: "gauge"},
		{Name: "wait_seconds", Type: "histogram", Unit: "seconds"},
	}, 15*time.Second)
	in := boardlint.Input{World: world}
	for i, change := range changes {
		b := good()
		change(b)
		src, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		board, err := boardfile.Parse(string(rune('a'+i))+".json", src)
		if err != nil {
			t.Fatal(err)
		}
		in.Boards = append(in.Boards, board)
	}
	return boardlint.Check(in)
}

func unchanged(object) {}

// Each rule finds its mistake and leaves alone what looks like it.
func TestEachRuleFindsItsMistakeAndNoOther(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{"board-file": true} // what does not parse is told by boardfile
	list := func(changes ...func(object)) []func(object) { return changes }
	uid := func(uid string) func(object) { return func(b object) { b["uid"] = uid } }
	const p95 = "histogram_quantile(0.95, sum by (le) (rate(wait_seconds_bucket{M}[$__rate_interval])))"
	for _, tc := range []struct {
		rule, name string
		bad        []func(object)
		says       string
		near       []func(object)
	}{
		{"board-uid", "none", list(uid("")), "the board has no uid", list(uid("a-B_1"))},
		{"board-uid", "too long", list(uid(strings.Repeat("x", 41))), "has 41 characters; Grafana takes up to 40", list(uid(strings.Repeat("x", 40)))},
		{"board-uid", "a space", list(uid("a b")), "other characters than letters", list(uid("a-b"))},
		{"board-uid-duplicate", "two files", list(unchanged, unchanged), "a.json has the uid shop, too", list(unchanged, uid("other"))},
		{"uneditable-dashboard", "editable", list(func(b object) { delete(b, "editable") }), `write "editable": false`, list(unchanged)},
		{
			"template-datasource", "no variable", list(func(b object) { variable(b, 0)["query"] = "loki" }), "no variable chooses the Prometheus",
			list(func(b object) { variable(b, 0)["name"] = "metrics" }),
		},
		{"template-job", "no variable", list(func(b object) { variable(b, 1)["name"] = "service" }), "no variable job", list(query(`sum(a:b:rate5m)`, "short"))},
		{"template-job", "a single value", list(func(b object) { variable(b, 1)["includeAll"] = false }), "takes one value only", list(func(b object) { variable(b, 1)["includeAll"], variable(b, 1)["multi"] = false, true })},
		{
			"template-instance", "no query", list(func(b object) { variable(b, 2)["type"] = "custom" }), "the variable instance is of type custom",
			list(func(b object) { query(`ALERTS{alertstate="firing"}`, "short")(b); variable(b, 2)["name"] = "other" }),
		},
		{
			"template-label-promql", "half a query", list(func(b object) { variable(b, 1)["query"] = "label_values(up{, job)" }), "the query of the variable job is no PromQL",
			list(func(b object) { variable(b, 1)["query"] = `label_values(up{env=~"$env"}, job)` }),
		},
		{"template-on-time-change-reload", "read once", list(func(b object) { variable(b, 1)["refresh"] = 1 }), "set refresh to 2", list(func(b object) { variable(b, 0)["refresh"] = 1 })},
		{
			"panel-datasource", "an id", list(func(b object) { panel(b)["datasource"] = object{"type": "prometheus", "uid": "P123"} }), "the data source P123 has that id in one Grafana only",
			list(func(b object) {
				panel(b)["datasource"] = object{"uid": "-- Mixed --"}
				target(b)["datasource"] = "$datasource"
			}),
		},
		{"panel-title-description", "no description", list(func(b object) { panel(b)["description"] = " " }), "needs a title and a description", list(unchanged)},
		{
			"panel-units", "no unit", list(query(`sum(queue_length{M})`, "")), "the panel has no unit",
			list(func(b object) { query(`sum(queue_length{M})`, "")(b); panel(b)["type"] = "table" }),
		},
		{
			"panel-no-targets", "no query", list(func(b object) { panel(b)["targets"] = []any{} }), "the panel has no query",
			list(func(b object) { panel(b)["targets"], panel(b)["type"] = []any{}, "text" }),
		},
		{"target-promql", "half a query", list(query(`sum(`, "short")), "not PromQL: 1:5: parse error: unclosed left parenthesis", list(query(`topk($n, a:b:c)`, "short"))},
		{"target-logql", "half a selector", list(logs(`{job="a"`)), "the bracket { is not closed", list(logs(`{job="a}"} | json | line_format "{{.x}}" |~ "(\\d+"`))},
		{"target-logql", "an open quote", list(logs(`{job="a}`)), `the quote " is not closed`, list(logs("{job=`a`} |= `{`"))},
		{"target-logql", "nothing to select", list(logs(`{}`)), "the stream selector is empty", list(logs(`{job=~"$job"}`))},
		{"target-logql", "no selector", list(logs(`rate(up)`)), "it has no stream selector", list(logs(`sum by (x) (rate({job="${job}"}[$__auto])) / 60`))},
		{"target-logql", "a bracket too many", list(logs(`{job="a"})`)), "the bracket ) closes nothing", list(logs(`({job="a"})`))},
		{"target-logql-auto", "a fixed time", list(logs(`sum(count_over_time({job="a"}[5m]))`)), "counts over 5m", list(logs(`sum(count_over_time({job="a"} |= "[5m]" [$__auto]))`))},
		{"target-rate-interval", "a fixed time", list(query(`sum(rate(jobs_total{M}[5m]))`, "ops")), "rate over 5m does not follow the step", list(query(`sum(increase(jobs_total{M}[$__range]))`, "short"))},
		{"target-job", "not bound", list(query(`sum(queue_length{instance=~"$instance"})`, "short")), "queue_length is not bound to the variable job", list(query(`sum(queue_length{instance=~"$instance",job="a"})`, "short"))},
		{"target-instance", "not bound", list(query(`sum(queue_length{job=~"$job"})`, "short")), "not bound to the variable instance", list(query(`a:b:c{job=~"$job"} + on () ALERTS`, "short"))},
		{"target-counter-agg", "as it stands", list(query(`sum(jobs_total{M})`, "short")), "jobs_total is a counter, which only rises", list(query(`count(jobs_total{M})`, "short"))},
		{"panel-unit-mismatch", "seconds as milliseconds", list(query(p95, "ms")), "the unit is ms, which is for milliseconds; the query gives seconds; set s", list(query("1000 * "+p95, "ms"))},
		{"panel-unit-mismatch", "a rate as a share", list(query(`sum(rate(jobs_total{M}[$__rate_interval]))`, "percentunit")), "which is for a share; the query gives a number per second; set ops", list(query(`sum(rate(jobs_total{M}[$__rate_interval]))`, "short"))},
		{"panel-unit-mismatch", "a count per second", list(query(`sum(increase(jobs_total{M}[$__range]))`, "reqps")), "the query gives a number; set short", list(query(`sum(rate(jobs_total{M}[$__rate_interval]))`, "reqps"))},
		{"panel-unit-mismatch", "bytes as a plain number", list(query(`sum(heap_bytes{M})`, "short")), "the unit is short, the query gives bytes; set bytes", list(query(`sum(heap_bytes{M}) / 1048576`, "short"))},
		{"panel-unit-mismatch", "a number as a share", list(query(`count(queue_length{M})`, "percentunit")), "set short", list(query(`count(queue_length{M} > 5) / count(queue_length{M})`, "percentunit"))},
		{
			"panel-unit-mismatch", "a share as percent", list(query(`count(queue_length{M} > 5) / count(queue_length{M})`, "percent")), "set percentunit",
			list(func(b object) {
				query(`count(queue_length{M} > 5) / count(queue_length{M})`, "percent")(b)
				panel(b)["transformations"] = []any{object{"id": "calculateField"}}
			}),
		},
		{"rate-gauge", "rules of promlint run, too", list(query(`sum(rate(queue_length{M}[$__rate_interval]))`, "short")), "queue_length, which is a gauge", list(query(`sum(delta(queue_length{M}[5m]))`, "short"))},
	} {
		covered[tc.rule] = true
		t.Run(tc.rule+": "+tc.name, func(t *testing.T) {
			t.Parallel()
			got := check(t, tc.bad...)
			if !slices.ContainsFunc(got, func(f lint.Finding) bool { return f.Rule == tc.rule && strings.Contains(f.Message, tc.says) }) {
				t.Errorf("got %+v\nwant %s: %s", got, tc.rule, tc.says)
			}
			if got := check(t, tc.near...); len(got) > 0 {
				t.Errorf("the near miss: got %+v, want nothing", got)
			}
		})
	}
	for _, rule := range boardlint.Catalog() {
		if !covered[rule.Name] {
			t.Errorf("no case has the rule %s", rule.Name)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(`sum(rate({job="a"} |= "x" [5m]))`, "loki")
	f.Add("{job=`a`", "loki")
	f.Add(`sum(rate(x_total{a="$b"}[$__rate_interval]))`, "prometheus")
	f.Fuzz(func(_ *testing.T, expr, kind string) {
		boardlint.Check(boardlint.Input{Boards: []boardfile.Board{{
			Panels: []boardfile.Panel{{Unit: "s", Targets: []boardfile.Target{{Expr: expr, Datasource: boardfile.Datasource{Type: kind}}}}},
		}}})
	})
}
