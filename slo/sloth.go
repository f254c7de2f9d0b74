package slo

import (
	"fmt"
	"slices"
	"strings"
)

// CompatibilitySloth adds the labels and series that dashboards and tools made for
// sloth (sloth.dev) read and nothing else does.
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

// sloth returns the labels if the specification asks for sloth's, and otherwise none.
func (c *compiler) sloth(labels ...Label) []Label {
	if !c.slothCompatible() {
		return nil
	}
	return labels
}

// ignoring matches series that differ in one label, and in sloth's name for it.
func (c *compiler) ignoring(own string, sloth ...string) string {
	names := []string{own}
	if c.slothCompatible() {
		names = append(names, sloth...)
	}
	return "ignoring (" + strings.Join(names, ", ") + ") "
}

// slothMeta adds the series of sloth that our own dashboards do not read. The owner
// is a label of the info series alone: on every series it would end their history
// when a team is renamed.
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
			info = append(info, Label{"owner", literal(c.spec.Owner)})
		}
		c.record(TierTicket, recordInfo, "vector(1)", labelSet(info...)...)
	}
}
