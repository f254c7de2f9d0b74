package project

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates/spec"
)

const ownRule = `groups:
- name: shipping
  rules:
  # Why it exists.
  - alert: NothingShipped
    expr: |
      sum(rate(orders_shipped_total[5m]))

      == 0
    annotations: {summary: Nothing is shipped.}
`

// write writes files of a service by path.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for file, text := range files {
		name := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOwnFilesAreDeployed(t *testing.T) {
	t.Parallel()
	g := released()
	dir := newService(t, g, spec.Choices{Name: "orders"})
	write(t, dir, map[string]string{
		"observability/rules/own/shipping.yaml":           ownRule,
		"observability/rules/own/operator.yml":            "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n" + strings.ReplaceAll("  "+strings.ReplaceAll(ownRule, "\n", "\n  "), "shipping", "packing"),
		"observability/rules/own/flow.yaml":               "groups: [{name: flow, source_tenants: [a], labels: &l {tier: 1, f: 010}, rules: [{alert: A, expr: a, for: 0, labels: *l, annotations: {b: true}}]}]\n",
		"observability/rules/own/shipping.test.yaml":      "rule_files: []\n",
		"observability/rules/own/.scaffold-lint.yaml":     "exclusions: []\n",
		"observability/dashboards/own/Shipping list.json": `{"uid":"shipping","panels":[]}`,
		"observability/dashboards/own/eu/b.json":          `{"uid":"b","panels":[]}`,
		"observability/dashboards/own/other.json":         `{"name":"x"}`,
	})
	target, w, err := g.Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if err := target.Own.Err(); err != nil {
		t.Error(err)
	}
	if target.Plan.Empty() {
		t.Error("the service is up to date without the own files in its manifests")
	}
	for file, wants := range map[string][]string{
		"observability/kustomization.yaml": {
			"  - kubernetes/ownrules.yaml\n",
			"  - name: orders-own-shipping-list-dashboard\n    files: [\"orders-own-shipping-list.json=dashboards/own/Shipping list.json\"]\n",
			"  - name: orders-own-eu-b-dashboard\n",
		},
		"observability/kubernetes/ownrules.yaml": {
			"  name: orders-own\n  labels:\n    app.kubernetes.io/name: orders\n", "  - name: packing\n", "  - name: shipping\n    rules:\n      - alert: NothingShipped\n", "\n\n          == 0\n",
			"  - name: flow\n    labels:\n      f: \"010\"\n      tier: \"1\"\n    rules:\n      - alert: A\n        expr: a\n        for: \"0\"\n        labels:\n          f: \"010\"\n          tier: \"1\"\n        annotations:\n          b: \"true\"\n",
		},
	} {
		f, _ := target.Tree.Find(file)
		for _, want := range wants {
			if !strings.Contains(string(f.Data), want) {
				t.Errorf("%s has no %q:\n%s", file, want, f.Data)
			}
		}
		if strings.Contains(string(f.Data), "other.json") {
			t.Errorf("%s deploys JSON that is not a dashboard", file)
		}
	}
}

func TestServiceWithoutOwnRulesHasNoOwnPrometheusRule(t *testing.T) {
	t.Parallel()
	_, target := planned(t, released(), t.TempDir(), spec.Choices{Name: "orders"})
	if _, found := target.Tree.Find("observability/kubernetes/ownrules.yaml"); found {
		t.Error("ownrules.yaml exists without own rules")
	}
}

func TestInvalidOwnFilesAreReported(t *testing.T) {
	t.Parallel()
	const rules, dashboards = "observability/rules/own/", "observability/dashboards/own/"
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"YAML":                 {map[string]string{rules + "a.yaml": "groups: [\n"}, rules + "a.yaml:"},
		"PromQL":               {map[string]string{rules + "a.yaml": strings.Replace(ownRule, "== 0", "== )", 1)}, rules + "a.yaml:9:11:"},
		"group in two files":   {map[string]string{rules + "a.yaml": ownRule, rules + "b.yaml": ownRule}, rules + "b.yaml:2: the group shipping is also in "},
		"two dashboard names":  {map[string]string{dashboards + "a b.json": `{"panels":[]}`, dashboards + "a-b.json": `{"panels":[]}`}, "a-b.json: its ConfigMap would have the same name as that of "},
		"invalid file name":    {map[string]string{dashboards + "a=b.json": `{"panels":[]}`}, "a=b.json: invalid file name for a ConfigMap"},
		"long dashboard name":  {map[string]string{dashboards + strings.Repeat("x", 151) + ".json": `{"panels":[]}`}, ".json: too large for a ConfigMap"},
		"name without letters": {map[string]string{dashboards + "_.json": `{"panels":[]}`}, "_.json: invalid file name for a ConfigMap"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newService(t, released(), spec.Choices{Name: "orders"})
			write(t, dir, tc.files)
			target, w, err := released().Open(Options{Dir: dir})
			if w != nil {
				err = errors.Join(err, target.Own.Err(), w.Close())
			}
			if err == nil || !strings.Contains(filepath.ToSlash(err.Error()), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
