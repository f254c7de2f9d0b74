package slo_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/slo"
)

// Valid specifications compile, and Prometheus reads the rules.
func FuzzParse(f *testing.F) {
	f.Add(generated)
	f.Add(minimal)
	f.Add(example(f))
	f.Add(strings.Replace(minimal, "service: orders", "service: orders\nowner: \"{{ x }}' \\\" \\u2028\"", 1))
	f.Add("apiVersion: scaffold.slo/v1\nservice: a\nslos: [{name: l, objective: 99.000001, indicator: {ratio: {total: 'a{x!~\"[^0]+\"}', bad: 'a{x!~\"[^0]+\",y!=\"\"}'}}}]\n")
	f.Fuzz(func(t *testing.T, src string) {
		spec, err := slo.Parse("f", []byte(src))
		if err != nil {
			return
		}
		rules, err := slo.Compile(spec)
		if err != nil {
			t.Fatalf("a valid specification does not compile: %v", err)
		}
		for i, file := range rules.RuleFiles() {
			sameGroup(t, rules.Groups[i], file.Data)
		}
		if _, err := rules.Runbooks(slo.RunbookOptions{}); err != nil {
			t.Errorf("no runbooks: %v", err)
		}
		rules.Files()
	})
}

// Imported specifications compile, Prometheus reads the rules, and all problems and remarks
// have positions.
func FuzzImport(f *testing.F) {
	f.Add(open)
	f.Add(strings.Replace(open, `le="0.25"`, `le="NaN"`, 1))
	f.Add(strings.Replace(open, `le="0.25"`, `le="+Inf"`, 1))
	f.Add(strings.Replace(open, "0.9995", "1e9", 1))
	f.Add(slothFile)
	f.Add(slothResource())
	f.Add(pyrraFile)
	f.Add(alpha)
	f.Add(referring)
	f.Add("&a {apiVersion: openslo/v1, kind: SLO, metadata: *a, spec: *a}")
	f.Add("&a [*a]")
	f.Add("&a [{kind: List, items: *a}]")
	f.Fuzz(func(t *testing.T, src string) {
		slo.Importable([]byte(src))
		imported, err := slo.Import("f", []byte(src), slo.ImportOptions{})
		if problems := (diagnostic.List)(nil); errors.As(err, &problems) {
			for _, p := range problems {
				if p.Line < 1 || p.Line > 1+strings.Count(src, "\n")+strings.Count(src, "\r") {
					t.Errorf("no position: %v", p)
				}
			}
		}
		if err != nil {
			return
		}
		for _, r := range imported.Spec.Reads() {
			if p := imported.Problem(r.BoundPath, ""); r.Metric == "" || p.Line < 1 {
				t.Errorf("%+v has no metric or no position", r)
			}
		}
		rules, err := slo.Compile(imported.Spec)
		if err != nil {
			t.Fatalf("an imported specification does not compile: %v", err)
		}
		for i, file := range rules.RuleFiles() {
			sameGroup(t, rules.Groups[i], file.Data)
		}
	})
}
