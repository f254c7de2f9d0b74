package slo

import "strings"

// Alertmanager gives an Alertmanager configuration for the alerts: a route, its
// grouping, and which alert silences which. Its receivers send nothing yet;
// whoever runs the Alertmanager adds where to.
//
// A group is one incident: service, environment and objective. Within it each burn
// alert inhibits those with longer windows, and a service that is down,
// crashes again and again or takes no requests inhibits everything else about it.
func (r Rules) Alertmanager() []byte {
	var y yamlWriter
	severities := r.Spec.Alerting.Severities
	matcher := func(indent, text string) { y.raw(indent + "- "); y.quoted(text, never); y.raw("\n") }
	equal := func(names ...string) {
		y.raw("  equal: [")
		for i, name := range names {
			if i > 0 {
				y.raw(", ")
			}
			y.raw(name)
		}
		y.raw("]\n")
	}
	y.raw(header)
	y.raw("route:\n  receiver: default\n  routes:\n")
	for _, tier := range []struct{ receiver, severity, wait, repeat string }{
		{"page", severities.Page, "10s", "4h"}, {"ticket", severities.Ticket, "5m", "1d"},
	} {
		y.raw("  - receiver: " + tier.receiver + "\n    matchers:\n")
		matcher("    ", labelService+"="+doubleQuoted(r.Spec.Service))
		matcher("    ", labelSeverity+"="+doubleQuoted(tier.severity))
		y.raw("    group_by: [" + strings.Join(append(r.Spec.incident(), labelSLO), ", ") + "]\n")
		y.raw("    group_wait: " + tier.wait + "\n    group_interval: 5m\n    repeat_interval: " + tier.repeat + "\n")
	}
	y.raw("receivers:\n- name: default\n- name: page\n- name: ticket\ninhibit_rules:\n")
	for _, rule := range r.Spec.inhibitions() {
		y.raw("- source_matchers:\n")
		matcher("  ", labelService+"="+doubleQuoted(r.Spec.Service))
		matcher("  ", rule.source)
		y.raw("  target_matchers:\n")
		matcher("  ", rule.target)
		equal(rule.equal...)
	}
	return y.Bytes()
}

func never(string) bool { return false }

type inhibition struct {
	source, target string
	equal          []string
}

// incident are the labels of alerts that belong together.
func (s Spec) incident() []string {
	return append([]string{labelService, labelEnvironment}, s.GroupBy...)
}

// inhibitions lists who silences whom. No rule matches its own source, and
// none closes a circle.
func (s Spec) inhibitions() []inhibition {
	service, whole := camel(s.Service), s.incident()
	incident := append(s.incident(), labelSLO)
	var out []inhibition
	var longs []string
	for _, p := range pairs() {
		longs = append(longs, window(p.Long))
	}
	for i, long := range longs[:len(longs)-1] {
		slower := strings.Join(longs[i+1:], "|")
		out = append(out, inhibition{labelLong + "=" + doubleQuoted(long), labelLong + "=~" + doubleQuoted(slower), incident})
	}
	return append(out, []inhibition{
		{`alertname="` + service + `Down"`, `alertname!="` + service + `Down"`, whole},
		{`alertname="` + service + `CrashLooping"`, `alertname!~"` + service + `(Down|CrashLooping)"`, whole},
		{`alertname="` + service + `NotReady"`, `alertname!~"` + service + `(Down|CrashLooping|NotReady)"`, whole},
	}...)
}
