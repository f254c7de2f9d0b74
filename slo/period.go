package slo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// period adds what the increases of the service sum up to over whole periods, and
// how much of it was measured at all.
func (c *compiler) period() {
	t := counting{every: c.ticket.Interval}
	for _, kind := range []struct{ increase, hour, sum string }{
		{t.bad(), recordBadHour, recordBad}, {t.total(), recordTotalHour, recordTotal},
	} {
		increase, hour := c.ofService(kind.increase), c.ofService(kind.hour)
		c.record(TierTicket, kind.hour, clockHour(increase))
		for _, w := range c.spec.Periods() {
			c.record(TierTicket, kind.sum+string(w), periodSum(increase, hour, w))
		}
	}
	hourly := c.ofService(recordCoverage + "1h")
	c.record(TierTicket, recordCoverage+"1h", fmt.Sprintf("count_over_time(%s[1h]) / %d", c.ofService(t.total()), time.Hour/t.every))
	for _, w := range c.spec.Periods() {
		name := string(w)
		c.record(TierTicket, recordRatio+name, c.ratio(c.ofPeriod(recordBad+name, w), c.ofService(recordTotal+name)), c.windowLabels(name)...)
		c.record(TierTicket, recordCoverage+name, covered(hourly, w.Duration()))
	}
}

// ofPeriod reads a series of the objectives that have the period.
func (c *compiler) ofPeriod(record string, w Window) string {
	if len(c.spec.Periods()) == 1 {
		return c.ofService(record)
	}
	var names []string
	for _, o := range c.spec.SLOs {
		if o.Window == w {
			names = append(names, o.Name)
		}
	}
	op := "=~"
	if len(names) == 1 {
		op = "="
	}
	return strings.TrimSuffix(c.ofService(record), "}") + "," + labelSLO + op + strconv.Quote(strings.Join(names, "|")) + "}"
}

// Periods are the windows that some objective has, shortest first.
func (s Spec) Periods() []Window {
	return slices.DeleteFunc(Windows(), func(w Window) bool {
		return !slices.ContainsFunc(s.SLOs, func(o Objective) bool { return o.Window == w })
	})
}

// covered is the share of a window's hours that were measured. A lost increase
// stays lost; this says how much a budget is worth.
func covered(hourly string, length time.Duration) string {
	return fmt.Sprintf("sum_over_time(%s[%s:1h]) / %d", hourly, window(length), length/time.Hour)
}

// clockHour sums the increases of the last completed hour of the clock. The outer
// subquery has exactly one step, at the full hour: subqueries step on multiples
// of their resolution. Each evaluation within an hour gives the same number, so
// it takes a long gap to lose one.
func clockHour(increase string) string {
	return "last_over_time(sum_over_time(" + increase + "[1h])[1h:1h])"
}

// periodSum counts events within exactly the last days, from three parts:
//
//   - the hours before the last full one, read from where they were recorded;
//     each is looked up at two minutes of the following hour, so that rules that
//     did not run for less than half an hour cost only what they missed;
//   - the last full hour and the current one, read from increases. The negative
//     offset turns "the hour before" into "the hour after": increases of the future
//     do not exist, so this is the hour so far;
//   - minus what has left the window of the oldest hour.
//
// The parts get a label of their own, because a union keeps what is there when
// another part is missing and a sum of vectors would not.
func periodSum(increase, hour string, w Window) string {
	hours := w.Days()*24 - 1
	recorded := "(" + hour + " offset 1m or " + hour + " offset 31m)"
	parts := []string{
		fmt.Sprintf("sum_over_time(%s[%dh:1h])", recorded, hours),
		fmt.Sprintf("sum_over_time(sum_over_time(%s[1h] offset -1h)[2h:1h])", increase),
		fmt.Sprintf("last_over_time(%s[1h:1h] offset %dh) * -(time() %% 3600 / 3600)", recorded, hours-1),
	}
	for i, part := range parts {
		parts[i] = fmt.Sprintf(`label_replace(%s, "part", "%d", "", "")`, part, i)
	}
	return "sum without (part) (" + strings.Join(parts, " or ") + ")"
}

// meta adds what dashboards read beside the ratios. Only the budget is written for
// each objective; the rest follows from it.
func (c *compiler) meta(objectives []resolved) {
	for _, o := range objectives {
		c.objectiveMeta(o)
	}
	budget := c.ofService(recordBudget)
	var ratios []string
	for _, w := range c.spec.Periods() {
		ratios = append(ratios, c.ofPeriod(recordRatio+string(w), w))
	}
	c.record(TierTicket, recordPeriodBurn, "("+strings.Join(ratios, " or ")+") / on ("+labelService+", "+labelSLO+") group_left () "+budget)
	c.record(TierTicket, recordRemaining, "1 - "+recordPeriodBurn+strings.TrimPrefix(budget, recordBudget))
	// Rounded to the digits that an objective may have, so that it is exact.
	c.record(TierTicket, recordObjective, "round(1 - "+budget+", 1e-8)")
	c.slothMeta(objectives)
}

func (c *compiler) objectiveMeta(o resolved) {
	budget := decimal(o.budget)
	current, tier := 5*time.Minute, TierPage
	if o.grouped {
		current, tier = time.Hour, TierTicket
	}
	// It inherits its labels; the name is repeated for linters, which take
	// equal names for doubles.
	c.record(tier, recordBurn, o.ref(recordRatio+window(current))+" / "+budget, Label{labelSLO, o.Name})
	c.record(TierTicket, recordBudget, "vector("+budget+")", o.labels...)
}
