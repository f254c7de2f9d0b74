package render

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// line is a series of a graph.
type line struct {
	field *grafana.Field
	axis  *axis
	color string
	times []float64 // milliseconds
	// values are stacked if the series is; floor are the values below it.
	values, floor []float64
}

// timeSeries draws a graph.
func (r *renderer) timeSeries(d *drawing, b box, data panelData) {
	var options graphOptions
	d.panel.options(&options)
	frames := r.fields(d, data.frames)
	lines, axes := r.lines(frames, data.step)
	if len(lines) == 0 {
		r.noData(d, b)
		return
	}
	stack(lines)
	for _, l := range lines {
		for _, v := range l.values {
			l.axis.include(v)
		}
	}
	b = r.legend(d, b, options.Legend, lines)
	p := r.axes(d, b, axes)
	d.canvas.clip(p.inset(-1, -1, -1, -1))
	r.marks(d.canvas, p)
	for _, l := range lines {
		if r.limits.full(d.canvas) {
			break
		}
		r.area(d.canvas, p, l)
	}
	for _, a := range axes {
		r.thresholds(d, p, a)
	}
	count, length := extent(p, lines)
	for _, l := range lines {
		if r.limits.full(d.canvas) {
			break
		}
		r.stroke(d.canvas, p, l, float64(count-1) <= length/l.pointSpace())
	}
	r.dots(d, p, lines, data.exemplars)
	d.canvas.close("g")
}

// lines returns the series, with gaps where a point is missing, and their axes.
func (r *renderer) lines(frames []*grafana.Frame, step time.Duration) (lines []*line, axes []*axis) {
	for _, frame := range frames {
		if len(frame.Fields) < 2 || frame.Len() == 0 || frame.Fields[0].Type != grafana.Time {
			continue
		}
		for _, f := range frame.Fields[1:] {
			if r.limits.done() {
				return lines, axes
			}
			if f.Type != grafana.Number || f.Config.Custom.HideFrom.Viz {
				continue
			}
			l := &line{field: f, color: f.SeriesColor(r.theme)}
			l.times, l.values = withGaps(frame.Fields[0].Values, f.Values, float64(step.Milliseconds()), f.Config.Custom.SpanNulls)
			l.transform(r.options.From, r.options.To)
			key := scaleKey(f.Config)
			i := slices.IndexFunc(axes, func(a *axis) bool { return a.key == key })
			if i < 0 {
				i = len(axes)
				left := !slices.ContainsFunc(axes, func(a *axis) bool { return a.placement == "left" })
				axes = append(axes, newAxis(key, f, left))
			}
			l.axis = axes[i]
			lines = append(lines, l)
		}
	}
	return lines, axes
}

// withGaps adds a missing value where points are further apart than the step.
func withGaps(times, values []float64, step float64, span []byte) ([]float64, []float64) {
	longest := step
	switch text := string(span); {
	case text == "true":
		longest = math.Inf(1)
	case text != "" && text != "false":
		if ms, err := strconv.ParseFloat(text, 64); err == nil {
			longest = max(step, ms)
		}
	}
	var t, v []float64
	for i := range times {
		if i > 0 && times[i]-times[i-1] > longest+1 {
			t, v = append(t, times[i-1]+step), append(v, math.NaN())
		}
		if math.IsNaN(values[i]) && math.IsInf(longest, 1) {
			continue
		}
		t, v = append(t, times[i]), append(v, values[i])
	}
	return t, v
}

// Spaces around a plot, as Grafana has them.
const (
	tickGap    = 9.0  // between a plot and the labels of a vertical axis
	timeHeight = 22.0 // labels of the time
	edge       = 8.0  // on a side without an axis
	labelSpace = 20.0 // of the label of a vertical axis
)

// axes draws the axes and returns the plot between them.
func (r *renderer) axes(d *drawing, b box, axes []*axis) plot {
	p := plot{box: b.inset(0, 4, 0, timeHeight), from: r.options.From, to: r.options.To}
	for _, a := range axes {
		a.fit(p.h)
		a.width = min(a.width, b.w*.4)
		switch {
		case math.IsNaN(a.low):
		case a.placement == "left":
			p.box = p.inset(a.space(), 0, 0, 0)
		case a.placement == "right":
			p.box = p.inset(0, 0, a.space(), 0)
		}
	}
	if p.x == b.x {
		p.box = p.inset(edge, 0, 0, 0)
	}
	if p.right() == b.right() {
		p.box = p.inset(0, 0, edge, 0)
	}
	r.timeAxis(d.canvas, p)
	left, right := p.x, p.right()
	lined := false // the first axis has the horizontal lines
	for _, a := range axes {
		if math.IsNaN(a.low) || a.placement == "hidden" {
			continue
		}
		d.facts.Axes = append(d.facts.Axes, axisFacts{Low: a.low, High: a.high, Right: a.placement == "right", Labels: a.labels})
		if !lined {
			for _, v := range a.ticks {
				d.canvas.line(p.x, a.y(v, p), p.right(), a.y(v, p), r.theme.Grid)
			}
		}
		lined = true
		if a.placement == "right" {
			r.verticalAxis(d.canvas, p, a, right)
			right += a.space()
		} else {
			r.verticalAxis(d.canvas, p, a, left)
			left -= a.space()
		}
	}
	return p
}

// space is the width of an axis with its label.
func (a *axis) space() float64 {
	space := a.width + tickGap
	if a.label != "" {
		space += labelSpace
	}
	return space
}

// verticalAxis draws the labels of an axis beside x, and its own.
func (r *renderer) verticalAxis(c *canvas, p plot, a *axis, x float64) {
	s := axisStyle()
	s.color = r.theme.Text
	side, up := a.width+tickGap+labelSpace/2, false
	if a.placement != "right" {
		s.anchor = "end"
		side, up = -side, true
	}
	for i, v := range a.ticks {
		if a.placement == "right" {
			c.text(x+tickGap-4, a.y(v, p)+4, a.width+1, a.labels[i], s)
		} else {
			c.text(x-tickGap+4, a.y(v, p)+4, 0, a.labels[i], s)
		}
	}
	c.vertical(x+side, p.y+p.h/2, p.h, a.label, up, s)
}

// point is a place in a picture.
type point struct{ x, y float64 }

// runs returns the points of a line between gaps, and of its floor.
func (l *line) runs(p plot) (tops, floors [][]point) {
	base := l.axis.y(max(min(0, l.axis.high), l.axis.low), p)
	if l.axis.logBase > 0 {
		base = p.bottom()
	}
	var top, floor []point
	flush := func() {
		if len(top) > 0 {
			tops, floors = append(tops, top), append(floors, floor)
		}
		top, floor = nil, nil
	}
	for i, v := range l.values {
		if math.IsNaN(v) {
			flush()
			continue
		}
		x := p.at(l.times[i])
		// Far outside, a coordinate is only long.
		within := func(y float64) float64 { return max(min(y, p.bottom()+p.h), p.y-p.h) }
		low := base
		if l.floor != nil {
			low = within(l.axis.y(l.floor[i], p))
		}
		y := within(l.axis.y(v, p))
		if step := l.field.Config.Custom.LineInterpolation; len(top) > 0 && (step == "stepAfter" || step == "stepBefore") {
			last, lastFloor := top[len(top)-1], floor[len(floor)-1]
			if step == "stepAfter" {
				top, floor = append(top, point{x, last.y}), append(floor, point{x, lastFloor.y})
			} else {
				top, floor = append(top, point{last.x, y}), append(floor, point{last.x, low})
			}
		}
		top, floor = append(top, point{x, y}), append(floor, point{x, low})
	}
	flush()
	return tops, floors
}

// area fills the space below a line.
func (r *renderer) area(c *canvas, p plot, l *line) {
	opacity := l.field.Config.Custom.FillOpacity
	if opacity <= 0 || math.IsNaN(l.axis.low) || l.field.Config.Custom.DrawStyle == "points" {
		return
	}
	var path strings.Builder
	tops, floors := l.runs(p)
	for i := range tops {
		slices.Reverse(floors[i])
		path.WriteString(pathOf(simplify(slices.Concat(tops[i], floors[i]), coarse)) + "z")
	}
	c.element("path", "d", path.String(), "fill", l.color, "fill-opacity", trim(opacity/100))
}

// pointSize is Grafana's default size of points in pixels.
const pointSize = 5

// stroke draws a line, and its points where they have room.
func (r *renderer) stroke(c *canvas, p plot, l *line, room bool) {
	custom := l.field.Config.Custom
	if math.IsNaN(l.axis.low) {
		return
	}
	width := l.width()
	size := custom.PointSize
	if size <= 0 {
		size = pointSize
	}
	tops, _ := l.runs(p)
	show := custom.ShowPoints == "always" || custom.DrawStyle == "points" ||
		custom.ShowPoints != "never" && room
	var path, points strings.Builder
	for _, top := range tops {
		if len(top) > 1 && custom.DrawStyle != "points" {
			path.WriteString(pathOf(simplify(top, fine)))
		}
		for _, at := range top {
			if show || len(top) == 1 { // a line of no length with round ends is a point
				points.WriteString("M" + num(at.x) + " " + num(at.y) + "h0")
			}
		}
	}
	if points.Len() > 0 {
		c.element("path", "d", points.String(), "stroke", l.color, "stroke-width", num(size), "stroke-linecap", "round")
	}
	if width > 0 && path.Len() > 0 {
		c.element("path", "d", path.String(), "fill", "none", "stroke", l.color, "stroke-width", widthText(width), "stroke-dasharray", dashes(custom.LineStyle))
	}
}

func widthText(width float64) string {
	if width == 1 {
		return ""
	}
	return num(width)
}

func dashes(s grafana.LineStyle) string {
	switch s.Fill {
	case "dash", "dot":
		const most = 8
		s.Dash = s.Dash[:min(len(s.Dash), most)]
		parts := make([]string, len(s.Dash))
		for i, d := range s.Dash {
			parts[i] = num(d)
		}
		return strings.Join(parts, " ")
	}
	return ""
}

func trim(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// thresholds draws the thresholds of the field that made an axis, those outside of it, too: they are cut.
func (r *renderer) thresholds(d *drawing, p plot, a *axis) {
	mode := a.field.Config.Custom.ThresholdsStyle.Mode
	if mode == "" || mode == "off" || math.IsNaN(a.low) {
		return
	}
	steps := a.field.Config.Thresholds.Steps
	height := func(s grafana.Step) float64 { // of its line; the first step is all below the others
		if s.Value == nil {
			return p.bottom()
		}
		v := *s.Value
		if a.field.Config.Thresholds.Mode == "percentage" {
			v = a.low + v/100*(a.high-a.low)
		}
		return a.y(v, p)
	}
	for i, s := range steps {
		y := height(s)
		if s.Value != nil && (strings.Contains(mode, "line") || strings.Contains(mode, "dashed")) {
			dash := ""
			if strings.Contains(mode, "dashed") {
				dash = "10"
			}
			d.canvas.line(p.x, y, p.right(), y, r.theme.Color(s.Color), "stroke-width", "2", "stroke-opacity", "0.7", "stroke-dasharray", dash)
			r.recordLine(d, a, *s.Value)
		}
		if strings.Contains(mode, "area") {
			top := p.y
			if i+1 < len(steps) {
				top = max(height(steps[i+1]), top)
			}
			if bottom := min(y, p.bottom()); bottom > top {
				d.canvas.rect(box{p.x, top, p.w, bottom - top}, r.theme.Color(s.Color), "fill-opacity", "0.15")
			}
		}
	}
}

func (r *renderer) recordLine(d *drawing, a *axis, v float64) {
	for i := range d.facts.Axes {
		if f := &d.facts.Axes[i]; f.Right == (a.placement == "right") && f.Low == a.low && f.High == a.high {
			f.Lines = append(f.Lines, v)
			return
		}
	}
}

// dots draws exemplars as diamonds, on the axis of the line that has them.
func (r *renderer) dots(d *drawing, p plot, lines []*line, exemplars []Exemplar) {
	if len(lines) == 0 || len(exemplars) == 0 {
		return
	}
	l := lines[0]
	if math.IsNaN(l.axis.low) {
		return
	}
	var path strings.Builder
	for _, e := range exemplars {
		x := p.at(float64(e.Time.UnixMilli()))
		// Grafana draws those above the axis at its top.
		y := max(l.axis.y(min(e.Value, l.axis.high), p), p.y)
		if x < p.x || x > p.right() || math.IsNaN(y) {
			continue
		}
		d.facts.Dots++
		path.WriteString("M" + num(x) + " " + num(y-3.5) + "l3.5 3.5-3.5 3.5-3.5-3.5z")
	}
	d.canvas.element("path", "d", path.String(), "fill", r.theme.Color("green"), "fill-opacity", "0.6")
}
