// Package metricnames finds undeclared metrics, labels and values in queries of rules and
// dashboards, which return nothing without an error. It needs neither traffic nor a server.
package metricnames

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Query is a query with its place.
type Query struct {
	At    lint.Finding // the place, without a rule
	Expr  string       // PromQL, may have Grafana variables
	Label string       // label whose values the query returns, if any
}

// Known has the names that queries may use.
type Known struct {
	metrics  map[string][]string            // labels by scraped name
	bounds   map[string][]float64           // of the buckets of classic histograms
	spelled  map[string][]string            // spellings of those bounds on a scraped page
	values   map[string]map[string][]string // by metric and label, on a scraped page
	anyLabel map[string]bool                // metrics that may have other labels
	absent   map[string]string              // messages for series that histograms do not have in their form
	records  bool                           // all rules are known
	signals  bool                           // the declared signals are known

	rules []Recorded
	names []string // sorted names of metrics to suggest

	// Others may exist, so an unknown name is a warning.
	otherMetrics, otherLabels bool
	// lenient has the same names with any label on metrics whose labels are not all known. Nil
	// means that all labels are known.
	lenient *Known
	// added is lenient with any label on recorded series.
	added *Known
}

// Catalog lists the rules of this package.
func Catalog() []lint.Rule {
	return []lint.Rule{
		{Name: "query-syntax", Means: "A query is not valid PromQL. A warning if a variable may replace any part of it, and if it is too long or too deep to check.", Do: "Correct the query."},
		{Name: "unknown-metric", Means: "A query reads an undeclared metric, or a series that a classic or native histogram does not have. A warning if other exporters may have it, and if the form is known from a scraped page.", Do: "Correct the name, or declare the metric."},
		{Name: "unknown-label", Means: "A query uses a label that the metric or the result of an expression does not have. A warning if the scrape may add it, if the labels are known from a scraped page, and if series without the label match, as with !=.", Do: "Correct the name, or keep the label in by (...)."},
		{Name: "unknown-value", Means: "A query compares a label with a value that it cannot have, such as an unknown outcome or bound of a histogram. A warning if the values are known from a scraped page, and if Prometheus may spell a bound differently.", Do: "Write one of the listed values."},
		{Name: "record-unknown", Means: "A query reads a series with a recorded name (with colons) that no rule records. A warning if other rules may exist.", Do: "Correct the name, or add the rule."},
	}
}

// NewKnown returns the declared and recorded names, and the target labels that the scrape adds.
func NewKnown(signals exposition.Page, recorded []Recorded, target []string) Known {
	k := Known{metrics: map[string][]string{}, bounds: map[string][]float64{}, spelled: map[string][]string{}, values: map[string]map[string][]string{}, anyLabel: map[string]bool{}, records: true, signals: true}
	target = append([]string{semconv.LabelJob, semconv.LabelInstance}, target...)
	target = append(exported(target), model.MetricNameLabel)
	for _, m := range signals.Metrics {
		own := slices.Concat(exported(m.Labels), target)
		values := maps.Clone(m.Values)
		for _, label := range target { // the scrape sets another value
			delete(values, label)
		}
		k.metrics[m.Name], k.values[m.Name] = own, values
		switch m.Type {
		case "histogram":
			k.metrics[m.Name+"_bucket"] = append(slices.Clone(own), semconv.LabelLessOrEqual)
			k.metrics[m.Name+"_sum"], k.metrics[m.Name+"_count"] = own, own
			k.bounds[m.Name+"_bucket"], k.spelled[m.Name+"_bucket"] = m.Bounds, m.Spellings
			k.values[m.Name+"_bucket"], k.values[m.Name+"_sum"], k.values[m.Name+"_count"] = values, values, values
		case "summary":
			k.metrics[m.Name] = append(slices.Clone(own), semconv.LabelQuantile)
			k.metrics[m.Name+"_sum"], k.metrics[m.Name+"_count"] = own, own
		}
	}
	k.absent = absentSeries(signals)
	for _, m := range signals.Metrics {
		for _, name := range []string{m.Name, m.Name + "_bucket", m.Name + "_sum", m.Name + "_count"} {
			if _, known := k.metrics[name]; known && m.NoSeries {
				k.anyLabel[name] = true
			}
		}
	}
	for _, name := range fromScraper() {
		k.metrics[name] = target
	}
	k.rules = recorded
	k.record(recorded)
	return k
}

// absentSeries returns the series that histograms do not have in their form.
func absentSeries(signals exposition.Page) map[string]string {
	out := map[string]string{}
	for _, m := range signals.Metrics {
		maps.Copy(out, m.AbsentSeries())
	}
	for _, m := range signals.Metrics {
		if m.Form != exposition.Classic { // another metric may have the name
			delete(out, m.Name)
		}
	}
	return out
}

// AnyForm allows the series of both forms of a histogram.
func (k Known) AnyForm() Known {
	k.absent = nil
	return k
}

// fromScraper returns the metrics that Prometheus writes for each target.
func fromScraper() []string {
	return []string{
		semconv.Up, "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added", "scrape_samples_post_metric_relabeling",
		"scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes", // with extra-scrape-metrics
	}
}

// exported adds the names that Prometheus gives to scraped labels that it overrides.
func exported(labels []string) []string {
	out := slices.Clone(labels)
	for _, l := range labels {
		out = append(out, model.ExportedLabelPrefix+l)
	}
	return out
}

// OnlyRecords returns the recorded names, without declared signals.
func OnlyRecords(recorded []Recorded) Known {
	k := Known{metrics: map[string][]string{}, anyLabel: map[string]bool{}, records: true, rules: recorded}
	k.record(recorded)
	return k
}

// WithoutRules allows recorded names that no known rule records.
func (k Known) WithoutRules() Known {
	k.records = false
	return k
}

// OtherMetrics means that other metrics exist, such as those of another exporter. An unknown
// name is then a warning.
func (k Known) OtherMetrics() Known {
	k.otherMetrics = true
	return k
}

// OtherLabels means that the scrape adds unknown labels. An unknown label is then a warning.
func (k Known) OtherLabels() Known {
	k.otherLabels = true
	k.lenient = k.withAnyLabel(slices.Collect(maps.Keys(k.metrics)))
	added := *k.lenient
	added.anyLabel = maps.Clone(added.anyLabel)
	for _, r := range k.rules {
		added.anyLabel[r.Name] = true
	}
	k.added = &added
	return k
}

// LabelsOfPages means that labels are known from scraped pages. An unknown label is then a
// warning, since labels such as error_type appear with the first failure.
func (k Known) LabelsOfPages() Known {
	declared := slices.DeleteFunc(slices.Collect(maps.Keys(k.metrics)), func(name string) bool { return slices.Contains(fromScraper(), name) })
	k.lenient = k.withAnyLabel(declared)
	return k
}

// withAnyLabel allows any label on the metrics and computes the labels of records again.
func (k Known) withAnyLabel(names []string) *Known {
	k.metrics, k.anyLabel = maps.Clone(k.metrics), maps.Clone(k.anyLabel)
	for _, name := range names {
		k.anyLabel[name] = true
	}
	for _, r := range k.rules {
		k.metrics[r.Name], k.anyLabel[r.Name] = nil, false
	}
	k.record(k.rules)
	return &k
}

// WithNames adds names of metrics and recorded series whose labels are unknown.
func (k Known) WithNames(of []string) Known {
	for _, name := range of {
		delete(k.absent, name)
		if _, known := k.metrics[name]; !known {
			k.metrics[name], k.anyLabel[name] = nil, true
		}
	}
	return k
}

// maxSuggestions limits the findings with suggestions, which are slow to compute.
const maxSuggestions = 1000

// Check returns findings for unknown names in queries.
func (k Known) Check(queries []Query) []lint.Finding {
	k.names = slices.Sorted(maps.Keys(k.metrics))
	var found []lint.Finding
	for _, q := range queries {
		if len(found) >= maxSuggestions {
			k.names = nil
		}
		found = append(found, k.check(q)...)
	}
	return found
}

// complaint reports a finding of a query, once. A guess is a warning.
type complaint func(rule string, guess bool, format string, args ...any)

func (k Known) check(q Query) []lint.Finding {
	tree, err := dashboardfile.ParsePromQL(q.Expr)
	if err != nil {
		message, _ := rulefile.Explain(err)
		f := q.At.WithMessagef("%s", dashboardfile.WithVariables(message, q.Expr))
		f.Rule, f.Warning = "query-syntax", promql.IsLimit(err) || dashboardfile.Free(q.Expr)
		return []lint.Finding{f}
	}
	var found []lint.Finding
	complain := func(rule string, guess bool, format string, args ...any) {
		f := q.At.WithMessagef(format, args...)
		f.Rule, f.Warning, f.Message = rule, guess, dashboardfile.WithVariables(f.Message, q.Expr)
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	if q.Label != "" {
		k.checkLabels([]string{q.Label}, tree, complain)
	}
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			k.checkSelector(n, complain)
		case *parser.AggregateExpr:
			if !n.Without {
				k.checkLabels(n.Grouping, n.Expr, complain)
			}
		case *parser.BinaryExpr:
			k.checkMatching(n, complain)
		}
		return nil
	})
	return found
}

func (k Known) checkSelector(s *parser.VectorSelector, complain complaint) {
	name := promlint.Name(s)
	if name == "" || name == "ALERTS" || name == "ALERTS_FOR_STATE" || dashboardfile.Varies(name) {
		return // any metric, or one with the labels of alerts
	}
	own, known := k.metrics[name]
	switch {
	case !known && strings.Contains(name, ":"):
		if k.records {
			complain("record-unknown", k.otherMetrics, "no rule records %s%s", name, diagnostic.DidYouMean(name, k.names))
		}
		return
	case !k.signals, !known && promlint.OfCluster(name):
		return
	case !known:
		complain("unknown-metric", k.otherMetrics, "metric %s is not declared%s", name, diagnostic.DidYouMean(name, k.names))
		return
	}
	if message := k.absent[name]; message != "" {
		complain("unknown-metric", k.otherMetrics, "%s", message)
		return
	}
	for _, m := range s.LabelMatchers {
		if m.Name != model.MetricNameLabel && !slices.Contains(own, m.Name) && !k.anyLabel[name] && !dashboardfile.Varies(m.Name) {
			if selectsMissingLabel(m) {
				continue
			}
			complain("unknown-label", m.Matches("") || k.otherLabels || k.lenient != nil && k.lenient.anyLabel[name], "metric %s has no label %s%s", name, m.Name, diagnostic.DidYouMean(m.Name, own))
			continue
		}
		k.checkValue(name, m, complain)
	}
}

// checkMatching checks the labels of on() and group_left(). Those of ignoring() may be absent.
func (k Known) checkMatching(n *parser.BinaryExpr, complain complaint) {
	if n.VectorMatching == nil {
		return
	}
	if n.VectorMatching.On {
		k.checkLabels(n.VectorMatching.MatchingLabels, n.LHS, complain)
		k.checkLabels(n.VectorMatching.MatchingLabels, n.RHS, complain)
	}
	switch n.VectorMatching.Card {
	case parser.CardManyToOne:
		k.checkLabels(n.VectorMatching.Include, n.RHS, complain)
	case parser.CardOneToMany:
		k.checkLabels(n.VectorMatching.Include, n.LHS, complain)
	}
}

// checkLabels reports labels that the result of an expression cannot have.
func (k Known) checkLabels(used []string, of parser.Expr, complain complaint) {
	if !k.signals {
		return
	}
	have := k.infer(of)
	for _, label := range used {
		if !have.has(label) && !dashboardfile.Varies(label) {
			complain("unknown-label", k.otherLabels || k.lenient != nil && k.lenient.infer(of).has(label), "%q has no label %s%s", of, label, diagnostic.DidYouMean(label, have.names))
		}
	}
}

// TargetLabels returns labels that queries use with two metrics or more and that no metric has,
// which the scrape likely adds.
func (k Known) TargetLabels(queries []Query) []string {
	own := map[string]bool{}
	for _, labels := range k.metrics {
		for _, l := range labels {
			own[l] = true
		}
	}
	used := map[string]map[string]bool{} // metrics by label
	use := func(label string, of parser.Node) {
		parser.Inspect(of, func(n parser.Node, _ []parser.Node) error {
			s, ok := n.(*parser.VectorSelector)
			if !ok || k.anyLabel[promlint.Name(s)] || k.metrics[promlint.Name(s)] == nil || own[label] || dashboardfile.Varies(label) {
				return nil
			}
			if used[label] == nil {
				used[label] = map[string]bool{}
			}
			used[label][promlint.Name(s)] = true
			return nil
		})
	}
	for _, q := range queries {
		tree, err := dashboardfile.ParsePromQL(q.Expr)
		if err != nil {
			continue
		}
		if q.Label != "" {
			use(q.Label, tree)
		}
		parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
			switch n := node.(type) {
			case *parser.VectorSelector:
				for _, m := range n.LabelMatchers {
					use(m.Name, n)
				}
			case *parser.AggregateExpr:
				for _, label := range n.Grouping {
					use(label, n.Expr)
				}
			case *parser.BinaryExpr:
				if n.VectorMatching != nil {
					for _, label := range n.VectorMatching.MatchingLabels {
						use(label, n)
					}
				}
			}
			return nil
		})
	}
	var out []string
	for label, metrics := range used {
		if len(metrics) > 1 {
			out = append(out, label)
		}
	}
	slices.Sort(out)
	return out
}
