package slo_test

import (
	"strings"
	"testing"

	"github.com/observability-first/scaffold/slo"
)

// What parses must compile, and Prometheus must read the rules.
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
			t.Fatalf("what parses does not compile: %v", err)
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

// What is imported must compile.
func FuzzImportOpenSLO(f *testing.F) {
	f.Add(open)
	f.Add(strings.Replace(open, `le="0.25"`, `le="NaN"`, 1))
	f.Add(strings.Replace(open, "0.9995", "1e9", 1))
	f.Fuzz(func(t *testing.T, src string) {
		spec, _, err := slo.ImportOpenSLO("f", []byte(src))
		if err != nil {
			return
		}
		if _, err := slo.Compile(spec); err != nil {
			t.Fatalf("what is imported does not compile: %v", err)
		}
	})
}
