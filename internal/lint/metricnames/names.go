// Package metricnames compares the metrics, labels and values in the queries of rules and
// dashboards with those that are declared.
//
// It needs no traffic and no server, so that it finds a misspelled name before an alert would
// have had to fire: a query of a metric that does not exist returns nothing, without an error.
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

// Query is one query with the place it stands at.
type Query struct {
	At    lint.Finding // the place, without a rule
	Expr  string       // PromQL with the variables of Grafana in it
	Label string       // whose values the query asks for, if it does
}

// Known is every name that a query may use.
type Known struct {
	metrics  map[string][]string            // name, as it is scraped, to its labels
	bounds   map[string][]float64           // of the buckets of classic histograms
	spelled  map[string][]string            // those bounds on a scraped page
	values   map[string]map[string][]string // of labels of metrics on a scraped page
	anyLabel map[string]bool                // metrics that may have other labels, too
	absent   map[string]string              // series that histograms do not have in their form, to what to write
	records  bool                           // all rules are known: a recorded name that none of them records is wrong
	signals  bool                           // the declared signals are known

	rules []Recorded
	names []string // of the metrics, sorted, while they are suggested

	// Others may exist beside the known ones, so that an unknown one is a warning.
	otherMetrics, otherLabels bool
	// lenient has the same names, and any label on the metrics whose labels are not all
	// known. Nil when all are.
	lenient *Known
	// added is lenient with any label on recorded series, too.
	added *Known
}

// Catalog lists the rules of this package.
func Catalog() []lint.Rule {
	return []lint.Rule{
		{Name: "query-syntax", Means: "A query does not parse as PromQL. A warning where a variable may stand for any part of it, and where it is too long or too deep to be checked.", Do: "Correct it; variables of Grafana are read as values."},
		{Name: "unknown-metric", Means: "A query names a metric that nobody declares, or a series that a histogram does not have in its form, classic or native: it is always empty. A warning where other exporters may have it, and where the form comes from a scraped page.", Do: "Correct the name, or declare the metric."},
		{Name: "unknown-label", Means: "A query names a label that the metric, or the result of an expression, does not have. A warning where the scrape may add it, where the labels come from a scraped page, and where series without the label match, as with !=.", Do: "Correct the name; keep the label in by (...) of what the query reads."},
		{Name: "unknown-value", Means: "A query compares a label with a value that it cannot have: an outcome or a state that does not exist, a bound that the histogram does not have. A warning where the values come from a scraped page, and where Prometheus may spell a bound in another way.", Do: "Write one of the values that are listed."},
		{Name: "record-unknown", Means: "A query reads a recorded series, as its colons say, that no rule records. A warning where rules may be elsewhere.", Do: "Correct the name, or add the rule."},
	}
}

// NewKnown collects the names of a service: what it declares, what rules record,
// and the labels that the scrape adds to every declared series.
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

// absentSeries are the series that the histograms of a page do not have in their form.
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

// AnyForm lets queries name the series that a histogram would have in its other form.
func (k Known) AnyForm() Known {
	k.absent = nil
	return k
}

// fromScraper are the metrics that Prometheus itself writes for each target.
func fromScraper() []string {
	return []string{
		semconv.Up, "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added", "scrape_samples_post_metric_relabeling",
		"scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes", // with extra-scrape-metrics
	}
}

// exported adds the names that Prometheus gives to labels of a page that the scrape sets, too.
func exported(labels []string) []string {
	out := slices.Clone(labels)
	for _, l := range labels {
		out = append(out, model.ExportedLabelPrefix+l)
	}
	return out
}

// OnlyRecords is what is known without declared signals: the recorded names.
func OnlyRecords(recorded []Recorded) Known {
	k := Known{metrics: map[string][]string{}, anyLabel: map[string]bool{}, records: true, rules: recorded}
	k.record(recorded)
	return k
}

// WithoutRules lets queries name recorded series that no known rule records.
func (k Known) WithoutRules() Known {
	k.records = false
	return k
}

// OtherMetrics says that there are metrics beside the known ones, such as those of
// another exporter: a name that is not known is a warning then.
func (k Known) OtherMetrics() Known {
	k.otherMetrics = true
	return k
}

// OtherLabels says that metrics have labels beside the known ones, which the scrape
// adds: a label that is not known is a warning then.
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

// LabelsOfPages says that declared metrics have the labels that scraped pages show. A label
// such as error_type appears with the first failure: one that is not known is a warning.
func (k Known) LabelsOfPages() Known {
	declared := slices.DeleteFunc(slices.Collect(maps.Keys(k.metrics)), func(name string) bool { return slices.Contains(fromScraper(), name) })
	k.lenient = k.withAnyLabel(declared)
	return k
}

// withAnyLabel lets the metrics have any label, and works out those of the records again.
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

// WithNames adds metrics, or recorded series, of which nothing but the name is known.
func (k Known) WithNames(of []string) Known {
	for _, name := range of {
		delete(k.absent, name)
		if _, known := k.metrics[name]; !known {
			k.metrics[name], k.anyLabel[name] = nil, true
		}
	}
	return k
}

// maxSuggestions is the number of findings that get a suggestion: to compute one is slow.
const maxSuggestions = 1000

// Check returns every name that the queries use and nobody declares.
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

// complaint collects what is wrong with one query, each thing once. A guess is a warning.
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
		return // any metric, or one whose labels are those of the alerts
	}
	own, known := k.metrics[name]
	switch {
	case !known && strings.Contains(name, ":"):
		if k.records {
			complain("record-unknown", k.otherMetrics, "no rule records %s%s", name, diagnostic.DidYouMean(name, k.names))
		}
		return
	case !k.signals:
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

// checkMatching wants the labels of on() and group_left() where they are looked
// for. Labels of ignoring() may be absent: then there is nothing to ignore.
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

// checkLabels wants each label on the result of the expression.
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

// TargetLabels are labels that queries use of two metrics or more and that no metric
// has: the scrape is likely to add them.
func (k Known) TargetLabels(queries []Query) []string {
	own := map[string]bool{}
	for _, labels := range k.metrics {
		for _, l := range labels {
			own[l] = true
		}
	}
	used := map[string]map[string]bool{} // label to the metrics that it is used of
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
