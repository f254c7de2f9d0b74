package slo_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/slo"
)

// generated is the specification of a generated service.
const generated = `apiVersion: scaffold.slo/v1
service: orders
description: Takes orders.
owner: team-checkout
runtime: true
replicas: {min: 3}
links: {grafana: 'https://grafana.acme.test/', repository: 'https://github.com/acme/orders', alertmanager: 'https://am.acme.test'}
slos:
  - {name: availability, objective: 99.9, window: 30d, indicator: {availability: {}}}
  - {name: latency, objective: 99, window: 30d, indicator: {latency: {threshold: 1s}}}
  - {name: routes, objective: 99, window: 30d, groupBy: [http_route], indicator: {availability: {}}}
`

func mustCompile(tb testing.TB, src string) slo.Rules {
	tb.Helper()
	spec, err := slo.Parse("test.slo.yaml", []byte(src))
	if err != nil {
		tb.Fatal(err)
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return rules
}

func example(tb testing.TB) string {
	tb.Helper()
	src, err := os.ReadFile(filepath.Join("..", "examples", "slo", "checkout.slo.yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(src)
}

// variants are specifications that together cover the compiler.
func variants(tb testing.TB) map[string]string {
	tb.Helper()
	return map[string]string{
		"a generated service":       generated,
		"a service without runtime": example(tb),
		"one objective":             minimal,
		"metrics that are pushed":   minimal + "metrics: push\nruntime: true\n",
		"labels of sloth":           minimal + "compatibility: [sloth]\nowner: team\n",
		"scrapes each minute":       minimal + "scrapeInterval: 60s\n",
		"one indicator, two objectives": minimal +
			"  - {name: strict, objective: 99.99, window: 7d, indicator: {availability: {}}}\n",
		"two weeks": strings.Replace(minimal, "99.9,", "99.9, window: 14d,", 1),
		"an objective below every page": `apiVersion: scaffold.slo/v1
service: batch
slos:
  - {name: runs, objective: 50, indicator: {ratio: {total: runs_total, bad: failed_runs_total}}}
`,
		"good events": `apiVersion: scaffold.slo/v1
service: batch
slos:
  - {name: runs, objective: 99, indicator: {ratio: {total: runs_total, good: finished_runs_total}}}
  - {name: labeled, objective: 99, groupBy: [queue], indicator: {ratio: {total: 'runs_total{a="b"}', good: 'runs_total{c="d"}'}}}
`,
		"without minBadEvents": `apiVersion: scaffold.slo/v1
service: batch
slos:
  - {name: runs, objective: 99, minBadEvents: 0, indicator: {ratio: {total: runs_total, bad: failed_runs_total}}}
`,
	}
}

// load reads a rule file with the parser of Prometheus.
func load(tb testing.TB, data []byte) *rulefmt.RuleGroups {
	tb.Helper()
	groups, errs := rulefmt.Parse(data, false, model.LegacyValidation, newParser(), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		tb.Fatalf("Prometheus rejects the file: %v\n%s", errs, data)
	}
	return groups
}

func newParser() parser.Parser { return parser.NewParser(parser.Options{}) }

// selectors returns the selectors of a query.
func selectors(tb testing.TB, query string) []*parser.VectorSelector {
	tb.Helper()
	expr, err := newParser().ParseExpr(query)
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	var out []*parser.VectorSelector
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			out = append(out, v)
		}
		return nil
	})
	return out
}

func rule(tb testing.TB, rules slo.Rules, name string) slo.Rule {
	tb.Helper()
	for _, g := range rules.Groups {
		if i := slices.IndexFunc(g.Rules, func(r slo.Rule) bool { return r.Name() == name }); i >= 0 {
			return g.Rules[i]
		}
	}
	tb.Fatalf("there is no rule %s", name)
	return slo.Rule{}
}

// toJSON converts a YAML document to JSON.
func toJSON(doc []byte) ([]byte, error) {
	var v any
	if err := yaml.Unmarshal(doc, &v); err != nil {
		return nil, err
	}
	return json.MarshalIndent(v, "", "\t")
}
