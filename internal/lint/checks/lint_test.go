package checks

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// services returns specs with different rules and dashboards.
func services() map[string]string {
	const head = "apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\nresource: order\n"
	const both = "slos:\n- {name: availability, objective: 99.9, window: %s, indicator: {availability: {}}}\n- {name: latency, objective: 99, window: %s, indicator: {latency: {threshold: 1s}}}\n"
	month := fmt.Sprintf(both, "30d", "30d")
	return map[string]string{
		"minimal":                      head,
		"database":                     head + "components: {postgres: {}}\n" + month,
		"native histograms":            head + "telemetry: {histograms: native}\nslos:\n- {name: kept, objective: 99.9, window: 30d, indicator: {availability: {}}}\n",
		"both kinds of histograms":     head + "telemetry: {histograms: both}\n" + month,
		"pushed metrics":               head + "telemetry: {metrics: push}\n" + month,
		"long scrape interval":         head + "telemetry: {scrapeInterval: 60s}\n" + month,
		"short scrape interval":        head + "telemetry: {scrapeInterval: 5s}\n" + month,
		"selector with several labels": head + "telemetry: {selector: {job: shop-api, cluster: eu}, environmentLabel: env}\n" + month,
		"links":                        head + "links: {runbooks: https://runbooks.acme.test, grafana: https://grafana.acme.test}\n" + month,
		"windows of 7d and 28d":        head + fmt.Sprintf(both, "7d", "28d"),
		"sloth labels":                 head + "compatibility: [sloth]\n" + month,
		"objectives on routes":         head + "slos:\n- {name: create, objective: 99.9, window: 30d, route: /v1/orders, method: POST, indicator: {availability: {}}}\n- {name: reads, objective: 99, window: 30d, method: GET, indicator: {latency: {threshold: 70ms}}}\n",
		"low objective":                head + "slos:\n- {name: loose, objective: 80, window: 30d, indicator: {availability: {}}}\n",
	}
}

// serviceOf renders a service into a temporary directory.
func serviceOf(tb testing.TB, src string) project.Target {
	tb.Helper()
	service, err := spec.Parse(spec.FileName, []byte(src))
	if err != nil {
		tb.Fatal(err)
	}
	tree, err := templates.Render(service, templates.RenderOptions{Generator: "v0.5.0", RuntimeImport: project.RuntimeImport(), RuntimeVersion: "v0.5.0"})
	if err != nil {
		tb.Fatal(err)
	}
	t := project.Target{Dir: tb.TempDir(), Service: service}
	put(tb, t, spec.FileName, src)
	for _, f := range tree {
		if strings.HasPrefix(f.Path, "observability/") || strings.HasPrefix(f.Path, "deploy/") {
			put(tb, t, f.Path, string(f.Data))
		}
	}
	return t
}

func put(tb testing.TB, t project.Target, path, text string) {
	tb.Helper()
	path = filepath.Join(t.Dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
}

func findings(tb testing.TB, t project.Target) string {
	tb.Helper()
	var b strings.Builder
	for _, check := range []Check{namesCheck{}, lintCheck{}} {
		found, err := check.Run(tb.Context(), t)
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range found {
			fmt.Fprintln(&b, f)
		}
	}
	return b.String()
}

func TestGeneratedServicesHaveNoFindings(t *testing.T) {
	t.Parallel()
	for name, src := range services() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for line := range strings.Lines(findings(t, serviceOf(t, src))) {
				t.Errorf("got %s", line)
			}
		})
	}
}

func TestGeneratedExclusionsAreUsed(t *testing.T) {
	t.Parallel()
	target := serviceOf(t, services()["sloth labels"])
	o, err := readService(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	all := o.exclusions
	for i, e := range all {
		o.exclusions = append(append([]lint.Exclusion{}, all[:i]...), all[i+1:]...)
		if len(o.lints())+len(o.unknownNames()) == 0 {
			t.Errorf("%+v matches no finding", e)
		}
		if e.Reason == "" {
			t.Errorf("%+v has no reason", e)
		}
	}
}

func TestUserOwnedFilesAreLintedWithoutGeneratedExclusions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, path, text, want string }{
		{
			"unused record", "observability/rules/own/x.ticket.rules.yaml",
			"groups:\n- name: own\n  rules:\n  - record: slo:time_period:days\n    expr: vector(1)\n    labels: {own: x}\n",
			"observability/rules/own/x.ticket.rules.yaml:4: record slo:time_period:days: no rule, alert or dashboard reads it; remove the rule, or exclude it in .scaffold-lint.yaml [record-unused]\n",
		},
		{
			"unknown bound of a histogram", "observability/dashboards/own/x.json",
			`{"uid":"own","editable":false,"panels":[{"type":"stat","title":"X","description":"Y","fieldConfig":{"defaults":{"unit":"ops"}},"targets":[{"refId":"A","expr":"sum(rate(http_server_request_duration_seconds_bucket{le=\"0.3\"}[$__rate_interval]))"}]}]}`,
			"observability/dashboards/own/x.json:1:159: panel X, target A: http_server_request_duration_seconds_bucket has no bucket le=\"0.3\"; its bounds are 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10 [unknown-value]\n",
		},
		{
			"uid of a generated dashboard", "observability/dashboards/own/x.json", `{"uid":"shop-overview","editable":false,"panels":[]}`,
			"observability/dashboards/own/x.json: observability/dashboards/shop-overview.json has the same uid shop-overview, and Grafana shows only one of them; change one [dashboard-uid-duplicate]\n",
		},
		{
			"exclusion without a reason", "observability/dashboards/.scaffold-lint.yaml", "exclusions: [{rule: dashboard-uid}]\n",
			"observability/dashboards/.scaffold-lint.yaml:1:14: exclusions[0]: missing reason; write one sentence that says why the rule does not apply [exclusion-file]\n",
		},
		{
			"unused exclusion", "observability/rules/own/.scaffold-lint.yaml", "exclusions: [{rule: rate-range, reason: It was so.}]\n",
			"observability/rules/own/.scaffold-lint.yaml:1: the exclusion of rate-range matches no finding; remove it [exclusion-unused]\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			target := serviceOf(t, services()["minimal"])
			put(t, target, tc.path, tc.text)
			if got := findings(t, target); !strings.Contains(got, tc.want) {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
		})
	}
}

func TestChecksDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	golden.Compare(t, "../../../docs/checks.md", []byte(checksDocument()))
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.Name] || r.Means == "" || r.Do == "" {
			t.Errorf("rule %q is a duplicate or has no description", r.Name)
		}
		seen[r.Name] = true
	}
}

// BenchmarkCheckRulesAndDashboards measures check without running the service.
func BenchmarkCheckRulesAndDashboards(b *testing.B) {
	t := serviceOf(b, services()["database"])
	b.ReportAllocs()
	for b.Loop() {
		if got := findings(b, t); got != "" {
			b.Fatal(got)
		}
	}
}
