package render

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// plot is the part of a graph between the axes.
type plot struct {
	box
	from, to time.Time
}

func (p plot) at(ms float64) float64 {
	span := float64(p.to.UnixMilli() - p.from.UnixMilli())
	return p.x + (ms-float64(p.from.UnixMilli()))/span*p.w
}

// axis is a scale, the fields on it, and its labels.
type axis struct {
	key       string
	scale     grafana.Scale
	placement string // left, right or hidden
	field     *grafana.Field
	label     string
	binary    bool // ticks are at powers of two
	low, high float64
	logBase   float64
	ticks     []float64
	labels    []string
	width     float64
	dataLow   float64
	dataHigh  float64
}

// scaleKey is equal for fields that share an axis, as Grafana's buildScaleKey.
func scaleKey(c grafana.Config) string {
	placement := c.Custom.AxisPlacement
	if placement == "auto" || placement == "" {
		placement = "na"
	}
	show := func(v *float64) string {
		if v == nil {
			return "na"
		}
		return fmt.Sprint(*v)
	}
	return fmt.Sprintf("%s/%s-%s/%s-%s/%s/%s%v/%s", c.Unit, show(c.Min), show(c.Max), show(c.Custom.AxisSoftMin), show(c.Custom.AxisSoftMax),
		placement, c.Custom.ScaleDistribution.Type, c.Custom.ScaleDistribution.Log, c.Custom.AxisLabel)
}

// newAxis returns the axis of a field. Left says whether the left side is free.
func newAxis(key string, f *grafana.Field, left bool) *axis {
	custom := f.Config.Custom
	a := &axis{key: key, field: f, placement: custom.AxisPlacement, label: custom.AxisLabel, binary: binaryUnit(f.Config.Unit), dataLow: math.NaN(), dataHigh: math.NaN()}
	if a.placement == "" || a.placement == "auto" {
		a.placement = "right"
		if left {
			a.placement = "left"
		}
	}
	if custom.ScaleDistribution.Type == "log" {
		a.logBase = 10
		if custom.ScaleDistribution.Log == 2 {
			a.logBase = 2
		}
	}
	a.scale = grafana.Scale{
		Min: f.Config.Min, Max: f.Config.Max, SoftMin: custom.AxisSoftMin, SoftMax: custom.AxisSoftMax,
		CenteredZero: custom.AxisCenteredZero, Decimals: f.Config.Decimals, LogBase: a.logBase,
	}
	if custom.Stacking.Mode == "percent" {
		a.shares()
	}
	return a
}

// shares makes the axis one of shares, from 0 to 100 % unless its configuration says another.
func (a *axis) shares() {
	f := *a.field
	f.Config.Unit = "percentunit"
	a.field = &f
	if a.scale.Min == nil && a.scale.SoftMin == nil {
		a.scale.SoftMin = new(0.0)
	}
	if a.scale.Max == nil && a.scale.SoftMax == nil {
		a.scale.SoftMax = new(1.0)
	}
}

// include extends the range of the data.
func (a *axis) include(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) || a.logBase > 0 && v <= 0 {
		return
	}
	if math.IsNaN(a.dataLow) || v < a.dataLow {
		a.dataLow = v
	}
	if math.IsNaN(a.dataHigh) || v > a.dataHigh {
		a.dataHigh = v
	}
}

// fit sets limits and ticks for a height in pixels.
func (a *axis) fit(height float64) {
	a.low, a.high = a.scale.Limits(a.dataLow, a.dataHigh)
	if math.IsNaN(a.low) {
		return
	}
	a.low, a.high = max(a.low, -math.MaxFloat64), min(a.high, math.MaxFloat64)
	if a.logBase > 0 {
		a.logLabels(height)
	} else {
		a.linearLabels(height)
	}
	a.width = 0
	for _, label := range a.labels {
		a.width = max(a.width, axisStyle().width(label))
	}
}

func (a *axis) linearLabels(height float64) {
	var distance float64
	a.ticks, distance = grafana.Ticks(a.low, a.high, height, grafana.YSpace(height), a.binary)
	whole := a.scale.Decimals != nil && *a.scale.Decimals == 0
	a.labels = make([]string, len(a.ticks))
	for i, v := range a.ticks {
		if whole && v != math.Trunc(v) {
			continue
		}
		a.labels[i] = a.field.TickText(v, distance)
	}
}

// logLabels labels the ticks that have room. The others have no value, and Grafana writes what the field
// shows without one.
func (a *axis) logLabels(height float64) {
	a.ticks = grafana.LogTicks(a.low, a.high, a.logBase)
	a.labels = make([]string, len(a.ticks))
	power := height / (math.Log(a.high/a.low) / math.Log(a.logBase)) // pixels of a power
	for i, v := range a.ticks {
		if slices.Contains(labeledDigits(a.logBase, power, grafana.YSpace(height)), firstDigit(v, a.logBase)) {
			a.labels[i] = a.field.TickText(v, v)
			continue
		}
		a.labels[i] = a.field.Config.NoValue
	}
}

// labeledDigits returns the first digits of ticks with a label: as many as leave space pixels below
// the next power.
func labeledDigits(base, power, space float64) []int {
	for _, digits := range [][]int{{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 5, 7}, {1, 2, 5}} {
		last := float64(digits[len(digits)-1])
		if base == 10 && power*math.Log10(base/last) >= space {
			return digits
		}
	}
	return []int{1}
}

func firstDigit(v, base float64) int {
	return int(math.Round(v / math.Pow(base, math.Floor(math.Log(v)/math.Log(base)+1e-9))))
}

// outside is a coordinate that no picture reaches.
const outside = 1e7

// y returns where a value is.
func (a *axis) y(v float64, p plot) float64 {
	low, high := a.low, a.high
	if a.logBase > 0 {
		if v <= 0 {
			return p.bottom() + p.h
		}
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	if math.IsInf(high-low, 0) { // halves do not overflow
		v, low, high = v/2, low/2, high/2
	}
	y := p.bottom() - (v-low)/(high-low)*p.h
	if math.IsNaN(y) {
		return p.bottom()
	}
	return max(min(y, outside), -outside)
}

// binaryUnit reports whether ticks are at powers of two.
func binaryUnit(unit string) bool {
	switch unit {
	case "bytes", "bits", "binBps", "binbps":
		return true
	}
	return false
}

func axisStyle() style { return style{size: 12, class: "axis"} }

// timeAxis draws the labels of the time below a plot, and the vertical lines.
func (r *renderer) timeAxis(c *canvas, p plot) {
	sample := axisStyle().width("00:00")
	if p.to.Sub(p.from) > 24*time.Hour {
		sample = axisStyle().width("00/00 00:00")
	}
	const labelGap = 18 // as Grafana
	ticks, layout := grafana.TimeTicks(p.from.In(r.options.Location), p.to, p.w, sample+labelGap)
	for _, t := range ticks {
		x := p.at(float64(t.UnixMilli()))
		c.line(x, p.y, x, p.bottom(), r.theme.Grid)
		label := t.Format(layout)
		if w := axisStyle().width(label); x-w/2 >= p.x-8 && x+w/2 <= p.right()+8 {
			s := axisStyle()
			s.color, s.anchor = r.theme.Text, "middle"
			c.text(x, p.bottom()+16, 0, label, s)
		}
	}
}
