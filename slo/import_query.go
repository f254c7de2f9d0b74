package slo

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// ratioSyntax is a share of good events in eight decimals, as exact as
// [Percent].
var ratioSyntax = regexp.MustCompile(`^[01]?\.[0-9]{1,8}$`)

// indicator reads a ratioMetric. Good events are turned into bad ones, because
// rules count what spends the budget.
func (im *importer) indicator(n *yaml.Node) Indicator {
	total, ok := im.query(n, "total")
	if !ok {
		return Indicator{}
	}
	// Both counters and gauges of increments are written; rules read counters.
	if counter := im.get(n, "counter"); counter != nil && counter.Value == "false" {
		im.at(counter, "spec.indicator.spec.ratioMetric.counter", "is false; only counters that grow for ever are supported")
	}
	if im.get(n, "bad") != nil {
		bad, _ := im.query(n, "bad")
		return Indicator{Ratio: &Ratio{Total: total.String(), Bad: bad.String()}}
	}
	good, ok := im.query(n, "good")
	if !ok {
		return Indicator{}
	}
	if latency, ok := latencyOf(good, total); ok {
		return Indicator{Latency: &latency}
	}
	bad := countedEvents{total: total, bad: good}.withGood().good
	if bad == nil {
		im.at(n, "spec.indicator.spec.ratioMetric.good", "good events cannot be turned into bad ones; write bad instead")
		return Indicator{}
	}
	return Indicator{Ratio: &Ratio{Total: total.String(), Bad: bad.String()}}
}

// latencyOf recognises a histogram: good events are its bucket, all its count.
func latencyOf(good, total selector) (Latency, bool) {
	base, isCount := strings.CutSuffix(total.metric, "_count")
	if !isCount || good.metric != base+"_bucket" {
		return Latency{}, false
	}
	var bound string
	rest := selector{metric: base}
	for _, m := range good.matchers {
		if m.Name == semconv.LabelLessOrEqual {
			bound, _, _ = strings.Cut(m.Value, "|")
			continue
		}
		rest.matchers = append(rest.matchers, m)
	}
	same := selector{metric: base, matchers: total.matchers}
	value, err := strconv.ParseFloat(bound, 64)
	if err != nil || !(value > 0 && value <= 1e6) || rest.String() != same.String() {
		return Latency{}, false
	}
	return Latency{Histogram: same.String(), Threshold: time.Duration(value * float64(unitOf(base)))}, true
}

// query reads one metric of a ratio: a selector, or the sum of its rate or
// increase.
func (im *importer) query(n *yaml.Node, key string) (selector, bool) {
	path := "spec.indicator.spec.ratioMetric." + key
	source := im.get(n, key, "metricSource")
	if source == nil {
		im.at(n, path, "is missing")
		return selector{}, false
	}
	if kind := im.get(source, "type"); kind != nil && !strings.EqualFold(kind.Value, "prometheus") {
		im.at(kind, path, fmt.Sprintf("%q is not supported; only Prometheus is", kind.Value))
		return selector{}, false
	}
	query := im.get(source, "spec", "query")
	if query == nil || query.Kind != yaml.ScalarNode {
		im.at(source, path, "holds no query")
		return selector{}, false
	}
	sel, err := counterOf(query.Value)
	if err != nil {
		im.at(query, path, err.Error())
		return selector{}, false
	}
	return sel, true
}

// counterOf peels a sum and a rate or increase off a selector.
func counterOf(query string) (selector, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return selector{}, fmt.Errorf("not PromQL: %w", err)
	}
	for {
		switch e := expr.(type) {
		case *parser.ParenExpr:
			expr = e.Expr
		case *parser.AggregateExpr:
			if e.Op != parser.SUM || len(e.Grouping) > 0 {
				return selector{}, fmt.Errorf("%s is more than the sum of a counter", e.Op)
			}
			expr = e.Expr
		case *parser.Call:
			if e.Func.Name != "rate" && e.Func.Name != "increase" {
				return selector{}, fmt.Errorf("%s is not supported; write a selector of counters", e.Func.Name)
			}
			expr = e.Args[0]
		case *parser.MatrixSelector:
			expr = e.VectorSelector
		case *parser.VectorSelector:
			return parseSelector(plainSelector(e))
		default:
			return selector{}, fmt.Errorf("%s is not a selector of counters", expr)
		}
	}
}

// plainSelector writes a selector without an offset.
func plainSelector(v *parser.VectorSelector) string {
	sel := selector{metric: v.Name}
	for _, m := range v.LabelMatchers {
		if m.Name != model.MetricNameLabel {
			sel.matchers = append(sel.matchers, m)
		}
	}
	return sel.String()
}
