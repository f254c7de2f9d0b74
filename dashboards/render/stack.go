package render

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// transform changes the values of a line as its configuration says.
func (l *line) transform(from, to time.Time) {
	switch l.field.Config.Custom.Transform {
	case "negative-Y":
		for i, v := range l.values {
			l.values[i] = -v // a zero keeps the sign, by which [line.negative] stacks it
		}
	case "constant": // the first value, over the time range
		i := slices.IndexFunc(l.values, func(v float64) bool { return !math.IsNaN(v) })
		if i < 0 {
			return
		}
		l.times = []float64{float64(from.UnixMilli()), float64(to.UnixMilli())}
		l.values = []float64{l.values[i], l.values[i]}
	}
}

// stackGroup are the lines that are stacked on each other.
type stackGroup struct {
	lines   []*line
	down    bool // below zero
	percent bool
}

// stack adds the values of stacked series, group by group. As in Grafana, those of different styles have stacks of
// their own, and so have positive and negative series.
func stack(lines []*line) {
	groups := map[string]*stackGroup{}
	for _, l := range lines {
		c := l.field.Config.Custom
		if c.Stacking.Mode != "normal" && c.Stacking.Mode != "percent" {
			continue
		}
		down := l.negative()
		key := fmt.Sprint(down, "/", c.Stacking.Mode, "/", c.Stacking.Group, "/", l.axis.key, "/", c.DrawStyle, "/", c.LineInterpolation)
		if groups[key] == nil {
			groups[key] = &stackGroup{down: down, percent: c.Stacking.Mode == "percent"}
		}
		groups[key].lines = append(groups[key].lines, l)
	}
	for _, g := range groups {
		g.stack()
	}
}

// negative reports whether most of about a hundred values are below zero.
func (l *line) negative() bool {
	const samples = 100
	below, above := 0, 0
	for i := 0; i < len(l.values); i += max(1, len(l.values)/samples) {
		switch v := l.values[i]; {
		case math.IsNaN(v):
		case math.Signbit(v):
			below++
		case v > 0:
			above++
		}
	}
	return below > above
}

// stack gives the lines the times of all of them. A line without a value is as high as the one below it.
func (g *stackGroup) stack() {
	var times []float64
	known := map[float64]bool{} // whether a line has a value then
	for _, l := range g.lines {
		times = append(times, l.times...)
		for i, t := range l.times {
			known[t] = known[t] || !math.IsNaN(l.values[i])
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	sums := make([]float64, len(times))
	for _, l := range g.lines {
		l.floor = slices.Clone(sums)
		next := 0
		for i, t := range times {
			if next < len(l.times) && l.times[next] == t {
				if v := l.values[next]; !math.IsNaN(v) {
					sums[i] += v
				}
				next++
			}
		}
		l.times, l.values = times, slices.Clone(sums)
		for i, t := range times {
			if !known[t] {
				l.values[i] = math.NaN()
			}
		}
	}
	if g.percent {
		g.divide(sums)
	}
}

// divide makes shares of the sums.
func (g *stackGroup) divide(sums []float64) {
	sign := 1.0
	if g.down {
		sign = -1
	}
	for _, l := range g.lines {
		for i, total := range sums {
			if total == 0 {
				l.values[i], l.floor[i] = total*l.values[i], 0 // a missing value stays one
				continue
			}
			l.values[i], l.floor[i] = sign*l.values[i]/total, sign*l.floor[i]/total
		}
	}
}
