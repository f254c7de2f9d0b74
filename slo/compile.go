package slo

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// groupLimit is the limit of results per rule and objective with GroupBy. A label with too
// many values then fails its rules, so that SLONoData fires, and does not overload
// Prometheus.
const groupLimit = 1000

// Compile compiles a specification. The error has all problems of [Spec.Validate].
func Compile(spec Spec) (Rules, error) {
	spec = spec.WithDefaults()
	var found problems
	spec.parsed = spec.check(&found)
	if err := found.list.Err(); err != nil {
		return Rules{}, fmt.Errorf("compile objectives of %q: %w", spec.Service, err)
	}
	if name, repeated := repeatedFault(spec.ComponentAlerts); repeated {
		return Rules{}, fmt.Errorf("compile objectives of %q: two faults of component alerts have the name %q; rename one", spec.Service, name)
	}
	c := &compiler{spec: spec, scope: newScope(spec), written: map[string]string{}, budgetTexts: map[string]string{}, limits: map[string]limit{}}
	return c.compile(), nil
}

// compiler compiles a specification.
type compiler struct {
	spec      Spec
	scope     scope
	page      Group
	ticket    Group
	instances Group // of the alerts on instance health
	alerts    []Alert
	notes     []string
	written   map[string]string // increases that objectives share, by tier and SLI
	// budgetTexts are parts of annotations, by period and labels.
	budgetTexts map[string]string
	limits      map[string]limit // by pair, period and objective
}

func (c *compiler) compile() Rules {
	c.page = c.group(TierPage, pageInterval)
	c.ticket = c.group(TierTicket, ticketInterval)
	c.instances = c.group(TierInstances, instancesInterval)
	c.instanceRecords()
	objectives := make([]resolved, len(c.spec.SLOs))
	for i := range objectives {
		objectives[i] = c.resolve(i)
		c.increases(objectives[i])
	}
	c.sums()
	c.period()
	c.meta(objectives)
	for _, o := range objectives {
		c.alertsOf(o)
	}
	c.serviceAlerts()
	c.noteLinks()
	c.noteReceivers()
	rules := Rules{Spec: c.spec, Notes: c.notes, Alerts: c.alerts}
	for _, g := range []Group{c.page, c.ticket, c.instances} {
		if len(g.Rules) > 0 {
			rules.Groups = append(rules.Groups, g)
		}
	}
	return rules
}

func (c *compiler) group(tier Tier, every time.Duration) Group {
	const perObjective, perService = 12, 40 // initial capacity
	offset, rules := c.spec.ScrapeInterval, perObjective*len(c.spec.SLOs)+perService
	name := c.spec.Service + "-slo-" + string(tier)
	if tier == TierInstances {
		name = c.spec.Service + "-instances"
		offset, rules = 0, perService // the group has no increases
	}
	return Group{
		Rules: make([]Rule, 0, rules),
		Name:  name, Tier: tier,
		Interval: every, QueryOffset: offset,
	}
}

func (c *compiler) tier(t Tier) *Group {
	switch t {
	case TierPage:
		return &c.page
	case TierInstances:
		return &c.instances
	}
	return &c.ticket
}

// resolved is an objective with data that its rules share.
type resolved struct {
	Objective
	index   int
	service string
	events  events
	budget  *big.Rat // error budget, from 0 to 1
	by      []string
	labels  []Label // of the series, sorted
	sloth   []Label // the part of labels that is for sloth
	grouped bool
}

func (c *compiler) resolve(i int) resolved {
	o := c.spec.SLOs[i]
	sloth := c.sloth(Label{labelSlothID, c.spec.Service + "-" + o.Name}, Label{labelSlothService, c.spec.Service}, Label{labelSlothSLO, o.Name})
	return resolved{
		Objective: o, index: i, service: c.spec.Service, events: c.scope.events(o), budget: o.Target.budget(),
		by:      append(c.spec.Identity(), o.GroupBy...),
		grouped: len(o.GroupBy) > 0,
		labels:  labelSet(append(slices.Clone(sloth), Label{labelService, c.spec.Service}, Label{labelSLO, o.Name})...),
		sloth:   sloth,
	}
}

func (c *compiler) counting(o resolved, tier Tier) counting {
	return counting{
		scope: c.scope, scrape: c.spec.ScrapeInterval, every: c.tier(tier).Interval,
		by: o.by, identity: c.spec.Identity(), service: c.spec.Service,
	}
}

func (c *compiler) record(tier Tier, name, expr string, labels ...Label) {
	g := c.tier(tier)
	g.Rules = append(g.Rules, Rule{Record: name, Expr: expr, Labels: labels})
}

// increases adds the increases of an objective. Bad increases have the labels of the
// objective, which ratios and alerts inherit. Totals do not, since objectives may share
// them.
func (c *compiler) increases(o resolved) {
	c.count(o, TierTicket)
	if !o.grouped {
		c.count(o, TierPage)
		return
	}
	c.ticket.Limit += groupLimit
	c.notes = append(c.notes, fmt.Sprintf("%s: no page alerts: the objective is grouped by %s, so its alerts are tickets",
		o.Name, strings.Join(o.GroupBy, ", ")))
}

// count adds the increases of an objective to one tier.
func (c *compiler) count(o resolved, tier Tier) {
	t := c.counting(o, tier)
	total, bad := o.events.names()
	copied, shared := c.written[string(tier)+t.sli(bad)]
	for _, increase := range o.events.increases(t) {
		switch {
		case increase.record == t.bad():
			if shared {
				increase.expr = copied // counted once for both objectives
			}
			c.record(tier, increase.record, increase.expr, labelSet(append(slices.Clone(o.labels), Label{labelSLI, t.sli(total)})...)...)
		case c.written[string(tier)+"total"+t.sli(total)] == "":
			c.written[string(tier)+"total"+t.sli(total)] = t.total()
			c.record(tier, increase.record, increase.expr, Label{labelService, c.spec.Service}, Label{labelSLI, t.sli(total)})
		}
	}
	if !shared {
		c.written[string(tier)+t.sli(bad)] = o.ref(t.bad())
	}
}

// windows returns the windows that a tier records. The pages record six hours, since each
// series has one source.
func windows(tier Tier) []time.Duration {
	if tier == TierPage {
		return []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour}
	}
	return []time.Duration{2 * time.Hour, day, 3 * day}
}

// sums adds the windows and error ratios, with one rule per window for all objectives.
func (c *compiler) sums() {
	grouped := slices.ContainsFunc(c.spec.SLOs, func(o Objective) bool { return len(o.GroupBy) > 0 })
	for _, tier := range []Tier{TierPage, TierTicket} {
		if len(c.tier(tier).Rules) == 0 {
			continue // no objective pages
		}
		for _, w := range windows(tier) {
			more := ""
			if grouped && w == time.Hour {
				// The ticket group records the hours of grouped objectives.
				more = "," + labelSLI + "!~" + strconv.Quote(groupedSLIs)
			}
			c.sum(tier, w, more)
		}
	}
	if grouped {
		// Grouped objectives have no increases in the page group.
		c.sum(TierTicket, time.Hour, ","+labelSLI+"=~"+strconv.Quote(groupedSLIs))
	}
	t := counting{every: c.ticket.Interval}
	sum := func(record string) string { return "sum_over_time(" + c.ofService(record) + "[6h])" }
	c.record(TierTicket, recordTicketRatio, c.ratio(sum(t.bad()), sum(t.total())))
}

// sum adds one window of a tier, with more matchers on the increases.
func (c *compiler) sum(tier Tier, w time.Duration, more string) {
	t := counting{every: c.tier(tier).Interval}
	of := func(record string) string {
		return strings.TrimSuffix(c.ofService(record), "}") + more + "}"
	}
	name := window(w)
	c.record(tier, recordBad+name, "sum_over_time("+of(t.bad())+"["+name+"])")
	c.record(tier, recordTotal+name, "sum_over_time("+of(t.total())+"["+name+"])")
	c.record(tier, recordRatio+name, c.ratio(of(recordBad+name), of(recordTotal+name)), c.windowLabels(name)...)
}

// ratio has no result if total is 0: idle time is neither good nor bad, and NaN would
// propagate.
func (c *compiler) ratio(bad, total string) string {
	return bad + " / " + c.ignoring(labelSLO, labelSlothID, labelSlothService, labelSlothSLO) + "group_left () (" + total + " > 0)"
}

// windowLabels returns the labels of a ratio.
func (c *compiler) windowLabels(name string) []Label {
	return append(c.sloth(Label{labelSlothWindow, name}), Label{labelWindow, name})
}

// totalSLI returns the sli label of the objective's total.
func (c *compiler) totalSLI(o resolved) string {
	total, _ := o.events.names()
	return c.counting(o, TierTicket).sli(total)
}

// alertsOf adds the alerts of one objective.
func (c *compiler) alertsOf(o resolved) {
	for _, p := range Pairs() {
		c.burn(o, p)
	}
	c.sloNoData(o)
}

// ref selects a series of the objective.
func (o resolved) ref(record string) string {
	return record + "{" + labelService + "=" + strconv.Quote(o.service) + "," + labelSLO + "=" + strconv.Quote(o.Name) + "}"
}

// noteLinks adds a note for each missing link.
func (c *compiler) noteLinks() {
	if c.runbookURL("x") == "" {
		c.notes = append(c.notes, "links.runbooks is not set: alerts have no "+annotationRunbook)
	}
	if c.spec.Links.Grafana == "" {
		c.notes = append(c.notes, "links.grafana is not set: alerts have no "+annotationDashboard)
	}
}
