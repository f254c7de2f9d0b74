package conformance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/testkit/promtest"
)

// build compiles an upstream program in the version of go.mod and returns its path.
func build(t *testing.T, pkg string, flags ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-o", bin}, flags...), pkg)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return bin
}

// TestVerdictsAreThoseOfPromtool runs every generated rule test with promtool and with
// our evaluator, with the original and with mutated rules. promtool also checks every
// rule file that our evaluator loads.
func TestVerdictsAreThoseOfPromtool(t *testing.T) {
	t.Parallel()
	// Service discovery is not used and is most of the program.
	promtool := build(t, "github.com/prometheus/prometheus/cmd/promtool", "-tags", "remove_all_sd")
	for _, file := range ruleFiles(t) {
		if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput(); err != nil {
			t.Errorf("promtool check rules %s: %v\n%s", file, err, out)
		}
	}
	applied := map[string]int{}
	for _, tests := range unitTests(t) {
		name := strings.TrimPrefix(filepath.ToSlash(tests), "../../")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verdict(t, promtool, filepath.Dir(tests), filepath.Base(tests), true)
		})
		if strings.Contains(tests, "ticket") {
			continue // take days of simulated time for each mutation; pages take an hour
		}
		for _, m := range mutations() {
			dir, want, changed := mutate(t, tests, m)
			if !changed {
				continue // the file has no rule of this kind
			}
			applied[m.name]++
			t.Run(name+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				verdict(t, promtool, dir, filepath.Base(tests), want)
			})
		}
	}
	for _, m := range mutations() {
		if applied[m.name] < 4 {
			t.Errorf("mutation %q changed the rules of %d test files, want at least 4", m.name, applied[m.name])
		}
	}
}

func ruleFiles(t *testing.T) []string {
	t.Helper()
	files := []string{"testdata/nasty.rules.yaml", "testdata/alerts.rules.yaml"}
	for _, directory := range ruleDirectories(t) {
		files = append(files, directory...)
	}
	return files
}

func unitTests(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"../../examples/*/observability/rules/*.test.yaml", "../../slo/testdata/*/*.test.yaml"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		out = append(out, files...)
	}
	if len(out) < 8 {
		t.Fatalf("found %v, want at least 8 rule tests", out)
	}
	return append(out, "testdata/alerts.test.yaml")
}

// verdict runs a rule test with promtool and with our evaluator.
func verdict(t *testing.T, promtool, dir, file string, want bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), promtool, "test", "rules", file)
	cmd.Dir = dir
	out, theirs := cmd.CombinedOutput()
	data, err := os.ReadFile(filepath.Join(dir, file))
	must(t, err)
	ours := promtest.Run(context.WithoutCancel(t.Context()), data, func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, name))
	})
	if (theirs == nil) != want {
		t.Errorf("promtool: %v, want passed: %t\n%s", theirs, want, out)
	}
	if (ours == nil) != want {
		t.Errorf("our evaluator: %v, want passed: %t", ours, want)
	}
}

// mutation changes the rules of a test file. passes is the result of a test without
// exp_annotations.
type mutation struct {
	name   string
	apply  func(rule map[string]any, tested bool)
	passes bool
}

func mutations() []mutation {
	onTested := func(kind string, change func(rule map[string]any)) func(map[string]any, bool) {
		return func(rule map[string]any, tested bool) {
			if _, ok := rule[kind]; ok && tested {
				change(rule)
			}
		}
	}
	return []mutation{
		{"doubled recording rules", onTested("record", func(r map[string]any) { r["expr"] = fmt.Sprintf("(%s) * 2", r["expr"]) }), false},
		{"another label of recording rules", onTested("record", func(r map[string]any) { r["labels"] = map[string]any{"increase": "other"} }), false},
		{"alerts that never fire", onTested("alert", func(r map[string]any) { r["expr"] = fmt.Sprintf("(%s) and on () vector(0) > 1", r["expr"]) }), false},
		{"alerts that always fire", onTested("alert", func(r map[string]any) { r["expr"] = "vector(1)" }), false},
		{"alerts with for: 1d", onTested("alert", func(r map[string]any) { r["for"] = "1d" }), false},
		{"expression that does not parse", func(r map[string]any, _ bool) { r["expr"] = "sum(" }, false},
		{"expression that fails", func(r map[string]any, _ bool) {
			r["expr"] = `vector(1) * on () group_left () (vector(1) or label_replace(vector(1), "a", "b", "", ""))`
		}, false},
		{"other annotations, which generated tests do not check", func(r map[string]any, _ bool) {
			if _, ok := r["alert"]; ok {
				r["annotations"] = map[string]any{"summary": "{{ $value }}"}
			}
		}, true},
	}
}

// mutate copies a test and its mutated rules into a directory. It returns whether the
// test should pass and whether a rule was changed.
func mutate(t *testing.T, tests string, m mutation) (dir string, passes, changed bool) {
	t.Helper()
	dir = t.TempDir()
	text, err := os.ReadFile(tests)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, filepath.Base(tests)), text, 0o644))
	var file struct {
		Rules []string `yaml:"rule_files"`
	}
	must(t, yaml.Unmarshal(text, &file))
	for _, name := range file.Rules {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(tests), name))
		must(t, err)
		mutated := mutateRules(t, data, string(text), m)
		changed = changed || !bytes.Equal(mutated, mutateRules(t, data, string(text), mutation{apply: unchanged}))
		must(t, os.WriteFile(filepath.Join(dir, name), mutated, 0o644))
	}
	return dir, m.passes && !strings.Contains(string(text), "exp_annotations"), changed
}

func unchanged(map[string]any, bool) {}

func mutateRules(t *testing.T, data []byte, tests string, m mutation) []byte {
	t.Helper()
	var file map[string]any
	must(t, yaml.Unmarshal(data, &file))
	for _, g := range file["groups"].([]any) {
		for _, r := range g.(map[string]any)["rules"].([]any) {
			rule := r.(map[string]any)
			name := fmt.Sprint(rule["record"])
			if alert, ok := rule["alert"]; ok {
				name = fmt.Sprint(alert)
			}
			m.apply(rule, strings.Contains(tests, name))
		}
	}
	out, err := yaml.Marshal(file)
	must(t, err)
	return out
}
