package render

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// columnMin is the least width of a column that has no configured one. A table that is too narrow for
// its columns scrolls in Grafana, which hides the last ones here.
const columnMin = 150.0

// table draws a frame.
func (r *renderer) table(d *drawing, b box, data panelData) {
	var o tableOptions
	d.panel.options(&o)
	frames := r.fields(d, data.frames)
	if len(frames) == 0 {
		r.noData(d, b)
		return
	}
	frame := frames[min(max(o.FrameIndex, 0), len(frames)-1)]
	if frame.Len() == 0 {
		r.noData(d, b)
		return
	}
	fields := slices.DeleteFunc(slices.Clone(frame.Fields), func(f *grafana.Field) bool {
		return f.Config.Custom.Hidden || f.Config.Custom.HideFrom.Viz
	})
	order := rowOrder(frame, fields, o)
	height := map[string]float64{"md": 42, "lg": 48}[o.CellHeight]
	if height == 0 {
		height = 36
	}
	widths := columnWidths(fields, b.w)
	y := b.y
	if o.ShowHeader == nil || *o.ShowHeader {
		x := b.x
		for i, f := range fields {
			r.cell(d.canvas, box{x, y, widths[i], height}, b, f, f.Display, style{size: 14, color: r.theme.Text, bold: true, class: "header"})
			x += widths[i]
		}
		d.canvas.line(b.x, y+height, b.right(), y+height, r.theme.Border)
		y += height
	}
	x, columns := b.x, 0
	for i, f := range fields {
		if x += widths[i]; x > b.right()+1 {
			columns++
		}
		d.facts.Series = append(d.facts.Series, f.Display)
	}
	shown := 0
	for _, row := range order {
		tall := heightOf(fields, widths, row, height)
		if y+tall > b.bottom()+1 {
			break
		}
		r.tableRow(d, b, y, tall, fields, widths, row)
		y += tall
		shown++
	}
	r.hidden(d, count(columns, "column"), count(len(order)-shown, "row"))
	d.facts.Cut += columns + len(order) - shown
}

// Sizes of a cell whose text is wrapped.
const (
	cellLine    = 19.0
	cellPadding = 8.0
)

// heightOf returns the height of a row: that of the cell with the most lines, at least the height of one line.
func heightOf(fields []*grafana.Field, widths []float64, row int, height float64) float64 {
	for i, f := range fields {
		if f.Type == grafana.String && f.Config.Custom.CellOptions.WrapText {
			lines := wrap(f.Strings[row], widths[i]-12, style{size: 14})
			height = max(height, float64(len(lines))*cellLine+2*cellPadding)
		}
	}
	return height
}

// wrapped writes a text on as many lines as it needs.
func (r *renderer) wrapped(c *canvas, place box, text string, s style) {
	lines := wrap(text, place.w-12, s)
	y := place.y + place.h/2 + 5 - cellLine*float64(len(lines)-1)/2
	for _, line := range lines {
		c.text(place.x+6, y, place.w-12, line, s)
		y += cellLine
	}
}

func (r *renderer) tableRow(d *drawing, b box, y, height float64, fields []*grafana.Field, widths []float64, row int) {
	x := b.x
	var cells []Text
	for i, f := range fields {
		text, color := r.cellText(f, row)
		s := style{size: 14, color: r.theme.Text, class: "cell"}
		place := box{x, y, widths[i], height}
		switch kind := f.Config.Custom.CellOptions.Type; {
		case kind == "color-text":
			s.color = color
		case strings.HasPrefix(kind, "color-background"):
			d.canvas.rect(place.inset(1, 1, 1, 1), color)
			s.color = grafana.Contrast(color)
		case kind == "gauge" && f.Type == grafana.Number:
			share := min(max(f.Percent(f.Values[row]), 0), 1)
			d.canvas.rect(box{x + 6, y + height - 8, (widths[i] - 12) * share, 4}, color)
		}
		if f.Type == grafana.String && f.Config.Custom.CellOptions.WrapText {
			r.wrapped(d.canvas, place, text, s)
		} else {
			r.cell(d.canvas, place, b, f, text, s)
		}
		cells = append(cells, Text{s.class, text, r.theme.Name(s.color)})
		x += widths[i]
	}
	d.facts.Rows = append(d.facts.Rows, cells)
	d.canvas.line(b.x, y+height, b.right(), y+height, r.theme.Border)
}

// cell draws a text in a column: numbers on the right, others on the left.
func (r *renderer) cell(c *canvas, place, panel box, f *grafana.Field, text string, s style) {
	if place.x >= panel.right() {
		return
	}
	s.anchor = f.Config.Custom.Align
	if s.anchor == "" || s.anchor == "auto" {
		s.anchor = "left"
		if f.Type == grafana.Number {
			s.anchor = "right"
		}
	}
	x := place.x + 6
	switch s.anchor {
	case "right":
		s.anchor, x = "end", place.right()-6
	case "center":
		s.anchor, x = "middle", place.x+place.w/2
	default:
		s.anchor = ""
	}
	c.text(x, place.y+place.h/2+5, place.w-12, text, s)
}

func (r *renderer) cellText(f *grafana.Field, row int) (text, color string) {
	switch f.Type {
	case grafana.String:
		return f.Strings[row], r.theme.Text
	case grafana.Time:
		return time.UnixMilli(int64(f.Values[row])).In(r.options.Location).Format(time.DateTime), r.theme.Text
	}
	v := f.Show(f.Values[row], r.theme)
	return v.String(), v.Color
}

func columnWidths(fields []*grafana.Field, width float64) []float64 {
	out := make([]float64, len(fields))
	left, automatic := width, 0
	for i, f := range fields {
		if out[i] = f.Config.Custom.Width; out[i] > 0 {
			left -= out[i]
		} else {
			automatic++
		}
	}
	for i := range out {
		if out[i] <= 0 {
			out[i] = max(left/float64(automatic), columnMin)
		}
	}
	return out
}

func rowOrder(frame *grafana.Frame, fields []*grafana.Field, o tableOptions) []int {
	order := make([]int, frame.Len())
	for i := range order {
		order[i] = i
	}
	for _, by := range slices.Backward(o.SortBy) { // the first column decides
		i := slices.IndexFunc(fields, func(f *grafana.Field) bool { return f.Display == by.DisplayName })
		if i < 0 {
			continue
		}
		f := fields[i]
		slices.SortStableFunc(order, func(a, b int) int {
			if by.Desc {
				a, b = b, a
			}
			if f.Type == grafana.String {
				return strings.Compare(f.Strings[a], f.Strings[b])
			}
			return compareNumbers(f.Values[a], f.Values[b])
		})
	}
	return order
}

// timeline draws the states of series over time.
func (r *renderer) timeline(d *drawing, b box, data panelData) {
	o := timelineOptions{MergeValues: true, RowHeight: .9} // the defaults of the panel
	d.panel.options(&o)
	type track struct {
		field *grafana.Field
		times []float64
	}
	var tracks []track
	for _, frame := range r.fields(d, data.frames) {
		for _, f := range frame.Fields {
			if f.Type == grafana.Number && frame.Len() > 0 && frame.Fields[0].Type == grafana.Time {
				times, values := withGaps(frame.Fields[0].Values, f.Values, float64(data.step.Milliseconds()), nil)
				step := float64(data.step.Milliseconds())
				if n := len(times); times[n-1]+step < float64(r.options.To.UnixMilli()) { // the series ended
					times, values = append(times, times[n-1]+step), append(values, math.NaN())
				}
				changed := *f
				changed.Values = values
				tracks = append(tracks, track{&changed, times})
			}
		}
	}
	if len(tracks) == 0 {
		r.noData(d, b)
		return
	}
	names := 0.0
	for _, t := range tracks {
		names = max(names, axisStyle().width(t.field.Display))
		d.facts.Series = append(d.facts.Series, t.field.Display)
	}
	names = min(names, b.w*.4)
	p := plot{box: b.inset(names+tickGap, 4, edge, timeHeight), from: r.options.From, to: r.options.To}
	r.timeAxis(d.canvas, p)
	share := min(max(o.RowHeight, .05), 1)
	d.canvas.clip(b)
	for i, t := range tracks {
		if r.limits.full(d.canvas) {
			break
		}
		row := p.h / float64(len(tracks))
		y := p.y + float64(i)*row
		s := axisStyle()
		s.color, s.anchor = r.theme.Text, "end"
		d.canvas.text(p.x-tickGap+3, y+row/2+4, 0, fitMiddle(t.field.Display, names, s), s)
		r.states(d.canvas, p, box{p.x, y + row*(1-share)/2, p.w, row * share}, t.field, t.times, o.MergeValues)
	}
	r.marks(d.canvas, p)
	d.canvas.close("g")
}

// states draws one series of a timeline. States of one color are merged, as Grafana does.
func (r *renderer) states(c *canvas, p plot, b box, f *grafana.Field, times []float64, merge bool) {
	opacity := f.Config.Custom.FillOpacity / 100
	if opacity == 0 {
		opacity = .7
	}
	color := func(i int) string { return f.Show(f.Values[i], r.theme).Color }
	for i := 0; i < len(times); {
		j := i + 1
		for j < len(times) && merge && math.IsNaN(f.Values[j]) == math.IsNaN(f.Values[i]) && color(j) == color(i) {
			j++
		}
		end := p.right()
		if j < len(times) {
			end = min(p.at(times[j]), end)
		}
		if start := max(p.at(times[i]), p.x); !math.IsNaN(f.Values[i]) && end > start {
			c.rect(box{start, b.y, end - start, b.h}, color(i), "fill-opacity", trim(opacity))
		}
		i = j
	}
}
