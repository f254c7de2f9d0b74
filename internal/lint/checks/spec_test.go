package checks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/workspace"
)

// An error in the spec is reported once, at its key, and not in generated rules and dashboards.
func TestErrorsOfTheSpecAreReportedAtTheirKeys(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\nresource: order\n"
	for name, tc := range map[string]struct{ spec, want string }{
		"no errors": {
			"telemetry: {groupBy: [cluster]}\nslos:\n- {name: a, objective: 99, groupBy: [http_route], indicator: {availability: {}}}\n" +
				"- {name: b, objective: 99, indicator: {latency: {threshold: 1s}}}\n- {name: c, objective: 99, indicator: {ratio: {total: http_server_requests_total, bad: 'http_server_requests_total{outcome=\"shed\"}'}}}\n", "",
		},
		"unknown label": {
			"slos:\n- name: a\n  objective: 99\n  groupBy: [http_rout]\n  indicator: {availability: {}}\n- {name: b, objective: 99, indicator: {availability: {}}}\n",
			"scaffold.yaml:9:13: slos[0].groupBy[0]: \"http_server_requests_total\" has no label http_rout; did you mean \"http_route\"? [unknown-label]\n",
		},
		"undeclared metric": {
			"slos:\n- {name: a, objective: 99, groupBy: [kind], indicator: {ratio: {total: order_placed_total, bad: 'order_placed_total{x=\"y\"}'}}}\n- {name: b, objective: 99, indicator: {availability: {}}}\n",
			"scaffold.yaml:7:72: slos[0].indicator.ratio.total: metric order_placed_total is not declared; declare it with svc.Metrics(), see A metric in README.md [unknown-metric]\n",
		},
		"unknown label value": {
			"slos:\n- {name: a, objective: 99, indicator: {ratio: {total: http_server_requests_total, bad: 'http_server_requests_total{outcome=\"server-error\"}'}}}\n",
			"scaffold.yaml:7:88: slos[0].indicator.ratio.bad: outcome of http_server_requests_total is never \"server-error\"; use one of success, client_error, server_error, shed; did you mean \"server_error\"? [unknown-value]\n",
		},
		"threshold without a bucket": {
			"slos:\n- {name: a, objective: 99, indicator: {latency: {threshold: 90s, histogram: http_server_request_duration_seconds}}}\n",
			"scaffold.yaml:7:61: slos[0].indicator.latency.threshold: http_server_request_duration_seconds_bucket has no bucket le=\"90.0\"; its bounds are",
		},
		"counter as a histogram": {
			"slos:\n- {name: a, objective: 99, indicator: {latency: {threshold: 1s, histogram: http_server_requests_total}}}\n",
			"scaffold.yaml:7:76: slos[0].indicator.latency.histogram: metric http_server_requests_total is a counter, not a histogram; use indicator.ratio with total and bad [unknown-metric]\n",
		},
		"good events": {
			"slos:\n- {name: a, objective: 99, indicator: {ratio: {total: http_server_requests_total, good: 'http_server_requests_total{outcome=\"success\"}'}}}\n", "",
		},
		"undeclared good events": {
			"slos:\n- {name: a, objective: 99, indicator: {ratio: {total: http_server_requests_total, good: order_placed_total}}}\n",
			"scaffold.yaml:7:89: slos[0].indicator.ratio.good: metric order_placed_total is not declared; declare it with svc.Metrics(), see A metric in README.md [unknown-metric]\n",
		},
		"unknown bucket of good events": {
			"slos:\n- {name: a, objective: 99, indicator: {ratio: {total: http_server_request_duration_seconds_count, good: 'http_server_request_duration_seconds_bucket{le=\"0.3\"}'}}}\n",
			"scaffold.yaml:7:105: slos[0].indicator.ratio.good: http_server_request_duration_seconds_bucket has no bucket le=\"0.3\"; its bounds are",
		},
		"classic histogram in a ratio": {
			"slos:\n- {name: a, objective: 99, groupBy: [http_route], indicator: {ratio: {total: http_server_request_duration_seconds, bad: 'http_server_request_duration_seconds_count{outcome=\"shed\"}'}}}\n- {name: b, objective: 99, indicator: {availability: {}}}\n",
			"scaffold.yaml:7:78: slos[0].indicator.ratio.total: http_server_request_duration_seconds is a classic histogram; write http_server_request_duration_seconds_bucket, ",
		},
		"grouped latency": {
			"slos:\n- {name: a, objective: 99, groupBy: [http_route], indicator: {latency: {threshold: 1s, histogram: http_server_request_duration_seconds}}}\n- {name: b, objective: 99, indicator: {availability: {}}}\n", "",
		},
		"threshold below a millisecond": {
			"slos:\n- {name: a, objective: 99, indicator: {latency: {threshold: 20us, histogram: http_server_request_duration_seconds}}}\n",
			"scaffold.yaml:7:61: slos[0].indicator.latency.threshold: http_server_request_duration_seconds_bucket has no bucket le=\"2e-05\"; its bounds are",
		},
		"misspelled label of the scrape": {
			"telemetry: {groupBy: [clustr]}\n",
			"scaffold.yaml:6:23: telemetry.groupBy[0]: clustr is an unusual label of a scrape; did you mean \"cluster\"? [unknown-label]\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := serviceOf(t, head+tc.spec)
			got := findings(t, target)
			if !strings.HasPrefix(got, tc.want) || strings.Count(got, "\n") > 1 || tc.want == "" && got != "" {
				t.Errorf("got  %swant %s", got, tc.want)
			}
		})
	}
}

func TestErrorsInEditedAndUserOwnedFilesAreKept(t *testing.T) {
	t.Parallel()
	const src = "apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\nresource: order\nslos: [{name: a, objective: 99, indicator: {ratio: {total: x_total, bad: 'x_total{a=\"b\"}'}}}]\n"
	target := serviceOf(t, src)
	const rules = "groups: [{name: %s, rules: [{alert: A, expr: y_total == 0, annotations: {summary: s, description: d}}]}]\n"
	put(t, target, "observability/rules/own/mine.yaml", fmt.Sprintf(rules, "own"))
	put(t, target, "observability/rules/shop.instances.rules.yaml", fmt.Sprintf(rules, "edited"))
	target.Plan.Changes = []workspace.Change{{Path: "observability/rules/shop.instances.rules.yaml", Action: workspace.Update}}
	got := findings(t, target)
	for _, want := range []string{"scaffold.yaml:6:", "own/mine.yaml:1:", "shop.instances.rules.yaml:1:"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%swithout %s", got, want)
		}
	}
	if strings.Contains(got, "shop.page.rules.yaml") {
		t.Errorf("got\n%s", got)
	}
}

func TestQueriesOfTheOtherHistogramFormAreReported(t *testing.T) {
	t.Parallel()
	const (
		rules     = "groups: [{name: own, rules: [{alert: A, expr: %q, annotations: {summary: s, description: d}}]}]\n"
		dashboard = `{"uid":"own","title":"Own","panels":[{"type":"timeseries","title":"Slow","targets":[{"expr":%q}]}]}`
		name      = "http_server_request_duration_seconds"
		says      = name + " is a %s histogram"
	)
	for _, tc := range []struct{ service, series, says string }{
		{"database", name, "classic"},
		{"database", name + "_count", ""},
		{"both kinds of histograms", name, ""},
		{"native histograms", name, ""},
		{"native histograms", name + "_bucket", "native"},
	} {
		t.Run(tc.service+": "+tc.series, func(t *testing.T) {
			t.Parallel()
			target := serviceOf(t, services()[tc.service])
			expr := fmt.Sprintf("sum(rate(%s[5m]))", tc.series)
			put(t, target, "observability/rules/own/mine.yaml", fmt.Sprintf(rules, expr+" > 1"))
			put(t, target, "observability/dashboards/own/mine.json", fmt.Sprintf(dashboard, expr))
			got := findings(t, target)
			want := 2
			if tc.says == "" {
				want = 0
			}
			if n := strings.Count(got, fmt.Sprintf(says, tc.says)); n != want {
				t.Errorf("found %d times, want %d, in\n%s", n, want, got)
			}
		})
	}
}
