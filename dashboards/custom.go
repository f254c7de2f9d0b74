package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// custom shows the metrics that the service declares and no other dashboard has.
func custom(s Scope) Dashboard {
	var counters, gauges, histograms []Panel
	titles := map[string]bool{}
	for _, m := range s.in.Custom {
		list := &gauges
		var panels []Panel
		switch m.Type {
		case declared.Counter:
			list, panels = &counters, []Panel{s.customCounter(m)}
		case declared.Histogram:
			list, panels = &histograms, s.customHistogram(m)
		case declared.Summary:
			panels = []Panel{s.customMean(m)}
		default:
			panels = []Panel{s.customGauge(m)}
		}
		for _, p := range panels {
			if titles[p.Title] { // the name of another metric has the same words
				p.Title += " (" + m.Name + ")"
			}
			titles[p.Title] = true
			*list = append(*list, p)
		}
	}
	const perLine = 3
	var rows []Row
	for _, row := range []Row{{Title: "Counters", Panels: counters}, {Title: "Gauges", Panels: gauges}, {Title: "Histograms", Panels: histograms}} {
		if len(row.Panels) > 0 {
			row.PerLine = perLine
			rows = append(rows, row)
		}
	}
	return New(s, dashboardCustom, "Custom metrics", "Metrics that the code of the service declares. A metric that a dashboard in observability/dashboards/own queries is not shown here.", rows...)
}

// mostCustom is the number of series that a graph shows.
const mostCustom = 10

// customGraph is a graph of an expression, whose labels are those that it is summed by.
func (s Scope) customGraph(m declared.Metric, what string, unit Unit, e Expr, by ...string) Panel {
	p := Panel{Title: customTitle(m.Name) + what, Kind: TimeSeries, Unit: unit, LegendTable: true, Targets: []Target{{Expr: e, Legend: m.Name}}}
	if unit == Ratio || unit == PerSecond {
		p.SoftMax = 1
	}
	if len(by) > 0 {
		p.Title += " by " + strings.Join(by, ", ") + fmt.Sprintf(" (top %d)", mostCustom)
		p.Targets[0].Expr, p.Targets[0].Legend = e.TopInRange(mostCustom, by...), Legend(by...)
	}
	return p.Describe(m.Help, "Compare with the time before the incident, and ask the owner of the metric.")
}

func (s Scope) customCounter(m declared.Metric) Panel {
	unit := map[string]Unit{"seconds": Seconds, "bytes": BytesPerSecond}[m.Unit]
	if unit == "" {
		unit = PerSecond
	}
	p := s.customGraph(m, " rate", unit, s.Metric(m.Name).Rate().Sum(m.Labels...), m.Labels...)
	if len(m.Labels) > 0 {
		p.EmptyUntil = untilCounted
	}
	return p
}

// customGauge draws a gauge of each instance, since gauges may have neither a sum nor an average that means anything.
// It may be empty also without labels: NaN is a usual value of a gauge that is not known.
func (s Scope) customGauge(m declared.Metric) Panel {
	series, by := s.Metric(m.Name), append(slices.Clone(m.Labels), semconv.LabelInstance)
	var p Panel
	switch {
	case strings.HasSuffix(m.Name, "_info"):
		p = s.customGraph(m, "", Factor, series.Expr().Count(m.Labels...), m.Labels...)
		p.Stack = true
	case strings.HasSuffix(m.Name, "_timestamp_seconds"):
		p = s.customGraph(m, " age", Seconds, "time() - "+series.Expr().Max(by...), by...)
	default:
		p = s.customGraph(m, "", customUnit(m.Unit), series.Expr().Max(by...), by...)
	}
	p.EmptyUntil = untilCounted
	return p
}

// customMean draws the average of a summary, whose quantiles cannot be combined.
func (s Scope) customMean(m declared.Metric) Panel {
	series := s.Metric(m.Name)
	mean := series.suffixed("_sum").Rate().Sum(m.Labels...).Over(series.suffixed("_count").Rate().Sum(m.Labels...))
	p := s.customGraph(m, " average", customUnit(m.Unit), mean, m.Labels...)
	p.EmptyUntil = untilCounted
	return p
}

// customHistogram draws quantiles, the 95th percentile by labels or else the rate, and a heatmap: one line of panels.
func (s Scope) customHistogram(m declared.Metric) []Panel {
	d := Distribution{Selector: s.Metric(m.Name), native: len(m.Bounds) == 0}
	unit := customUnit(m.Unit)
	quantiles := s.Latency(customTitle(m.Name)+" percentiles", d, .5, .95, .99)
	quantiles.Unit, quantiles.LegendTable = unit, true
	middle := s.customGraph(m, " p95", unit, d.Quantile(.95, m.Labels...), m.Labels...)
	if len(m.Labels) == 0 {
		middle = s.customGraph(m, " observation rate", PerSecond, d.Rate().Sum())
	}
	heat := Panel{
		Title: customTitle(m.Name) + " distribution", Kind: Heatmap, Unit: unit,
		Targets: []Target{{Expr: d.Buckets(), Legend: Legend(semconv.LabelLessOrEqual)}},
	}
	panels := []Panel{quantiles.Describe(middle.Shows, middle.Action), middle, heat.Describe(middle.Shows, middle.Action)}
	for i := range panels {
		panels[i].EmptyUntil = untilCounted
	}
	return panels
}

func customUnit(unit string) Unit {
	switch unit {
	case "seconds":
		return Seconds
	case "bytes":
		return Bytes
	case "ratio":
		return Ratio
	case "grams":
		return "massg"
	}
	return Count
}

// customTitle returns the name of a metric as words, without its unit: Orders shipped for orders_shipped_total.
func customTitle(metric string) string {
	words := strings.Split(metric, "_")
	for _, suffix := range []string{"total", "seconds", "bytes", "grams", "ratio", "info", "timestamp"} {
		if len(words) > 1 && words[len(words)-1] == suffix {
			words = words[:len(words)-1]
		}
	}
	text := strings.Join(words, " ")
	if text == "" {
		return metric
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
