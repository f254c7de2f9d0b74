package render

import "fmt"

// Sizes of Grafana's grid in pixels.
const (
	columns    = 24
	rowHeight  = 30.0
	gap        = 8.0
	margin     = 16.0 // around the dashboard
	padding    = 8.0  // in a panel
	titleSpace = 32.0
	phoneWidth = 344.0
)

// maxPanels is the number of panels that are drawn: ten times those of a large dashboard.
const maxPanels = 500

// layout places the panels that are visible. Those of a collapsed row are not.
func (r *renderer) layout() []*drawing {
	var out []*drawing
	items := r.items()
	if len(items) > maxPanels {
		r.report(fmt.Sprintf("the dashboard has more than %d panels; the first %d are drawn", maxPanels, maxPanels), "")
		items = items[:maxPanels]
	}
	for i := range items {
		c := &items[i]
		place := r.place(c.panel.GridPos)
		if c.columns > 0 {
			place = r.place(gridPos{X: 0, W: columns, Y: c.panel.GridPos.Y, H: c.panel.GridPos.H})
			width := (place.w + gap) / float64(c.columns)
			place.x, place.w = place.x+float64(c.column)*width, width-gap
		}
		out = append(out, &drawing{renderer: r.within(c.scope).during(&c.panel), panel: &c.panel, box: place})
	}
	return out
}

// openRows opens collapsed rows and moves down what is below them.
func openRows(panels []panel) []panel {
	var out []panel
	shift := 0
	for _, p := range panels {
		inner, top := p.Panels, p.GridPos.Y
		if p.Collapsed {
			p.Collapsed, p.Panels = false, nil
		} else {
			inner = nil
		}
		p.GridPos.Y += shift
		out = append(out, p)
		bottom := top + 1
		for _, q := range inner {
			bottom = max(bottom, q.GridPos.Y+q.GridPos.H)
			q.GridPos.Y += shift
			out = append(out, q)
		}
		shift += bottom - top - 1
	}
	return out
}

// Bounds of a place in the grid; a file may have any number.
const (
	maxPanelHeight = 200
	maxGridY       = 10_000
)

// within returns a place within the bounds.
func (g gridPos) within() gridPos {
	x := min(max(g.X, 0), columns-1)
	return gridPos{X: x, W: min(max(g.W, 1), columns-x), H: min(max(g.H, 1), maxPanelHeight), Y: min(max(g.Y, 0), maxGridY)}
}

func (r *renderer) place(g gridPos) box {
	g = g.within()
	width := (float64(r.options.Width) - 2*margin + gap) / columns
	unit := rowHeight + gap
	return box{
		x: margin + float64(g.X)*width, y: margin + float64(g.Y)*unit,
		w: float64(g.W)*width - gap, h: float64(g.H)*unit - gap,
	}
}
