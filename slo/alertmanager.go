package slo

import (
	"regexp"
	"strings"
)

// Alertmanager returns an Alertmanager configuration with routes, inhibition rules and the
// receivers of [Receivers].
//
// Critical alerts page, except for those of dev and staging. A notification group is one
// incident: service, environment and objective. Within it, a
// burn alert inhibits those with longer windows. Down, CrashLooping and NotReady inhibit
// the other alerts of the service.
func (r Rules) Alertmanager() []byte {
	var w routingWriter
	w.raw(receiversHeader)
	w.raw("route:\n  receiver: default\n")
	w.routes(r.Spec)
	w.raw("receivers:\n- name: default\n")
	w.receivers(r.Spec)
	w.inhibitions(r.Spec)
	return w.Bytes()
}

// AlertmanagerConfig returns the same configuration as a resource of the Prometheus
// operator, with more labels.
func (r Rules) AlertmanagerConfig(more ...Label) []byte {
	w := routingWriter{operator: true, indent: "  "}
	w.raw(receiversHeader)
	w.raw("# The operator adds the matcher namespace=\"...\" to each route and inhibition, unless the Alertmanager has\n" +
		"# alertmanagerConfigMatcherStrategy: {type: None}. Alerts carry that label only with groupBy: [namespace].\n")
	w.resource("v1alpha1", "AlertmanagerConfig", r.Spec.Service, more)
	// This route matches only what its child routes match. Other alerts reach the default
	// receiver of the Alertmanager.
	w.raw("spec:\n  route:\n    receiver: ticket\n")
	severities := r.Spec.Alerting.Severities
	w.matchers("  ", "matchers", r.Spec.matcher(), matcher{labelSeverity, "=~", regexp.QuoteMeta(severities.Page) + "|" + regexp.QuoteMeta(severities.Ticket)})
	w.routes(r.Spec)
	w.raw("  receivers:\n")
	w.receivers(r.Spec)
	w.inhibitions(r.Spec)
	return w.Bytes()
}

// routingWriter writes alertmanager.yaml or the AlertmanagerConfig, which differ in keys,
// matchers and indentation.
type routingWriter struct {
	yamlWriter
	operator bool
	indent   string
}

// key returns the key in the format that is written.
func (w *routingWriter) key(alertmanager, operator string) string {
	if w.operator {
		return operator
	}
	return alertmanager
}

func (w *routingWriter) line(parts ...string) { w.raw(w.indent + strings.Join(parts, "") + "\n") }

func (w *routingWriter) routes(s Spec) {
	w.line("  routes:")
	for _, route := range []struct{ receiver, severity, wait, repeat string }{
		{"page", s.Alerting.Severities.Page, "10s", "4h"}, {"ticket", s.Alerting.Severities.Ticket, "5m", "1d"},
	} {
		w.line("  - receiver: ", route.receiver)
		w.matchers("    ", "matchers", s.matcher(), matcher{labelSeverity, "=", route.severity})
		w.line("    ", w.key("group_by", "groupBy"), ": [", strings.Join(append(s.incident(), labelSLO), ", "), "]")
		w.line("    ", w.key("group_wait", "groupWait"), ": ", route.wait)
		w.line("    ", w.key("group_interval", "groupInterval"), ": 5m")
		w.line("    ", w.key("repeat_interval", "repeatInterval"), ": ", route.repeat)
		if route.receiver == "page" {
			w.unpaged()
		}
	}
}

// unpaged routes critical alerts of dev and staging to the ticket receiver, since the Prometheus of
// prod may evaluate the rules of all environments. An environment with another name pages.
func (w *routingWriter) unpaged() {
	w.line("    routes: # dev and staging do not page")
	w.line("    - receiver: ticket")
	w.matchers("      ", "matchers", matcher{labelEnvironment, "=~", "dev|staging"})
	w.line("      ", w.key("repeat_interval", "repeatInterval"), ": 1d")
}

func (w *routingWriter) inhibitions(s Spec) {
	w.line(w.key("inhibit_rules", "inhibitRules"), ":")
	for _, rule := range s.inhibitions() {
		w.matchers("- ", w.key("source_matchers", "sourceMatch"), s.matcher(), rule.source)
		w.matchers("  ", w.key("target_matchers", "targetMatch"), rule.target)
		w.line("  equal: [", strings.Join(rule.equal, ", "), "]")
	}
}

// matchers writes a key and its list of matchers.
func (w *routingWriter) matchers(prefix, key string, list ...matcher) {
	w.line(prefix, key, ":")
	for _, m := range list {
		w.raw(w.indent + strings.Repeat(" ", len(prefix)) + "- ")
		if w.operator {
			w.raw("{name: " + m.label + ", matchType: '" + m.op + "', value: ")
			w.flowScalar(m.value)
			w.raw("}\n")
			continue
		}
		w.quoted(m.label+m.op+doubleQuoted(m.value), never)
		w.raw("\n")
	}
}

// receivers writes the receivers page and ticket. The file paths are those of a Secret that
// the spec.secrets of an Alertmanager resource lists.
func (w *routingWriter) receivers(s Spec) {
	for _, tier := range []Tier{TierPage, TierTicket} {
		receiver := string(tier)
		w.line("- name: ", receiver)
		config, setting := w.key("webhook_configs", "webhookConfigs"), "url: https://receiver.invalid/"+receiver
		if to, set := integrations()[s.Alerting.Receivers.of(tier)]; set {
			secret := s.receiverSecret()
			config = w.key(to.config, to.operatorConfig)
			setting = w.key(to.file+": /etc/alertmanager/secrets/"+secret+"/"+receiver, to.operatorSecret+": {name: "+secret+", key: "+receiver+"}")
		} else {
			w.line("  # Placeholder: set ", receiverKey(tier), " to ", known(Integrations()), ".")
		}
		w.line("  ", config, ":")
		w.line("  - ", setting)
		w.line("    ", w.key("send_resolved", "sendResolved"), ": true")
	}
}

func never(string) bool { return false }

type matcher struct{ label, op, value string }

type inhibition struct {
	source, target matcher
	equal          []string
}

// matcher matches every alert of the service.
func (s Spec) matcher() matcher { return matcher{labelService, "=", s.Service} }

// incident returns the labels that the alerts of one incident share.
func (s Spec) incident() []string {
	return append([]string{labelService, labelEnvironment}, s.GroupBy...)
}

// inhibitions returns the inhibition rules. A burn alert inhibits those with longer windows,
// Down all other alerts, CrashLooping all but Down, and NotReady all but these two. No alert
// inhibits itself, and no two alerts inhibit each other.
func (s Spec) inhibitions() []inhibition {
	service, whole := camel(s.Service), s.incident()
	incident := append(s.incident(), labelSLO)
	var out []inhibition
	var longs []string
	for _, p := range Pairs() {
		longs = append(longs, window(p.Long))
	}
	for i, long := range longs[:len(longs)-1] {
		slower := strings.Join(longs[i+1:], "|")
		out = append(out, inhibition{matcher{labelLong, "=", long}, matcher{labelLong, "=~", slower}, incident})
	}
	alert := func(op, value string) matcher { return matcher{labelAlertName, op, service + value} }
	return append(out, []inhibition{
		{alert("=", "Down"), alert("!=", "Down"), whole},
		{alert("=", "CrashLooping"), alert("!~", "(Down|CrashLooping)"), whole},
		{alert("=", "NotReady"), alert("!~", "(Down|CrashLooping|NotReady)"), whole},
	}...)
}
