package slo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/slo"
)

const slothFile = `version: prometheus/v1
service: shop
labels: {tier: "1", team: checkout}
slo_plugins: {chain: [{id: sloth.dev/core/debug/v1, priority: 1, config: {a: b}}]}
slos:
  - name: availability
    objective: 99.95
    description: Customers can buy.
    labels: {category: availability}
    sli:
      events:
        error_query: sum(rate(requests_total{job="shop",code=~"5.."}[{{.window}}])) or vector(0)
        total_query: sum(rate(requests_total{job="shop"}[{{ .window }}]))
    alerting:
      name: ShopDown
      labels: {channel: shop}
      annotations: {summary: The shop is down., help: 'https://help.test', value: '{{ $value }}'}
      page_alert: {labels: {severity: page, route: a}}
      ticket_alert: {disable: True, labels: {severity: ticket}}
  - name: Slow_Pages
    objective: 99
    sli:
      events:
        error_query: |
          (
            sum(rate(request_seconds_count{job="shop"}[{{.window}}]))
            -
            sum(rate(request_seconds_bucket{job="shop",le="0.29"}[{{.window}}]))
          )
        total_query: sum(rate(request_seconds_count{job="shop"}[{{.window}}]))
    alerting:
      labels: {channel: shop}
      annotations: {help: 'https://help.test'}
      page_alert: {labels: {severity: page}}
      ticket_alert: {labels: {severity: ticket}}
`

// slothResource is slothFile as a Kubernetes resource.
func slothResource() string {
	body := strings.TrimPrefix(slothFile, "version: prometheus/v1\n")
	body = strings.NewReplacer("error_query", "errorQuery", "total_query", "totalQuery", "page_alert", "pageAlert",
		"ticket_alert", "ticketAlert", "slo_plugins", "sloPlugins").Replace(body)
	return "apiVersion: sloth.slok.dev/v1\nkind: PrometheusServiceLevel\nmetadata: {name: shop, uid: x}\nspec:\n  " +
		strings.ReplaceAll(strings.TrimSuffix(body, "\n"), "\n", "\n  ") + "\nstatus: {processedSLOs: 2}\n"
}

const pyrraFile = `apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata:
  name: shop-errors
  namespace: prod
  labels: {role: alert-rules, pyrra.dev/team: checkout}
  annotations: {pyrra.dev/help: 'https://help.test', other: x}
spec:
  description: Customers can buy.
  target: "99.5"
  window: 2w
  indicator:
    ratio:
      errors: {metric: 'failures_total{job="shop"}'}
      total: {metric: 'requests_total{job="shop"}'}
      grouping: [handler]
  alerting:
    absent: False
    severities: {fastBurn: page}
---
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata:
  name: shop-latency
  labels: {pyrra.dev/team: checkout}
spec:
  target: "90"
  window: 4w
  indicator:
    latency:
      success: {metric: 'request_seconds_bucket{job="shop",le="1.0"}'}
      total: {metric: 'request_seconds_count{job="shop"}'}
  alerting: {severities: {fastBurn: page}}
`

// alpha is an objective in v1alpha, with counters of all and of good requests.
const alpha = `- apiVersion: openslo/v1alpha
  kind: SLO
  metadata: {name: availability, displayName: Orders}
  spec:
    service: orders
    budgetingMethod: Occurrences
    objectives:
      - ratioMetrics:
          incremental: true
          good: {source: prometheus, queryType: promql, query: 'sum(increase(good_total{a="b"}[5m]))'}
          total: {source: prometheus, queryType: promql, query: 'all_total{c="d"}'}
        target: 0.99
    timeWindows: [{count: 2, unit: Week, isRolling: true}]
- apiVersion: openslo/v1alpha
  kind: Service
  metadata: {name: orders}
`

const referring = `apiVersion: openslo/v1
kind: SLO
metadata: {name: availability}
spec:
  service: orders
  indicatorRef: errors
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: errors}
spec: {ratioMetric: {rawType: failure, raw: {metricSource: {metricSourceRef: main, spec: {query: 'sum(rate(a_total{b="c"}[5m])) / sum(rate(a_total[5m]))'}}}}}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: main}
spec: {type: Prometheus}
`

func TestImport(t *testing.T) {
	t.Parallel()
	availability := slo.Objective{
		Name: "availability", Description: "Customers can buy.", Target: "99.95", Window: "30d", MinBadEvents: new(5),
		Indicator: slo.Indicator{Ratio: &slo.Ratio{Total: `requests_total{job="shop"}`, Bad: `requests_total{code=~"5..",job="shop"}`}},
	}
	slow := slo.Objective{
		Name: "slow-pages", Target: "99", Window: "30d", MinBadEvents: new(5),
		Indicator: slo.Indicator{Latency: &slo.Latency{Histogram: `request_seconds{job="shop"}`, Threshold: 290 * time.Millisecond}},
	}
	sloth := slo.Spec{
		Service: "shop", Owner: "checkout", Selector: map[string]string{"job": "shop"}, SLOs: []slo.Objective{availability, slow},
		Alerting: slo.Alerting{
			Labels:      map[string]string{"tier": "1", "channel": "shop"},
			Annotations: map[string]string{"help": "https://help.test"}, Severities: slo.Severities{Page: "page", Ticket: "ticket"},
		},
	}
	orders := func(o slo.Objective) slo.Spec {
		o.MinBadEvents = new(5)
		return slo.Spec{Service: "orders", Selector: map[string]string{"job": "orders"}, SLOs: []slo.Objective{o}}
	}
	failures := orders(slo.Objective{
		Name: "availability", Target: "99", Window: "30d",
		Indicator: slo.Indicator{Ratio: &slo.Ratio{Total: "a_total", Bad: `a_total{b="c"}`}},
	})
	for name, test := range map[string]struct {
		src     string
		options slo.ImportOptions
		want    slo.Spec
		changed []string
		dropped []string
	}{
		"a file of sloth": {
			slothFile, slo.ImportOptions{}, sloth,
			[]string{
				`f: selector: rules select job="shop" (from the queries) where a query has no job matcher; use --selector to change it`,
				"f: minBadEvents: fewer than 5 bad events fire no alert",
				"f: rules assume a scrape interval of 15s (--scrape-interval) and the environment label deployment_environment_name (--environment-label)",
				"f:3:9: labels: are labels of alerts, and not of recorded series",
				`f:4:28: slo_plugins.chain[0].id: the plugin "sloth.dev/core/debug/v1" is not run`,
				"f:19:31: slos[0].alerting.ticket_alert.disable: the rules still have these alerts; route them to a receiver that drops them",
				`f:20:11: slos[1].name: "Slow_Pages" is written as "slow-pages"`,
			},
			[]string{
				"f:9:14: slos[0].labels.category: not imported: not all objectives have this value",
				"f:15:7: slos[0].alerting.name",
				"f:17:21: slos[0].alerting.annotations.summary: not imported: the rules set it",
				"f:17:76: slos[0].alerting.annotations.value: not imported: templates are not supported",
				"f:18:45: slos[0].alerting.page_alert.labels.route",
			},
		},
		"a resource of sloth": {
			slothResource(), slo.ImportOptions{}, sloth,
			[]string{
				`f: selector: rules select job="shop" (from the queries) where a query has no job matcher; use --selector to change it`,
				"f: minBadEvents: fewer than 5 bad events fire no alert",
				"f: rules assume a scrape interval of 15s (--scrape-interval) and the environment label deployment_environment_name (--environment-label)",
				"f:6:11: spec.labels: are labels of alerts, and not of recorded series",
				`f:7:29: spec.sloPlugins.chain[0].id: the plugin "sloth.dev/core/debug/v1" is not run`,
				"f:22:32: spec.slos[0].alerting.ticketAlert.disable: the rules still have these alerts; route them to a receiver that drops them",
				`f:23:13: spec.slos[1].name: "Slow_Pages" is written as "slow-pages"`,
			},
			[]string{
				"f:3:12: metadata.name",
				"f:12:16: spec.slos[0].labels.category: not imported: not all objectives have this value",
				"f:18:9: spec.slos[0].alerting.name",
				"f:20:23: spec.slos[0].alerting.annotations.summary: not imported: the rules set it",
				"f:20:78: spec.slos[0].alerting.annotations.value: not imported: templates are not supported",
				"f:21:46: spec.slos[0].alerting.pageAlert.labels.route",
			},
		},
		"resources of Pyrra": {
			pyrraFile, slo.ImportOptions{},
			slo.Spec{
				Service: "shop", Owner: "checkout", Selector: map[string]string{"job": "shop"},
				Alerting: slo.Alerting{Severities: slo.Severities{Page: "page", Ticket: "warning"}},
				SLOs: []slo.Objective{
					{
						Name: "errors", Description: "Customers can buy.", Target: "99.5", Window: "14d", MinBadEvents: new(5), GroupBy: []string{"handler"},
						Indicator: slo.Indicator{Ratio: &slo.Ratio{Total: `requests_total{job="shop"}`, Bad: `failures_total{job="shop"}`}},
					},
					{
						Name: "latency", Target: "90", Window: "28d", MinBadEvents: new(5),
						Indicator: slo.Indicator{Latency: &slo.Latency{Histogram: `request_seconds{job="shop"}`, Threshold: time.Second}},
					},
				},
			},
			[]string{
				`f: selector: rules select job="shop" (from the queries) where a query has no job matcher; use --selector to change it`,
				"f: minBadEvents: fewer than 5 bad events fire no alert",
				"f: rules assume a scrape interval of 15s (--scrape-interval) and the environment label deployment_environment_name (--environment-label)",
				`f:4:9: service: "shop", because Pyrra has no services; --service sets another`,
				`f:4:9: metadata.name: "shop-errors" is written as "errors", because names of alerts begin with the service`,
				"f:16:17: spec.indicator.ratio.grouping: grouped objectives do not page; their alerts are tickets",
				"f:18:13: spec.alerting.absent: the rules still have these alerts; route them to a receiver that drops them",
				`f:24:9: metadata.name: "shop-latency" is written as "latency", because names of alerts begin with the service`,
			},
			[]string{
				"f:5:3: metadata.namespace",
				"f:6:12: metadata.labels.role",
				"f:7:17: metadata.annotations.pyrra.dev/help: not imported: not all objectives have this value",
				"f:7:54: metadata.annotations.other",
			},
		},
		"a list in OpenSLO v1alpha, with good events of another metric": {
			alpha, slo.ImportOptions{Selector: map[string]string{"cluster": "eu", "job": "o"}, ScrapeInterval: 30 * time.Second, EnvironmentLabel: "env"},
			slo.Spec{Service: "orders", Selector: map[string]string{"cluster": "eu", "job": "o"}, ScrapeInterval: 30 * time.Second, EnvironmentLabel: "env", SLOs: []slo.Objective{{
				Name: "availability", Target: "99", Window: "14d", MinBadEvents: new(5),
				Indicator: slo.Indicator{Ratio: &slo.Ratio{Total: `all_total{c="d"}`, Good: `good_total{a="b"}`}},
			}}},
			[]string{`f: selector: rules select cluster="eu",job="o" (from --selector) where a query has no cluster or job matcher; use --selector to change it`, "f: minBadEvents: fewer than 5 bad events fire no alert"},
			[]string{"f:3:34: metadata.displayName", "f:14:3: kind Service of apiVersion openslo/v1alpha"},
		},
		"a bucket of some of the events, and two jobs": {
			strings.NewReplacer(`good_total{a="b"}`, `wait_seconds_bucket{a="b",job="x",le="2"}`, `all_total{c="d"}`, `wait_seconds_count{job="y"}`).Replace(alpha), slo.ImportOptions{EnvironmentLabel: "env"},
			slo.Spec{Service: "orders", Selector: map[string]string{"job": "orders"}, EnvironmentLabel: "env", SLOs: []slo.Objective{{
				Name: "availability", Target: "99", Window: "14d", MinBadEvents: new(5),
				Indicator: slo.Indicator{Ratio: &slo.Ratio{Total: `wait_seconds_count{job="y"}`, Good: `wait_seconds_bucket{a="b",job="x",le=~"2|2\\.0"}`}},
			}}},
			[]string{`f: selector: rules select job="orders" (the name of the service) where a query has no job matcher; use --selector to change it`, "f: minBadEvents: fewer than 5 bad events fire no alert", "f: rules assume a scrape interval of 15s (--scrape-interval)"},
			[]string{"f:3:34: metadata.displayName", "f:14:3: kind Service of apiVersion openslo/v1alpha"},
		},
		"a reference to an indicator, a ratio of failures": {
			referring, slo.ImportOptions{}, failures,
			[]string{
				`f: selector: rules select job="orders" (the name of the service) where a query has no job matcher; use --selector to change it`,
				"f: minBadEvents: fewer than 5 bad events fire no alert",
				"f: rules assume a scrape interval of 15s (--scrape-interval) and the environment label deployment_environment_name (--environment-label)",
				"f:5:3: spec.timeWindow: is missing; the period is 30d",
			}, nil,
		},
		"a ratio of successes": {
			strings.NewReplacer("rawType: failure, ", "rawType: success, ", "sum(rate(a_total{b=\"c\"}[5m])) /", "1 - sum(rate(a_total{b=\"c\"}[5m])) /").Replace(referring),
			slo.ImportOptions{}, failures,
			[]string{
				`f: selector: rules select job="orders" (the name of the service) where a query has no job matcher; use --selector to change it`,
				"f: minBadEvents: fewer than 5 bad events fire no alert",
				"f: rules assume a scrape interval of 15s (--scrape-interval) and the environment label deployment_environment_name (--environment-label)",
				"f:5:3: spec.timeWindow: is missing; the period is 30d",
			}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !slo.Importable([]byte(test.src)) {
				t.Error("the file is not importable")
			}
			got, err := slo.Import("f", []byte(test.src), test.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want.WithDefaults(), got.Spec, cmpopts.IgnoreUnexported(slo.Spec{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("specification differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.changed, got.Changed); diff != "" {
				t.Errorf("changed differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.dropped, got.Dropped); diff != "" {
				t.Errorf("dropped differs (-want +got):\n%s", diff)
			}
			rules, err := slo.Compile(got.Spec)
			if err != nil {
				t.Fatalf("the import does not compile: %v", err)
			}
			load(t, rules.RuleFile())
		})
	}
}

// Alert names begin with the service, so objective names do not.
func TestImportShortensNames(t *testing.T) {
	t.Parallel()
	const change = "is written as"
	for name, test := range map[string]struct {
		names, want []string
		changed     int
	}{
		"the service and a dash":       {[]string{"shop-availability", "shop-slo"}, []string{"availability", "slo"}, 2},
		"twice":                        {[]string{"shop-shop-errors"}, []string{"shop-errors"}, 1},
		"another word":                 {[]string{"shopping", "shop", "eshop-errors"}, []string{"shopping", "shop", "eshop-errors"}, 0},
		"a duplicate after shortening": {[]string{"shop-errors", "errors", "shop-latency"}, []string{"shop-errors", "errors", "latency"}, 1},
		"a rest that is not a name":    {[]string{"shop-99", "Shop-Slow"}, []string{"shop-99", "slow"}, 2}, // and the spelling
		"one name for two renamed":     {[]string{"shop-shop-a", "shop-a"}, []string{"shop-shop-a", "a"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var src strings.Builder
			src.WriteString("version: prometheus/v1\nservice: shop\nslos:\n")
			for _, name := range test.names {
				fmt.Fprintf(&src, "- {name: %s, objective: 99, sli: {events: {error_query: 'sum(rate(a_total{b=\"c\"}[5m]))', total_query: 'sum(rate(a_total[5m]))'}}}\n", name)
			}
			got, err := slo.Import("f", []byte(src.String()), slo.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, o := range got.Spec.SLOs {
				names = append(names, o.Name)
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if changed := strings.Count(strings.Join(got.Changed, "\n"), change); changed != test.changed {
				t.Errorf("%d names are listed as changed, want %d: %q", changed, test.changed, got.Changed)
			}
		})
	}
}

func TestImportListsDroppedKeys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		src  string
		want []string
	}{
		"behind an alias": {
			strings.NewReplacer("sli:\n", "alerting: *base\n  sli:\n", "slos:\n", "x-base: &base\n  page_alert: {labels: {severity: page, tier: a}}\n  bogus: 1\nslos:\n").
				Replace(slothQueries("events:\n  error_query: sum(rate(a_total[{{.window}}]))\n  total_query: sum(rate(b_total[{{.window}}]))")),
			[]string{"f:3:1: x-base", "f:4:41: slos[0].alerting.page_alert.labels.tier", "f:5:3: slos[0].alerting.bogus"},
		},
		"in referenced documents": {
			strings.NewReplacer("metadata: {name: errors}\nspec: {", "metadata: {name: errors, displayName: a}\nspec: {description: a, ",
				"rawType: failure", "counterr: false, rawType: failure", "spec: {query", "spec: {step: 5m, query",
				"spec: {type: Prometheus}", "spec: {type: Prometheus, connectionDetails: {url: a}}").Replace(referring),
			[]string{
				"f:12:26: metadata.displayName", "f:13:8: spec.description", "f:13:38: spec.ratioMetric.counterr",
				"f:13:124: spec.ratioMetric.raw.metricSource.spec.step", "f:18:26: spec.connectionDetails",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := slo.Import("f", []byte(test.src), slo.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Dropped); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The form of a list makes no difference.
func TestImportReadsLists(t *testing.T) {
	t.Parallel()
	want, err := slo.Import("f", []byte(pyrraFile), slo.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first, second, _ := strings.Cut(pyrraFile, "---\n")
	item := func(doc, indent string) string {
		return indent + "- " + strings.ReplaceAll(strings.TrimSuffix(doc, "\n"), "\n", "\n"+indent+"  ") + "\n"
	}
	for name, src := range map[string]string{
		"a list":                     item(first, "") + item(second, ""),
		"a List of Kubernetes":       "apiVersion: v1\nkind: List\nitems:\n" + item(first, "") + item(second, ""),
		"a list and a document":      item(first, "") + "---\n" + second,
		"empty documents in between": "---\n---\n" + first + "---\n# nothing\n---\n" + second + "---\n",
		"JSON":                       `[{"apiVersion": "pyrra.dev/v1alpha1", "kind": "ServiceLevelObjectiveList", "items": [` + inJSON(first) + "," + inJSON(second) + "]}]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !slo.Importable([]byte(src)) {
				t.Error("the file is not importable")
			}
			got, err := slo.Import("f", []byte(src), slo.ImportOptions{})
			if err != nil {
				t.Fatalf("%v\n%s", err, src)
			}
			if diff := cmp.Diff(want.Spec, got.Spec, cmpopts.IgnoreUnexported(slo.Spec{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(got.Dropped) != len(want.Dropped) || len(got.Changed) != len(want.Changed) {
				t.Errorf("changed %q, dropped %q; want as many as %q and %q", got.Changed, got.Dropped, want.Changed, want.Dropped)
			}
		})
	}
}

func TestImportSelectsService(t *testing.T) {
	t.Parallel()
	two := slothFile + "---\n" + strings.Replace(slothFile, "service: shop", "service: stock", 1)
	if _, err := slo.Import("f", []byte(two), slo.ImportOptions{}); err == nil || err.Error() !=
		`f:38:10: service: the file has the services "shop" and "stock"; choose one, such as --service stock` {
		t.Errorf("two services: %v", err)
	}
	got, err := slo.Import("f", []byte(two), slo.ImportOptions{Service: "stock"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Spec.Service != "stock" || len(got.Spec.SLOs) != 2 || got.Dropped[0] != `f:2:10: service: the objectives of "shop"` {
		t.Errorf("got the service %q with %d objectives, dropped %q", got.Spec.Service, len(got.Spec.SLOs), got.Dropped)
	}
	if _, err := slo.Import("f", []byte(two), slo.ImportOptions{Service: "stok"}); err == nil || err.Error() !=
		`f:1:1: no objectives of the service "stok"; the file has objectives of "shop", "stock"` {
		t.Errorf("an unknown service: %v", err)
	}
	got, err = slo.Import("f", []byte(strings.ReplaceAll(pyrraFile, `job="shop"`, `app="shop"`)), slo.ImportOptions{Service: "web"})
	if err != nil || got.Spec.Service != "web" {
		t.Errorf("got the service %q from Pyrra: %v", got.Spec.Service, err)
	}
}

func TestUnsupportedFilesAreRejected(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ src, old, replacement, want string }{
		"an empty file":                            {slothFile, slothFile, "", "f:1:1: the file is empty"},
		"a comment":                                {slothFile, slothFile, "# a\n", "f:1:1: no objectives; "},
		"invalid YAML":                             {slothFile, "labels: {tier", "labels: {{tier", "f:3:1: not valid YAML: "},
		"a tab":                                    {open, "spec:\n  description", "\tspec:\n  description", "f:10:1: not valid YAML: a tab in the indentation; indent with spaces"},
		"braces in braces":                         {pyrraFile, `'failures_total{job="shop"}'`, `failures_total{job="shop"}`, "f:14:38: not valid YAML: did not find expected ',' or '}'; quote a value that contains { or }, as in '/v1/orders/{id}'"},
		"sloth without a version":                  {slothFile, "version: prometheus/v1\n", "", `f:1:1: a sloth file begins with version: "prometheus/v1"`},
		"two tools in one document":                {slothFile + pyrraFile, "a", "a", `f:5:1: slos: is not a key of kind "ServiceLevelObjective" of apiVersion "pyrra.dev/v1alpha1"; write --- between documents`},
		"sloth within OpenSLO":                     {slothFile + referring, "a", "a", `f:5:1: slos: is not a key of kind "SLO" of apiVersion "openslo/v1"; write --- between documents`},
		"sloth within another resource":            {slothFile + "---\n" + slothFile + "apiVersion: v1\nkind: Service\n", "a", "a", `f:41:1: slos: is not a key of kind "Service" of apiVersion "v1"; write --- between documents`},
		"sloth within a list":                      {slothFile + "apiVersion: v1\nkind: List\nitems: []\n---\n" + slothFile, "a", "a", `f:5:1: slos: is not a key of kind "List" of apiVersion "v1"; write --- between documents`},
		"OpenSLO within sloth":                     {slothFile + "kind: SLO\nspec: {objectives: [{target: 0.9}]}\n", "a", "a", `f:37:8: spec.objectives: is not a key of kind "SLO" of apiVersion "prometheus/v1"; write --- between documents`},
		"a scaffold specification":                 {slothFile + "---\n" + minimal, "a", "a", "f:39:1: slos: are objectives of scaffold.slo/v1; move them to another file"},
		"a second file of sloth without a version": {slothFile + "---\n" + slothFile, "---\nversion: prometheus/v1\n", "---\n", `f:37:1: a sloth file begins with version: "prometheus/v1"`},
		"a duplicate key":                          {slothFile, "service: shop\n", "service: shop\nservice: a\n", "f:3:1: service: duplicate key, first on line 2; keep one"},
		"a merge key":                              {slothFile, "sli:\n", "<<: {a: b}\n    sli:\n", "f:10:5: slos[0]: merge keys (<<) are not supported; write the keys instead"},
		"text as a document":                       {slothFile, slothFile, "- apiVersion # version: prometheus/v1\n", "f:1:3: expected a mapping"},
		"an alias as a document":                   {slothFile, slothFile, "&a [*a] # version: prometheus/v1", "f:1:5: a document must not be an alias"},
		"another version of a tool":                {slothFile, "prometheus/v1", "prometheus/v2", `f:1:10: version: "prometheus/v2" is not supported; write prometheus/v1`},
		"a newer version of OpenSLO": {
			alpha, "openslo/v1alpha", "openslo.com/v2alpha", `f:1:15: apiVersion: "openslo.com/v2alpha" is not supported; write openslo/v1`,
		},
		"an unknown kind of OpenSLO": {alpha, "kind: SLO", "kind: SLOs", `f:2:9: kind: "SLOs" is not a kind of openslo/v1alpha; objectives have the kind SLO; did you mean "SLO"?`},
		"another kind of sloth":      {slothResource(), "PrometheusServiceLevel", "AlertWindows", `f:2:7: kind: "AlertWindows" is not supported; only PrometheusServiceLevel is`},
		"another kind of Pyrra":      {pyrraFile, "ServiceLevelObjective", "Objective", `f:2:7: kind: "Objective" is not supported; only ServiceLevelObjective is`},
		"no objectives": {
			"kind: Service\napiVersion: v1\n", "v1", "v1",
			`f:1:1: no objectives; objectives are read from openslo/v1 and openslo/v1alpha (kind SLO), prometheus/v1, sloth.slok.dev/v1 (PrometheusServiceLevel), pyrra.dev/v1alpha1 (ServiceLevelObjective)`,
		},
		"no service":                  {slothFile, "service: shop", "service:", "f:2:9: service: is missing; write the name of the service"},
		"Pyrra and another tool":      {slothFile + "---\n" + pyrraFile, "a", "a", "f:40:9: metadata.name: Pyrra has no services, so the service of this objective is unknown; move objectives of Pyrra to another file"},
		"no specification":            {pyrraFile, "spec:\n  description: Customers can buy.", "spec: a\nd:\n  x: y", "f:8:7: spec: must be a mapping with the objective"},
		"a name twice":                {pyrraFile, "shop-latency", "shop-errors", `f:24:9: metadata.name: duplicate name "shop-errors", first in the objective on line 4`},
		"a long name":                 {slothFile, "name: availability", "name: " + strings.Repeat("a", 41), "f:6:11: slos[0].name: the name has 41 characters; the maximum is 40"},
		"an objective of 100":         {slothFile, "99.95", "100", "f:7:16: slos[0].objective: 100 has no error budget"},
		"no list of objectives":       {slothFile, "slos:\n", "slos: a\nx:\n", "f:5:7: slos: expected a list"},
		"a plugin":                    {slothFile, "    sli:\n      events:", "    sli:\n      plugin: {id: p}\n      events:", `f:11:7: slos[0].sli.plugin: is not supported: the queries of the plugin "p" are not in this file; write them as events`},
		"a plugin that changes rules": {slothFile, "sloth.dev/core/debug/v1", "sloth.dev/contrib/denominator_corrected_rules/v1", `f:4:28: slo_plugins.chain[0].id: the plugin "sloth.dev/contrib/denominator_corrected_rules/v1" is not supported, because it may change which events count or which alerts fire; remove it to import the rest`},
		"a plugin of one objective":   {slothFile, "    sli:\n", "    plugins: {chain: [{id: x}]}\n    sli:\n", `f:10:28: slos[0].plugins.chain[0].id: the plugin "x" is not supported`},
		"overridePrevious":            {slothFile, "{chain: [{id: sloth", "{overridePrevious: True, chain: [{id: sloth", "f:4:33: slo_plugins.overridePrevious: is not supported, because it replaces the plugins that generate the rules"},
		"no total":                    {slothFile, "total_query", "all_query", "f:12:9: slos[0].sli.events: is missing or incomplete; write total_query and error_query"},
		"text as labels":              {slothFile, "labels: {tier: \"1\", team: checkout}", "labels: x", "f:3:9: labels: expected a mapping"},
		"a ratio without division":    {slothFile, "events:\n        error_query", "raw:\n        error_ratio_query", "f:12:28: slos[0].sli.raw.error_ratio_query: is not a quotient of events and all events; write queries of both"},
		"a function of gauges":        {slothFile, `sum(rate(requests_total{job="shop"}[`, `sum(avg_over_time(requests_total{job="shop"}[`, "f:13:22: slos[0].sli.events.total_query: avg_over_time is not supported, because rules count the growth of counters; write the rate of a counter"},
		"an aggregation":              {slothFile, `sum(rate(requests_total{job="shop"}[`, `max(rate(requests_total{job="shop"}[`, "f:13:22: slos[0].sli.events.total_query: max is not supported; write the sum of the rate of a counter"},
		"a sum by labels":             {slothFile, `sum(rate(requests_total{job="shop"}[`, `sum by (a) (rate(requests_total{job="shop"}[`, "f:13:22: slos[0].sli.events.total_query: a sum by labels is not supported, because an objective has one budget; write a sum without them"},
		"an offset":                   {slothFile, `[{{ .window }}]`, `[{{ .window }}] offset 1h`, "f:13:22: slos[0].sli.events.total_query: offset, @ and other modifiers are not supported; write the selector without them"},
		"a sum of two counters":       {slothFile, `[{{ .window }}]))`, `[{{ .window }}])) + sum(a)`, "f:13:22: slos[0].sli.events.total_query: sum(rate(requests_total{job=\"shop\"}[{{.window}}])) + sum(a) is not supported; write the rate of a counter"},
		"another default":             {slothFile, "or vector(0)", "or vector(1)", "f:12:22: slos[0].sli.events.error_query: "},
		"another template":            {slothFile, "{{ .window }}", "{{ .period }}", "f:13:22: slos[0].sli.events.total_query: templates are not supported, except [{{.window}}] as a range"},
		"a template in a matcher":     {slothFile, `code=~"5.."`, `code=~"{{ .Values.code }}"`, "f:12:22: slos[0].sli.events.error_query: templates are not supported, except [{{.window}}] as a range"},
		"a window in a matcher":       {slothFile, `code=~"5.."`, `code=~"{{.window}}"`, "f:12:22: slos[0].sli.events.error_query: templates are not supported, except [{{.window}}] as a range"},
		"a template of Helm":          {pyrraFile, `requests_total{job="shop"}`, `requests_total{job="{{ .Values.job }}"}`, "f:15:23: spec.indicator.ratio.total.metric: templates are not supported, except [{{.window}}] as a range"},
		"swapped latency queries": {pyrraFile, "success: {metric: 'request_seconds_bucket{job=\"shop\",le=\"1.0\"}'}\n      total: {metric: 'request_seconds_count{job=\"shop\"}'}",
			"total: {metric: 'request_seconds_bucket{job=\"shop\",le=\"0.5\"}'}\n      success: {metric: 'request_seconds_count{job=\"shop\"}'}",
			`f:32:25: spec.indicator.latency.success.metric: request_seconds_count{job="shop"} counts all events, and the total request_seconds_bucket{job="shop",le="0.5"} only some of them; swap the two`},
		"good events and some of them":       {alpha, `all_total{c="d"}`, `good_total{a="b",code=~"2.."}`, `f:10:64: spec.objectives[0].ratioMetrics.good: good_total{a="b"} counts all events, and the total good_total{a="b",code=~"2.."} only some of them; swap the two`},
		"bad events and some of them":        {slothRatio("sum(rate(a_total[5m])) / sum(rate(a_total{b!=\"c\"}[5m]))"), "a", "a", `f:8:26: slos[0].sli.raw.error_ratio_query: a_total counts all events, and the total a_total{b!="c"} only some of them; swap the two`},
		"a name in UTF-8":                    {slothRatio(`sum(rate(a_total[5m])) / sum(rate({"e.total"}[5m]))`), "a", "a", `f:8:26: slos[0].sli.raw.error_ratio_query: the metric name "e.total" is not supported; use letters, digits and underscores`},
		"several metrics":                    {slothRatio(`sum(rate(a_total[5m])) / sum(rate({__name__=~"a|b"}[5m]))`), "a", "a", `f:8:26: slos[0].sli.raw.error_ratio_query: {__name__=~"a|b"} has no metric name; write one`},
		"a recorded metric in a matcher":     {slothRatio(`sum(rate(a_total[5m])) / sum(rate({__name__="a:b"}[5m]))`), "a", "a", `f:8:26: slos[0].sli.raw.error_ratio_query: a:b is recorded by a rule; write the rate of the counter that the rule reads`},
		"a misspelled objective":             {slothFile, "objective: 99.95", "objectiv: 99.95", `f:7:5: slos[0].objectiv: unknown key; did you mean "objective"?`},
		"a misspelled query":                 {slothFile, "error_query", "eror_query", `f:12:9: slos[0].sli.events.eror_query: unknown key; did you mean "error_query"?`},
		"misspelled events":                  {slothFile, "events:", "event:", `f:11:7: slos[0].sli.event: unknown key; did you mean "events"?`},
		"misspelled objectives of sloth":     {slothResource(), "slos:", "slo:", `f:8:3: spec.slo: unknown key; did you mean "slos"?`},
		"a misspelled sli":                   {slothFile, "sli:", "slis:", `f:10:5: slos[0].slis: unknown key; did you mean "sli"?`},
		"a misspelled service":               {slothFile, "service:", "servce:", `f:2:1: servce: unknown key; did you mean "service"?`},
		"a misspelled service of a resource": {slothResource(), "service:", "servce:", `f:5:3: spec.servce: unknown key; did you mean "service"?`},
		"a misspelled target":                {pyrraFile, "target: \"99.5\"", "tarjet: \"99.5\"", `f:10:3: spec.tarjet: unknown key; did you mean "target"?`},
		"a misspelled window":                {pyrraFile, "window: 2w", "windows: 2w", `f:11:3: spec.windows: unknown key; did you mean "window"?`},
		"misspelled errors":                  {pyrraFile, "errors: {", "error: {", `f:14:7: spec.indicator.ratio.error: unknown key; did you mean "errors"?`},
		"a misspelled ratio":                 {pyrraFile, "    ratio:", "    ratios:", `f:13:5: spec.indicator.ratios: unknown key; did you mean "ratio"?`},
		"a misspelled indicator":             {pyrraFile, "indicator:\n    ratio", "indikator:\n    ratio", `f:12:3: spec.indikator: unknown key; did you mean "indicator"?`},
		"misspelled good events":             {alpha, "good: {", "goods: {", `f:10:11: spec.objectives[0].ratioMetrics.goods: unknown key; did you mean "good"?`},
		"misspelled objectives":              {alpha, "objectives:", "objective:", `f:7:5: spec.objective: unknown key; did you mean "objectives"?`},
		"a misspelled share":                 {alpha, "target: 0.99", "targets: 0.99", `f:12:9: spec.objectives[0].targets: unknown key; did you mean "target"?`},
		"a misspelled ratio of OpenSLO":      {referring, "ratioMetric:", "ratioMetrics:", `f:13:8: spec.ratioMetrics: unknown key; did you mean "ratioMetric"?`},
		"a misspelled indicator of OpenSLO":  {referring, "indicatorRef: errors", "indicatoor: errors", `f:6:3: spec.indicatoor: unknown key; did you mean "indicator"?`},
		"two bounds":                         {slothRatio(`(sum(rate(a_count[5m])) - sum(rate(a_bucket{le="0.5",le="1"}[5m]))) / sum(rate(a_count[5m]))`), "a", "a", "f:8:26: slos[0].sli.raw.error_ratio_query: duplicate matcher for le; keep one"},
		"a bound that is no number":          {slothRatio(`1 - sum(rate(a_bucket{le="NaN"}[5m])) / sum(rate(a_count[5m]))`), "a", "a", `f:8:26: slos[0].sli.raw.error_ratio_query: le="NaN" is not the bound of a bucket; write a number or +Inf`},
		"a gauge of errors":                  {slothFile, `sum(rate(requests_total{job="shop",code=~"5.."}[{{.window}}]))`, `sum(errors{job="shop"})`, `f:12:22: slos[0].sli.events.error_query: sum(errors{job="shop"}) or vector(0) is not supported; write the rate of a counter`},
		"a gauge of all":                     {slothFile, `sum(rate(requests_total{job="shop"}[{{ .window }}]))`, `replicas`, "f:13:22: slos[0].sli.events.total_query: replicas is not supported; write the rate of a counter"},
		"a ratio of gauges":                  {slothRatio("1 - (sum(available) / sum(replicas))"), "available", "available", "f:8:26: slos[0].sli.raw.error_ratio_query: sum(replicas) is not supported; write the rate of a counter"},
		"a ratio of recorded rates":          {slothRatio("sum(shop:errors:rate{{.window}}) / sum(shop:requests:rate{{.window}})"), "shop", "shop", "f:8:26: slos[0].sli.raw.error_ratio_query: templates are not supported, except [{{.window}}] as a range"},
		"a recorded metric":                  {pyrraFile, "requests_total", "shop:requests:rate5m", "f:15:23: spec.indicator.ratio.total.metric: shop:requests:rate5m is recorded by a rule; write the rate of the counter that the rule reads"},
		"the rate of a recorded one":         {slothFile, `sum(rate(requests_total{job="shop"}[`, `sum(rate(shop:requests:total[`, "f:13:22: slos[0].sli.events.total_query: shop:requests:total is recorded by a rule; write the rate of the counter that the rule reads"},
		"no PromQL":                          {slothFile, "sum(rate(requests_total{job=\"shop\"}[{{ .window }}]))", "sum(", "f:13:22: slos[0].sli.events.total_query: not PromQL: unclosed left parenthesis"},
		"a unit behind the range template":   {slothFile, "[{{ .window }}]))", "[{{ .window }}m]))", `f:13:22: slos[0].sli.events.total_query: not PromQL: bad number or duration syntax: "{{.window}}m"`},
		"another total":                      {slothFile, `total_query: sum(rate(request_seconds_count{job="shop"}`, `total_query: sum(rate(request_seconds_count{job="s"}`, `f:24:22: slos[1].sli.events.error_query: subtracts good events from request_seconds_count{job="shop"} instead of the total request_seconds_count{job="s"}; write the total in both`},
		"native histograms":                  {pyrraFile, "    latency:\n", "    latencyNative:\n", "f:30:5: spec.indicator.latencyNative: native histograms are not supported; write latency with a bucket and a count"},
		"a gauge":                            {pyrraFile, "    ratio:\n", "    bool_gauge:\n", "f:13:5: spec.indicator.bool_gauge: gauges are not supported; write a ratio of two counters, such as failed probes and all probes"},
		"no indicator":                       {pyrraFile, "    ratio:\n", "    shares:\n", "f:13:5: spec.indicator: unknown indicator; write ratio or latency"},
		"half an indicator":                  {pyrraFile, "      total: {metric: 'requests_total{job=\"shop\"}'}\n", "", "f:14:7: spec.indicator.ratio: is incomplete; write the metric of errors and of total"},
		"another period":                     {pyrraFile, "window: 2w", "window: 1d", `f:11:11: spec.window: unknown period "1d"; write 7d, 14d, 28d or 30d`},
		"no period":                          {pyrraFile, "  window: 2w\n", "", "f:9:3: spec.window: is missing; write 7d, 14d, 28d or 30d"},
		"groupBy with the instance":          {pyrraFile, "[handler]", "[handler, instance]", `f:16:27: spec.indicator.ratio.grouping[1]: "instance" changes with each instance`},
		"no name for the service":            {pyrraFile, `request_seconds_count{job="shop"}`, `request_seconds_count`, "f:4:9: metadata.name: the objectives have no job in common to name the service after; set --service"},
		"a month":                            {alpha, "unit: Week", "unit: Month", `f:13:36: spec.timeWindows[0].unit: "Month" is not supported; write Day or Week`},
		"no target":                          {alpha, "target: 0.99", "value: 1", "f:8:9: spec.objectives[0]: has neither target nor targetPercent; write target: 0.999"},
		"all events are good":                {alpha, `sum(increase(good_total{a="b"}[5m]))`, `all_total{c="d"}`, "f:10:64: spec.objectives[0].ratioMetrics.good: is the same as total, so that all events would be good"},
		"a composite objective":              {referring, "{target: 0.99}", "{target: 0.99, indicatorRef: errors}", "f:8:31: spec.objectives[0].indicatorRef: composite objectives are not supported"},
		"a type of raw ratio":                {referring, "rawType: failure", "rawType: Failure", `f:13:31: spec.ratioMetric.rawType: "Failure" is not supported; write success or failure`},
		"no type of raw ratio":               {referring, "rawType: failure, ", "", `f:13:21: spec.ratioMetric.rawType: "" is not supported; write success or failure`},
		"gauges in a raw ratio":              {referring, `sum(rate(a_total{b="c"}[5m])) / sum(rate(a_total[5m]))`, "a / b", "f:13:98: spec.ratioMetric.raw: b is not supported; write the rate of a counter"},
		"an unknown reference":               {referring, "indicatorRef: errors", "indicatorRef: eror", `f:6:17: spec.indicatorRef: unknown SLI "eror"; add it to this file`},
		"another data source":                {referring, "spec: {type: Prometheus}", "spec: {type: Datadog}", `f:18:14: spec.type: "Datadog" is not supported; only Prometheus is`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(test.src, test.old) {
				t.Fatalf("the document does not contain %q", test.old)
			}
			src := []byte(strings.Replace(test.src, test.old, test.replacement, 1))
			if len(src) > 0 && name != "a comment" && !slo.Importable(src) {
				t.Error("the file is not importable")
			}
			_, err := slo.Import("f", src, slo.ImportOptions{})
			if err == nil {
				t.Fatal("no error")
			}
			var problems diagnostic.List
			if !errors.As(err, &problems) || len(problems) != 1 || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v\nwant one problem: %s", err, test.want)
			}
		})
	}
}

func TestImportReportsAllProblems(t *testing.T) {
	t.Parallel()
	src := strings.NewReplacer("99.95", "0.999", "sum(rate(requests_total{job=\"shop\"}[{{ .window }}]))", "sum(", "rate(request_seconds_count", "irate(request_seconds_count", "name: Slow_Pages", "name: Slow%Pages").Replace(slothFile)
	_, err := slo.Import("f", []byte(src), slo.ImportOptions{})
	want := `f:7:16: slos[0].objective: 0.999 looks like a ratio; write 99.9
f:13:22: slos[0].sli.events.total_query: not PromQL: unclosed left parenthesis
f:20:11: slos[1].name: "slow%pages" is not a DNS label; use lower-case letters, digits and single hyphens, beginning with a letter
f:30:22: slos[1].sli.events.total_query: irate is not supported, because rules count the growth of counters; write the rate of a counter`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// A list of invalid documents has a problem for each item. Only the first are reported.
func TestImportLimitsProblems(t *testing.T) {
	t.Parallel()
	_, err := slo.Import("f", []byte("apiVersion: openslo/v1\n---\n"+strings.Repeat("- a\n", 50_000)), slo.ImportOptions{})
	if err == nil {
		t.Fatal("the file was accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if last := lines[len(lines)-1]; len(lines) != 101 || !strings.Contains(last, "more problems; fix those above first") {
		t.Errorf("%d lines, the last one %q", len(lines), last)
	}
}

// With equal severities, tickets would page.
func TestImportDropsEqualSeverities(t *testing.T) {
	t.Parallel()
	got, err := slo.Import("f", []byte(strings.ReplaceAll(slothFile, "severity: ticket", "severity: page")), slo.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Spec.Alerting.Severities != (slo.Severities{Page: "critical", Ticket: "warning"}) {
		t.Errorf("got %+v", got.Spec.Alerting.Severities)
	}
	if n := strings.Count(strings.Join(got.Dropped, "\n"), "pages and tickets need different severities"); n != 4 {
		t.Errorf("%d severities are dropped, want 4: %q", n, got.Dropped)
	}
}

func TestSpecificationsAreNotImportable(t *testing.T) {
	t.Parallel()
	for _, src := range []string{minimal, "", "a", strings.TrimPrefix(minimal, "apiVersion: scaffold.slo/v1\n"), "service: [", "# nothing", "foo: bar\n\thunter2: [", "groups: []\n"} {
		if slo.Importable([]byte(src)) {
			t.Errorf("%q is importable", src)
		}
	}
}

func inJSON(doc string) string {
	data, err := toJSON([]byte(doc))
	if err != nil {
		panic(err)
	}
	return string(data)
}

func TestReads(t *testing.T) {
	t.Parallel()
	src := "apiVersion: scaffold.slo/v1\nservice: shop\nselector: {app: shop}\nslos:\n" +
		"  - {name: a, objective: 99, groupBy: [queue], indicator: {ratio: {total: a_total, bad: 'b_total{code=\"1\"}'}}}\n" +
		"  - {name: b, objective: 99, indicator: {ratio: {total: c_count, good: 'c_bucket{le=~\"2|2.0\"}'}}}\n" +
		"  - {name: c, objective: 99, indicator: {latency: {threshold: 50ms, histogram: d_ms}}}\n" +
		"  - {name: d, objective: 99, indicator: {availability: {}}}\n"
	spec, err := slo.Parse("f", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range spec.Reads() {
		got = append(got, fmt.Sprintf("%s %s%v%v %v %s", r.Path, r.Metric, r.Matchers, r.GroupBy, r.Bound, r.BoundPath))
	}
	want := []string{
		`slos[0].indicator.ratio.total a_total[app="shop"][queue] 0 slos[0].indicator.ratio.total`,
		`slos[0].indicator.ratio.bad b_total[code="1" app="shop"][queue] 0 slos[0].indicator.ratio.bad`,
		`slos[1].indicator.ratio.total c_count[app="shop"][] 0 slos[1].indicator.ratio.total`,
		`slos[1].indicator.ratio.good c[app="shop"][] 2 slos[1].indicator.ratio.good`,
		`slos[2].indicator.latency.histogram d_ms[app="shop"][] 50 slos[2].indicator.latency.threshold`,
		`slos[3].indicator.availability http_server_routed_requests_total[app="shop"][] 0 slos[3].indicator.availability`,
		`slos[3].indicator.availability http_server_routed_requests_total[app="shop" outcome=~"server_error|shed"][] 0 slos[3].indicator.availability`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
