package render

import "fmt"

// Place is where a panel is, and how high its plot is.
type Place struct {
	Title, Kind  string
	Height, Plot float64
}

// Places returns the panels that are drawn, rows excepted. Plot is zero for a panel without axes.
func (p *Picture) Places() []Place {
	var out []Place
	for _, d := range p.panels {
		if d.panel.Type == "row" {
			continue
		}
		one := Place{d.panel.Title, d.panel.Type, d.box.h, 0}
		for _, t := range d.canvas.texts {
			if t.class == "axis" {
				one.Plot = max(one.Plot, t.y-d.box.y-titleSpace) // those of the time are the lowest
			}
		}
		out = append(out, one)
	}
	return out
}

// Defects returns texts that overlap, or that are outside of their panel.
func (p *Picture) Defects() []string {
	const slack = 2
	var out []string
	for _, d := range p.panels {
		if d.panel.Type == "row" {
			continue
		}
		texts := d.canvas.texts
		for i, a := range texts {
			if a.x < d.box.x-slack || a.right() > d.box.right()+slack || a.y < d.box.y-slack || a.bottom() > d.box.bottom()+slack {
				out = append(out, fmt.Sprintf("%s: %q is outside of the panel", d.panel.Title, a.text))
			}
			for _, b := range texts[:i] {
				if a.x+slack < b.right() && b.x+slack < a.right() && a.y+slack < b.bottom() && b.y+slack < a.bottom() {
					out = append(out, fmt.Sprintf("%s: %q and %q overlap", d.panel.Title, b.text, a.text))
				}
			}
		}
	}
	return out
}
