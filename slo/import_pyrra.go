package slo

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// pyrraPrefix is the prefix of labels and annotations for alerts.
const pyrraPrefix = "pyrra.dev/"

// pyrra imports a ServiceLevelObjective.
func (im *importer) pyrra(doc *yaml.Node) {
	im.serverKeys(doc)
	i := len(im.spec.SLOs)
	at := fmt.Sprintf("slos[%d]", i)
	o := Objective{Description: im.text(doc, "spec", "description"), Target: Percent(im.text(doc, "spec", "target"))}
	if o.Target == "" && im.misspelled(im.find(doc, "spec"), "spec", "target") {
		o.Target = "99.9" // already reported
	}
	o.Name = im.name(doc, i, "metadata.name", "metadata", "name")
	im.came(at+".description", im.find(doc, "spec", "description"), "spec.description")
	im.came(at+".objective", im.find(doc, "spec", "target"), "spec.target")
	body := im.find(doc, "spec")
	if length := im.text(body, "window"); length != "" {
		o.Window = im.period(body, i, "spec", "window", length)
	} else if !im.misspelled(body, "spec", "window") {
		im.at(body, "spec.window", "is missing; write "+known(Windows()))
	}
	o.Indicator, o.GroupBy = im.pyrraIndicator(doc, at)
	im.compareQueries()
	im.spec.SLOs = append(im.spec.SLOs, o)
	im.pyrraAlerts(doc, i)
}

func (im *importer) pyrraIndicator(doc *yaml.Node, at string) (in Indicator, groupBy []string) {
	n, path := im.find(doc, "spec", "indicator"), "spec.indicator"
	im.came(at+".indicator", n, path)
	for kind, instead := range map[string]string{
		"bool_gauge":    "gauges are not supported; write a ratio of two counters, such as failed probes and all probes",
		"latencyNative": "native histograms are not supported; write latency with a bucket and a count",
	} {
		if found := im.get(doc, "spec", "indicator", kind); found != nil {
			im.at(keyOf(n, kind), path+"."+kind, instead)
			im.ignore(found, "metric", "grouping", "total", "latency")
			return Indicator{}, nil
		}
	}
	kind, partKey := "ratio", "errors"
	if child(n, "latency") != nil {
		kind, partKey = "latency", "success"
	}
	body := im.get(doc, "spec", "indicator", kind)
	path += "." + kind
	if body == nil && (im.misspelled(n, "spec.indicator", "ratio", "latency") || im.misspelled(im.find(doc, "spec"), "spec", "indicator")) {
		return Indicator{}, nil
	}
	if body == nil {
		im.at(n, "spec.indicator", "unknown indicator; write ratio or latency")
		return Indicator{}, nil
	}
	for j, label := range im.list(body, path+".grouping", "grouping") {
		im.came(fmt.Sprintf("%s.groupBy[%d]", at, j), label, fmt.Sprintf("%s.grouping[%d]", path, j))
		groupBy = append(groupBy, valueOf(label))
	}
	im.came(at+".groupBy", im.find(body, "grouping"), path+".grouping")
	if len(groupBy) > 0 {
		im.change(im.find(body, "grouping"), path+".grouping", "grouped objectives do not page; their alerts are tickets")
	}
	total, part := im.get(body, "total", "metric"), im.get(body, partKey, "metric")
	if total == nil || part == nil {
		if im.misspelled(body, path, partKey, "total") {
			return Indicator{}, nil
		}
		im.at(body, path, "is incomplete; write the metric of "+partKey+" and of total")
		return Indicator{}, nil
	}
	im.came(at+".indicator.ratio.total", total, path+".total.metric")
	for _, key := range []string{".ratio.bad", ".ratio.good", ".latency"} {
		im.came(at+".indicator"+key, part, path+"."+partKey+".metric")
	}
	all, ok := im.counter(total, path+".total.metric", true)
	some, partOK := im.counter(part, path+"."+partKey+".metric", true)
	return im.indicatorIf(ok && partOK, all, some, kind == "latency"), groupBy
}

// pyrraAlerts reads labels, annotations and severities, and reports disabled alerts.
func (im *importer) pyrraAlerts(doc *yaml.Node, objective int) {
	for key, kind := range map[string]alertKind{"labels": alertLabels, "annotations": alertAnnotations} {
		metadata := im.get(doc, "metadata")
		found := child(metadata, key)
		if found == nil || found.Kind != yaml.MappingNode {
			continue
		}
		im.mark(metadata, key)
		for i := 0; i+1 < len(found.Content); i += 2 {
			if name, ok := strings.CutPrefix(found.Content[i].Value, pyrraPrefix); ok {
				im.used[found.Content[i]] = true
				im.alerting = append(im.alerting, alertKey{objective, kind, name, target(found.Content[i+1]), found.Content[i], "metadata." + key + "." + found.Content[i].Value})
			}
		}
	}
	alerting, path := im.get(doc, "spec", "alerting"), "spec.alerting"
	for key, off := range map[string]bool{"disabled": true, "burnrates": false, "absent": false} {
		if im.boolean(alerting, path, key, !off) == off {
			im.change(im.find(alerting, key), path+"."+key, "the rules still have these alerts; route them to a receiver that drops them")
		}
	}
	im.severity(alerting, path, "severities", "fastBurn", objective, alertPage)
	im.severity(alerting, path, "severities", "slowBurn", objective, alertTicket)
}
