package render

import (
	"math"
	"slices"
	"strconv"
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
	width := func(l *line) float64 { return legendIcon + 6 + legendStyle().width(l.item(o, r.theme)) + legendGap }
	rows := legendRows(lines, b.w, width)
	height := min(float64(len(rows))*legendRow, math.Round(legendShare*b.h))
	area := box{b.x, b.bottom() - height, b.w, height}
	rows, hidden := cutRows(rows, room(area), b.w, width)
	d.canvas.clip(area)
	for i, row := range rows {
		place := box{area.x, area.y + float64(i)*legendRow, area.w, legendRow}
		if i == len(rows)-1 {
			place.w -= r.more(d, place, hidden)
		}
		r.legendRow(d.canvas, place, o, row, width)
	}
	d.canvas.close("g")
	return b.inset(0, 0, 0, height)
}

// legendRows breaks a list into rows, those of the left axis first.
func legendRows(lines []*line, width float64, of func(*line) float64) [][]*line {
	var rows [][]*line
	for _, right := range []bool{false, true} {
		x := 0.0
		first := len(rows)
		for _, l := range lines {
			if (l.axis.placement == "right") != right {
				continue
			}
			if len(rows) == first || x+of(l) > width {
				rows, x = append(rows, nil), 0
			}
			rows[len(rows)-1] = append(rows[len(rows)-1], l)
			x += of(l)
		}
	}
	return joinSides(rows, width, of)
}

// room is the number of rows of a legend that a box has room for, at least one.
func room(b box) int { return max(int((b.h+1)/legendRow), 1) }

// cutRows returns the rows that have room, the last one with space for the number of hidden entries.
func cutRows(rows [][]*line, room int, width float64, of func(*line) float64) (shown [][]*line, hidden int) {
	if len(rows) <= room {
		return rows, 0
	}
	for _, row := range rows[room:] {
		hidden += len(row)
	}
	rows = slices.Clone(rows[:room])
	for last := rows[room-1]; len(last) > 1; last = last[:len(last)-1] {
		rows[room-1] = last
		if total(last, of)+legendStyle().width(moreText(hidden)) <= width {
			return rows, hidden
		}
		hidden++
	}
	rows[room-1] = rows[room-1][:1]
	return rows, hidden
}

func total(lines []*line, of func(*line) float64) float64 {
	sum := 0.0
	for _, l := range lines {
		sum += of(l)
	}
	return sum
}

// moreText counts the entries of a legend that have no room. Grafana scrolls.
func moreText(hidden int) string { return "+" + strconv.Itoa(hidden) + " more" }

// more draws the number of hidden entries at the right end of a row, and returns the width that it takes.
func (r *renderer) more(d *drawing, row box, hidden int) float64 {
	d.facts.Cut += hidden
	if hidden == 0 {
		return 0
	}
	s := legendStyle()
	s.color, s.anchor = r.theme.TextSecondary, "end"
	d.canvas.text(row.right(), row.y+15, row.w, moreText(hidden), s)
	return s.width(moreText(hidden)) + legendGap
}

// legendRow draws names in one line, those of the right axis at its end.
func (r *renderer) legendRow(c *canvas, b box, o legendOptions, row []*line, width func(*line) float64) {
	x, end := b.x, b.right()
	for _, l := range slices.Backward(row) {
		if l.axis.placement == "right" {
			end -= width(l)
			r.legendItem(c, max(end, b.x), b.y, b.right()-max(end, b.x), l, l.item(o, r.theme))
		}
	}
	for _, l := range row {
		if l.axis.placement != "right" {
			r.legendItem(c, x, b.y, b.right()-x, l, l.item(o, r.theme))
			x += width(l)
		}
	}
}

// joinSides puts the last row of the left side and the only row of the right side in one, if it fits.
func joinSides(rows [][]*line, width float64, of func(*line) float64) [][]*line {
	first := slices.IndexFunc(rows, func(row []*line) bool { return row[0].axis.placement == "right" })
	if first < 1 || first != len(rows)-1 {
		return rows
	}
	if total(slices.Concat(rows[first-1], rows[first]), of) > width {
		return rows
	}
	rows[first-1] = slices.Concat(rows[first-1], rows[first])
	return rows[:first]
}

func (r *renderer) legendItem(c *canvas, x, y, width float64, l *line, text string) {
	c.rect(box{x, y + 9, legendIcon, 4}, l.color, "rx", "1")
	s := legendStyle()
	s.color = r.theme.Text
	c.text(x+legendIcon+6, y+15, 0, fitMiddle(text, width-legendIcon-6, s), s)
}

// legendColumn draws names on the right of the graph.
func (r *renderer) legendColumn(d *drawing, b box, o legendOptions, lines []*line) box {
	width := 0.0
	for _, l := range lines {
		width = max(width, legendIcon+6+legendStyle().width(l.item(o, r.theme)))
	}
	area := right(b, o, width)
	d.canvas.clip(area)
	r.legendLines(d, area, lines, func(l *line, y float64) {
		r.legendItem(d.canvas, area.x, y, area.w, l, l.item(o, r.theme))
	})
	d.canvas.close("g")
	return b.inset(0, 0, area.w+legendGap, 0)
}

// right returns the space of a legend on the right: as wide as configured, else as its content, at most 60 % of
// the panel, as in Grafana.
func right(b box, o legendOptions, content float64) box {
	const most = .6
	width := content
	if o.Width > 0 {
		width = o.Width
	}
	width = min(width, b.w*most)
	return box{b.right() - width, b.y, width, b.h}
}

// legendLines draws an entry in each line, and the number of those that have no room in the last one.
func (r *renderer) legendLines(d *drawing, b box, lines []*line, draw func(l *line, y float64)) {
	shown := len(lines)
	if n := room(b); n < len(lines) {
		shown = n - 1
	}
	y := b.y
	for _, l := range lines[:shown] {
		draw(l, y)
		y += legendRow
	}
	r.more(d, box{b.x, y, b.w, legendRow}, len(lines)-shown)
}

// leastName is the width that a name has in a legend with values, unless it is shorter.
const leastName = 90.0

// legendTable draws a row for each series, with a column for each value. Where the names would have no room, the
// last columns are left out; Grafana scrolls.
func (r *renderer) legendTable(d *drawing, b box, o legendOptions, lines []*line) box {
	lines = sortedLines(lines, o)
	columns := r.legendWidths(o, lines)
	names := 0.0
	for _, l := range lines {
		names = max(names, legendIcon+6+legendStyle().width(l.field.Display))
	}
	height := min(float64(len(lines)+1)*legendRow, math.Round(legendShare*b.h))
	area := box{b.x, b.bottom() - height, b.w, height}
	left := b.inset(0, 0, 0, height)
	if o.Placement == "right" {
		area = right(b, o, names+sum(columns))
		left = b.inset(0, 0, area.w+legendGap, 0)
	}
	const rounding = .01
	for len(columns) > 0 && area.w-sum(columns)+rounding < min(names, legendIcon+6+leastName) {
		columns = columns[:len(columns)-1]
		d.facts.Cut++
	}
	d.canvas.clip(area)
	s := legendStyle()
	s.color, s.anchor = r.theme.Link, "end"
	r.legendCells(d.canvas, area.right(), area.y, columns, s, func(i int) string { return o.Calcs[i].Name() })
	s.color = r.theme.Text
	r.legendLines(d, area.inset(0, legendRow, 0, 0), lines, func(l *line, y float64) {
		r.legendItem(d.canvas, area.x, y, area.w-sum(columns), l, l.field.Display)
		r.legendCells(d.canvas, area.right(), y, columns, s, func(i int) string { return l.calculated(o.Calcs[i], r.theme) })
	})
	d.canvas.close("g")
	return left
}

// legendCells draws the cells of a row, from the right.
func (r *renderer) legendCells(c *canvas, end, y float64, columns []float64, s style, text func(column int) string) {
	for i, width := range slices.Backward(columns) {
		c.text(end, y+15, 0, text(i), s)
		end -= width
	}
}

func sum(list []float64) float64 {
	total := 0.0
	for _, v := range list {
		total += v
	}
	return total
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
