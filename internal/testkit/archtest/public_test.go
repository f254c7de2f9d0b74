package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/dashboardlint"
	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/lint/rulelint"
	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/spec"
)

// Public names are in one file, so that reviews see changes. A rename is a breaking change.
func TestPublicNames(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	section := func(title string, list []string) {
		if len(list) == 0 {
			t.Errorf("%s: none found", title)
		}
		slices.Sort(list)
		fmt.Fprintf(&out, "# %s\n%s\n\n", title, strings.Join(slices.Compact(list), "\n"))
	}
	section("metrics", constants(t, "../../../runtime/semconv/metrics.go"))
	section("labels and their values", constants(t, "../../../runtime/semconv/labels.go"))
	section("headers", constants(t, "../../../runtime/semconv/headers.go"))
	alerts, records := ruleNames(t)
	section("alerts", alerts)
	section("records", records)
	section("environment variables of a service", variables(t))
	section("keys of the spec", specKeys(t))
	section("rules of check", checkRules())
	golden.Compare(t, "../../../docs/public-names.txt", out.Bytes())
}

// checkRules returns the names of lint rules.
func checkRules() []string {
	var out []string
	for _, r := range slices.Concat(metricnames.Catalog(), rulelint.Catalog(), promlint.Catalog(), dashboardlint.Catalog(), lint.Catalog()) {
		out = append(out, r.Name)
	}
	return out
}

// constants returns the values of the string constants of a file.
func constants(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		if value, ok := n.(*ast.ValueSpec); ok {
			for _, v := range value.Values {
				if text, ok := literal(v); ok {
					values = append(values, text)
				}
			}
		}
		return true
	})
	return values
}

func ruleNames(t *testing.T) (alerts, records []string) {
	t.Helper()
	src, err := os.ReadFile("../../../examples/orders/scaffold.yaml")
	if err != nil {
		t.Fatal(err)
	}
	service, err := spec.Parse("scaffold.yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := slo.Compile(service.SLO())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				alerts = append(alerts, r.Alert)
			} else {
				records = append(records, r.Record)
			}
		}
	}
	return alerts, records
}

// variables returns the first column of the recorded tables.
func variables(t *testing.T) []string {
	t.Helper()
	tables, err := filepath.Glob("../../../docs/variables.*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, table := range tables {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			// A line with one word is a heading.
			if words := strings.Fields(line); len(words) > 1 && words[0] != "VARIABLE" {
				names = append(names, words[0])
			}
		}
	}
	return names
}

// specKeys returns the paths of the spec's schema.
func specKeys(t *testing.T) []string {
	t.Helper()
	var schema any
	src, err := spec.Schema()
	if err := errors.Join(err, json.Unmarshal(src, &schema)); err != nil {
		t.Fatal(err)
	}
	var keys []string
	var walk func(node any, path string)
	walk = func(node any, path string) {
		object, ok := node.(map[string]any)
		if !ok {
			return
		}
		properties, _ := object["properties"].(map[string]any)
		for name, child := range properties {
			keys = append(keys, strings.TrimPrefix(path+"."+name, "."))
			walk(child, path+"."+name)
		}
		walk(object["items"], path+"[]")
	}
	walk(schema, "")
	return keys
}
