package checks_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/testkit/testdir"
)

func TestCopiesOfRulesAreSkipped(t *testing.T) {
	t.Parallel()
	const rules = "groups:\n- {name: a, rules: [{record: 'a:b', expr: sum(up)}]}\n"
	const resource = "kind: PrometheusRule\nspec: {groups: [{name: a, rules: [{record: 'a:b', expr: 'sum( up )'}]}]}\n"
	for name, tc := range map[string]struct {
		files map[string]string
		want  int
	}{
		"PrometheusRule with the rules of a file": {map[string]string{"a.yaml": rules, "k8s/a.yaml": resource}, 1},
		"PrometheusRule alone":                    {map[string]string{"k8s/a.yaml": resource}, 1},
		"PrometheusRule with other rules":         {map[string]string{"a.yaml": "groups:\n- {name: a, rules: [{record: 'a:b', expr: max(up)}]}\n", "k8s/a.yaml": resource}, 2},
		"PrometheusRule with other durations":     {map[string]string{"a.yaml": "groups:\n- {name: a, rules: [{alert: A, expr: up == 0, for: 5m}]}\n", "k8s/a.yaml": "kind: PrometheusRule\nspec: {groups: [{name: a, rules: [{alert: A, expr: up == 0}]}]}\n"}, 2},
		"PrometheusRule without groups":           {map[string]string{"k8s/a.yaml": "kind: PrometheusRule\nspec: {groups: []}\n"}, 1},
		"two PrometheusRules in one file":         {map[string]string{"k8s/a.yaml": resource + "---\n" + strings.ReplaceAll(resource, "sum", "max")}, 2},
		"two rule files":                          {map[string]string{"a.yaml": rules, "b.yaml": rules}, 2},
		"directories of other programs":           {map[string]string{"a.yaml": rules, ".git/b.yaml": rules, "node_modules/c.yaml": rules}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := testdir.New(t, tc.files)
			var o checks.LintInput
			if _, err := o.Read(t.Context(), []string{dir}, []string{dir}); err != nil {
				t.Fatal(err)
			}
			if len(o.Rules) != tc.want {
				t.Errorf("read %d files, want %d", len(o.Rules), tc.want)
			}
		})
	}
}

func TestNamedCopiesAreRead(t *testing.T) {
	t.Parallel()
	dir := testdir.New(t, map[string]string{
		"a.yaml": "groups:\n- {name: a, rules: [{record: 'a:b', expr: sum(up)}]}\n",
		"b.yaml": "kind: PrometheusRule\nspec: {groups: [{name: a, rules: [{record: 'a:b', expr: sum(up)}]}]}\n",
	})
	var o checks.LintInput
	if _, err := o.Read(t.Context(), []string{filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")}, nil); err != nil {
		t.Fatal(err)
	}
	if len(o.Rules) != 2 {
		t.Errorf("read %d files, want 2", len(o.Rules))
	}
}

func TestReadStopsWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	dir := testdir.New(t, map[string]string{"a.yaml": "groups: []\n"})
	interrupt := errors.New("interrupt")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interrupt)
	var o checks.LintInput
	if _, err := o.Read(ctx, []string{dir}, nil); !errors.Is(err, interrupt) || len(o.Rules) > 0 {
		t.Errorf("got %v and %d files, want the interrupt and none", err, len(o.Rules))
	}
}

func TestUnreadableFileInADirectoryIsAFinding(t *testing.T) {
	t.Parallel()
	dir := testdir.New(t, map[string]string{"a.yaml": "groups: []\n", "b.yaml": ""})
	if err := os.Truncate(filepath.Join(dir, "b.yaml"), 17<<20); err != nil {
		t.Fatal(err)
	}
	var o checks.LintInput
	if _, err := o.Read(t.Context(), []string{dir}, nil); err != nil {
		t.Fatal(err)
	}
	found := o.Findings()
	if len(found) != 1 || found[0].Warning || !strings.HasSuffix(found[0].File, "b.yaml") || !strings.Contains(found[0].Message, "larger than 16 MiB") {
		t.Errorf("found %v", found)
	}
}

// A baseline is updated for files that were read.
func TestExclusionFilesCountAsRead(t *testing.T) {
	t.Parallel()
	dir := testdir.New(t, map[string]string{"a.yaml": "groups: []\n", ".scaffold-lint.yaml": "exclusions: []\n"})
	var o checks.LintInput
	if _, err := o.Read(t.Context(), []string{dir}, nil); err != nil {
		t.Fatal(err)
	}
	if file := filepath.Join(dir, ".scaffold-lint.yaml"); !o.HasRead(file) {
		t.Errorf("HasRead(%s) is false", file)
	}
}

func TestHelmTemplatesAreSkipped(t *testing.T) {
	t.Parallel()
	const rules = "groups:\n- {name: a, rules: [{record: 'a:b', expr: sum(up)}]}\n"
	const open = "groups:\n- name: a\n  rules:\n  - {record: 'a:b', expr: sum(up)\n"
	for name, tc := range map[string]struct {
		file, text string
		chart      bool
		skipped    bool
	}{
		"condition":                                     {file: "a.yaml", text: "{{- if .Values.rules }}\n" + rules + "{{- end }}\n", skipped: true},
		"include in a name":                             {file: "a.yaml", text: `metadata: {name: {{ include "x.fullname" . }}}` + "\n" + rules, skipped: true},
		"chart value":                                   {file: "a.yaml", text: "groups:\n- name: {{ .Values.name }}\n  rules: []\n", skipped: true},
		"chart value in a query":                        {file: "a.yaml", text: "groups:\n- name: a\n  rules:\n  - {record: 'a:b', expr: up > {{ .Values.x | default 5 }} }\n", skipped: true},
		"any action in a chart":                         {file: "templates/sub/a.yaml", chart: true, text: "groups:\n- name: {{ $name }}\n  rules: []\n", skipped: true},
		"any action without a chart":                    {file: "templates/sub/a.yaml", text: "groups:\n- name: {{ $name }}\n  rules: []\n"},
		"chart template without actions":                {file: "templates/a.yaml", chart: true, text: rules + "# {{ .Values.x }}\n"},
		"quoted action in a chart":                      {file: "templates/a.yaml", chart: true, text: "groups:\n- {name: a, rules: [{alert: A, expr: up == 0, for: '{{ .Values.for }}'}]}\n", skipped: true},
		"query error and a label like a Helm action":    {file: "a.yaml", text: "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up ==\n    annotations:\n      a: |\n        {{ $labels.Release }}\n"},
		"syntax error of another template engine":       {file: "a.yaml", text: "{{ header }}\n" + rules},
		"syntax error in a chart":                       {file: "templates/a.yaml", chart: true, text: open},
		"syntax error outside of the chart's templates": {file: "rules/a.yaml", chart: true, text: open + "# {{ .Values.x }}\n"},
		"syntax error and a quoted action":              {file: "a.yaml", text: open + "  labels: {a: '{{ .Values.x }}'}\n"},
		"syntax error and an alert template":            {file: "a.yaml", text: open + "  annotations:\n    a: |\n      {{- range query \"up\" }}{{ .Labels.job }} {{ .Value }}{{ end }}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"other.yaml": "groups: []\n", tc.file: tc.text}
			if tc.chart {
				files["Chart.yaml"] = "name: a\n"
			}
			dir := testdir.New(t, files)
			var o checks.LintInput
			if _, err := o.Read(t.Context(), []string{dir}, nil); err != nil {
				t.Fatal(err)
			}
			if found := o.Findings(); (len(o.HelmTemplates) > 0) != tc.skipped || tc.skipped && len(found) > 0 {
				t.Errorf("skipped %v, found %v", o.HelmTemplates, found)
			}
			var named checks.LintInput
			if _, err := named.Read(t.Context(), []string{filepath.Join(dir, filepath.FromSlash(tc.file))}, nil); err != nil {
				t.Fatal(err)
			}
			found := named.Findings()
			if isError := len(found) == 1 && !found[0].Warning && strings.HasPrefix(found[0].Message, "not a rule file but a Helm template"); isError != tc.skipped {
				t.Errorf("named: found %v", found)
			}
		})
	}
}

func TestDirectoryWithOnlyHelmTemplatesIsAnError(t *testing.T) {
	t.Parallel()
	dir := testdir.New(t, map[string]string{"a.yaml": "groups:\n- name: {{ .Values.name }}\n"})
	var o checks.LintInput
	if _, err := o.Read(t.Context(), []string{dir}, nil); err == nil || !strings.HasSuffix(err.Error(), " except Helm templates; run helm template and pass its output") {
		t.Errorf("got %v", err)
	}
}

func TestExclusionFileWithAnotherEndingIsAWarning(t *testing.T) {
	t.Parallel()
	dir := testdir.New(t, map[string]string{"a.yaml": "groups: []\n", ".scaffold-lint.yml": "exclusions: []\n"})
	for _, path := range []string{dir, filepath.Join(dir, "a.yaml")} {
		var o checks.LintInput
		if _, err := o.Read(t.Context(), []string{path}, nil); err != nil {
			t.Fatal(err)
		}
		if found := o.Findings(); len(found) != 1 || !found[0].Warning || found[0].Message != "ignored; rename the file to .scaffold-lint.yaml" {
			t.Errorf("%s: found %v", path, found)
		}
	}
}
