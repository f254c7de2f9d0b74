package slo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/observability-first/scaffold/slo"
)

const minimal = `apiVersion: scaffold.slo/v1
service: orders
slos:
  - {name: availability, objective: 99.9, indicator: {availability: {}}}
`

func TestParseSetsDefaults(t *testing.T) {
	t.Parallel()
	got, err := slo.Parse("orders.slo.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	want := slo.Spec{
		APIVersion:       "scaffold.slo/v1",
		Service:          "orders",
		Selector:         map[string]string{"job": "orders"},
		EnvironmentLabel: "deployment_environment_name",
		ScrapeInterval:   15 * time.Second,
		Metrics:          "scrape",
		Links:            slo.Links{Branch: "main"},
		Alerting:         slo.Alerting{Severities: slo.Severities{Page: "critical", Ticket: "warning"}},
		SLOs: []slo.Objective{{
			Name: "availability", Target: "99.9", Window: "30d", MinBadEvents: new(5),
			Indicator: slo.Indicator{Availability: &slo.Availability{}},
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(slo.Spec{})); diff != "" {
		t.Errorf("spec differs (-want +got):\n%s", diff)
	}
}

// bad returns a specification whose only objective has the given keys.
func bad(keys string) string {
	return "apiVersion: scaffold.slo/v1\nservice: orders\nslos:\n  - name: checkout\n" + keys
}

const good = "    objective: 99.9\n    indicator: {availability: {}}\n"

func TestParseRejectsInvalidSpecifications(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ src, want string }{
		"a ratio as objective": {
			bad("    objective: 0.999\n    indicator: {availability: {}}\n"),
			"f:5:16: slos[0].objective: 0.999 looks like a ratio; write 99.9",
		},
		"an objective without a budget": {
			bad("    objective: 100\n    indicator: {availability: {}}\n"),
			"f:5:16: slos[0].objective: 100 has no error budget, so a single failure misses the objective; write a percentage such as 99.9",
		},
		"an objective of 0": {
			bad("    objective: 0\n    indicator: {availability: {}}\n"),
			"f:5:16: slos[0].objective: at 0 no alert can fire; write a percentage such as 99",
		},
		"an objective above 100": {
			bad("    objective: 120\n    indicator: {availability: {}}\n"),
			"f:5:16: slos[0].objective: 120 is above 100 percent; write a percentage such as 99.9",
		},
		"an objective with a sign": {
			bad("    objective: 99.9%\n    indicator: {availability: {}}\n"),
			`f:5:16: slos[0].objective: "99.9%" is not a percentage; write one such as 99.9, with at most 6 decimals`,
		},
		"no objective": {
			bad("    indicator: {availability: {}}\n"),
			"f:4:5: slos[0].objective: is missing; write the percentage of good events, such as 99.9",
		},
		"a negative threshold": {
			bad("    objective: 99\n    indicator: {latency: {threshold: -5ms}}\n"),
			"f:6:38: slos[0].indicator.latency.threshold: -5ms is not positive; write a duration such as 200ms",
		},
		"a threshold of zero": {
			bad("    objective: 99\n    indicator: {latency: {threshold: 0s}}\n"),
			"f:6:38: slos[0].indicator.latency.threshold: is missing or zero; write a duration such as 200ms",
		},
		"an unknown window": {
			bad(good + "    window: 90d\n"),
			`f:7:13: slos[0].window: unknown period "90d"; write 7d, 14d, 28d or 30d`,
		},
		"a window in weeks": {
			bad(good + "    window: 4w\n"),
			`f:7:13: slos[0].window: unknown period "4w"; write 7d, 14d, 28d or 30d; did you mean "28d"?`,
		},
		"two indicators": {
			bad("    objective: 99\n    indicator: {availability: {}, latency: {threshold: 1s}}\n"),
			"f:6:16: slos[0].indicator: has availability and latency; keep one",
		},
		"no indicator": {
			bad("    objective: 99\n"),
			"f:4:5: slos[0].indicator: is empty; write availability, latency or ratio",
		},
		"a misspelled indicator": {
			bad("    objective: 99\n    indicator: {availabilit: {}}\n"),
			`f:6:17: slos[0].indicator.availabilit: unknown key; did you mean "availability"?`,
		},
		"a decimal comma": {
			minimal + "  - {name: more, objective: 99,9, indicator: {availability: {}}}\n",
			"f:5:29: slos[1].objective: 99,9 has a comma; write 99.9 with a point",
		},
		"an invalid selector, with the position in the string": {
			bad("    objective: 99\n    indicator:\n      ratio:\n        total: a_total\n        bad: 'a_total{code=~5..}'\n"),
			"f:9:29: slos[0].indicator.ratio.bad: not a PromQL selector: unexpected character inside braces: '5'",
		},
		"a query instead of a selector": {
			bad("    objective: 99\n    indicator:\n      ratio:\n        total: rate(a_total[5m])\n        bad: b_total\n"),
			"f:8:20: slos[0].indicator.ratio.total: not a PromQL selector: unexpected",
		},
		"a selector without a metric": {
			bad("    objective: 99\n    indicator:\n      ratio:\n        total: '{job=\"x\"}'\n        bad: b_total\n"),
			`f:8:16: slos[0].indicator.ratio.total: not a PromQL selector: it has no metric name`,
		},
		"all events are bad": {
			bad("    objective: 99\n    indicator:\n      ratio:\n        total: a_total\n        bad: a_total\n"),
			"f:9:14: slos[0].indicator.ratio.bad: is the same as total, so that all events would be bad",
		},
		"all events are good": {
			bad("    objective: 99\n    indicator:\n      ratio:\n        total: a_total\n        good: a_total\n"),
			"f:9:15: slos[0].indicator.ratio.good: is the same as total, so that all events would be good",
		},
		"good and bad events": {
			bad("    objective: 99\n    indicator:\n      ratio:\n        total: a_total\n        good: b_total\n        bad: c_total\n"),
			"f:9:15: slos[0].indicator.ratio.good: set good or bad, not both",
		},
		"a series of a histogram": {
			bad("    objective: 99\n    indicator: {latency: {threshold: 1s, histogram: a_seconds_bucket}}\n"),
			"f:6:53: slos[0].indicator.latency.histogram: a_seconds_bucket is a series of the histogram; write a_seconds",
		},
		"an invalid name": {
			strings.Replace(minimal, "name: availability", "name: Avail_1", 1),
			`f:4:12: slos[0].name: "Avail_1" is not a DNS label; use lower-case letters, digits and single hyphens, beginning with a letter`,
		},
		"a duplicate name": {
			minimal + "  - {name: availability, objective: 99, indicator: {availability: {}}}\n",
			`f:5:12: slos[1].name: duplicate name "availability", first in slos[0]`,
		},
		"names with the same alert names": {
			bad(good) + "  - {name: check-out, objective: 99, indicator: {availability: {}}}\n",
			`f:7:12: slos[1].name: "check-out" and "checkout" of slos[0] have the same alert names; rename one`,
		},
		"a scrape interval that is too short": {
			minimal + "scrapeInterval: 4s\n",
			"f:5:17: scrapeInterval: 4s is not between 5s and 1m; write the scrape interval of the service",
		},
		"a scrape interval that is too long": {
			minimal + "scrapeInterval: 90s\n",
			"f:5:17: scrapeInterval: 1m30s is not between 5s and 1m; write the scrape interval of the service",
		},
		"a scrape interval with a fraction of a second": {
			minimal + "scrapeInterval: 7500ms\n",
			"f:5:17: scrapeInterval: 7s500ms is not a whole number of seconds",
		},
		"an unknown key": {
			minimal + "alertin: {}\n",
			`f:5:1: alertin: unknown key; did you mean "alerting"?`,
		},
		"an invalid label": {
			minimal + "alerting: {labels: {my-label: x}}\n",
			`f:5:31: alerting.labels.my-label: "my-label" is not a valid label name`,
		},
		"a reserved label": {
			minimal + "alerting: {labels: {severity: x}}\n",
			"f:5:31: alerting.labels.severity: is reserved for the rules; choose another name",
		},
		"a reserved annotation": {
			minimal + "alerting: {annotations: {summary: x}}\n",
			"f:5:35: alerting.annotations.summary: is reserved for the rules; choose another name",
		},
		"equal severities": {
			minimal + "alerting: {severities: {page: warning}}\n",
			`f:5:24: alerting.severities.ticket: "warning" is also the severity of pages; write another one, so that tickets do not page`,
		},
		"a selector with the environment label": {
			minimal + "selector: {deployment_environment_name: production}\n",
			"f:5:41: selector.deployment_environment_name: is the environment label; remove it, so that each environment has its own error budget",
		},
		"an invalid environment label": {
			minimal + "environmentLabel: deployment.environment\n",
			`f:5:19: environmentLabel: "deployment.environment" is not a valid label name`,
		},
		"a reserved environment label": {
			minimal + "environmentLabel: service\n",
			`f:5:19: environmentLabel: "service" is reserved for the rules; write the label whose value is the environment, such as production`,
		},
		"an invalid link": {
			minimal + "links: {grafana: grafana.local}\n",
			`f:5:18: links.grafana: "grafana.local" is not a URL; write one such as https://grafana.company.tld`,
		},
		"a link with a space and a fragment": {
			minimal + "links: {runbooks: 'https://x.test/a b#c'}\n",
			"f:5:36: links.runbooks: a URL to which paths are appended cannot have spaces, a query or a fragment; write https://x.test/a%20b",
		},
		"a link with a query": {
			minimal + "links: {grafana: 'https://x.test/?orgId=2'}\n",
			"f:5:34: links.grafana: a URL to which paths are appended cannot have spaces, a query or a fragment; write https://x.test",
		},
		"groupBy with the instance": {
			bad(good + "    groupBy: [instance]\n"),
			`f:7:15: slos[0].groupBy[0]: "instance" changes with each instance, so an error budget by it would not last; write a label such as http_route`,
		},
		"too many groupBy labels": {
			bad(good + "    groupBy: [a, b, c]\n"),
			"f:7:14: slos[0].groupBy: has 3 labels; the maximum is 2, since each multiplies the number of series",
		},
		"negative minBadEvents": {
			bad(good + "    minBadEvents: -1\n"),
			"f:7:19: slos[0].minBadEvents: -1 is negative; write 0 to disable it",
		},
		"another version": {
			strings.Replace(minimal, "slo/v1", "slo/v2", 1),
			`f:1:13: apiVersion: unknown version "scaffold.slo/v2"; write scaffold.slo/v1`,
		},
		"no objectives": {
			"apiVersion: scaffold.slo/v1\nservice: orders\n",
			"f:1:1: slos: is empty; write at least one objective",
		},
		"unknown metrics": {
			minimal + "metrics: pull\n",
			`f:5:10: metrics: unknown value "pull"; write scrape or push`,
		},
		"a maximum below the minimum": {
			minimal + "replicas: {min: 3, max: 2}\n",
			"f:5:25: replicas.max: 2 is below the minimum of 3",
		},
		"a negative number of replicas": {
			minimal + "replicas: {min: -1}\n",
			"f:5:17: replicas.min: -1 is negative; write the minimum number of replicas, or remove the key",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := slo.Parse("f", []byte(test.src))
			if err == nil {
				t.Fatalf("no error, want %s", test.want)
			}
			if !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got:\n%v\nwant:\n%s", err, test.want)
			}
		})
	}
}

func TestParseReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := slo.Parse("f", []byte(`apiVersion: scaffold.slo/v3
service: Orders
scrapeInterval: 90s
metric: push
links: {runbooks: nowhere}
alerting: {labels: {my-label: x}}
slos:
  - {name: a, objective: 0.5, window: 31d, indicator: {latency: {threshold: 0s}}}
  - {name: a, objective: 100, indicator: {}}
`))
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if got, want := len(lines), 12; got != want {
		t.Errorf("%d problems, want %d:\n%v", got, want, err)
	}
}

// Changed selectors are parsed again.
func TestCompileChecksChangedSpecifications(t *testing.T) {
	t.Parallel()
	spec, err := slo.Parse("a.slo.yaml", []byte("apiVersion: scaffold.slo/v1\nservice: a\nslos: [{name: a, objective: 99, indicator: {ratio: {total: a_total, bad: 'a_total{code=\"5\"}'}}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	spec.SLOs[0].Indicator.Ratio.Bad = `a_total{code="6"}`
	rules, err := slo.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	if got := rule(t, rules, "slo:sli_bad:increase30s").Expr; !strings.Contains(got, `code="6"`) || strings.Contains(got, `code="5"`) {
		t.Errorf("the rule has the old selector: %s", got)
	}
	spec.SLOs[0].Indicator.Ratio.Bad = `a_total{`
	if _, err := slo.Compile(spec); err == nil || !strings.Contains(err.Error(), "slos[0].indicator.ratio.bad: not a PromQL selector") {
		t.Errorf("got %v for an invalid selector", err)
	}
}
