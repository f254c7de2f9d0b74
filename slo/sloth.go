package slo

import (
	"fmt"
	"slices"
	"strings"
)

// CompatibilitySloth adds the labels and series for dashboards and tools of sloth
// (sloth.dev).
const CompatibilitySloth = "sloth"

const (
	recordDays = "slo:time_period:days"
	recordInfo = "sloth_slo_info"

	slothPrefix        = "sloth_"
	labelSlothID       = slothPrefix + "id"
	labelSlothService  = slothPrefix + "service"
	labelSlothSLO      = slothPrefix + "slo"
	labelSlothWindow   = slothPrefix + "window"
	labelSlothSeverity = slothPrefix + "severity"
)

func (c *compiler) slothCompatible() bool {
	return slices.Contains(c.spec.Compatibility, CompatibilitySloth)
}

// sloth returns the labels if the compatibility with sloth is enabled, else none.
func (c *compiler) sloth(labels ...Label) []Label {
	if !c.slothCompatible() {
		return nil
	}
	return labels
}

// ignoring matches series that differ in a label of the rules and in those of sloth.
func (c *compiler) ignoring(own string, sloth ...string) string {
	names := []string{own}
	if c.slothCompatible() {
		names = append(names, sloth...)
	}
	return "ignoring (" + strings.Join(names, ", ") + ") "
}

// slothMeta adds the series that only sloth has. The owner is only a label of the info
// series, so that a new owner does not end the history of the others.
func (c *compiler) slothMeta(objectives []resolved) {
	if !c.slothCompatible() {
		return
	}
	var days []string
	for _, w := range c.spec.Periods() {
		days = append(days, fmt.Sprintf("0 * %s + %d", c.ofPeriod(recordBudget, w), w.Days()))
	}
	c.record(TierTicket, recordDays, strings.Join(days, " or "))
	for _, o := range objectives {
		info := append(slices.Clone(o.labels), Label{labelSLI, c.totalSLI(o)},
			Label{slothPrefix + "mode", "scaffold"}, Label{slothPrefix + "objective", o.Target.String()}, Label{slothPrefix + "spec", APIVersion})
		if c.spec.Owner != "" {
			info = append(info, Label{"owner", c.spec.Owner}) // labels of records are not templates
		}
		c.record(TierTicket, recordInfo, "vector(1)", labelSet(info...)...)
	}
}
