package render

import (
	"regexp"
	"slices"
	"time"
)

// Shown is what a reader sees in a panel.
type Shown struct {
	Title string
	// Texts are in the order in which they are drawn.
	Texts []Text
	// Rows are the cells of a table, with empty ones.
	Rows [][]Text
	// Series are the names of lines, values or columns.
	Series []string
	Axes   []Axis
	// Fills are the colors of areas, such as the states of a timeline or what is below a line.
	Fills []string
	// Cut is the number of rows, columns, legends or lines that have no room.
	Cut int
	// Drawing has the elements of the SVG, to find out whether two panels differ.
	Drawing string
}

// Text is a text in a panel.
type Text struct {
	// Class is what the text is: title, axis, legend, value and name (of a stat or bar gauge, or of states),
	// header and cell (of a table), alert, log, frame (of a flame graph), scale (of a heatmap), text, or message
	// (instead of data).
	Class string
	Text  string
	Color string // Grafana's name of the color if it has one, such as red
}

// Axis is a vertical axis.
type Axis struct {
	Low, High float64
	Right     bool
	// Lines are the thresholds that are drawn, within the axis or not.
	Lines []float64
}

// filled matches the color of a rectangle or a path.
var filled = regexp.MustCompile(`<(?:rect|path)[^>]* fill="([^"]+)"`)

// Shown returns the panels with a title, from the top left to the bottom right. Those of a collapsed row are not drawn.
func (p *Picture) Shown(title string) []Shown {
	var out []Shown
	for _, d := range p.panels {
		if d.panel.Title != title || d.facts == nil {
			continue
		}
		one := Shown{Title: title, Series: slices.Clone(d.facts.Series), Rows: slices.Clone(d.facts.Rows), Cut: d.facts.Cut, Drawing: d.canvas.buf.String()}
		for _, t := range d.canvas.texts {
			one.Texts = append(one.Texts, Text{t.class, t.text, p.renderer.theme.Name(t.color)})
		}
		for _, m := range filled.FindAllSubmatch(d.canvas.buf.Bytes(), -1) {
			if name := p.renderer.theme.Name(string(m[1])); !slices.Contains(one.Fills, name) {
				one.Fills = append(one.Fills, name)
			}
		}
		for _, a := range d.facts.Axes {
			one.Axes = append(one.Axes, Axis{a.Low, a.High, a.Right, slices.Clone(a.Lines)})
		}
		out = append(out, one)
	}
	return out
}

// Of returns the texts of a class.
func (s Shown) Of(class string) []Text {
	return slices.DeleteFunc(slices.Clone(s.Texts), func(t Text) bool { return t.Class != class })
}

// Has reports whether a text or an area has the color.
func (s Shown) Has(color string) bool {
	return slices.Contains(s.Fills, color) || slices.ContainsFunc(s.Texts, func(t Text) bool { return t.Color == color })
}

// Annotation is a mark in all graphs: a moment, or a region.
type Annotation struct {
	From, To time.Time
	Text     string
}

// Annotations returns the marks, in the order of the queries.
func (p *Picture) Annotations() []Annotation {
	var out []Annotation
	for _, e := range p.renderer.annotations {
		out = append(out, Annotation{e.from, e.to, e.text})
	}
	return out
}
