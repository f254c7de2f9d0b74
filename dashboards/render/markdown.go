package render

import (
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// writer draws blocks of Markdown one below the other.
type writer struct {
	r   *renderer
	d   *drawing
	box box // of the panel
	y   float64
	src []byte
}

// markdown draws a text panel.
func (r *renderer) markdown(d *drawing, b box) {
	var o textOptions
	d.panel.options(&o)
	content := r.text(o.Content)
	w := &writer{r: r, d: d, box: b, y: b.y, src: []byte(content)}
	if o.Mode == "code" || o.Mode == "html" || isDeep(content) { // the source, which says what the page would
		for line := range strings.SplitSeq(content, "\n") {
			if w.below(0) {
				break
			}
			w.paragraph([]span{{text: line}}, style{size: 12, mono: true}, 0)
		}
		r.hidden(d, count(d.facts.Cut, "line"))
		return
	}
	extensions := []goldmark.Extender{extension.Table}
	if hasLargeTable(content) {
		r.report("panel "+d.panel.Title, "its Markdown table has too many cells; it is drawn as text")
		extensions = nil
	}
	parser := goldmark.New(goldmark.WithExtensions(extensions...)).Parser()
	doc := parser.Parse(text.NewReader(w.src))
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		w.block(n, 0)
	}
	r.hidden(d, count(d.facts.Cut, "line"))
}

// block draws one block of Markdown, indented.
func (w *writer) block(n ast.Node, indent float64) {
	if w.below(indent) {
		return
	}
	switch n := n.(type) {
	case *ast.Heading:
		w.paragraph(w.inline(n), style{size: 22 - 2*float64(n.Level), bold: true}, indent)
	case *ast.List:
		number := n.Start
		for item := n.FirstChild(); item != nil; item = item.NextSibling() {
			mark := "•"
			if n.IsOrdered() {
				mark = strconv.Itoa(number) + "."
				number++
			}
			w.mark(mark, indent+8)
			for child := item.FirstChild(); child != nil; child = child.NextSibling() {
				w.block(child, indent+24)
			}
		}
	case *tables.Table:
		w.tableRows(n, indent)
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		lines := n.Lines()
		for i := range lines.Len() {
			segment := lines.At(i)
			w.paragraph([]span{{text: strings.TrimRight(string(segment.Value(w.src)), "\n")}}, style{size: 12, mono: true}, indent+8)
		}
	case *ast.ThematicBreak:
		w.d.canvas.line(w.box.x, w.y+8, w.box.right(), w.y+8, w.r.theme.Border)
		w.y += 16
	default:
		w.paragraph(w.inline(n), style{size: 14}, indent)
	}
}

// below reports whether what comes next is not in the panel, and counts it.
func (w *writer) below(indent float64) bool {
	if w.y <= w.box.bottom() && indent <= w.box.w {
		return false
	}
	w.d.facts.Cut++
	return true
}

// mark draws the bullet of a list item beside its first line.
func (w *writer) mark(text string, indent float64) {
	if w.y+20 <= w.box.bottom() {
		w.d.canvas.text(w.box.x+indent, w.y+15, 0, text, style{size: 14, color: w.r.theme.Text, class: "text"})
	}
}

// paragraph draws a text in lines.
func (w *writer) paragraph(text []span, s style, indent float64) {
	s.color, s.class = w.r.theme.Text, "text"
	height := s.size*1.3 + 2
	for _, line := range wrapSpans(text, w.box.w-indent, s) {
		if w.y+height > w.box.bottom()+2 {
			w.d.facts.Cut++
			continue
		}
		w.d.canvas.spans(w.box.x+indent, w.y+s.size, line, s, w.r.theme.Link)
		w.y += height
	}
	w.y += 4
}

// tableRows draws a table, with columns as wide as their texts.
func (w *writer) tableRows(n ast.Node, indent float64) {
	var rows [][][]span
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var cells [][]span
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, w.inline(cell))
		}
		rows = append(rows, cells)
	}
	s := style{size: 14, color: w.r.theme.Text, class: "text"}
	widths := map[int]float64{}
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], s.widthOf(text)*1.05+16)
		}
	}
	const height = 31.0 // a line of 22 pixels, a padding of 4 on both sides, and the border
	for i, row := range rows {
		if w.y+height > w.box.bottom()+1 {
			w.d.facts.Cut++
			continue
		}
		x := w.box.x + indent
		for j, text := range row {
			width := min(widths[j], w.box.right()-x)
			if width < 16 {
				break
			}
			s.bold = i == 0
			w.d.canvas.rect(box{x, w.y, width, height}, "none", "stroke", w.r.theme.Border)
			w.d.canvas.spans(x+8, w.y+20, fitSpans(text, width-12, s), s, w.r.theme.Link)
			x += width
		}
		w.y += height
	}
	w.y += 6
}

// inline returns the text of a node: what is bold, code or a link, and what is neither.
func (w *writer) inline(n ast.Node) []span {
	var out []span
	var current span
	add := func(text string) {
		current.text = text
		out = appended(out, current)
	}
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // no function returns an error
		current = w.changed(current, n, entering)
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			add(string(n.Value(w.src)))
			if n.SoftLineBreak() || n.HardLineBreak() {
				add(" ")
			}
		case *ast.String:
			add(string(n.Value))
		case *ast.AutoLink:
			current.link = safeLink(string(n.URL(w.src)))
			add(string(n.URL(w.src)))
			current.link = ""
		}
		return ast.WalkContinue, nil
	})
	return out
}

// changed returns the style of a text in a node, or after it.
func (w *writer) changed(p span, n ast.Node, entering bool) span {
	switch n := n.(type) {
	case *ast.Emphasis:
		if n.Level == 1 {
			p.italic = entering
		} else {
			p.bold = entering
		}
	case *ast.CodeSpan:
		p.code = entering
	case *ast.Link:
		p.link = ""
		if entering {
			p.link = safeLink(string(n.Destination))
		}
	}
	return p
}
