package promlint

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/promql"
)

// checker collects the findings of one expression.
type checker struct {
	World

	at    func(offset int) lint.Finding
	found []lint.Finding
}

// Check runs all rules of this package on an expression. at returns a finding at an offset of the
// expression, in bytes.
func (w World) Check(tree parser.Expr, at func(offset int) lint.Finding) []lint.Finding {
	c := &checker{World: w, at: at}
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			c.matchers(n)
			c.contradiction(n)
			c.bareCounter(n, path)
		case *parser.Call:
			c.feature(n)
			c.call(n, path)
		case *parser.AggregateExpr:
			if n.Op.IsExperimentalAggregator() {
				c.reportf("server-feature", n, "%s needs --enable-feature=promql-experimental-functions on the server", n.Op)
			}
			c.choice(n)
			if n.Op == parser.QUANTILE {
				c.quantileRange(n, n.Param)
			}
		case *parser.BinaryExpr:
			c.fill(n)
			c.comparison(n)
			c.sides(n)
		}
		return nil
	})
	return c.found
}

func (c *checker) reportf(rule string, at parser.Node, format string, args ...any) {
	c.reportGuessf(rule, at, false, format, args...)
}

// reportGuessf reports a finding. It is a warning if it is a guess or its rule only warns.
func (c *checker) reportGuessf(rule string, at parser.Node, guessed bool, format string, args ...any) {
	f := c.at(start(at)).WithMessagef(format, args...)
	f.Rule, f.Warning = rule, guessed || slices.ContainsFunc(Catalog(), func(r lint.Rule) bool { return r.Name == rule && r.Warning })
	if !slices.Contains(c.found, f) {
		c.found = append(c.found, f)
	}
}

// matchers finds unnecessary regular expressions.
func (c *checker) matchers(s *parser.VectorSelector) {
	for _, m := range s.LabelMatchers {
		if m.Type != labels.MatchRegexp && m.Type != labels.MatchNotRegexp || dashboardfile.Varies(m.Value) {
			continue
		}
		plain := "="
		if m.Type == labels.MatchNotRegexp {
			plain = "!="
		}
		switch {
		case m.Value == ".*" && m.Type == labels.MatchRegexp:
			c.reportf("regex-equality", s, "%s matches everything; remove it", m)
		case regexp.QuoteMeta(m.Value) == m.Value && m.Value != "":
			c.reportf("regex-equality", s, "%s needs no regular expression; write %s%s%q", m, m.Name, plain, m.Value)
		}
	}
}

// feature finds functions that depend on the version or a flag of the server.
func (c *checker) feature(n *parser.Call) {
	switch {
	case n.Func.Name == promql.HoltWinters:
		c.reportf("server-feature", n, "Prometheus 3 has no holt_winters; write double_exponential_smoothing, which needs --enable-feature=promql-experimental-functions on the server")
	case n.Func.Experimental:
		c.reportf("server-feature", n, "%s needs --enable-feature=promql-experimental-functions on the server", n.Func.Name)
	}
}

// fill finds fill modifiers, which depend on a flag of the server.
func (c *checker) fill(n *parser.BinaryExpr) {
	if Fills(n) {
		c.reportf("server-feature", n, "fill needs --enable-feature=promql-binop-fill-modifiers on the server")
	}
}

// Fills reports whether an operator has a fill modifier.
func Fills(n *parser.BinaryExpr) bool {
	return n.VectorMatching != nil && (n.VectorMatching.FillValues.LHS != nil || n.VectorMatching.FillValues.RHS != nil)
}

// Unquoted finds unquoted names that depend on a flag of the server.
func Unquoted(query string, at lint.Finding) []lint.Finding {
	if !promql.IsUnquoted(query) {
		return nil
	}
	f := at.WithMessagef("unquoted names with dots or non-ASCII letters need --enable-feature=promql-unquoted-utf8-names on the server; write {\"...\"}")
	f.Rule, f.Warning = "server-feature", true
	return []lint.Finding{f}
}

func (c *checker) call(n *parser.Call, path []parser.Node) {
	switch n.Func.Name {
	case "rate", "irate", "increase":
		c.rangeOf(n)
		c.steps(n)
		c.gauge(n)
		c.sumFirst(n)
	case "delta", "idelta", "deriv":
		c.rangeOf(n)
		c.steps(n)
		c.falling(n, path)
	case "histogram_quantile":
		c.quantile(n)
	case "clamp":
		c.clamp(n)
	case "quantile_over_time":
		c.quantileRange(n, n.Args[0])
	case "label_replace":
		c.replace(n)
	case "absent":
		if a, ok := bare(n.Args[0]).(*parser.AggregateExpr); ok {
			c.reportf("absent-aggregate", n, "absent(%s) is true only if all series are missing, and its result has no labels; write absent(x{...}) for each series", a)
		}
	}
}

// rangeOf finds ranges that have fewer than two samples.
func (c *checker) rangeOf(n *parser.Call) {
	m, ok := bare(n.Args[0]).(*parser.MatrixSelector)
	if !ok || m.Range <= 0 {
		return
	}
	s, ok := bare(m.VectorSelector).(*parser.VectorSelector)
	if !ok || s.Anchored || s.Smoothed { // they use samples outside of the range
		return
	}
	apart, what, guessed := c.Scrape, "scrapes are", c.ScrapeGuessed
	if records := c.recordsOf(s); len(records) > 0 {
		shortest := slices.MinFunc(records, func(a, b *recorded) int { return cmp.Compare(a.Interval, b.Interval) })
		apart, what, guessed = shortest.Interval, "records are", c.OtherRecords
	} else if strings.Contains(Name(s), ":") {
		return // an unknown rule records it at an unknown interval
	}
	switch {
	case m.Range <= apart:
		c.reportGuessf("rate-range", n, guessed, "%s over %s never has two samples: %s %s apart; use %s or longer",
			n.Func.Name, model.Duration(m.Range), what, model.Duration(apart), model.Duration(4*apart))
	case m.Range < 2*apart:
		c.reportGuessf("rate-range", n, true, "%s over %s has two samples only part of the time: %s %s apart; use %s or longer",
			n.Func.Name, model.Duration(m.Range), what, model.Duration(apart), model.Duration(4*apart))
	}
}
