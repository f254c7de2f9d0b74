package render

import (
	"bytes"
	"html"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// canvas writes SVG elements. Coordinates are pixels.
type canvas struct {
	buf   bytes.Buffer
	texts []textBox
	clips int
	id    string // prefix of ids, unique in a page
}

// textBox is where a text is.
type textBox struct {
	box
	text, class, color string
}

// box is a rectangle.
type box struct{ x, y, w, h float64 }

// inset returns the box without a margin.
func (b box) inset(left, top, right, bottom float64) box {
	return box{b.x + left, b.y + top, max(b.w-left-right, 0), max(b.h-top-bottom, 0)}
}

func (b box) right() float64  { return b.x + b.w }
func (b box) bottom() float64 { return b.y + b.h }

// num formats a coordinate to a tenth of a pixel. One that is not a number is outside of each picture.
func num(v float64) string {
	if math.IsNaN(v) {
		v = -outside
	}
	v = max(min(v, outside), -outside)
	text := strconv.FormatFloat(v, 'f', 1, 64)
	text = strings.TrimSuffix(text, ".0")
	if text == "-0" {
		return "0"
	}
	return text
}

// element writes <name attributes/>. Attributes are pairs of name and value; those without a value are
// left out.
func (c *canvas) element(name string, attributes ...string) {
	c.open(name, attributes...)
	c.buf.Truncate(c.buf.Len() - 1)
	c.buf.WriteString("/>")
}

func (c *canvas) open(name string, attributes ...string) {
	c.buf.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		if attributes[i+1] != "" {
			c.buf.WriteString(" " + attributes[i] + `="` + escape(attributes[i+1]) + `"`)
		}
	}
	c.buf.WriteString(">")
}

func (c *canvas) close(name string) { c.buf.WriteString("</" + name + ">") }

func (c *canvas) rect(b box, fill string, more ...string) {
	c.element("rect", append([]string{"x", num(b.x), "y", num(b.y), "width", num(b.w), "height", num(b.h), "fill", fill}, more...)...)
}

func (c *canvas) line(x1, y1, x2, y2 float64, color string, more ...string) {
	c.element("path", append([]string{"d", "M" + num(x1) + " " + num(y1) + "L" + num(x2) + " " + num(y2), "stroke", color}, more...)...)
}

// clip starts a group that draws only inside a box. The caller ends it with close("g").
func (c *canvas) clip(b box) {
	c.clips++
	id := c.id + "c" + strconv.Itoa(c.clips)
	c.open("clipPath", "id", id)
	c.rect(b, "")
	c.close("clipPath")
	c.open("g", "clip-path", "url(#"+id+")")
}

// style is how a text is drawn.
type style struct {
	size   float64
	color  string
	anchor string // middle or end; empty for the start
	bold   bool
	mono   bool
	class  string // what the text is, see [Text]
}

// text draws a text whose baseline is at y. It is cut with an ellipsis at width, unless that is 0.
func (c *canvas) text(x, y, width float64, text string, s style) {
	if width == 0 {
		width = math.Inf(1)
	}
	text = fit(text, width, s)
	if text == "" {
		return
	}
	c.place(x, y, s.width(text), text, s)
	c.openText(x, y, s)
	c.buf.WriteString(escape(text))
	c.close("text")
}

// vertical draws a text that is turned by 90 degrees, up or down, centered at a point.
func (c *canvas) vertical(x, y, length float64, text string, up bool, s style) {
	text = fit(text, length, s)
	if text == "" {
		return
	}
	w, angle, baseline := s.width(text), "90", x-s.size*.3
	if up {
		angle, baseline = "-90", x+s.size*.3
	}
	c.texts = append(c.texts, textBox{box{x - s.size/2, y - w/2, s.size, w}, text, s.class, s.color})
	c.open("text", "transform", "translate("+num(baseline)+" "+num(y)+")rotate("+angle+")", "font-size", num(s.size), "fill", s.color, "text-anchor", "middle")
	c.buf.WriteString(escape(text))
	c.close("text")
}

// valueText draws a number with its unit in a share of its size.
func (c *canvas) valueText(x, y float64, number, unit string, share float64, s style) {
	small := s
	small.size *= share
	c.place(x, y, s.width(number)+small.width(unit), number+unit, s)
	c.openText(x, y, s)
	c.buf.WriteString(escape(number))
	if unit != "" {
		c.open("tspan", "font-size", num(small.size))
		c.buf.WriteString(escape(unit))
		c.close("tspan")
	}
	c.close("text")
}

// place records where a text is.
func (c *canvas) place(x, y, w float64, text string, s style) {
	switch s.anchor {
	case "middle":
		x -= w / 2
	case "end":
		x -= w
	}
	c.texts = append(c.texts, textBox{box{x, y - s.size*ascent, w, s.size}, text, s.class, s.color})
}

func (c *canvas) openText(x, y float64, s style) {
	weight, family := "", ""
	if s.bold {
		weight = "500"
	}
	if s.mono {
		family = monospace
	}
	c.open("text", "x", num(x), "y", num(y), "font-size", num(s.size), "fill", s.color, "text-anchor", s.anchor, "font-weight", weight, "font-family", family)
}

// title adds a tooltip, which screen readers announce, to the open group.
func (c *canvas) title(text string) {
	c.open("title")
	c.buf.WriteString(escape(text))
	c.close("title")
}

// escape makes a text valid in XML.
func escape(text string) string { return html.EscapeString(strings.Map(printable, text)) }

// printable drops control characters, which XML forbids or which change the order of the text.
func printable(r rune) rune {
	if r == '\n' || r == '\t' {
		return ' '
	}
	if r < ' ' || r == 0xFFFE || r == 0xFFFF || r >= 0x7F && r < 0xA0 || unicode.Is(unicode.Bidi_Control, r) {
		return -1
	}
	return r
}
