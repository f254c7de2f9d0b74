package names_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/names"
	"github.com/observability-first/scaffold/templates"
)

func known() names.Known {
	return names.NewKnown(templates.Signals{Metrics: []templates.Metric{
		{Name: "orders_placed_total", Type: "counter", Labels: []string{"channel"}},
		{Name: "wait_seconds", Type: "histogram", Labels: []string{"queue"}},
	}}, []names.Recorded{
		{Name: "slo:bad:increase1h", Expr: `sum_over_time(slo:bad:increase30s[1h])`},
		{Name: "slo:bad:increase30s", Expr: `sum by (environment) (increase(orders_placed_total[45s]))`, Labels: []string{"slo"}},
	}, []string{"environment"})
}

func TestNamesInQueries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		expr string
		want []string
	}{
		"a declared metric":              {`sum by (channel) (rate(orders_placed_total{job="x",environment="p"}[$__rate_interval]))`, nil},
		"a histogram's parts":            {`histogram_quantile(0.99, sum by (le, queue) (rate(wait_seconds_bucket[5m]))) / wait_seconds_count`, nil},
		"a recorded name":                {`sum_over_time(slo:bad:increase30s[1h]) > 5`, nil},
		"what the scraper writes":        {`sum(up{job="x"}) == 0 or absent(up{job="x"})`, nil},
		"variables everywhere":           {`topk($n, rate(orders_placed_total{channel=~"${channel:regex}",job=~"[[job]]"}[$__range]))`, nil},
		"alerts":                         {`ALERTS{alertname=~"Orders.*", slo="x"}`, nil},
		"a metric nobody declares":       {`rate(orders_place_total[5m])`, []string{`metric orders_place_total is not declared; did you mean "orders_placed_total"?`}},
		"a label it does not have":       {`orders_placed_total{chanel="web"}`, []string{`metric orders_placed_total has no label chanel; did you mean "channel"?`}},
		"a grouping it cannot give":      {`sum by (queue) (orders_placed_total)`, []string{`"orders_placed_total" has no label queue`}},
		"labels flow through rules":      {`slo:bad:increase1h{environment="p",slo="x"}`, nil},
		"and end where they are summed":  {`slo:bad:increase1h{channel="web"}`, []string{"metric slo:bad:increase1h has no label channel"}},
		"a match on what is summed away": {`sum(orders_placed_total) / on (channel) orders_placed_total`, []string{`"sum(orders_placed_total)" has no label channel`}},
		"ignoring what is not there":     {`orders_placed_total / ignoring (nothing) orders_placed_total`, nil},
		"a label of the other side":      {`orders_placed_total * on (job) group_left (le) wait_seconds_bucket`, nil},
		"a label of neither side":        {`orders_placed_total * on (job) group_left (version) wait_seconds_count`, []string{`"wait_seconds_count" has no label version`}},
		"a label that is made":           {`sum by (made) (label_replace(orders_placed_total, "made", "$1", "channel", "(.*)"))`, nil},
		"a counter as a histogram":       {`orders_placed_total_bucket`, []string{"metric orders_placed_total_bucket is not declared"}},
		"no PromQL":                      {`sum(`, []string{"not PromQL: 1:5: parse error: unclosed left parenthesis"}},
		"a name by its label":            {`{__name__="nothing"}`, []string{"metric nothing is not declared"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range known().Check([]names.Query{{Expr: tc.expr}}) {
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

func TestReadRules(t *testing.T) {
	t.Parallel()
	queries, recorded, err := names.Rules("a.yaml", []byte(`groups:
- name: g
  rules:
  - record: slo:total:increase30s
    expr: sum by (environment) (orders_placed_total{job="x"})
    labels: {tier: page}
  - alert: OrdersDown
    expr: up == 0
`))
	if err != nil {
		t.Fatal(err)
	}
	if want := []names.Query{
		{File: "a.yaml", Line: 5, At: "record slo:total:increase30s", Expr: `sum by (environment) (orders_placed_total{job="x"})`},
		{File: "a.yaml", Line: 8, At: "alert OrdersDown", Expr: "up == 0"},
	}; !slices.Equal(queries, want) {
		t.Errorf("got %+v", queries)
	}
	if len(recorded) != 1 || recorded[0].Name != "slo:total:increase30s" || !slices.Equal(recorded[0].Labels, []string{"tier"}) {
		t.Errorf("recorded %+v", recorded)
	}
	if _, _, err := names.Rules("b.yaml", []byte("groups:\n- name: g\n  rules:\n  - record: x\n    expr: 'sum('\n")); err == nil || !strings.HasPrefix(err.Error(), "b.yaml: ") {
		t.Errorf("a broken file: %v", err)
	}
}

func TestReadBoards(t *testing.T) {
	t.Parallel()
	queries, err := names.Board("b.json", []byte(`{"panels":[
		{"title":"A","datasource":{"type":"prometheus"},"targets":[{"refId":"A","expr":"up"},{"refId":"B","expr":"{x=\"y\"}","datasource":{"type":"loki"}}]},
		{"type":"row","panels":[{"title":"C","targets":[{"refId":"A","expr":"ALERTS"}]}]},
		{"title":"D","datasource":{"type":"grafana-pyroscope-datasource"},"targets":[{"refId":"A"}]}],
		"annotations":{"list":[{"name":"Deploys","expr":"build_info"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := []names.Query{
		{File: "b.json", Line: 2, At: "panel A, target A", Expr: "up"},
		{File: "b.json", Line: 3, At: "panel C, target A", Expr: "ALERTS"},
		{File: "b.json", Line: 5, At: "annotation Deploys", Expr: "build_info"},
	}; !slices.Equal(queries, want) {
		t.Errorf("got %+v", queries)
	}
	if _, err := names.Board("c.json", []byte("{")); err == nil {
		t.Error("half a file is no board")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(`sum by (a) (rate(b{c=~"$d"}[$__rate_interval]))`)
	k := known()
	f.Fuzz(func(_ *testing.T, expr string) { k.Check([]names.Query{{Expr: expr}}) })
}
