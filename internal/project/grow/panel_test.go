package grow_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/observability-first/scaffold/internal/project/grow"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/templates/spec"
)

func withDashboard(t *testing.T, name, text string) grow.Service {
	t.Helper()
	s, err := spec.New(spec.Choices{Name: "orders", Owner: "team-a"})
	if err != nil {
		t.Fatal(err)
	}
	return grow.Service{Dir: "orders", Spec: s, Files: fstest.MapFS{"observability/dashboards/own/" + name + ".json": {Data: []byte(text)}}}
}

func shipping() declared.Signals {
	return declared.Signals{Metrics: []declared.Metric{
		{Name: "orders_shipped_total", Type: declared.Counter, Help: "Shipped orders.", Labels: []string{"result"}},
		{Name: "starts_total", Type: declared.Counter, Help: "Starts."},
		{Name: "queue_items", Type: declared.Gauge, Help: "Queue.", Labels: []string{"shard"}},
		{Name: "wait_seconds", Type: declared.Histogram, Unit: "seconds", Help: "Wait.", Labels: []string{"queue"}},
	}}
}

// lastPanel returns the panel that was added to a dashboard.
func lastPanel(t *testing.T, change grow.Change) (dashboardfile.Dashboard, dashboardfile.Panel) {
	t.Helper()
	d, err := dashboardfile.Parse("own.json", change.Files[0].Data)
	if err != nil || len(change.Files) != 1 {
		t.Fatalf("%d files: %v\n%s", len(change.Files), err, change.Files[0].Data)
	}
	return d, d.Panels[len(d.Panels)-1]
}

func TestQueriesSelectTheService(t *testing.T) {
	t.Parallel()
	const all = `deployment_environment_name="$environment",instance=~"$instance",job="orders"`
	for expr, want := range map[string]string{
		"sum by (result) (rate(orders_shipped_total[$__rate_interval]))":     "sum by (result) (rate(orders_shipped_total{" + all + "}[$__rate_interval]))",
		`rate(orders_shipped_total {result="é",} [${__interval}] offset 5m)`: `rate(orders_shipped_total {` + all + `,result="é",} [${__interval}] offset 5m)`,
		`max(queue_items{ }) / max(queue_items{job="a"})`:                    `max(queue_items{` + all + ` }) / max(queue_items{deployment_environment_name="$environment",instance=~"$instance",job="a"})`,
		"sum(rate(wait_seconds_bucket[5m])) + other_total + queue_items_sum": "sum(rate(wait_seconds_bucket{" + all + "}[5m])) + other_total + queue_items_sum",
		`{__name__="queue_items"}`:                                           `{__name__="queue_items"}`,
		"max(queue_items) > $limit":                                          "max(queue_items) > $limit", // its places are unknown
		"max(queue_items) # {":                                               "max(queue_items{" + all + "}) # {",
	} {
		change, err := withDashboard(t, "other", "{}").Panel(grow.Panel{Title: "A", Expr: expr, Unit: "short", Dashboard: "team"}, shipping())
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if _, p := lastPanel(t, change); p.Targets[0].Expr != want {
			t.Errorf("%s: got  %s\nwant %s", expr, p.Targets[0].Expr, want)
		}
	}
}

func TestLegendHasTheLabelsOfTheResult(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"sum(rate(orders_shipped_total[5m]))":                                          `"legendFormat": "A",`,
		"100 * sum by (result) (rate(orders_shipped_total[5m]))":                       `"legendFormat": "{{result}}",`,
		"topk(3, queue_items)":                                                         `"legendFormat": "{{shard}} {{instance}}",`,
		"histogram_quantile(0.9, sum by (queue, le) (rate(wait_seconds_bucket[5m])))":  `"legendFormat": "{{queue}}",`,
		"sum without (shard) (queue_items)":                                            `"range": true`,
		`label_replace(sum by (shard) (queue_items), "a", "$1", "shard", "(.*)") > 0 `: `"range": true`,
	} {
		change, err := withDashboard(t, "other", "{}").Panel(grow.Panel{Title: "A", Expr: expr, Unit: "short", Dashboard: "team"}, shipping())
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		text := string(change.Files[0].Data)
		if !strings.Contains(text, want) || strings.HasPrefix(want, `"range`) && strings.Contains(text, "legendFormat") {
			t.Errorf("%s: want %s in\n%s", expr, want, text)
		}
	}
}

func TestPanelOfAnOwnDashboardUsesItsVariables(t *testing.T) {
	t.Parallel()
	const own = `{"uid": "own", "templating": {"list": [{"name": "prom", "type": "datasource", "query": "prometheus"}, {"name": "instance", "type": "query"}]}, "panels": []}`
	change, err := withDashboard(t, "ours/Shipping list", own).Panel(grow.Panel{Title: "Queue", Expr: "max(queue_items)", Unit: "short", Dashboard: "ours/Shipping list"}, shipping())
	if err != nil {
		t.Fatal(err)
	}
	d, p := lastPanel(t, change)
	if want := `max(queue_items{instance=~"$instance",job="orders"})`; p.Targets[0].Expr != want || p.Datasource.UID != "${prom}" || p.Targets[0].Datasource.UID != "${prom}" || d.UID != "own" || p.ID != 1 {
		t.Errorf("got %+v, want %s of ${prom}", p, want)
	}
	if want := "Queue.\n\nCompare with"; !strings.HasPrefix(p.Description, want) {
		t.Errorf("got %q, want the help text of the metric", p.Description)
	}
	if want := `Run make verify to run the query of the panel "Queue" against the service.`; change.Next[0] != want {
		t.Errorf("got %q, want %q", change.Next, want)
	}
}

func TestOnlyMetricsWithoutSeriesMayBeEmpty(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]bool{"rate(starts_total[5m])": false, "queue_items": true, "queue_items / rate(starts_total[5m])": false, "up": false} {
		change, err := withDashboard(t, "other", "{}").Panel(grow.Panel{Title: "A", Expr: expr, Unit: "short", Dashboard: "team"}, shipping())
		if err != nil {
			t.Fatal(err)
		}
		_, p := lastPanel(t, change)
		if _, got := p.EmptyUntil(); got != want {
			t.Errorf("%s: may be empty: %t, want %t", expr, got, want)
		}
	}
}

func TestInvalidPanelsAreRejected(t *testing.T) {
	t.Parallel()
	const source = `"templating": {"list": [{"name": "p", "type": "datasource", "query": "prometheus"}]}`
	for name, tc := range map[string]struct {
		own   string
		panel grow.Panel
		want  string
	}{
		"title":     {"{}", grow.Panel{Title: " ", Expr: "up", Dashboard: "new"}, "TITLE: the title is empty"},
		"duplicate": {`{` + source + `, "panels": [{"type": "row", "panels": [{"title": "A"}]}]}`, grow.Panel{Title: "A", Expr: "up", Dashboard: "own"}, `TITLE: orders/observability/dashboards/own/own.json has a panel "A" already`},
		"empty":     {"{}", grow.Panel{Title: "A", Expr: " ", Dashboard: "new"}, "--expr: the query is empty"},
		"syntax":    {"{}", grow.Panel{Title: "A", Expr: `é{a="$x"} + sum(`, Dashboard: "new"}, "--expr: column "},
		"column":    {"{}", grow.Panel{Title: "A", Expr: `rate(up[$__rate_interval]) + *`, Dashboard: "new"}, `--expr: column 30: not PromQL: unexpected <op:*>`},
		"shell":     {"{}", grow.Panel{Title: "A", Expr: "rate(a_total[])", Dashboard: "new"}, "quote the query with '"},
		"directory": {"{}", grow.Panel{Title: "A", Expr: "up", Dashboard: "../x"}, `--dashboard: "../x" is not a file name`},
		"name":      {"{}", grow.Panel{Title: "A", Expr: "up", Dashboard: "My panels"}, `--dashboard: "My panels" is not a name for a new dashboard`},
		"generated": {"{}", grow.Panel{Title: "A", Expr: "up", Dashboard: "custom"}, "--dashboard: scaffold generates a dashboard custom"},
		"source":    {`{"panels": []}`, grow.Panel{Title: "A", Expr: "up", Dashboard: "own"}, "orders/observability/dashboards/own/own.json: no variable selects the Prometheus data source"},
		"other":     {`{"a": []}`, grow.Panel{Title: "A", Expr: "up", Dashboard: "own"}, "orders/observability/dashboards/own/own.json:1:1: not a Grafana dashboard"},
		"rows":      {`{` + source + `, "rows": []}`, grow.Panel{Title: "A", Expr: "up", Dashboard: "own"}, "the dashboard has no list panels"},
	} {
		_, err := withDashboard(t, "own", tc.own).Panel(tc.panel, shipping())
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

// The bound query parses, and without the added matchers it is the query of before.
func FuzzPanelQuery(f *testing.F) {
	for _, expr := range []string{
		"sum by (result) (rate(orders_shipped_total[$__rate_interval]))", `queue_items{ shard="}" , } offset 5m`, "queue_items{} # {", "queue_items > $limit",
		`{__name__="queue_items",shard!="$x"}`, `{"queue_items"}`, "wait_seconds_bucket[${__range}]",
	} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		change, err := withDashboard(t, "other", "{}").Panel(grow.Panel{Title: "A", Expr: expr, Unit: "short", Dashboard: "team"}, shipping())
		if err != nil {
			return
		}
		_, p := lastPanel(t, change)
		got := p.Targets[0].Expr
		if _, err := dashboardfile.ParsePromQL(got); err != nil {
			t.Fatalf("%q: %q does not parse: %v", expr, got, err)
		}
		rest := got
		for _, r := range expr { // every character of before is there, in order
			at := strings.IndexRune(rest, r)
			if at < 0 {
				t.Fatalf("%q is missing in %q, of %q", r, got, expr)
			}
			rest = rest[at:][len(string(r)):]
		}
	})
}
