package render

import (
	"math"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// Sizes of a legend, as Grafana has them.
const (
	legendRow   = 22.0
	legendIcon  = 14.0
	legendGap   = 10.0
	maxCalcs    = 20  // values of a series
	legendShare = .35 // of the height below the title, at most
)

// legend draws the legend of a graph and returns the space that is left.
func (r *renderer) legend(d *drawing, b box, o legendOptions, lines []*line) box {
	for _, l := range lines {
		d.facts.Series = append(d.facts.Series, l.field.Display)
	}
	if o.ShowLegend != nil && !*o.ShowLegend || o.DisplayMode == "hidden" {
		return b
	}
	lines = slices.DeleteFunc(slices.Clone(lines), func(l *line) bool { return l.field.Config.Custom.HideFrom.Legend })
	o.Calcs = o.Calcs[:min(len(o.Calcs), maxCalcs)]
	switch {
	case len(lines) == 0:
		return b
	case o.DisplayMode == "table":
		return r.legendTable(d, b, o, lines)
	case o.Placement == "right":
		return r.legendColumn(d, b, o, lines)
	}
	return r.legendList(d, b, o, lines)
}

func legendStyle() style { return style{size: 12, class: "legend"} }

// item is the text of a series in a list: its name and its values.
func (l *line) item(o legendOptions, t grafana.Theme) string {
	parts := []string{l.field.Display}
	for _, calc := range o.Calcs {
		parts = append(parts, calc.Name()+": "+l.calculated(calc, t))
	}
	return strings.Join(parts, "  ")
}

// calculated returns a value of a series in its unit.
func (l *line) calculated(calc grafana.Reducer, t grafana.Theme) string {
	v := grafana.Reduce(l.field.Values, calc)
	if !calc.KeepsUnit() {
		plain := &grafana.Field{Type: grafana.Number}
		return plain.Show(v, t).String()
	}
	return l.field.Show(v, t).String()
}

// legendList draws names below the graph, those of the right axis on the right.
func (r *renderer) legendList(d *drawing, b box, o legendOptions, lines []*line) box {
	s := legendStyle()
	s.color = r.theme.Text
	width := func(l *line) float64 { return legendIcon + 6 + s.width(l.item(o, r.theme)) + legendGap }
	var rows [][]*line
	for _, right := range []bool{false, true} {
		x := 0.0
		first := len(rows)
		for _, l := range lines {
			if (l.axis.placement == "right") != right {
				continue
			}
			if len(rows) == first || x+width(l) > b.w {
				rows, x = append(rows, nil), 0
			}
			rows[len(rows)-1] = append(rows[len(rows)-1], l)
			x += width(l)
		}
	}
	rows = joinSides(rows, b.w, width)
	height := min(float64(len(rows))*legendRow, math.Round(legendShare*b.h))
	area := box{b.x, b.bottom() - height, b.w, height}
	d.canvas.clip(area)
	for i, row := range rows {
		y := area.y + float64(i)*legendRow
		if y+legendRow > area.bottom()+1 {
			d.facts.Cut += len(row)
		}
		if y >= area.bottom() {
			continue
		}
		x, end := area.x, area.right()
		for _, l := range row {
			if l.axis.placement == "right" {
				break
			}
			r.legendItem(d.canvas, x, y, b.w, l, l.item(o, r.theme))
			x += width(l)
		}
		for _, l := range slices.Backward(row) {
			if l.axis.placement != "right" {
				break
			}
			end -= width(l)
			r.legendItem(d.canvas, max(end, area.x), y, b.w, l, l.item(o, r.theme))
		}
	}
	d.canvas.shut("g")
	return b.inset(0, 0, 0, height)
}

// joinSides puts the last row of the left side and the only row of the right side in one, if it fits.
func joinSides(rows [][]*line, width float64, of func(*line) float64) [][]*line {
	first := slices.IndexFunc(rows, func(row []*line) bool { return row[0].axis.placement == "right" })
	if first < 1 || first != len(rows)-1 {
		return rows
	}
	total := 0.0
	for _, l := range slices.Concat(rows[first-1], rows[first]) {
		total += of(l)
	}
	if total > width {
		return rows
	}
	rows[first-1] = slices.Concat(rows[first-1], rows[first])
	return rows[:first]
}

func (r *renderer) legendItem(c *canvas, x, y, width float64, l *line, text string) {
	c.rect(box{x, y + 9, legendIcon, 4}, l.color, "rx", "1")
	s := legendStyle()
	s.color = r.theme.Text
	c.text(x+legendIcon+6, y+15, width-legendIcon-6, text, s)
}

// legendColumn draws names on the right of the graph.
func (r *renderer) legendColumn(d *drawing, b box, o legendOptions, lines []*line) box {
	width := 0.0
	for _, l := range lines {
		width = max(width, legendIcon+6+legendStyle().width(l.item(o, r.theme)))
	}
	width = min(width, b.w*.4)
	if o.Width > 0 {
		width = min(o.Width, b.w*.6)
	}
	area := box{b.right() - width, b.y, width, b.h}
	d.canvas.clip(area)
	for i, l := range lines {
		y := area.y + float64(i)*legendRow
		if y+legendRow > area.bottom()+1 {
			d.facts.Cut++
			continue
		}
		r.legendItem(d.canvas, area.x, y, width, l, l.item(o, r.theme))
	}
	d.canvas.shut("g")
	return b.inset(0, 0, width+legendGap, 0)
}

// legendTable draws a row for each series, with a column for each value.
func (r *renderer) legendTable(d *drawing, b box, o legendOptions, lines []*line) box {
	lines = sortedLines(lines, o)
	height := min(float64(len(lines)+1)*legendRow, math.Round(legendShare*b.h))
	area := box{b.x, b.bottom() - height, b.w, height}
	left := b.inset(0, 0, 0, height)
	if o.Placement == "right" {
		width := min(o.Width, b.w*.6)
		if width == 0 {
			width = b.w * .4
		}
		area = box{b.right() - width, b.y, width, b.h}
		left = b.inset(0, 0, width+legendGap, 0)
	}
	columns := r.legendWidths(o, lines)
	d.canvas.clip(area)
	s := legendStyle()
	s.color, s.anchor = r.theme.Link, "end"
	end := area.right()
	for i, calc := range slices.Backward(o.Calcs) {
		d.canvas.text(end, area.y+15, 0, calc.Name(), s)
		end -= columns[i]
	}
	nameWidth := end - area.x
	for i, l := range lines {
		y := area.y + float64(i+1)*legendRow
		if y+legendRow > area.bottom()+1 {
			d.facts.Cut++
			continue
		}
		r.legendItem(d.canvas, area.x, y, nameWidth, l, l.field.Display)
		end := area.right()
		s := legendStyle()
		s.color, s.anchor = r.theme.Text, "end"
		for j, calc := range slices.Backward(o.Calcs) {
			d.canvas.text(end, y+15, 0, l.calculated(calc, r.theme), s)
			end -= columns[j]
		}
	}
	d.canvas.shut("g")
	return left
}

// sortedLines orders the series by the configured value.
func sortedLines(lines []*line, o legendOptions) []*line {
	i := slices.IndexFunc(o.Calcs, func(calc grafana.Reducer) bool { return calc.Name() == o.SortBy })
	if i < 0 {
		return lines
	}
	values := map[*line]float64{}
	for _, l := range lines {
		values[l] = grafana.Reduce(l.field.Values, o.Calcs[i])
	}
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b *line) int {
		if o.SortDesc {
			a, b = b, a
		}
		return compareNumbers(values[a], values[b])
	})
	return lines
}

// legendWidths returns the widths of the columns of values.
func (r *renderer) legendWidths(o legendOptions, lines []*line) []float64 {
	out := make([]float64, len(o.Calcs))
	for i, calc := range o.Calcs {
		out[i] = legendStyle().width(calc.Name())
		for _, l := range lines {
			out[i] = max(out[i], legendStyle().width(l.calculated(calc, r.theme)))
		}
		out[i] += 2 * legendGap
	}
	return out
}

// compareNumbers orders missing numbers last.
func compareNumbers(a, b float64) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b), a == b:
		return 0
	case math.IsNaN(a), a > b:
		return 1
	}
	return -1
}
