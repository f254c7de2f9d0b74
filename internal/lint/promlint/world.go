// Package promlint finds mistakes in a PromQL expression that parses: a rate that never has two
// samples, a comparison that is never true, a quantile without its buckets.
//
// It uses the declared metrics and the recording rules, and no server. A finding that depends on
// a guess is a warning.
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

// unknown is the type of a metric that is neither declared nor clear from its name.
const unknown declared.Type = ""

// World is what an expression may use. It remembers what records mean and is not
// safe for concurrent use.
type World struct {
	// Metrics are the declared ones by the name that a query uses, parts of
	// histograms included. Nil when nothing is declared.
	Metrics map[string]Metric
	// Scrape is how far apart the samples of a scraped series are.
	Scrape time.Duration
	// ScrapeGuessed says that no one stated the scrape interval.
	ScrapeGuessed bool
	// OtherMetrics says that there are metrics beside the declared ones, and that one without a
	// unit may have one all the same.
	OtherMetrics bool
	// OtherRecords says that rules beside the known ones may record the same names.
	OtherRecords bool

	records map[string][]*recorded // by name
}

// recorded is a record with what was found out about it.
type recorded struct {
	Record

	span span
	unit Unit
	sure bool // of the unit

	spanned, measured progress
}

// progress says how far a record's meaning is known. Records that lead to each
// other in a cycle meet one under way, of which nothing is known.
type progress int

const (
	fresh progress = iota
	underWay
	done
)

// maxMatching is how many records a selector may find before nothing is said
// about it: files with thousands of objectives record one name for each.
const maxMatching = 200

// Metric is one declared metric, or one part of a histogram.
type Metric struct {
	Type declared.Type
	Unit string // seconds, bytes, or empty
	Flag bool   // is 0 or 1 by its meaning
}

// Record is one recording rule.
type Record struct {
	Name   string
	Labels map[string]string // that the rule sets
	Tree   parser.Expr       // nil when it does not parse
	// Interval is how far apart its samples are, 0 when the server decides.
	Interval time.Duration
}

// NewWorld collects metrics by the names that queries use.
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

// typeOf is the type of what a selector selects: as declared, else as the name says.
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

// Declared says whether the type of what a selector finds is declared, and not known
// by its name only.
func (w World) Declared(s *parser.VectorSelector) bool {
	_, found := w.Metrics[Name(s)]
	return found
}

// IsCounter says whether a query's selector finds a counter.
func (w World) IsCounter(s *parser.VectorSelector) bool { return w.typeOf(s) == declared.Counter }

// Record adds a recorded series.
func (w World) Record(r Record) { w.records[r.Name] = append(w.records[r.Name], &recorded{Record: r}) }

// recordsOf are the rules that may have recorded what a selector finds, none when
// they are too many to tell.
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

// Admits says whether a selector can find a series with these labels among its
// own. Labels with a template in them may have any value.
func Admits(s *parser.VectorSelector, own map[string]string) bool {
	for _, m := range s.LabelMatchers {
		value, set := own[m.Name]
		if set && m.Name != model.MetricNameLabel && !m.Matches(value) && !strings.Contains(value, "{{") {
			return false
		}
	}
	return true
}

// Name is the metric that a selector names, or "".
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

// Selectors lists the selectors of an expression.
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

// bare removes what only groups: parentheses and wrappers of the parser.
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

// literal is the value of a number, unless a variable of a dashboard chooses it.
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

// Catalog lists the rules of this package.
func Catalog() []lint.Rule {
	return []lint.Rule{
		{Name: "rate-range", Means: "A rate, increase or delta reads a range in which there are never two samples, or two steps of a subquery, so that it has no value, ever. A warning where there are two part of the time, where the scrape interval is a guess, and where other rules may record the series, too.", Do: "Make the range two scrapes or longer; four bear a lost scrape."},
		{Name: "rate-gauge", Means: "rate, irate or increase of a gauge: each fall of the gauge counts as a restart.", Do: "Use delta or deriv, or a counter."},
		{Name: "rate-sum", Means: "A rate of a sum of counters: one restarted process makes the sum fall, which counts as a restart of all of them. A warning where only the name says that it is a counter, and where a label that is kept or selected may tell the processes apart. Sums of each instance or pod, and of one, are allowed.", Do: "Take the rate first and sum it then: sum(rate(x[5m]))."},
		{Name: "counter-rate", Means: "A comparison or a calculation with a counter as it stands: it depends on how long ago the process started. A warning where only the name says that it is a counter, and beside anything but a rate, since the total may be the question, as with a quota. Multiplying by a constant, joining labels, and dividing by the time since the start are allowed.", Do: "Use rate or increase."},
		{Name: "delta-counter", Means: "delta, idelta or deriv of a counter goes below zero when the process restarts. A warning where only the name says that it is a counter. Allowed where values below zero make no difference, as in delta(x[5m]) > 0 and clamp_min, and where they are the question, as in delta(x[5m]) < 0.", Do: "Use increase or rate."},
		{Name: "impossible-comparison", Means: "A comparison that never holds, whatever is measured: with NaN, of constants, or with what the other side cannot reach. A warning where that depends on a record, and other rules may record the series, too.", Do: "Correct the bound; remove a rule that cannot hold."},
		{Name: "always-empty", Means: "A part of a query that never has a result: topk of no series, clamp with the bounds the wrong way round, or a selector with two values of one label.", Do: "Correct it; write =~ for one of several values."},
		{Name: "label-match", Warning: true, Means: "An operator between aggregations by different labels: only series without these labels match.", Do: "Group both sides by the same labels, or write on (...) with group_left."},
		{Name: "quantile-le", Means: "histogram_quantile of buckets from which le was summed away, or a quantile with a share outside of 0 to 1.", Do: "Keep le: sum by (le, ...)."},
		{Name: "label-replace", Means: "label_replace with an invalid regular expression, or with a capture group that the expression does not have.", Do: "Correct the expression; $1 is its first group."},
		{Name: "server-feature", Warning: true, Means: "A function, aggregation or syntax that needs a feature flag, or a function that has another name in Prometheus 2.", Do: "Set the flag, or write an exclusion that says that it is set."},
		{Name: "absent-aggregate", Warning: true, Means: "absent of an aggregation: it holds only when every group is gone, and its result has no labels.", Do: "Write absent(x{...}) for each value that must be there."},
		{Name: "regex-equality", Warning: true, Means: "A regular expression where a plain comparison says the same, or that matches anything.", Do: "Write = for =~, != for !~; leave out what matches anything."},
	}
}
