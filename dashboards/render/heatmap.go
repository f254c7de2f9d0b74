package render

import (
	"math"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// colorSteps is the number of colors of a heatmap that says none.
const colorSteps = 64

// heatmap draws the cells of a histogram.
func (r *renderer) heatmap(d *drawing, b box, data panelData) {
	var o heatmapOptions
	d.panel.options(&o)
	c := data.cells
	if len(c.times) == 0 || len(c.bounds) == 0 {
		r.noData(d, b)
		return
	}
	low, high := c.visible(o)
	labels := r.rowLabels(c, o)
	width := 0.0
	for _, l := range labels {
		width = max(width, axisStyle().width(l))
	}
	bottom := timeHeight
	if o.Legend.Show {
		bottom += 30
	}
	p := plot{box: b.inset(width+tickGap, 4, edge, bottom), from: r.options.From, to: r.options.To}
	r.timeAxis(d.canvas, p)
	row := p.h / float64(len(c.bounds))
	every := math.Ceil(12 / row)
	shown := []string{}
	for i, l := range labels {
		if math.Mod(float64(i), every) != 0 {
			continue
		}
		s := axisStyle()
		s.color, s.anchor = r.theme.Text, "end"
		d.canvas.text(p.x-tickGap+4, p.bottom()-float64(i)*row+4, 0, l, s)
		shown = append(shown, l)
	}
	d.facts.Axes = append(d.facts.Axes, axisFacts{Low: low, High: high, Labels: shown})
	colors := r.heatColors(o)
	d.canvas.clip(p.box)
	for color, path := range c.paths(p, o, low, high, len(colors)) {
		if path != "" {
			d.canvas.element("path", "d", path, "stroke", colors[color], "stroke-width", num(max(row-o.gap(), .5)))
		}
	}
	r.marks(d.canvas, p)
	d.canvas.close("g")
	if o.Legend.Show {
		r.colorLegend(d.canvas, box{p.x, p.bottom() + timeHeight, min(p.w, 220), 30}, colors, low, high)
	}
}

// visible returns the least and the greatest count that is drawn.
func (c cells) visible(o heatmapOptions) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, row := range c.counts {
		for _, n := range row {
			if o.draws(n) {
				low, high = min(low, n), max(high, n)
			}
		}
	}
	if o.Color.Min != nil {
		low = *o.Color.Min
	}
	if o.Color.Max != nil {
		high = *o.Color.Max
	}
	return low, high
}

// draws reports whether a count is drawn.
func (o heatmapOptions) draws(n float64) bool {
	f := o.FilterValues
	return !math.IsNaN(n) && (f.LE == nil || n > *f.LE) && (f.GE == nil || n < *f.GE) && (f.LE != nil || n != 0)
}

func (r *renderer) heatColors(o heatmapOptions) []string {
	steps := o.Color.Steps
	if steps <= 0 {
		steps = colorSteps
	}
	return r.theme.Scheme(o.Color.Scheme, min(steps, 128), o.Color.Reverse)
}

// gap is the space between cells in pixels.
func (o heatmapOptions) gap() float64 {
	if o.CellGap != nil {
		return *o.CellGap
	}
	return 1
}

// paths returns the cells of each color, as lines that are as wide as a row.
func (c cells) paths(p plot, o heatmapOptions, low, high float64, colors int) []string {
	out := make([]strings.Builder, colors)
	row, width := p.h/float64(len(c.bounds)), p.at(float64(c.step.Milliseconds()))-p.at(0)
	for i, at := range c.times {
		right := p.at(float64(at.UnixMilli()))
		for j, n := range c.counts[i] {
			if !o.draws(n) {
				continue
			}
			out[colorIndex(n, low, high, colors)].WriteString("M" + num(right-width) + " " + num(p.bottom()-(float64(j)+.5)*row) + "h" + num(max(width-o.gap(), .5)))
		}
	}
	paths := make([]string, colors)
	for i := range out {
		paths[i] = out[i].String()
	}
	return paths
}

// colorIndex returns which of the colors a count has. Halves do not overflow.
func colorIndex(n, low, high float64, colors int) int {
	if n >= high {
		return colors - 1
	}
	share := (n/2 - low/2) / (high/2 - low/2)
	if !(share > 0) { // false for NaN, too
		return 0
	}
	return int(min(share*float64(colors), float64(colors-1)))
}

// rowLabels returns the texts at the lower bounds of the rows, and at the top.
func (r *renderer) rowLabels(c cells, o heatmapOptions) []string {
	f := &grafana.Field{Type: grafana.Number, Config: grafana.Config{Unit: o.YAxis.Unit}}
	out := []string{f.Show(c.low, r.theme).String()}
	for _, bound := range c.bounds {
		if math.IsInf(bound, 1) {
			out = append(out, "+Inf")
			continue
		}
		out = append(out, f.Show(bound, r.theme).String())
	}
	return out
}

// colorLegend draws the range of colors with its ends.
func (r *renderer) colorLegend(c *canvas, b box, colors []string, low, high float64) {
	width := b.w / float64(len(colors))
	for i, color := range colors {
		c.rect(box{b.x + float64(i)*width, b.y + 4, width + .5, 8}, color)
	}
	f := &grafana.Field{Type: grafana.Number} // the counts have no unit
	s := style{size: 11, color: r.theme.TextSecondary, class: "scale"}
	c.text(b.x, b.y+24, 0, f.Show(low, r.theme).String(), s)
	s.anchor = "end"
	c.text(b.right(), b.y+24, 0, f.Show(high, r.theme).String(), s)
}
