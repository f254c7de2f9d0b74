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
	panels := r.dashboard.Panels
	if len(panels) > maxPanels {
		r.report(fmt.Sprintf("the dashboard has %d panels; the first %d are drawn", len(panels), maxPanels), "")
		panels = panels[:maxPanels]
	}
	for i := range panels {
		p := &panels[i]
		out = append(out, &drawing{panel: p, box: r.place(p.GridPos)})
	}
	return out
}

// Bounds of a place in the grid; a file may have any number.
const (
	maxPanelHeight = 200
	maxGridY       = 10_000
)

func (r *renderer) place(g gridPos) box {
	g.X = min(max(g.X, 0), columns-1)
	g.W = min(max(g.W, 1), columns-g.X)
	g.H, g.Y = min(max(g.H, 1), maxPanelHeight), min(max(g.Y, 0), maxGridY)
	width := (float64(r.options.Width) - 2*margin + gap) / columns
	unit := rowHeight + gap
	return box{
		x: margin + float64(g.X)*width, y: margin + float64(g.Y)*unit,
		w: float64(g.W)*width - gap, h: float64(g.H)*unit - gap,
	}
}
