package dashboards

// The grid of Grafana has 24 columns; the heading of a row is one unit high.
const (
	gridColumns  = 24
	headingUnits = 1
	// idsPerRow reserves ids for each row, so that a panel added to one row does not
	// change the ids of the others, which are part of links.
	idsPerRow = 100
)

// height returns the default height of a kind of panel, in units of the grid.
func height(k Kind) int {
	switch k {
	case Stat:
		return 4
	case FlameGraph:
		return 16
	case Logs:
		return 10
	}
	return 8
}

// placed is a panel with its id and position.
type placed struct {
	Panel

	id  int
	pos gridPos
}

type gridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// place lays out one row at y, and returns the y of the next one.
func (r Row) place(index, y int) (panels []placed, next int) {
	perLine := r.PerLine
	if perLine == 0 {
		perLine = len(r.Panels)
	}
	for start := 0; start < len(r.Panels); start += perLine {
		line := r.Panels[start:min(start+perLine, len(r.Panels))]
		h := r.Height
		if h == 0 {
			h = height(line[0].Kind)
		}
		x := 0
		for i, width := range widths(line) {
			panels = append(panels, placed{Panel: line[i], id: (index+1)*idsPerRow + start + i + 1, pos: gridPos{H: h, W: width, X: x, Y: y}})
			x += width
		}
		y += h
	}
	return panels, y
}

// widths divides the columns by weight. The first panel gets the remainder.
func widths(line []Panel) []int {
	total := 0
	for _, p := range line {
		total += max(p.Weight, 1)
	}
	out := make([]int, len(line))
	rest := gridColumns
	for i, p := range line {
		out[i] = gridColumns * max(p.Weight, 1) / total
		rest -= out[i]
	}
	if len(out) > 0 {
		out[0] += rest
	}
	return out
}
