package render

import (
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// flameRow is the height of a function in a flame graph, as in Grafana.
const flameRow = 22.0

// flameGraph draws a profile from the root down.
func (r *renderer) flameGraph(d *drawing, b box, data panelData) {
	root := data.profile
	if root == nil || root.Total <= 0 {
		r.noData(d, b)
		return
	}
	g := &flames{r: r, d: d, box: b, root: root, cells: map[string]*strings.Builder{}}
	g.field = &grafana.Field{Type: grafana.Number, Config: grafana.Config{Unit: root.Unit}}
	frames := &canvas{}
	g.add(frames, root, b.x, b.y)
	for _, color := range slices.Sorted(maps.Keys(g.cells)) {
		d.canvas.element("path", "d", g.cells[color].String(), "fill", color)
	}
	d.canvas.buf.Write(frames.buf.Bytes())
	d.canvas.texts = append(d.canvas.texts, frames.texts...)
	d.facts.Series = append(d.facts.Series, root.Name+" "+g.value(root))
}

// flames draws a flame graph. Narrow cells of one color are one path.
type flames struct {
	r     *renderer
	d     *drawing
	box   box
	root  *Flame
	field *grafana.Field
	cells map[string]*strings.Builder
}

// Widths in pixels below which a function has no cell, no tooltip, or no text.
const (
	flameCell    = .5
	flameTooltip = 6
	flameText    = 24
)

// add draws a function and those that it calls.
func (g *flames) add(c *canvas, n *Flame, x, y float64) {
	w := n.Total / g.root.Total * g.box.w
	if w < flameCell {
		return
	}
	if y+flameRow > g.box.bottom() {
		g.d.facts.Cut++
		return
	}
	color := flameColor(n.Name, g.root.Name)
	if w < flameTooltip {
		g.narrow(color, x, y, w)
	} else {
		g.frame(c, n, box{x, y, w - .5, flameRow - 1}, color)
	}
	children := slices.Clone(n.Children)
	slices.SortStableFunc(children, func(a, b Flame) int { return strings.Compare(a.Name, b.Name) })
	for i := range children {
		g.add(c, &children[i], x, y+flameRow)
		x += children[i].Total / g.root.Total * g.box.w
	}
}

// narrow adds a cell to those of its color.
func (g *flames) narrow(color string, x, y, w float64) {
	if g.cells[color] == nil {
		g.cells[color] = &strings.Builder{}
	}
	width, height := num(max(w-.5, flameCell)), num(flameRow-1)
	g.cells[color].WriteString("M" + num(x) + " " + num(y) + "h" + width + "v" + height + "h-" + width + "z")
}

// frame draws a cell with its name, and its value and share in a tooltip.
func (g *flames) frame(c *canvas, n *Flame, b box, color string) {
	c.open("g")
	c.title(n.Name + ": " + g.value(n) + ", " + strconv.FormatFloat(100*n.Total/g.root.Total, 'f', 1, 64) + " %")
	c.rect(b, color)
	if b.w > flameText {
		s := style{size: 11, mono: true, color: "#1d1d1d", class: "frame"}
		c.text(b.x+4, b.y+15, 0, frameText(n.Name, g.value(n), b.w-8, s), s)
	}
	c.close("g")
}

func (g *flames) value(n *Flame) string { return g.field.Show(n.Total, g.r.theme).String() }

// frameText returns as much of a function's name as a width has room for. It drops the path of the package first, then
// the value, then the package. Grafana cuts the end, and has the name in a tooltip.
func frameText(name, value string, width float64, s style) string {
	short, function := shortName(name)
	for _, text := range []string{name + " (" + value + ")", short + " (" + value + ")", short} {
		if s.width(text) <= width {
			return text
		}
	}
	return fit(function, width, s)
}

// shortName returns a function's name without the path of its package, and without the package.
func shortName(name string) (short, function string) {
	end := strings.IndexAny(name, "[(") // type parameters and receivers may have paths, too
	if end < 0 {
		end = len(name)
	}
	short = name[strings.LastIndex(name[:end], "/")+1:]
	_, function, found := strings.Cut(short, ".")
	if !found {
		return short, short
	}
	return short, function
}

// flameColor is equal for functions of one package.
func flameColor(name, root string) string {
	if name == root {
		return "#f2b27a"
	}
	colors := []string{"#f5c57a", "#f2a97a", "#e8d27a", "#f0b98d", "#dcc48a", "#f3d19c", "#e8b07a", "#d9c9a0"}
	pkg := name
	if i := strings.LastIndex(pkg, "/"); i >= 0 {
		pkg = pkg[:i]
	} else if i := strings.Index(pkg, "."); i >= 0 {
		pkg = pkg[:i]
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(pkg)) // never fails
	return colors[int(h.Sum32()>>1)%len(colors)]
}
