package slo

import (
	"fmt"
	"math/big"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// burn adds the alert of one pair of windows, or a note on why there is none.
func (c *compiler) burn(o resolved, p Pair) {
	limit := c.limit(o, p)
	switch {
	case o.grouped && p.Tier == TierPage:
		return // increases adds one note for both pages
	case !p.Suits(o.Window):
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

// limit is the error ratio above which a pair fires. exact is shared and must not be modified.
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

// burnWindow is the error ratio of one window of a pair. For six hours, tickets read the
// record of their own group: within a group, rules read each other's results without delay.
func (o resolved) burnWindow(p Pair, w time.Duration) string {
	if p.Tier == TierTicket && w == 6*time.Hour {
		return o.ref(recordTicketRatio)
	}
	return o.ref(recordRatio + window(w))
}

// burnExpr is true while both windows are above the threshold and the long one has enough
// bad events. Its value is the error ratio of the short window for pages, which shows how
// bad it is now, and of the long window for tickets.
func (c *compiler) burnExpr(o resolved, p Pair, threshold string) string {
	and := " and " + c.ignoring(labelWindow, labelSlothWindow)
	above := func(w time.Duration) string { return o.burnWindow(p, w) + " > " + threshold }
	first, second := p.Short, p.Long
	if p.Tier == TierTicket {
		first, second = p.Long, p.Short
	}
	expr := above(first) + and + above(second)
	if n := o.minBadEvents(); n > 0 {
		// Recorded values may be fractions, so compare with n - 0.5.
		expr += fmt.Sprintf("%s%s >= %d.5", and, o.ref(recordBad+window(p.Long)), n-1)
	}
	if p.Tier == TierTicket {
		// After a cold start, the window of three days may contain data of one hour only.
		// Tickets wait until half of the window has data; pages do not wait.
		expr += fmt.Sprintf(" and %ssum_over_time(%s[%s:1h]) >= %d", c.counting(o, p.Tier).on(),
			ref(recordCoverage+"1h", c.spec.Service, c.totalSLI(o)), window(p.Long), p.Long/time.Hour/2)
	}
	return expr
}

// worst returns the query for the routes with the most bad events, if events have routes.
func (c *compiler) worst(o resolved) string {
	if e, ok := o.events.(countedEvents); ok && !o.events.routed() {
		return "topk(5, rate(" + e.bad.String() + "[5m]) > 0)"
	}
	if !o.events.routed() {
		return ""
	}
	return "topk(5, " + o.events.badRate(c.kept(semconv.LabelRoute)) + " > 0)"
}
