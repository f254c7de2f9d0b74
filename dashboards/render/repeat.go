package render

import "maps"

// item is a panel at its place in the grid. Copies of a panel that is repeated side by side share the width of the
// grid: this one is in a column of so many. Without columns it has the width of its panel.
type item struct {
	panel           panel
	scope           chosen // values that replace those of the dashboard
	column, columns int
}

// items returns the panels and rows with their copies, and moves down what is below them.
func (r *renderer) items() []item {
	var out []item
	moved := 0
	for _, section := range sections(r.dashboard.Panels[:min(len(r.dashboard.Panels), maxPanels+1)]) {
		for i := range section {
			section[i].GridPos = section[i].GridPos.within()
		}
		scopes := []chosen{nil}
		if section[0].Type == "row" {
			scopes = r.scopes(section[0].Repeat, nil)
		}
		for i, scope := range scopes {
			copies, grown := r.copies(section, scope)
			for _, c := range copies {
				c.panel.GridPos.Y += moved
				out = append(out, c)
			}
			moved += grown
			if i < len(scopes)-1 {
				moved += endOf(section) - section[0].GridPos.Y
			}
			if len(out) > maxPanels {
				return out
			}
		}
	}
	return out
}

// sections splits panels before each row.
func sections(panels []panel) [][]panel {
	var out [][]panel
	for i, p := range panels {
		if i == 0 || p.Type == "row" {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], p)
	}
	return out
}

// endOf returns where the last of the panels ends.
func endOf(panels []panel) int {
	last := 0
	for _, p := range panels {
		last = max(last, p.GridPos.bottom())
	}
	return last
}

// copies returns the panels of a section with their copies, and how much higher it is with them.
func (r *renderer) copies(section []panel, scope chosen) (out []item, grown int) {
	added := make([]int, len(section)) // below each panel
	last := endOf(section)
	for i, p := range section {
		scopes := []chosen{scope}
		if p.Type != "row" {
			scopes = r.scopes(p.Repeat, scope)
		}
		moved := 0
		for j, above := range section[:i] {
			if above.GridPos.bottom() <= p.GridPos.Y && above.above(p) {
				moved = max(moved, added[j])
			}
		}
		if len(out) > maxPanels {
			return out, grown
		}
		columns := min(p.columns(), len(scopes))
		for n, one := range scopes {
			c := item{panel: p, scope: one}
			if p.wide() && len(r.chosen[p.Repeat]) > 0 {
				c.column, c.columns = n%columns, columns
			}
			c.panel.GridPos.Y += moved + n/columns*p.GridPos.H
			out = append(out, c)
		}
		added[i] = moved + (len(scopes)-1)/columns*p.GridPos.H
		grown = max(grown, p.GridPos.bottom()+added[i]-last)
	}
	return out, grown
}

// columns returns how many copies of a panel are side by side.
func (p panel) columns() int {
	const most = 4 // Grafana's default
	switch {
	case !p.wide():
		return 1
	case p.MaxPerRow > 0:
		return p.MaxPerRow
	}
	return most
}

// wide reports whether the copies of a panel have the width of the grid together.
func (p panel) wide() bool { return p.Repeat != "" && p.RepeatDirection != "v" }

// above reports whether a panel, with its copies, moves down a panel that is below it.
func (p panel) above(other panel) bool {
	a, b := p.GridPos, other.GridPos
	return p.wide() || a.X < b.X+b.W && b.X < a.X+a.W
}

func (g gridPos) bottom() int { return g.Y + g.H }

// scopes returns a scope for each value of a variable, by which a panel or row is repeated. One that is not
// repeated has the scope of its row.
func (r *renderer) scopes(variable string, scope chosen) []chosen {
	values := r.chosen[variable]
	if all, ok := r.everything[variable]; ok {
		values = all
	}
	if variable == "" || len(values) == 0 || scope[variable] != nil {
		return []chosen{scope}
	}
	var out []chosen
	for _, value := range values[:min(len(values), maxPanels)] {
		one := chosen{variable: {value}}
		maps.Copy(one, scope)
		out = append(out, one)
	}
	return out
}

// within returns a renderer with the values of a scope.
func (r *renderer) within(scope chosen) *renderer {
	if len(scope) == 0 {
		return r
	}
	scoped := *r
	scoped.scope = scope
	scoped.chosen = maps.Clone(r.chosen)
	maps.Copy(scoped.chosen, scope)
	return &scoped
}
