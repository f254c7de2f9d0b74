package render

import (
	"hash/fnv"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// flameRow is the height of a function in a flame graph, as in Grafana.
const flameRow = 22.0

// flameGraph draws a profile from the root down.
func (r *renderer) flameGraph(d *drawing, b box, data result) {
	root := data.profile
	if root == nil || root.Total <= 0 {
		r.noData(d, b)
		return
	}
	f := &grafana.Field{Type: grafana.Number, Config: grafana.Config{Unit: root.Unit}}
	var draw func(n Flame, x, y float64)
	draw = func(n Flame, x, y float64) {
		w := n.Total / root.Total * b.w
		if w < .5 {
			return
		}
		if y+flameRow > b.bottom() {
			d.facts.Cut++
			return
		}
		cell := box{x, y, max(w-.5, .5), flameRow - 1}
		color := flameColor(n, root)
		d.canvas.rect(cell, color)
		if w > 24 {
			text := n.Name + " (" + f.Show(n.Total, r.theme).Text.String() + ")"
			d.canvas.text(x+4, y+15, w-8, text, style{size: 11, mono: true, color: "#1d1d1d", class: "frame"})
		}
		children := slices.Clone(n.Children)
		slices.SortStableFunc(children, func(a, b Flame) int { return strings.Compare(a.Name, b.Name) })
		for _, child := range children {
			draw(child, x, y+flameRow)
			x += child.Total / root.Total * b.w
		}
	}
	draw(*root, b.x, b.y)
	d.facts.Series = append(d.facts.Series, root.Name+" "+f.Show(root.Total, r.theme).Text.String())
}

// flameColor is equal for functions of one package.
func flameColor(n Flame, root *Flame) string {
	if n.Name == root.Name {
		return "#f2b27a"
	}
	colors := []string{"#f5c57a", "#f2a97a", "#e8d27a", "#f0b98d", "#dcc48a", "#f3d19c", "#e8b07a", "#d9c9a0"}
	pkg := n.Name
	if i := strings.LastIndex(pkg, "/"); i >= 0 {
		pkg = pkg[:i]
	} else if i := strings.Index(pkg, "."); i >= 0 {
		pkg = pkg[:i]
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(pkg)) // never fails
	return colors[h.Sum32()%uint32(len(colors))]
}
