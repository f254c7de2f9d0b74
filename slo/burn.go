package slo

import (
	"fmt"
	"math/big"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// burn adds the alert of one pair of windows, or a note that says why not.
func (c *compiler) burn(o resolved, p Pair) {
	limit := c.limit(o, p)
	switch {
	case o.grouped && p.Tier == TierPage:
		return // noted once for both
	case !p.suits(o.Window):
		c.notes = append(c.notes, fmt.Sprintf("%s: no burn alert over %s: the window is too long for a period of %s",
			o.Name, window(p.Long), o.Window))
		return
	case limit.exact.Cmp(big.NewRat(1, 1)) >= 0:
		c.notes = append(c.notes, fmt.Sprintf("%s: no burn alert over %s: at an objective of %s it would need more than 100 %% errors (%s times a budget of %s %%)",
			o.Name, window(p.Long), o.Target, decimal(p.Factor(o.Window)), decimal(new(big.Rat).Mul(o.budget, big.NewRat(100, 1)))))
		return
	}
	c.alert(Alert{
		Kind: KindErrorBudgetBurn, Tier: p.Tier, SLO: o.index,
		Burn:   &Burn{Pair: p, Threshold: limit.exact, MinBadEvents: o.minBadEvents(), ratio: limit.ratio},
		Check:  o.burnWindow(p, p.Short),
		Expect: "at or below " + limit.text,
		Where:  c.worst(o),
	}, Rule{
		Alert: c.alertName(o, "ErrorBudgetBurn"),
		Expr:  c.burnExpr(o, p, limit.text),
		Labels: c.alertLabels(p.Tier, append(c.sloth(Label{labelSlothSeverity, string(p.Tier)}),
			Label{labelSLO, o.Name}, Label{labelLong, window(p.Long)}, Label{labelShort, window(p.Short)})...),
	}, c.burnTexts(o, p))
}

// limit is the error ratio above which a pair fires. Nobody modifies exact.
type limit struct {
	exact *big.Rat
	ratio float64
	text  string
}

func (c *compiler) limit(o resolved, p Pair) limit {
	key := window(p.Long) + " " + string(o.Window) + " " + string(o.Target)
	if l, ok := c.limits[key]; ok {
		return l
	}
	l := limit{exact: p.threshold(o.Window, o.budget)}
	l.ratio, _ = l.exact.Float64()
	l.text = decimal(l.exact)
	c.limits[key] = l
	return l
}

// burnWindow is the error ratio of one window of a pair. A ticket reads six
// hours of its own increases: rules of one group see each other's results without a
// delay, and those of two groups do not.
func (o resolved) burnWindow(p Pair, w time.Duration) string {
	if p.Tier == TierTicket && w == 6*time.Hour {
		return o.ref(recordTicketRatio)
	}
	return o.ref(recordRatio + window(w))
}

// burnExpr fires while both windows are above the threshold and the long one
// holds enough bad events. Its value is the window that people should read: the
// short one tells a page how bad it is now, the long one why there is a ticket.
func (c *compiler) burnExpr(o resolved, p Pair, threshold string) string {
	and := " and " + c.ignoring(labelWindow, labelSlothWindow)
	above := func(w time.Duration) string { return o.burnWindow(p, w) + " > " + threshold }
	first, second := p.Short, p.Long
	if p.Tier == TierTicket {
		first, second = p.Long, p.Short
	}
	expr := above(first) + and + above(second)
	if n := o.minBadEvents(); n > 0 {
		// A value that was recorded from other metrics may be a fraction: what rounds to the number counts as it.
		expr += fmt.Sprintf("%s%s >= %d.5", and, o.ref(recordBad+window(p.Long)), n-1)
	}
	if p.Tier == TierTicket {
		// After a cold start three days hold one hour, and 1 x 3d would behave
		// like 1 x 1h. A page is never held back.
		expr += fmt.Sprintf(" and %ssum_over_time(%s[%s:1h]) >= %d", c.counting(o, p.Tier).on(),
			ref(recordCoverage+"1h", c.spec.Service, c.totalSLI(o)), window(p.Long), p.Long/time.Hour/2)
	}
	return expr
}

// worst ranks what a person looks at first: the routes, where events have them.
func (c *compiler) worst(o resolved) string {
	if !o.events.routed() {
		return ""
	}
	return "topk(5, " + o.events.badRate(c.kept(semconv.LabelRoute)) + " > 0)"
}
