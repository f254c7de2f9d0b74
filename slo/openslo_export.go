package slo

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// ExportOpenSLO returns the objectives as OpenSLO v1 documents, and the keys that OpenSLO
// does not support.
func ExportOpenSLO(s Spec) (data []byte, dropped []string, err error) {
	s = s.WithDefaults()
	var found problems
	s.Validate(&found)
	if err := found.list.Err(); err != nil {
		return nil, nil, fmt.Errorf("export objectives of %q: %w", s.Service, err)
	}
	var y yamlWriter
	sc := newScope(s)
	for i, o := range s.SLOs {
		if i > 0 {
			y.raw("---\n")
		}
		y.openSLO(s, o, sc.events(o))
		dropped = append(dropped, o.notInOpenSLO(fmt.Sprintf("slos[%d]", i))...)
	}
	return y.Bytes(), append(dropped, s.notInOpenSLO()...), nil
}

func (y *yamlWriter) openSLO(s Spec, o Objective, e events) {
	field := func(indent, key, value string) { y.raw(indent + key + ": "); y.scalar(value); y.raw("\n") }
	y.raw("apiVersion: " + openSLOVersion + "\nkind: SLO\nmetadata:\n")
	field("  ", "name", o.Name)
	y.raw("spec:\n")
	if o.Description != "" {
		field("  ", "description", o.Description)
	}
	field("  ", "service", s.Service)
	y.raw("  indicator:\n    metadata:\n")
	field("      ", "name", o.Name)
	y.raw("    spec:\n      ratioMetric:\n        counter: true\n")
	for _, metric := range e.openSLO() {
		y.raw("        " + metric.key + ":\n          metricSource:\n            type: Prometheus\n            spec:\n")
		field("              ", "query", metric.selector.String())
	}
	y.raw("  timeWindow:\n  - duration: " + string(o.Window) + "\n    isRolling: true\n  budgetingMethod: Occurrences\n  objectives:\n")
	y.raw("  - target: " + exact(o.Target.objective()) + "\n")
}

// exact formats a ratio of good events with all digits.
func exact(r *big.Rat) string {
	return strings.TrimRight(strings.TrimRight(r.FloatString(8), "0"), ".")
}

// part is one metric of an OpenSLO ratio.
type part struct {
	key      string // good, bad or total
	selector selector
}

func (e countedEvents) openSLO() []part {
	return []part{{"bad", e.bad}, {"total", e.total}}
}

func (e timedEvents) openSLO() []part {
	return []part{{"good", e.series("_bucket", atMost(e.bound))}, {"total", e.series("_count")}}
}

func (o Objective) notInOpenSLO(path string) []string {
	var out []string
	if len(o.GroupBy) > 0 {
		out = append(out, path+".groupBy: not supported by OpenSLO")
	}
	if o.minBadEvents() != DefaultMinBadEvents {
		out = append(out, path+".minBadEvents: not supported by OpenSLO")
	}
	if o.Indicator.Ratio == nil && (o.Indicator.Latency == nil || o.Indicator.Latency.Histogram == "") {
		out = append(out, path+".indicator: not supported by OpenSLO; exported as the metrics that it reads")
	}
	return out
}

func (s Spec) notInOpenSLO() []string {
	var out []string
	for _, key := range []struct {
		name string
		set  bool
	}{
		{"description", s.Description != ""},
		{"owner", s.Owner != ""},
		{"environmentLabel", s.EnvironmentLabel != semconv.LabelEnvironment},
		{"scrapeInterval", s.ScrapeInterval != DefaultScrapeInterval},
		{"links", s.Links != Links{Branch: s.Links.Branch}},
		{"alerting", len(s.Alerting.Labels)+len(s.Alerting.Annotations) > 0 || s.Alerting.Receivers != Receivers{}},
		{"replicas", s.Replicas.Min > 0},
		{"runtime", s.Runtime},
	} {
		if key.set {
			out = append(out, key.name+": not supported by OpenSLO")
		}
	}
	return out
}
