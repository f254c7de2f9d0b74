package slo

import (
	"fmt"
	"math/big"
	"strings"

	"go.yaml.in/yaml/v3"
)

// openSLO imports a document of kind SLO.
func (im *importer) openSLO(doc *yaml.Node) {
	i := len(im.spec.SLOs)
	o := Objective{Description: im.text(doc, "spec", "description")}
	o.Name = im.name(doc, i, "metadata.name", "metadata", "name")
	im.came(fmt.Sprintf("slos[%d].description", i), im.find(doc, "spec", "description"), "spec.description")
	if method := im.text(doc, "spec", "budgetingMethod"); method != "" && method != "Occurrences" {
		im.at(im.find(doc, "spec", "budgetingMethod"), "spec.budgetingMethod", method+" is not supported; only Occurrences is")
	}
	key := "timeWindow"
	if im.version(doc) == openSLOAlpha {
		key = "timeWindows"
	}
	if w := im.only(doc, "spec."+key, "spec", key); w != nil {
		o.Window = im.window(w, i, "spec."+key+"[0]")
	} else {
		im.change(im.find(doc, "spec"), "spec."+key, "is missing; the period is "+string(DefaultWindow))
	}
	aim := im.only(doc, "spec.objectives", "spec", "objectives")
	if aim == nil {
		if !im.misspelled(im.find(doc, "spec"), "spec", "objectives") {
			im.at(im.find(doc, "spec"), "spec.objectives", "is missing; write one with a target")
		}
		return
	}
	o.Target = im.openSLOTarget(aim, i)
	o.Indicator = im.openSLOIndicator(doc, aim, i)
	im.compareQueries()
	im.spec.SLOs = append(im.spec.SLOs, o)
}

// name reads the name of objective i.
func (im *importer) name(n *yaml.Node, i int, path string, keys ...string) string {
	at := fmt.Sprintf("slos[%d]", i)
	im.came(at, im.find(n, keys...), path)
	im.came(at+".name", im.find(n, keys...), path)
	return im.label(at+".name", im.text(n, keys...))
}

// only returns the first item of a list, and reports if there are more.
func (im *importer) only(n *yaml.Node, path string, keys ...string) *yaml.Node {
	items := im.list(n, path, keys...)
	if len(items) == 0 {
		return nil
	}
	if len(items) > 1 {
		im.at(items[1], path, fmt.Sprintf("has %d items; write a document for each", len(items)))
	}
	return items[0]
}

// window reads a period of v1 or v1alpha.
func (im *importer) window(n *yaml.Node, i int, path string) Window {
	if im.get(n, "calendar") != nil || !im.boolean(n, path, "isRolling", true) {
		im.at(n, path, "is a calendar window; only rolling ones are supported: write isRolling: true without a calendar")
		im.ignore(n, "duration", "unit", "count")
		return DefaultWindow
	}
	key, length := "duration", im.text(n, "duration")
	if unit := im.text(n, "unit"); unit != "" {
		units := map[string]string{"Day": "d", "Week": "w"}
		if units[unit] == "" {
			im.at(im.find(n, "unit"), path+".unit", fmt.Sprintf("%q is not supported; write Day or Week", unit))
			im.ignore(n, "count")
			return DefaultWindow
		}
		key, length = "count", im.text(n, "count")+units[unit]
	}
	return im.period(n, i, path, key, length)
}

// period reads a period, which may be in weeks.
func (im *importer) period(n *yaml.Node, i int, path, key, length string) Window {
	im.came(fmt.Sprintf("slos[%d].window", i), im.find(n, key), path+"."+key)
	for _, w := range Windows() {
		if fmt.Sprintf("%dw", w.Days()/7) == length && w.Days()%7 == 0 {
			return w
		}
	}
	return Window(length)
}

// openSLOTarget reads the objective, a ratio or a percentage.
func (im *importer) openSLOTarget(n *yaml.Node, i int) Percent {
	path := fmt.Sprintf("slos[%d].objective", i)
	if percent := im.text(n, "targetPercent"); percent != "" {
		im.came(path, im.find(n, "targetPercent"), "spec.objectives[0].targetPercent")
		return Percent(percent)
	}
	node := im.find(n, "target")
	im.came(path, node, "spec.objectives[0].target")
	share := im.text(n, "target")
	if share == "" && im.misspelled(n, "spec.objectives[0]", "target", "targetPercent") {
		return "99.9" // already reported
	}
	if share == "" {
		im.at(n, "spec.objectives[0]", "has neither target nor targetPercent; write target: 0.999")
		return "99.9" // already reported
	}
	// The syntax has no exponents, which could make numbers very long.
	if !ratioSyntax.MatchString(share) {
		im.at(node, "spec.objectives[0].target", fmt.Sprintf("%q is not a ratio such as 0.999; a percentage is a targetPercent", share))
		return "99.9" // already reported
	}
	ratio, _ := new(big.Rat).SetString(share)
	return Percent(decimal(ratio.Mul(ratio, big.NewRat(100, 1))))
}

// openSLOIndicator reads the indicator of a document, a reference to one, or in v1alpha that
// of the objective.
func (im *importer) openSLOIndicator(doc, aim *yaml.Node, i int) Indicator {
	for _, key := range []string{"indicator", "indicatorRef", "compositeWeight"} {
		if child(aim, key) != nil {
			im.at(keyOf(aim, key), "spec.objectives[0]."+key, "composite objectives are not supported; write the indicator of one SLO in spec.indicator")
			return Indicator{}
		}
	}
	if metrics := im.get(aim, "ratioMetrics"); metrics != nil {
		return im.openSLORatio(metrics, i, "spec.objectives[0].ratioMetrics")
	}
	body, path := im.get(doc, "spec", "indicator"), "spec.indicator"
	if inner := im.get(body, "spec"); inner != nil {
		body, path = inner, path+".spec"
	}
	if ref := im.text(doc, "spec", "indicatorRef"); ref != "" {
		if body = im.referred("SLI", ref); body == nil {
			im.at(im.find(doc, "spec", "indicatorRef"), "spec.indicatorRef", fmt.Sprintf("unknown SLI %q; add it to this file", ref))
			return Indicator{}
		}
		path = "spec"
	}
	if im.get(body, "thresholdMetric") != nil {
		im.at(keyOf(body, "thresholdMetric"), path+".thresholdMetric", "is not supported, because rules count events; write a ratioMetric of good and all events")
		return Indicator{}
	}
	metrics := im.get(body, "ratioMetric")
	if metrics == nil && (im.misspelled(body, path, "ratioMetric") || im.misspelled(im.find(doc, "spec"), "spec", "indicator")) {
		return Indicator{}
	}
	if metrics == nil {
		im.at(im.find(doc, "spec", "indicator"), path, "has no ratioMetric; write one of good and all events")
		return Indicator{}
	}
	return im.openSLORatio(metrics, i, path+".ratioMetric")
}

// referred returns the spec of a document that an objective refers to.
func (im *importer) referred(kind, name string) *yaml.Node {
	for _, doc := range im.documents {
		if valueOf(child(doc, "kind")) == kind && valueOf(child(doc, "apiVersion")) == openSLOVersion && valueOf(child(child(doc, "metadata"), "name")) == name {
			im.referenced[doc] = true
			im.get(doc, "apiVersion")
			im.get(doc, "kind")
			im.get(doc, "metadata", "name")
			return im.get(doc, "spec")
		}
	}
	return nil
}

// openSLORatio reads the queries of a ratio.
func (im *importer) openSLORatio(n *yaml.Node, i int, path string) Indicator {
	at := fmt.Sprintf("slos[%d].indicator", i)
	im.came(at, n, path)
	for _, pair := range [][2]string{{"good", "bad"}, {"raw", "good"}, {"raw", "bad"}, {"raw", "total"}} {
		if im.get(n, pair[0]) != nil && im.get(n, pair[1]) != nil {
			im.at(keyOf(n, pair[1]), path+"."+pair[1], fmt.Sprintf("set %s or %s, not both", pair[0], pair[1]))
			return Indicator{}
		}
	}
	if im.get(n, "raw") != nil {
		return im.openSLORaw(n, at, path)
	}
	declared := "counter"
	if child(n, "incremental") != nil {
		declared = "incremental" // of v1alpha
	}
	if !im.boolean(n, path, declared, true) {
		im.at(im.find(n, declared), path+"."+declared, "is false; only counters that grow forever are supported")
	}
	bare := im.get(n, declared) != nil
	total, ok := im.openSLOCounter(n, path, "total", bare, at+".ratio.total")
	key := "good"
	if child(n, "bad") != nil {
		key = "bad"
	}
	part, partOK := im.openSLOCounter(n, path, key, bare, at+".ratio.bad", at+".ratio.good", at+".latency")
	return im.indicatorIf(ok && partOK, total, part, key == "good")
}

// openSLORaw reads the query of a ratio, for which counter has no effect.
func (im *importer) openSLORaw(n *yaml.Node, at, path string) Indicator {
	im.ignore(n, "counter")
	kind := im.text(n, "rawType")
	if kind != "success" && kind != "failure" {
		im.at(im.find(n, "rawType"), path+".rawType", fmt.Sprintf("%q is not supported; write success or failure", kind))
	}
	query, ok := im.openSLOQuery(n, path, "raw")
	if !ok {
		return Indicator{}
	}
	im.came(at, query, path+".raw")
	return im.ratio(query, path+".raw", kind == "success")
}

// openSLOCounter reads one metric of a ratio, which may be a bare selector. becomes are its
// paths in the specification.
func (im *importer) openSLOCounter(n *yaml.Node, path, key string, bare bool, becomes ...string) (selector, bool) {
	query, ok := im.openSLOQuery(n, path, key)
	if !ok {
		return selector{}, false
	}
	for _, place := range becomes {
		im.came(place, query, path+"."+key)
	}
	return im.counter(query, path+"."+key, bare)
}

// openSLOQuery returns the query of a metric, which is in its source, or in v1alpha beside
// the name of the source.
func (im *importer) openSLOQuery(n *yaml.Node, path, key string) (*yaml.Node, bool) {
	metric := im.get(n, key)
	if metric == nil && im.misspelled(n, path, key) {
		return nil, false
	}
	path += "." + key
	if metric == nil {
		im.at(n, path, "is missing; write the query of all events as total and that of good events as good")
		return nil, false
	}
	im.ignore(metric, "queryType") // others are not PromQL and do not parse
	system, systemPath, query := im.get(metric, "source"), path+".source", im.get(metric, "query")
	if source := im.get(metric, "metricSource"); source != nil {
		system, systemPath, query = im.get(source, "type"), path+".metricSource.type", im.get(source, "spec", "query")
		if ref := im.text(source, "metricSourceRef"); system == nil && ref != "" {
			system, systemPath = im.get(im.referred("DataSource", ref), "type"), "spec.type"
		}
	}
	if name := valueOf(system); name != "" && !strings.EqualFold(name, "prometheus") {
		im.at(system, systemPath, fmt.Sprintf("%q is not supported; only Prometheus is", name))
		return nil, false
	}
	if valueOf(query) == "" {
		im.at(metric, path, "has no query")
		return nil, false
	}
	return query, true
}
