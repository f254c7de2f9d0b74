package render

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

// layout places the panels that are visible. Those of a collapsed row are not.
func (r *renderer) layout() []*drawing {
	var out []*drawing
	row := ""
	for i := range r.board.Panels {
		p := &r.board.Panels[i]
		if p.Type == "row" {
			row = p.Title
		}
		out = append(out, &drawing{panel: p, row: row, box: r.place(p.GridPos)})
	}
	return out
}

func (r *renderer) place(g gridPos) box {
	width := (float64(r.options.Width) - 2*margin + gap) / columns
	unit := rowHeight + gap
	return box{
		x: margin + float64(g.X)*width, y: margin + float64(g.Y)*unit,
		w: float64(g.W)*width - gap, h: float64(g.H)*unit - gap,
	}
}
