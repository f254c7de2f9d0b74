package render

import (
	"hash/fnv"
	"maps"
	"slices"
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
	texts := &canvas{}
	g.add(texts, root, b.x, b.y)
	for _, color := range slices.Sorted(maps.Keys(g.cells)) {
		d.canvas.element("path", "d", g.cells[color].String(), "fill", color)
	}
	d.canvas.buf.Write(texts.buf.Bytes())
	d.canvas.texts = append(d.canvas.texts, texts.texts...)
	d.facts.Series = append(d.facts.Series, root.Name+" "+g.field.Show(root.Total, r.theme).String())
}

// flames draws a flame graph. Cells of one color are one path.
type flames struct {
	r     *renderer
	d     *drawing
	box   box
	root  *Flame
	field *grafana.Field
	cells map[string]*strings.Builder
}

// Widths in pixels below which a function has no cell, or no text.
const (
	flameCell = .5
	flameText = 24
)

// add draws a function and those that it calls.
func (g *flames) add(texts *canvas, n *Flame, x, y float64) {
	w := n.Total / g.root.Total * g.box.w
	if w < flameCell {
		return
	}
	if y+flameRow > g.box.bottom() {
		g.d.facts.Cut++
		return
	}
	color := flameColor(n.Name, g.root.Name)
	if g.cells[color] == nil {
		g.cells[color] = &strings.Builder{}
	}
	width, height := num(max(w-.5, flameCell)), num(flameRow-1)
	g.cells[color].WriteString("M" + num(x) + " " + num(y) + "h" + width + "v" + height + "h-" + width + "z")
	if w > flameText {
		text := n.Name + " (" + g.field.Show(n.Total, g.r.theme).String() + ")"
		texts.text(x+4, y+15, w-8, text, style{size: 11, mono: true, color: "#1d1d1d", class: "frame"})
	}
	children := slices.Clone(n.Children)
	slices.SortStableFunc(children, func(a, b Flame) int { return strings.Compare(a.Name, b.Name) })
	for i := range children {
		g.add(texts, &children[i], x, y+flameRow)
		x += children[i].Total / g.root.Total * g.box.w
	}
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
