package render

import (
	"math"
	"slices"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// reduced is one value of a panel that shows single values.
type reduced struct {
	grafana.Value
	name  string
	field *grafana.Field
	times []float64
	empty bool
}

// maxValues is how many values such a panel shows at most, if its options do not say.
const maxValues = 25

// reduce makes the values of a panel.
func (r *renderer) reduce(d *drawing, data panelData, o reduceOptions) []reduced {
	calcs := o.Calcs
	if len(calcs) == 0 {
		calcs = []grafana.Reducer{grafana.LastNotNull}
	}
	calcs = calcs[:min(len(calcs), maxCalcs)]
	var out []reduced
	for _, frame := range r.fields(d, data.frames) {
		for _, f := range frame.Fields {
			if f.Type != grafana.Number || r.limits.done() {
				continue
			}
			var times []float64
			if frame.Fields[0].Type == grafana.Time {
				times = frame.Fields[0].Values
			}
			for _, calc := range calcs {
				v := f.Show(grafana.Reduce(f.Values, calc), r.theme)
				out = append(out, reduced{v, f.Display, f, times, false})
			}
		}
	}
	limit := maxValues
	if o.Limit > 0 {
		limit = min(o.Limit, maxSeries)
	}
	if len(out) > limit {
		d.facts.Cut += len(out) - limit
		out = out[:limit]
	}
	for _, v := range out {
		d.facts.Series = append(d.facts.Series, v.name)
	}
	if len(out) == 0 {
		text := d.panel.FieldConfig.Defaults.NoValue
		if text == "" {
			text = "No data"
		}
		f := &grafana.Field{Type: grafana.Number, Config: d.panel.FieldConfig.Defaults}
		shown := f.Show(math.NaN(), r.theme)
		shown.Text = grafana.Text{Text: text}
		out = []reduced{{shown, "", f, nil, true}}
	}
	return out
}

// stat draws values as large numbers, with the sparkline of each behind it.
func (r *renderer) stat(d *drawing, b box, data panelData) {
	o := statOptions{GraphMode: "area", ColorMode: "value"} // the defaults of the panel
	d.panel.options(&o)
	values := r.reduce(d, data, o.ReduceOptions)
	boxes := repeat(b, len(values), o.Orientation)
	automatic := o.TextMode == "" || o.TextMode == "auto"
	configured := d.panel.FieldConfig.Defaults.DisplayName != "" || d.panel.Title == ""
	named := o.TextMode == "value_and_name" || automatic && (len(values) > 1 || configured)
	for i, v := range values {
		if o.TextMode == "name" && !v.empty {
			values[i].Value = grafana.Value{Text: grafana.Text{Text: v.name}, Color: v.Color}
		}
	}
	name, text := alignment(values)
	if !named {
		name = ""
	}
	for i, v := range values {
		if r.limits.full(d.canvas) {
			break
		}
		r.statValue(d.canvas, boxes[i], v, o, name, text)
	}
}

// Spaces between several values, as in Grafana.
const (
	valueGap = 3.0
	barGap   = 10.0
)

// repeat divides a box for n values: side by side if the orientation is vertical, one below the other if it
// is horizontal, else in a grid whose cells are as square as possible.
func repeat(b box, n int, orientation string) []box {
	columns := n
	switch orientation {
	case "vertical":
	case "horizontal":
		columns = 1
	default:
		columns = squareColumns(b, n)
	}
	rows := (n + columns - 1) / columns
	w, h := share(b.w, columns, valueGap), share(b.h, rows, valueGap)
	out := make([]box, n)
	for i := range out {
		out[i] = box{b.x + float64(i%columns)*(w+valueGap), b.y + float64(i/columns)*(h+valueGap), w, h}
	}
	return out
}

// squareColumns returns the number of columns with the largest square in each cell.
func squareColumns(b box, n int) int {
	best, largest := 1, 0.0
	for columns := 1; columns <= n; columns++ {
		rows := (n + columns - 1) / columns
		if side := min(share(b.w, columns, valueGap), share(b.h, rows, valueGap)); side > largest {
			best, largest = columns, side
		}
	}
	return best
}

// columnsOf divides a box for n values side by side.
func columnsOf(b box, n int, space float64) []box {
	w := share(b.w, n, space)
	out := make([]box, n)
	for i := range out {
		out[i] = box{b.x + float64(i)*(w+space), b.y, w, b.h}
	}
	return out
}

// share is the length of each of n parts with spaces between them.
func share(length float64, n int, space float64) float64 {
	return max((length-float64(n-1)*space)/float64(n), 1)
}

// sparkline draws the values of a series over the time range.
func (r *renderer) sparkline(c *canvas, b box, v reduced, color string) {
	low, high := grafana.Reduce(v.field.Values, grafana.Min), grafana.Reduce(v.field.Values, grafana.Max)
	if v.field.Config.Min != nil {
		low = *v.field.Config.Min
	}
	if v.field.Config.Max != nil {
		high = *v.field.Config.Max
	}
	if math.IsNaN(low) || math.IsNaN(high) || math.IsInf(high-low, 0) {
		return
	}
	if high <= low {
		high = low + max(math.Abs(low), 1)
	}
	p := plot{box: b, from: r.options.From, to: r.options.To}
	var points []point
	for i, value := range v.field.Values {
		if x := p.at(v.times[i]); !math.IsNaN(value) && !math.IsInf(value, 0) && x >= b.x && x <= b.right() {
			share := min(max((value-low)/(high-low), 0), 1)
			points = append(points, point{x, b.bottom() - share*b.h})
		}
	}
	if len(points) < 2 {
		return
	}
	points = simplify(points, coarse)
	area := slices.Concat(points, []point{{points[len(points)-1].x, b.bottom()}, {points[0].x, b.bottom()}})
	c.element("path", "d", pathOf(area)+"z", "fill", color, "fill-opacity", "0.2")
	c.element("path", "d", pathOf(points), "fill", "none", "stroke", color)
}

// gauge draws values on arcs.
func (r *renderer) gauge(d *drawing, b box, data panelData) {
	var o gaugeOptions
	d.panel.options(&o)
	values := r.reduce(d, data, o.ReduceOptions)
	for i, place := range repeat(b, len(values), o.Orientation) {
		v := values[i]
		radius := max(min(place.w/2, place.h/1.6)-8, 10)
		center := point{place.x + place.w/2, place.y + place.h/2 + radius*.25}
		r.arc(d.canvas, center, radius, 0, 1, r.theme.Unfilled)
		if !v.empty {
			r.arc(d.canvas, center, radius, 0, min(max(v.Percent, 0), 1), v.Color)
		}
		inner := box{center.x - radius*.7, center.y - radius*.45, radius * 1.4, radius * .8}
		size := fitting(v.String(), inner.w, min(inner.h*.6, 100), style{bold: true})
		if v.empty {
			size = min(size, 24)
		}
		r.bigValue(d.canvas, center.x, center.y+size*.35, v.Value, style{size: size, color: v.Color, anchor: "middle", bold: true, class: "value"})
		if len(values) > 1 {
			d.canvas.text(center.x, place.bottom()-2, place.w, v.name, style{size: 12, color: r.theme.Text, anchor: "middle", class: "name"})
		}
	}
}

// arc draws a part of a gauge's ring, which is open at the bottom.
func (r *renderer) arc(c *canvas, center point, radius, from, to float64, color string) {
	const start, sweep = .8 * math.Pi, 1.4 * math.Pi
	at := func(share float64) point {
		angle := start + share*sweep
		return point{center.x + radius*math.Cos(angle), center.y + radius*math.Sin(angle)}
	}
	if to <= from {
		return
	}
	a, b := at(from), at(to)
	large := "0"
	if (to-from)*sweep > math.Pi {
		large = "1"
	}
	path := "M" + num(a.x) + " " + num(a.y) + "A" + num(radius) + " " + num(radius) + " 0 " + large + " 1 " + num(b.x) + " " + num(b.y)
	c.element("path", "d", path, "fill", "none", "stroke", color, "stroke-width", num(radius*.2))
}

// barGauge draws values as bars.
func (r *renderer) barGauge(d *drawing, b box, data panelData) {
	o := barOptions{ShowUnfilled: true} // the default of the panel
	d.panel.options(&o)
	values := r.reduce(d, data, o.ReduceOptions)
	if len(values) == 1 && values[0].empty {
		r.noData(d, b)
		return
	}
	horizontal := o.Orientation == "horizontal" || o.Orientation != "vertical" && b.h > b.w
	if !horizontal {
		r.columns(d, b, values, o)
		return
	}
	least := max(o.MinVizHeight, 10)
	height := (b.h - float64(len(values)-1)*barGap) / float64(len(values))
	if o.Sizing == "manual" && o.MaxVizHeight > 0 {
		height = min(height, o.MaxVizHeight)
	}
	height = max(height, least)
	bars := r.barSizes(values, box{b.x, b.y, b.w, height}, o)
	cut := 0
	for i, v := range values {
		row := box{b.x, b.y + float64(i)*(height+barGap), b.w, height}
		if row.y+height > b.bottom()+1 {
			cut++
			continue
		}
		r.bar(d.canvas, row, v, o, bars)
	}
	r.hidden(d, count(cut, "bar"))
	d.facts.Cut += cut
}

// Sizes of a bar's name and value, as in Grafana.
const (
	nameAbove    = 40.0 // least height of a bar with its name above it
	titleLine    = 1.5  // height of the line of a name, in sizes of the font
	leastTitle   = 17.0 // least and largest height of a name above
	largestTitle = 50.0
	leastHeight  = 18.0 // of a name on the left, or of the value of a vertical bar
	valuePadding = 10.0
	largestValue = 150.0 // width, unless the text is wider
)

// barSizes are the sizes of all bars of a panel, so that bars start and end at the same places.
type barSizes struct {
	above       bool    // where names are
	left, top   float64 // space of the names
	name, value float64 // sizes of the texts
	right       float64 // space of the values
}

// barSizes returns the sizes for the box of one bar.
func (r *renderer) barSizes(values []reduced, b box, o barOptions) barSizes {
	name, text := alignment(values)
	var out barSizes
	// Grafana shows the name of a single value only if it is configured.
	named := len(values) > 1 || values[0].field.Config.DisplayName != ""
	switch {
	case !named || name == "" || o.NamePlacement == "hidden":
	case o.NamePlacement == "top" || b.h > nameAbove && o.NamePlacement != "left":
		out.above = true
		out.top = max(min(b.h*.45, largestTitle), leastTitle)
		out.name = out.top / titleLine
	default:
		out.name = max(b.h*.6, leastHeight) / titleLine
		out.left = min(style{size: out.name}.width(name)+15, b.w*.4)
	}
	if o.ValueMode == "hidden" {
		return out
	}
	measured := style{size: max(out.name, 12)}
	out.right = max(min(b.w*.2, largestValue), measured.width(text)+2*valuePadding)
	out.value = fitting(text, out.right-2*valuePadding, max(b.h-out.top, 1), style{})
	return out
}

func (r *renderer) bar(c *canvas, b box, v reduced, o barOptions, sizes barSizes) {
	s := style{size: sizes.name, color: r.theme.Text, class: "name"}
	switch {
	case sizes.name == 0:
	case sizes.above:
		c.text(b.x, b.y+s.size, 0, fitMiddle(v.name, b.w, s), s)
	default:
		s.anchor = "end"
		c.text(b.x+sizes.left-valuePadding, b.y+b.h/2+s.size*.35, 0, fitMiddle(v.name, sizes.left-valuePadding, s), s)
	}
	place := b.inset(sizes.left, sizes.top, 0, 0)
	bar := place.inset(0, 0, sizes.right, 0)
	if o.ShowUnfilled {
		c.rect(bar, r.theme.Unfilled, "rx", "2")
	}
	share := min(max(v.Percent, 0), 1)
	filled := box{bar.x, bar.y, bar.w * share, bar.h}
	c.rect(filled, v.Color, "fill-opacity", "0.35", "rx", "2")
	c.rect(box{filled.right() - 1, bar.y, 2, bar.h}, v.Color)
	if o.ValueMode != "hidden" {
		s := style{size: sizes.value, color: v.Color, anchor: "end", class: "value"}
		if o.ValueMode == "text" {
			s.color = r.theme.Text
		}
		c.text(place.right()-valuePadding, place.y+place.h/2+s.size*.35, 0, v.String(), s)
	}
}

// columns draws vertical bars, with the values above and the names below them.
func (r *renderer) columns(d *drawing, b box, values []reduced, o barOptions) {
	const nameSize = 14.0
	_, text := alignment(values)
	top := min(max(b.h*.1, leastHeight), largestTitle)
	for i, place := range columnsOf(b, len(values), barGap) {
		v := values[i]
		size := fitting(text, place.w, top, style{})
		bar := place.inset(0, top, 0, nameSize*titleLine)
		if o.ShowUnfilled {
			d.canvas.rect(bar, r.theme.Unfilled, "rx", "2")
		}
		h := bar.h * min(max(v.Percent, 0), 1)
		d.canvas.rect(box{bar.x, bar.bottom() - h, bar.w, h}, v.Color, "fill-opacity", "0.35", "rx", "2")
		d.canvas.rect(box{bar.x, bar.bottom() - h - 1, bar.w, 2}, v.Color)
		d.canvas.text(place.x+place.w/2, place.y+top/2+size*.35, place.w, v.String(), style{size: size, color: v.Color, anchor: "middle", class: "value"})
		name := style{size: nameSize, color: r.theme.Text, anchor: "middle", class: "name"}
		d.canvas.text(place.x+place.w/2, place.bottom()-6, 0, fitMiddle(v.name, place.w, name), name)
	}
}
