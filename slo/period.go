package slo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// period adds the sums of increases over the periods of objectives, and their data coverage.
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

// ofPeriod selects a series of the objectives with a period.
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

// Periods lists the periods of the objectives, shortest first.
func (s Spec) Periods() []Window {
	return slices.DeleteFunc(Windows(), func(w Window) bool {
		return !slices.ContainsFunc(s.SLOs, func(o Objective) bool { return o.Window == w })
	})
}

// covered returns the data coverage of a window: the part of its hours with data.
func covered(hourly string, length time.Duration) string {
	return fmt.Sprintf("sum_over_time(%s[%s:1h]) / %d", hourly, window(length), length/time.Hour)
}

// clockHour returns the sum of the increases in the last completed hour of the clock. The
// outer subquery has exactly one step, at the full hour, since steps are aligned to their
// resolution. All evaluations within an hour have the same result, so only a long gap
// loses an hour.
func clockHour(increase string) string {
	return "last_over_time(sum_over_time(" + increase + "[1h])[1h:1h])"
}

// periodSum returns the number of events within exactly the last days, the sum of:
//
//   - the hours before the last full one, from their records. Each is read at two times
//     of the following hour, so that a gap of less than half an hour in the evaluation
//     loses only its own events;
//   - the last full hour and the current one, from increases. The negative offset selects
//     the hour that follows: of the current hour this is the part so far;
//   - minus the part of the oldest hour that is no longer in the window.
//
// Each part has a different label, because "or" keeps the other parts if one is missing,
// and "+" does not.
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

// meta adds the other records for dashboards. Only the error budget and the current burn
// rate have a rule for each objective.
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
	// Rounded to the decimals of [Percent], so that it is exact.
	c.record(TierTicket, recordObjective, "round(1 - "+budget+", 1e-8)", c.team()...)
	c.slothMeta(objectives)
}

// team returns the label with the owner for the objective. No rule reads that series, so that a new owner ends
// the history of no other.
func (c *compiler) team() []Label {
	if c.spec.Owner == "" {
		return nil
	}
	return []Label{{labelTeam, c.spec.Owner}} // labels of records are not templates
}

func (c *compiler) objectiveMeta(o resolved) {
	budget := decimal(o.budget)
	current, tier := 5*time.Minute, TierPage
	if o.grouped {
		current, tier = time.Hour, TierTicket
	}
	// The labels come from the ratio. The name is repeated because linters report rules with
	// equal names and labels as duplicates.
	c.record(tier, recordBurn, o.ref(recordRatio+window(current))+" / "+budget, Label{labelSLO, o.Name})
	c.record(TierTicket, recordBudget, "vector("+budget+")", o.labels...)
}
