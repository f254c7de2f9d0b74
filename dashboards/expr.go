package dashboards

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Expr is a PromQL expression.
type Expr string

const rateInterval = "$__rate_interval" // at least four scrapes, and at least the step of the graph

// Matcher is a label matcher, such as route=~"/v1/.+".
type Matcher struct{ Label, Op, Value string }

// Is matches one value.
func Is(label, value string) Matcher { return Matcher{label, "=", value} }

// Not matches every other value.
func Not(label, value string) Matcher { return Matcher{label, "!=", value} }

// OneOf matches any of several values. They must not contain characters with a meaning in regular expressions.
func OneOf(label string, values ...string) Matcher {
	if len(values) == 1 {
		return Is(label, values[0])
	}
	return Matcher{label, "=~", strings.Join(values, "|")}
}

// Matches matches a regular expression.
func Matches(label, pattern string) Matcher { return Matcher{label, "=~", pattern} }

// Selector selects the series of one metric.
type Selector struct {
	Metric   string
	Matchers []Matcher
}

// With returns a copy of the selector with more matchers.
func (s Selector) With(more ...Matcher) Selector {
	s.Matchers = append(slices.Clip(s.Matchers), more...)
	return s
}

// suffixed selects one series of a histogram, such as _bucket.
func (s Selector) suffixed(suffix string) Selector {
	s.Metric += suffix
	return s
}

// Expr returns the selector as PromQL, with matchers sorted by label.
func (s Selector) Expr() Expr {
	if len(s.Matchers) == 0 {
		return Expr(s.Metric)
	}
	sorted := slices.Clone(s.Matchers)
	slices.SortStableFunc(sorted, func(a, b Matcher) int { return strings.Compare(a.Label, b.Label) })
	parts := make([]string, len(sorted))
	for i, m := range sorted {
		parts[i] = m.Label + m.Op + strconv.Quote(m.Value)
	}
	return Expr(s.Metric + "{" + strings.Join(parts, ",") + "}")
}

// Rate returns the rate over $__rate_interval.
func (s Selector) Rate() Expr { return s.RateOver(rateInterval) }

// RateOver returns the rate over a window, such as 5m.
func (s Selector) RateOver(window string) Expr { return "rate(" + s.Expr() + "[" + Expr(window) + "])" }

// Sum returns the sum, by labels if there are any.
func (e Expr) Sum(by ...string) Expr { return aggregate("sum", e, by) }

// Max returns the maximum, by labels if there are any.
func (e Expr) Max(by ...string) Expr { return aggregate("max", e, by) }

// Min returns the minimum, by labels if there are any.
func (e Expr) Min(by ...string) Expr { return aggregate("min", e, by) }

// Count returns the number of series, by labels if there are any.
func (e Expr) Count(by ...string) Expr { return aggregate("count", e, by) }

// Top returns the n largest values.
func (e Expr) Top(n int) Expr { return Expr(fmt.Sprintf("topk(%d, %s)", n, e)) }

// TopInRange returns the n series that have the largest values within the time range of a graph, by their labels. In a
// graph, topk alone selects other series at each point.
func (e Expr) TopInRange(n int, by ...string) Expr {
	largest := "max_over_time((" + e + ")[$__range:$__interval] @ end())"
	return "(" + e + ") and on (" + Expr(strings.Join(by, ", ")) + ") " + largest.Top(n)
}

// onLogAxis raises values to the minimum of a logarithmic axis, on which smaller ones are not visible.
func (e Expr) onLogAxis() Expr { return Expr(fmt.Sprintf("clamp_min(%s, %g)", e, logAxisMin)) }

// Over divides by an expression with the same labels. If total is 0, there is no
// result: idle time is neither good nor bad.
func (e Expr) Over(total Expr) Expr { return "(" + e + ") / (" + total + " > 0)" }

// OrZero adds zero where only total has a value, so that graphs show no errors as 0
// and not as missing data.
func (e Expr) OrZero(total Expr) Expr { return e + " or 0 * " + total }

func aggregate(op string, e Expr, by []string) Expr {
	if len(by) == 0 {
		return Expr(op) + "(" + e + ")"
	}
	return Expr(op + " by (" + strings.Join(by, ", ") + ") (" + string(e) + ")")
}

// Distribution is a histogram, native or classic.
type Distribution struct {
	Selector

	native bool
	window string // of rates; empty for $__rate_interval
}

// Over returns a copy whose rates are over a window, such as 5m.
func (d Distribution) Over(window string) Distribution {
	d.window = window
	return d
}

func (d Distribution) rate(s Selector) Expr {
	if d.window == "" {
		return s.Rate()
	}
	return s.RateOver(d.window)
}

// Rate returns the observations per second.
func (d Distribution) Rate() Expr {
	if d.native {
		return "histogram_count(" + d.rate(d.Selector) + ")"
	}
	return d.rate(d.suffixed("_count"))
}

// Quantile returns the q-quantile of the observations, with q from 0 to 1; none without observations, where it is not a number.
func (d Distribution) Quantile(q float64, by ...string) Expr {
	rate := d.rate(d.Selector)
	if !d.native {
		rate = d.rate(d.suffixed("_bucket"))
		by = append(slices.Clone(by), semconv.LabelLessOrEqual)
	}
	return Expr("histogram_quantile(" + number(q) + ", " + string(rate.Sum(by...)) + ") >= 0")
}

// RateAbove returns the observations per second above a bound, which must be one of the buckets of a classic histogram.
func (d Distribution) RateAbove(bound float64, by ...string) Expr {
	total := d.Rate().Sum(by...)
	if d.native {
		return Expr(fmt.Sprintf("%s * (1 - histogram_fraction(0, %s, %s))", total, number(bound), d.rate(d.Selector).Sum(by...)))
	}
	return total + " - " + d.rate(d.suffixed("_bucket").With(atMost(bound))).Sum(by...)
}

// Buckets returns the observations per second of each bucket, for a heatmap.
func (d Distribution) Buckets() Expr {
	if d.native {
		return d.rate(d.Selector).Sum()
	}
	return d.rate(d.suffixed("_bucket")).Sum(semconv.LabelLessOrEqual)
}

// atMost matches the bucket of a bound. Integers have two spellings: le="1" in the
// text format, le="1.0" in OpenMetrics and Prometheus 3.
func atMost(bound float64) Matcher {
	text := number(bound)
	if strings.ContainsAny(text, ".e") {
		return Is(semconv.LabelLessOrEqual, text)
	}
	return Matches(semconv.LabelLessOrEqual, text+"|"+text+`\.0`) // 5.0 would match 500 too
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func quoted(text string) string { return strconv.Quote(text) }
