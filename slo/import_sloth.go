package slo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// slothKeys are the keys whose spelling differs between files and resources of sloth.
type slothKeys struct {
	body                               []string // path of the specification
	errorQuery, totalQuery, ratioQuery string
	page, ticket                       string
	plugins                            string
	prefix                             string // of paths
}

func plainSloth() slothKeys {
	return slothKeys{errorQuery: "error_query", totalQuery: "total_query", ratioQuery: "error_ratio_query", page: "page_alert", ticket: "ticket_alert", plugins: "slo_plugins"}
}

func slothCRD() slothKeys {
	return slothKeys{
		body: []string{"spec"}, prefix: "spec.",
		errorQuery: "errorQuery", totalQuery: "totalQuery", ratioQuery: "errorRatioQuery", page: "pageAlert", ticket: "ticketAlert", plugins: "sloPlugins",
	}
}

// sloth imports a document of sloth.
func (im *importer) sloth(doc *yaml.Node) {
	keys := plainSloth()
	if im.version(doc) == slothResource {
		keys = slothCRD()
		im.serverKeys(doc)
	}
	body := im.get(doc, keys.body...)
	im.slothPlugins(body, keys.prefix+keys.plugins, keys.plugins)
	slos := im.list(body, keys.prefix+"slos", "slos")
	if found := im.get(body, "slos"); len(slos) == 0 && (found == nil || found.Kind == yaml.SequenceNode) && !im.misspelled(body, strings.TrimSuffix(keys.prefix, "."), "slos") {
		im.at(im.find(body, "slos"), keys.prefix+"slos", "has no objective; write at least one")
	}
	for j, n := range slos {
		path := fmt.Sprintf("%sslos[%d]", keys.prefix, j)
		if n.Kind != yaml.MappingNode {
			im.at(n, path, "expected a mapping")
			continue
		}
		im.slothPlugins(n, path+".plugins", "plugins")
		im.slothObjective(n, path, keys)
		objective := len(im.spec.SLOs) - 1
		im.alertKeys(body, keys.prefix+"labels", "labels", objective, alertLabels)
		im.alertKeys(n, path+".labels", "labels", objective, alertLabels)
		im.slothAlerts(im.get(n, "alerting"), path+".alerting", objective, keys)
	}
	if found := im.get(body, "labels"); found != nil && len(slos) > 0 {
		im.change(found, keys.prefix+"labels", "are labels of alerts, and not of recorded series")
	}
}

func (im *importer) slothObjective(n *yaml.Node, path string, keys slothKeys) {
	i := len(im.spec.SLOs)
	o := Objective{Description: im.text(n, "description"), Window: DefaultWindow, Target: Percent(im.text(n, "objective"))}
	if o.Target == "" && im.misspelled(n, path, "objective") {
		o.Target = "99.9" // already reported
	}
	o.Name = im.name(n, i, path+".name", "name")
	im.came(fmt.Sprintf("slos[%d].objective", i), im.find(n, "objective"), path+".objective")
	im.came(fmt.Sprintf("slos[%d].description", i), im.find(n, "description"), path+".description")
	o.Indicator = im.slothIndicator(n, i, path, keys)
	im.compareQueries()
	im.spec.SLOs = append(im.spec.SLOs, o)
}

func (im *importer) slothIndicator(n *yaml.Node, i int, path string, keys slothKeys) Indicator {
	sli := im.get(n, "sli")
	if sli == nil && im.misspelled(n, path, "sli") {
		return Indicator{}
	}
	path += ".sli"
	at := fmt.Sprintf("slos[%d].indicator", i)
	im.came(at, im.find(n, "sli"), path)
	if plugin := im.get(sli, "plugin"); plugin != nil {
		im.at(keyOf(sli, "plugin"), path+".plugin", fmt.Sprintf("is not supported: the queries of the plugin %q are not in this file; write them as events", im.text(plugin, "id")))
		im.ignore(plugin, "options")
		return Indicator{}
	}
	if raw := im.get(sli, "raw", keys.ratioQuery); raw != nil {
		path += ".raw." + keys.ratioQuery
		im.came(at, raw, path)
		return im.ratio(raw, path, false)
	}
	events := im.get(sli, "events")
	total, bad := im.get(events, keys.totalQuery), im.get(events, keys.errorQuery)
	if total == nil || bad == nil {
		if im.misspelled(events, path+".events", keys.errorQuery, keys.totalQuery) || im.misspelled(sli, path, "events", "raw") {
			return Indicator{}
		}
		im.at(im.find(n, "sli", "events"), path+".events", "is missing or incomplete; write "+keys.totalQuery+" and "+keys.errorQuery)
		return Indicator{}
	}
	im.came(at+".ratio.total", total, path+".events."+keys.totalQuery)
	for _, part := range []string{".ratio.bad", ".ratio.good", ".latency"} {
		im.came(at+part, bad, path+".events."+keys.errorQuery)
	}
	all, ok := im.counter(total, path+".events."+keys.totalQuery, false)
	path += ".events." + keys.errorQuery
	expr, badOK := im.expr(bad, path)
	switch _, _, minus := operands(expr, parser.SUB); {
	case ok && badOK:
		return im.badOf(bad, path, expr, all)
	case badOK && !minus:
		im.growth(bad, path, expr)
	}
	return Indicator{}
}

// slothPlugins reports plugins, which are not run.
func (im *importer) slothPlugins(n *yaml.Node, path, key string) {
	plugins := im.get(n, key)
	if im.boolean(plugins, path, "overridePrevious", false) {
		im.at(im.find(plugins, "overridePrevious"), path+".overridePrevious", "is not supported, because it replaces the plugins that generate the rules")
	}
	for i, plugin := range im.list(plugins, path+".chain", "chain") {
		id, path := im.text(plugin, "id"), fmt.Sprintf("%s.chain[%d].id", path, i)
		if countsTheSame(id) {
			im.change(im.find(plugin, "id"), path, fmt.Sprintf("the plugin %q is not run", id))
		} else {
			im.at(im.find(plugin, "id"), path, fmt.Sprintf("the plugin %q is not supported, because it may change which events count or which alerts fire; remove it to import the rest", id))
		}
		im.ignore(plugin, "config", "priority")
	}
}

// countsTheSame reports whether a plugin is known not to change which events count or which
// alerts fire. Core plugins generate the default rules or log; the others change labels and
// intervals.
func countsTheSame(plugin string) bool {
	return strings.HasPrefix(plugin, "sloth.dev/core/") || slices.Contains([]string{
		"sloth.dev/contrib/info_labels/v1", "sloth.dev/contrib/remove_labels/v1",
		"sloth.dev/contrib/rule_intervals/v1", "sloth.dev/contrib/validate_victoria_metrics/v1",
	}, plugin)
}

// slothAlerts reads labels, annotations and severities, and reports disabled alerts.
func (im *importer) slothAlerts(n *yaml.Node, path string, objective int, keys slothKeys) {
	if n == nil {
		return
	}
	im.alertKeys(n, path+".labels", "labels", objective, alertLabels)
	im.alertKeys(n, path+".annotations", "annotations", objective, alertAnnotations)
	for _, tier := range []struct {
		key  string
		kind alertKind
	}{{keys.page, alertPage}, {keys.ticket, alertTicket}} {
		alert := im.get(n, tier.key)
		if alert == nil {
			continue
		}
		if im.boolean(alert, path+"."+tier.key, "disable", false) {
			im.change(im.find(alert, "disable"), path+"."+tier.key+".disable", "the rules still have these alerts; route them to a receiver that drops them")
		}
		im.severity(alert, path+"."+tier.key, "labels", labelSeverity, objective, tier.kind)
	}
}

// serverKeys ignores the keys that a Kubernetes API server adds.
func (im *importer) serverKeys(doc *yaml.Node) {
	im.ignore(doc, "status")
	if metadata := im.get(doc, "metadata"); metadata != nil {
		im.ignore(metadata, "creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
	}
}
