package dashboards_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// known maps each series that exists to its labels.
type known map[string][]string

// signalsOf returns the series of a service, of its rules and of Prometheus.
func signalsOf(in dashboards.Input, metrics []metric) known {
	spec := in.Rules.Spec
	target := append(slices.Collect(maps.Keys(spec.Selector)), semconv.LabelJob, semconv.LabelInstance, spec.EnvironmentLabel)
	inCluster := append(slices.Clone(target), "namespace", "pod") // that the Prometheus operator adds
	out := known{semconv.Up: inCluster}
	for _, m := range metrics {
		labels := append(slices.Clone(m.Labels), target...)
		out[m.Name] = labels
		if m.Name == semconv.TargetInfo {
			out[m.Name] = inCluster
		}
		if m.Type == "summary" {
			out[m.Name+"_count"], out[m.Name+"_sum"] = labels, labels
		}
		if m.Type == "histogram" && !m.native {
			if in.Histograms != dashboards.Native || strings.HasPrefix(m.Name, "go_") {
				delete(out, m.Name)
				out[m.Name+"_bucket"] = append(slices.Clone(labels), semconv.LabelLessOrEqual)
				out[m.Name+"_count"], out[m.Name+"_sum"] = labels, labels
			}
		}
	}
	// A cluster's own metrics, which no service declares.
	for _, name := range []string{"container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total", "kube_pod_container_status_restarts_total"} {
		out[name] = []string{"namespace", "pod", "container"}
	}
	recorded := []string{slo.LabelService, slo.LabelSLI, slo.LabelObjective, slo.LabelWindow, spec.EnvironmentLabel}
	for _, q := range in.Rules.Queries() {
		if !q.Alert {
			out[q.Rule] = recorded
		}
	}
	out["ALERTS"] = []string{"alertstate", slo.LabelAlertName, slo.LabelService, slo.LabelEnvironment, slo.LabelObjective, slo.LabelSeverity, slo.LabelLong, slo.LabelShort}
	return out
}

// unknownNames lists metrics and labels of queries that do not exist.
func unknownNames(all []dashboards.Dashboard, signals known) []string {
	var out []string
	for _, b := range all {
		for _, q := range b.Queries() {
			if q.Source != dashboards.Prometheus {
				continue
			}
			expr, err := parser.NewParser(parser.Options{EnableExperimentalFunctions: true}).ParseExpr(substituted(q.Expr))
			if err != nil {
				out = append(out, fmt.Sprintf("%s: %s: %v: %s", b.Name(), q.Panel, err, q.Expr))
				continue
			}
			visit(expr, nil, func(name string, labels []string) {
				has, ok := signals[name]
				if !ok {
					out = append(out, fmt.Sprintf("%s: %s: unknown metric %s", b.Name(), q.Panel, name))
					return
				}
				for _, label := range labels {
					if !slices.Contains(has, label) {
						out = append(out, fmt.Sprintf("%s: %s: %s has no label %s", b.Name(), q.Panel, name, label))
					}
				}
			})
		}
	}
	return out
}

// substituted replaces Grafana's variables by values.
func substituted(expr string) string {
	return strings.NewReplacer(
		"$__rate_interval", "5m", "$__interval_ms", "60000", "$__interval", "1m", "$__range_s", "3600", "$__range", "1h", "$environment", "prod", "$instance", ".*", "$job", "orders", "$slo", "availability",
	).Replace(expr)
}

// visit calls use with each metric and the labels of its matchers, joins and groupings.
func visit(node parser.Node, outer []string, use func(string, []string)) {
	switch n := node.(type) {
	case *parser.VectorSelector:
		labels := slices.Clone(outer)
		for _, m := range n.LabelMatchers {
			if m.Name != model.MetricNameLabel {
				labels = append(labels, m.Name)
			}
		}
		use(n.Name, labels)
	case *parser.AggregateExpr:
		outer = slices.Clone(n.Grouping)
	case *parser.BinaryExpr:
		if n.VectorMatching != nil && n.VectorMatching.On {
			// The operands have only the labels that they are grouped by.
			visit(n.LHS, n.VectorMatching.MatchingLabels, use)
			visit(n.RHS, n.VectorMatching.MatchingLabels, use)
			return
		}
	}
	for child := range parser.ChildrenIter(node) {
		visit(child, outer, use)
	}
}

func TestQueriesReadExistingSeries(t *testing.T) {
	t.Parallel()
	for name, in := range inputs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, problem := range unknownNames(dashboardsOf(t, in), signalsOf(in, declaredMetrics(t))) {
				t.Error(problem)
			}
		})
	}
}

// The test above must find every renamed metric and label.
func TestRenamedSeriesAreFound(t *testing.T) {
	t.Parallel()
	in := inputs(t)["orders"]
	all, signals := dashboardsOf(t, in), signalsOf(in, declaredMetrics(t))
	used := known{}
	for _, b := range all {
		for _, q := range b.Queries() {
			if q.Source != dashboards.Prometheus {
				continue
			}
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(substituted(q.Expr))
			if err != nil {
				t.Fatal(err)
			}
			visit(expr, nil, func(name string, labels []string) { used[name] = append(used[name], labels...) })
		}
	}
	if len(used) < 50 {
		t.Fatalf("only %d metrics are read", len(used))
	}
	for name, labels := range used {
		without := maps.Clone(signals)
		delete(without, name)
		if len(unknownNames(all, without)) == 0 {
			t.Errorf("renamed metric %s was not found", name)
		}
		slices.Sort(labels)
		for _, label := range slices.Compact(labels) {
			without[name] = slices.DeleteFunc(slices.Clone(signals[name]), func(l string) bool { return l == label })
			if len(unknownNames(all, without)) == 0 {
				t.Errorf("renamed label %s of %s was not found", label, name)
			}
		}
	}
}
