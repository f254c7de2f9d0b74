package render

import (
	"cmp"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// legendLabel matches {{label}}.
var legendLabel = regexp.MustCompile(`\{\{\s*(.+?)\s*\}\}`)

// legend returns the name of a series, of a template such as "{{route}} 5m". Without one it is the series
// as Prometheus writes it, or the expression if it has no labels; empty leaves the name to the labels.
func legend(format, expr string, labels model.Metric) string {
	if format != "" && format != "__auto" {
		room := budget(maxName)
		return legendLabel.ReplaceAllStringFunc(cut(format, maxName), func(m string) string {
			return room.take(string(labels[model.LabelName(legendLabel.FindStringSubmatch(m)[1])]))
		})
	}
	switch {
	case len(labels) == 0:
		return expr
	case format == "__auto":
		return ""
	}
	return labels.String()
}

// seriesFrames makes a frame of each series.
func seriesFrames(t target, series model.Matrix) []*grafana.Frame {
	out := make([]*grafana.Frame, 0, len(series))
	for _, s := range series {
		times, values := make([]float64, len(s.Values)), make([]float64, len(s.Values))
		for i, v := range s.Values {
			times[i], values[i] = float64(v.Timestamp), float64(v.Value)
		}
		labels := map[string]string{}
		for name, value := range s.Metric {
			labels[string(name)] = string(value)
		}
		name := cut(legend(t.LegendFormat, t.Expr, s.Metric), maxName)
		out = append(out, &grafana.Frame{Name: name, RefID: t.RefID, Fields: []*grafana.Field{
			{Name: "Time", Type: grafana.Time, Values: times},
			{Name: "Value", Type: grafana.Number, Labels: labels, Values: values, Legend: name},
		}})
	}
	return out
}

// thinned leaves out exemplars that are like others of the same step: as Grafana, it keeps the largest value
// of a step, and those that are at least two standard deviations below the one before.
func thinned(list []Exemplar, step time.Duration) []Exemplar {
	const apart = 2
	list = slices.DeleteFunc(slices.Clone(list), func(e Exemplar) bool { return math.IsNaN(e.Value) || math.IsInf(e.Value, 0) })
	values := make([]float64, len(list))
	bySteps := map[time.Time][]Exemplar{}
	for i, e := range list {
		values[i] = e.Value
		at := e.Time.Truncate(max(step, time.Second))
		bySteps[at] = append(bySteps[at], e)
	}
	deviation := grafana.Reduce(values, grafana.StdDev)
	var out []Exemplar
	for _, at := range slices.SortedFunc(maps.Keys(bySteps), time.Time.Compare) {
		same := bySteps[at]
		slices.SortStableFunc(same, func(a, b Exemplar) int { return cmp.Compare(b.Value, a.Value) })
		kept := same[:1]
		for _, e := range same[1:] {
			if kept[len(kept)-1].Value-e.Value >= apart*deviation {
				kept = append(kept, e)
			}
		}
		out = append(out, kept...)
	}
	return out
}

// tableFrame makes one frame of the last values of series, with a column for each label.
func tableFrame(t target, series model.Matrix, several bool) *grafana.Frame {
	names := map[string]bool{}
	for _, s := range series {
		for name := range s.Metric {
			names[string(name)] = true
		}
	}
	value := "Value"
	if several {
		value += " #" + t.RefID
	}
	frame := &grafana.Frame{RefID: t.RefID, Fields: []*grafana.Field{{Name: "Time", Type: grafana.Time}}}
	labels := slices.Sorted(maps.Keys(names))
	labels = labels[:min(len(labels), maxColumns)]
	for _, name := range labels {
		frame.Fields = append(frame.Fields, &grafana.Field{Name: name, Type: grafana.String})
	}
	frame.Fields = append(frame.Fields, &grafana.Field{Name: value, Type: grafana.Number})
	for _, s := range series {
		for _, v := range s.Values {
			frame.Fields[0].Values = append(frame.Fields[0].Values, float64(v.Timestamp))
			for i, name := range labels {
				frame.Fields[i+1].Strings = append(frame.Fields[i+1].Strings, string(s.Metric[model.LabelName(name)]))
			}
			last := frame.Fields[len(labels)+1]
			last.Values = append(last.Values, float64(v.Value))
		}
	}
	return frame
}

// cells are a heatmap: how much fell between two bounds at a time.
type cells struct {
	times []time.Time
	step  time.Duration
	// bounds are the upper bounds of the rows; the first row starts at low.
	bounds []float64
	low    float64
	counts [][]float64 // by time, then row; NaN without data
	cut    bool        // at [maxCells]
}

// heatmap makes cells of the series of a histogram, classic or native.
func heatmap(series model.Matrix, step time.Duration) cells {
	for _, s := range series {
		if len(s.Histograms) > 0 {
			return nativeCells(s, step)
		}
	}
	return classicCells(series, step)
}

// classicCells reads cumulative buckets, by their label le.
func classicCells(series model.Matrix, step time.Duration) cells {
	c := cells{step: step}
	byBound := map[float64]map[model.Time]float64{}
	seen := map[model.Time]bool{}
	for _, s := range series {
		bound, err := strconv.ParseFloat(string(s.Metric[model.BucketLabel]), 64)
		if err != nil || math.IsNaN(bound) { // which is no key of a map
			continue
		}
		if byBound[bound] == nil {
			byBound[bound] = map[model.Time]float64{}
		}
		for _, v := range s.Values {
			byBound[bound][v.Timestamp] += float64(v.Value)
			seen[v.Timestamp] = true
		}
	}
	c.bounds = slices.Sorted(maps.Keys(byBound))
	for _, at := range slices.Sorted(maps.Keys(seen)) {
		if c.cut = len(c.times)*len(c.bounds) >= maxCells; c.cut {
			break
		}
		c.times = append(c.times, at.Time())
		row, before := make([]float64, len(c.bounds)), 0.0
		for i, bound := range c.bounds {
			total, ok := byBound[bound][at]
			if !ok || math.IsNaN(total) {
				row[i] = math.NaN()
				continue
			}
			row[i] = max(total-before, 0)
			before = total
		}
		c.counts = append(c.counts, row)
	}
	return c
}

// nativeRows is the number of rows to which the buckets of a native histogram are joined, so that a
// row has at least two pixels.
const nativeRows = 40

// nativeCells reads the buckets of a native histogram.
func nativeCells(s *model.SampleStream, step time.Duration) cells {
	c := cells{step: step, low: math.Inf(1)}
	seen := map[float64]bool{}
	for _, h := range s.Histograms {
		if h.Histogram == nil {
			return cells{step: step}
		}
		for _, b := range h.Histogram.Buckets {
			seen[float64(b.Upper)] = true
			c.low = min(c.low, float64(b.Lower))
		}
	}
	bounds := slices.Sorted(maps.Keys(seen))
	for stride := len(bounds)/nativeRows + 1; len(bounds) > 0; bounds = bounds[min(stride, len(bounds)):] {
		c.bounds = append(c.bounds, bounds[min(stride, len(bounds))-1])
	}
	for _, h := range s.Histograms {
		c.times = append(c.times, h.Timestamp.Time())
		row := make([]float64, len(c.bounds))
		for _, b := range h.Histogram.Buckets {
			i, _ := slices.BinarySearch(c.bounds, float64(b.Upper))
			row[min(i, len(row)-1)] += float64(b.Count)
		}
		c.counts = append(c.counts, row)
	}
	return c
}
