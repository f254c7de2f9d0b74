// Package promlint finds errors in valid PromQL expressions, such as a rate that never has two
// samples and a comparison that is never true. It uses declared metrics and recording rules, and no
// server. A finding that depends on a guess is a warning.
package promlint

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// unknown is the type of a metric that neither a declaration nor its name determines.
const unknown declared.Type = ""

// World has the metrics and records that expressions may use. It caches results and is not safe
// for concurrent use.
type World struct {
	// Metrics are the declared metrics by series name, including the series of histograms. Nil
	// means that nothing is declared.
	Metrics map[string]Metric
	// Scrape is the scrape interval.
	Scrape time.Duration
	// ScrapeGuessed means that Scrape is a default.
	ScrapeGuessed bool
	// OtherMetrics means that undeclared metrics may exist, and that a metric without a declared
	// unit may have one.
	OtherMetrics bool
	// OtherRecords means that unknown rules may record the same names.
	OtherRecords bool

	records map[string][]*recorded // by name
}

// recorded is a record with cached results.
type recorded struct {
	Record

	span span
	unit Unit
	sure bool // of the unit

	spanned, measured progress
}

// progress is the state of a cached result. A record that is under way is part of a cycle; its
// result is unknown.
type progress int

const (
	fresh progress = iota
	underWay
	done
)

// maxMatching is the maximum number of records of a selector that are checked. Files with thousands
// of objectives record the same name for each.
const maxMatching = 200

// Metric is a declared metric or a series of a histogram.
type Metric struct {
	Type declared.Type
	Unit string // seconds, bytes, or empty
	Flag bool   // the value is 0 or 1
}

// Record is a recording rule.
type Record struct {
	Name   string
	Labels map[string]string // that the rule sets
	Tree   parser.Expr       // nil if it does not parse
	// Interval is the evaluation interval, 0 for the server's default.
	Interval time.Duration
}

// NewWorld returns a World of declared metrics, nil if nothing is declared.
func NewWorld(metrics []declared.Metric, scrape time.Duration) World {
	w := World{Scrape: scrape, records: map[string][]*recorded{}}
	if metrics == nil {
		return w
	}
	w.Metrics = map[string]Metric{semconv.Up: {Type: declared.Gauge, Flag: true}}
	for _, d := range metrics {
		flag := d.Name == semconv.RuntimeReady || d.Name == semconv.RuntimeHealthCheckUp
		w.Metrics[d.Name] = Metric{Type: d.Type, Unit: d.Unit, Flag: flag}
		if d.Type != declared.Histogram && d.Type != declared.Summary {
			continue
		}
		w.Metrics[d.Name+"_bucket"] = Metric{Type: declared.Counter}
		w.Metrics[d.Name+"_count"] = Metric{Type: declared.Counter}
		w.Metrics[d.Name+"_sum"] = Metric{Type: declared.Counter, Unit: d.Unit}
	}
	return w
}

// typeOf returns the declared type of a selected metric, else the type that its name suggests.
func (w World) typeOf(s *parser.VectorSelector) declared.Type {
	name := Name(s)
	if m, ok := w.Metrics[name]; ok {
		return m.Type
	}
	if w.Metrics != nil && !w.OtherMetrics || strings.Contains(name, ":") {
		return unknown
	}
	if strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_bucket") {
		return declared.Counter
	}
	return unknown
}

// Declared reports whether the selected metric is declared.
func (w World) Declared(s *parser.VectorSelector) bool {
	_, found := w.Metrics[Name(s)]
	return found
}

// IsCounter reports whether a selector reads a counter.
func (w World) IsCounter(s *parser.VectorSelector) bool { return w.typeOf(s) == declared.Counter }

// Record adds a recording rule.
func (w World) Record(r Record) { w.records[r.Name] = append(w.records[r.Name], &recorded{Record: r}) }

// recordsOf returns the rules that may have recorded the selected series, none if they are too
// many.
func (w World) recordsOf(s *parser.VectorSelector) []*recorded {
	candidates := w.records[Name(s)]
	if len(candidates) > maxMatching {
		return nil
	}
	var out []*recorded
	for _, r := range candidates {
		if Admits(s, r.Labels) {
			out = append(out, r)
		}
	}
	return out
}

// Admits reports whether a selector can match a series that has these labels. Labels with a
// template may have any value.
func Admits(s *parser.VectorSelector, own map[string]string) bool {
	for _, m := range s.LabelMatchers {
		value, set := own[m.Name]
		if set && m.Name != model.MetricNameLabel && !m.Matches(value) && !strings.Contains(value, "{{") {
			return false
		}
	}
	return true
}

// OfCluster reports whether cAdvisor or kube-state-metrics export the metric, as each Kubernetes cluster may: no
// service declares it, and its instance is not one of the service.
func OfCluster(metric string) bool {
	return strings.HasPrefix(metric, "container_") || strings.HasPrefix(metric, "kube_")
}

// Name returns the metric name of a selector, or "".
func Name(s *parser.VectorSelector) string {
	if s.Name != "" {
		return s.Name
	}
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return ""
}

// Selectors returns the selectors of an expression.
func Selectors(tree parser.Node) []*parser.VectorSelector {
	var out []*parser.VectorSelector
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			out = append(out, s)
		}
		return nil
	})
	return out
}

// bare removes parentheses and wrappers of the parser.
func bare(e parser.Expr) parser.Expr {
	for {
		switch n := e.(type) {
		case *parser.ParenExpr:
			e = n.Expr
		case *parser.StepInvariantExpr:
			e = n.Expr
		default:
			return e
		}
	}
}

func start(n parser.Node) int { return int(n.PositionRange().Start) }

// literal returns the value of a number. It is not ok if a dashboard variable determines it.
func literal(e parser.Expr) (float64, bool) {
	switch n := bare(e).(type) {
	case *parser.NumberLiteral:
		return n.Val, !dashboardfile.Varies(strconv.FormatFloat(n.Val, 'f', -1, 64))
	case *parser.UnaryExpr:
		v, ok := literal(n.Expr)
		if n.Op == parser.SUB {
			v = -v
		}
		return v, ok
	}
	return 0, false
}

// Catalog returns the rules of this package.
func Catalog() []lint.Rule {
	return []lint.Rule{
		{Name: "rate-range", Means: "The range of a rate, increase or delta never has two samples, or two steps of a subquery, so the result is always empty. A warning if it has two samples part of the time, if the scrape interval is assumed, and if other rules may record the series.", Do: "Use a range of two scrape intervals or more; four tolerate a failed scrape."},
		{Name: "rate-gauge", Means: "rate, irate or increase of a gauge, which counts each decrease as a restart.", Do: "Use delta or deriv, or a counter."},
		{Name: "rate-sum", Means: "A rate of a sum of counters, which counts the restart of one process as a restart of all. A warning if only the name says that it is a counter, and if a grouped or selected label may identify the process. Sums by instance or pod, and of a single one, are allowed.", Do: "Write sum(rate(x[5m]))."},
		{Name: "counter-rate", Means: "A comparison or calculation with a counter without rate, whose result depends on the start of the process. A warning if only the name says that it is a counter, and if the other side has no rate, since the total may be meant, as with a quota. Multiplying by a constant, joining labels, and dividing by the time since the start are allowed.", Do: "Use rate or increase."},
		{Name: "delta-counter", Means: "delta, idelta or deriv of a counter, which is negative after a restart. A warning if only the name says that it is a counter. Allowed if the query drops negative values, as in delta(x[5m]) > 0 and clamp_min, or selects them, as in delta(x[5m]) < 0.", Do: "Use increase or rate."},
		{Name: "impossible-comparison", Means: "A comparison that is never true: with NaN, of constants, or with a value that the other side cannot have. A warning if it depends on a record that other rules may record, too.", Do: "Correct the bound, or remove the rule."},
		{Name: "always-empty", Means: "A part of a query that never has a result: topk of zero series, clamp with a lower bound above the upper one, or a selector with two values of one label.", Do: "Correct the query; use =~ for one of several values."},
		{Name: "label-match", Warning: true, Means: "An operator between aggregations by different labels, of which only series without these labels match.", Do: "Group both sides by the same labels, or write on (...) with group_left."},
		{Name: "quantile-le", Means: "histogram_quantile of buckets without the label le, or a quantile that is not between 0 and 1.", Do: "Write sum by (le, ...)."},
		{Name: "label-replace", Means: "label_replace with an invalid regular expression, or with a capture group that the expression does not have.", Do: "Correct the expression; $1 is the first group."},
		{Name: "server-feature", Warning: true, Means: "A function, aggregation or syntax that needs a feature flag of the server, or a function that Prometheus 3 renamed.", Do: "Set the flag and exclude the finding, or write the new name."},
		{Name: "absent-aggregate", Warning: true, Means: "absent of an aggregation, which is true only if all series are missing, and whose result has no labels.", Do: "Write absent(x{...}) for each required series."},
		{Name: "regex-equality", Warning: true, Means: "A regular expression that matches a single value or everything.", Do: "Write = for =~ and != for !~; remove a matcher of everything."},
	}
}
