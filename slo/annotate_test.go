package slo_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"

	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/slo"
)

// expand renders a label or annotation like Prometheus. Queries must parse, and return
// constant results.
func expand(t *testing.T, text string, series map[string]string, value float64) string {
	t.Helper()
	definitions := "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"
	query := func(_ context.Context, q string, _ time.Time) (promql.Vector, error) {
		if _, err := newParser().ParseExpr(q); err != nil {
			return nil, fmt.Errorf("query %s: %w", q, err)
		}
		switch {
		case strings.HasPrefix(q, "topk"):
			return promql.Vector{
				{Metric: labels.FromStrings("http_route", "/v1/orders/{id}"), F: 4.2},
				{Metric: labels.FromStrings("http_route", "/v1/orders"), F: 0.5},
			}, nil
		case strings.Contains(q, "2592000"):
			return promql.Vector{{F: 93600}}, nil
		case strings.HasPrefix(q, "slo:current_burn_rate"):
			return promql.Vector{{F: 21.4}}, nil
		}
		return promql.Vector{{F: 0.618}}, nil
	}
	data := template.AlertTemplateData(series, nil, "http://prometheus.test", promql.Sample{F: value})
	out, err := template.NewTemplateExpander(t.Context(), definitions+text, "alert", data, model.Time(0), query, &url.URL{}, nil).Expand()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func TestGoldenNotifications(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{"orders": generated, "checkout": example(t)} {
		rules := mustCompile(t, src)
		series := map[string]string{
			rules.Spec.EnvironmentLabel: "production", "http_route": "/v1/orders/{id}", "provider": "acme-pay",
			"check": "postgres", "signal": "traces", "slo": "availability", "service": rules.Spec.Service,
		}
		var b strings.Builder
		for _, a := range rules.Alerts {
			fmt.Fprintf(&b, "%s\n", a)
			for _, list := range [][]slo.Label{a.Rule.Labels, a.Rule.Annotations} {
				for _, l := range list {
					fmt.Fprintf(&b, "  %s: %s\n", l.Name, expand(t, l.Value, series, 0.0214))
				}
			}
		}
		golden.Compare(t, filepath.Join("testdata", name, "notifications.txt"), []byte(b.String()))
	}
}

func TestSummariesAreShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long-name-", 4)[:39] + "x"
	src := strings.NewReplacer("orders\n", long+"\n", "name: availability", "name: "+long).Replace(generated) +
		"  - {name: " + long[:38] + "yz, objective: 99, indicator: {ratio: {total: a_total, bad: b_total}}}\n"
	rules := mustCompile(t, src)
	series := map[string]string{
		rules.Spec.EnvironmentLabel: "pre-production-2", "http_route": "/v1/" + strings.Repeat("segment/", 20),
		"check": strings.Repeat("check", 20), "signal": "profiles",
	}
	for _, a := range rules.Alerts {
		for _, value := range []float64{1, 0.123456789, 0} {
			got := expand(t, annotation(a.Rule, "summary"), series, value)
			if n := utf8.RuneCountInString(got); n >= 120 || strings.Contains(got, "\n") {
				t.Errorf("%s: the summary has %d characters: %s", a.Name, n, got)
			}
		}
	}
}

func annotation(r slo.Rule, name string) string {
	for _, l := range slices.Concat(r.Annotations, r.Labels) {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

func TestAlertLabelsAndAnnotations(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, generated)
	for _, a := range rules.Alerts {
		want := map[string]string{"service": "orders", "team": "team-checkout", "severity": "warning"}
		if a.Tier == slo.TierPage {
			want["severity"] = "critical"
		}
		if a.SLO >= 0 {
			want["slo"] = rules.Spec.SLOs[a.SLO].Name
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if got := annotation(a.Rule, name); got != want[name] {
				t.Errorf("%s: %s is %q, want %q", a.Name, name, got, want[name])
			}
		}
		environment := expand(t, annotation(a.Rule, "environment"), map[string]string{rules.Spec.EnvironmentLabel: "staging"}, 0)
		if environment != "staging" {
			t.Errorf("%s: environment is %q", a.Name, environment)
		}
		const runbooks = "https://github.com/acme/orders/blob/main/observability/runbooks/"
		if got := annotation(a.Rule, "runbook_url"); !strings.HasPrefix(got, runbooks) || !strings.HasSuffix(got, ".md#"+strings.ToLower(a.Name)) {
			t.Errorf("%s: runbook is %s", a.Name, got)
		}
	}
}

func TestBurnAlertsDifferInLongWindow(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, a := range mustCompile(t, generated).Alerts {
		if a.Burn == nil {
			continue
		}
		if seen[a.String()] {
			t.Errorf("duplicate alert %s", a)
		}
		seen[a.String()] = true
		if a.Rule.For != 0 {
			t.Errorf("%s has for: %s, want none because of the short window", a.Name, a.Rule.For)
		}
	}
	if len(seen) != 4+4+2 {
		t.Errorf("%d burn alerts, want four per objective and two for the grouped one", len(seen))
	}
}

func TestMissingLinksAreNoted(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, minimal)
	for _, a := range rules.Alerts {
		for _, name := range []string{"runbook_url", "dashboard_url", "team"} {
			if got := annotation(a.Rule, name); got != "" {
				t.Errorf("%s: %s is %q, want none", a.Name, name, got)
			}
		}
	}
	want := []string{
		"links.runbooks is not set: alerts have no runbook_url",
		"links.grafana is not set: alerts have no dashboard_url",
		"alerting.receivers.page is not set: receiver page is a placeholder that sends nothing; set it to pagerduty, slack or webhook, and put its routing key or URL in the key page of the Kubernetes Secret orders-alertmanager",
		"alerting.receivers.ticket is not set: receiver ticket is a placeholder that sends nothing; set it to pagerduty, slack or webhook, and put its routing key or URL in the key ticket of the Kubernetes Secret orders-alertmanager",
	}
	if !slices.Equal(rules.Notes, want) {
		t.Errorf("notes %q, want %q", rules.Notes, want)
	}
}

func TestGitLabRunbookURL(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, minimal+"runtime: true\nlinks: {repository: 'https://gitlab.acme.test/shop/orders', branch: release/2}\n")
	want := "https://gitlab.acme.test/shop/orders/-/blob/release%2F2/observability/runbooks/instances.md#ordersdown"
	if got := annotation(rule(t, rules, "OrdersDown"), "runbook_url"); got != want {
		t.Errorf("runbook is %s, want %s", got, want)
	}
}

func TestRunbookURLInMonorepo(t *testing.T) {
	t.Parallel()
	s := mustCompile(t, minimal+"runtime: true\nlinks: {repository: 'https://github.com/acme/shop'}\n").Spec
	s.Directory = "services/orders"
	rules, err := slo.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	want := "https://github.com/acme/shop/blob/main/services/orders/observability/runbooks/instances.md#ordersdown"
	if got := annotation(rule(t, rules, "OrdersDown"), "runbook_url"); got != want {
		t.Errorf("runbook is %s, want %s", got, want)
	}
}

// hostile contains the special characters of YAML, Go templates, PromQL, Markdown and shells.
const hostile = "a'b\"c`d: {{ $labels.x }} }} {{ \"end\" | oops }} # - [x](y) %s %q \\ \n\tline <!-- scaffold:facts:end --> $(reboot) {"

func hostileSpec() slo.Spec {
	text := hostile
	return slo.Spec{
		Service: "orders", Description: text, Owner: text, Runtime: true,
		Selector: map[string]string{"job": text},
		Links:    slo.Links{Runbooks: "https://r.test/{{a}}'\"`", Grafana: "https://g.test/{{b}}'", Alertmanager: "https://a.test/'$(x)"},
		Alerting: slo.Alerting{
			Labels: map[string]string{"note": text}, Annotations: map[string]string{"hint": text},
			Severities: slo.Severities{Page: "p{{", Ticket: "t'\""},
		},
		SLOs: []slo.Objective{
			{Name: "availability", Description: text, Target: "99.9", Indicator: slo.Indicator{Availability: &slo.Availability{}}},
			{Name: "own", Description: text, Target: "99", Indicator: slo.Indicator{Ratio: &slo.Ratio{
				Total: "a_total{x=\"'`{{\\n\"}", Bad: "a_total{x=\"'`{{\\n\",y=~\"5..|'\"}",
			}}},
		},
	}
}

func TestHostileTextIsEscaped(t *testing.T) {
	t.Parallel()
	rules, err := slo.Compile(hostileSpec())
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]string{"deployment_environment_name": "p\"{{'\\", "http_route": "{{"}
	for i, f := range rules.RuleFiles() {
		sameGroup(t, rules.Groups[i], f.Data)
		for _, r := range rules.Groups[i].Rules {
			newSelectors := selectors(t, r.Expr)
			if len(newSelectors) == 0 && !strings.HasPrefix(r.Expr, "vector(") {
				t.Errorf("%s has no selector: %s", r.Name(), r.Expr)
			}
			for _, l := range slices.Concat(r.Labels, r.Annotations) {
				if r.Alert != "" {
					expand(t, l.Value, series, 0.5)
				}
			}
		}
	}
	burn := rule(t, rules, "OrdersAvailabilityErrorBudgetBurn")
	for name, want := range map[string]string{
		"team": hostile, "note": hostile, "hint": hostile, "severity": "p{{",
		"runbook_url": "https://r.test/{{a}}'\"`/availability.md#ordersavailabilityerrorbudgetburn",
	} {
		if got := expand(t, annotation(burn, name), series, 0.5); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := expand(t, annotation(burn, "description"), series, 0.5); !strings.HasSuffix(got, hostile) {
		t.Errorf("the description does not end in that of the specification: %q", got)
	}
}
