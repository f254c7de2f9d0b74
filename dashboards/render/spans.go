package render

import (
	"net/url"
	"slices"
	"strings"
)

// span is a part of a line with one style.
type span struct {
	text               string
	bold, italic, code bool
	link               string // http or https; empty for none
}

// like reports whether two spans differ in their texts only.
func (p span) like(other span) bool {
	other.text = p.text
	return p == other
}

// style returns the style of a span in a text.
func (p span) style(s style) style {
	s.bold = s.bold || p.bold
	if p.code {
		s.mono, s.size = true, s.size*.9
	}
	return s
}

// safeLink returns an address that a page may link to; empty for others, such as scripts and files.
func safeLink(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

// width returns the largest width of spans in pixels.
func (s style) widthOf(spans []span) float64 {
	total := 0.0
	for _, p := range spans {
		total += p.style(s).width(p.text)
	}
	return total
}

// appended adds a span, to the last one if that has the same style.
func appended(spans []span, p span) []span {
	if n := len(spans); n > 0 && spans[n-1].like(p) {
		spans[n-1].text += p.text
		return spans
	}
	return append(spans, p)
}

// words splits spans at spaces. A word may have several styles.
func words(spans []span) [][]span {
	var out [][]span
	var word []span
	for _, p := range spans {
		for rest := p.text; rest != ""; {
			end := strings.IndexAny(rest, " \t\r\n")
			p.text = rest
			if end >= 0 {
				p.text = rest[:end]
			}
			if p.text != "" {
				word = append(word, p)
			}
			if end < 0 {
				break
			}
			if len(word) > 0 {
				out, word = append(out, word), nil
			}
			rest = rest[end+1:]
		}
	}
	if len(word) > 0 {
		out = append(out, word)
	}
	return out
}

// wrapSpans breaks spans into lines of a width, at spaces where there are any.
func wrapSpans(spans []span, width float64, s style) [][]span {
	var lines [][]span
	var line []span
	for _, word := range words(spans) {
		space := span{text: " "}
		if n := len(line); n > 0 && line[n-1].like(word[0]) {
			space = word[0]
			space.text = " "
		}
		if len(line) > 0 && s.widthOf(line)+space.style(s).width(" ")+s.widthOf(word) <= width {
			for _, p := range slices.Concat([]span{space}, word) {
				line = appended(line, p)
			}
			continue
		}
		if len(line) > 0 {
			lines, line = append(lines, line), nil
		}
		for _, p := range word {
			for _, part := range wrap(p.text, width, p.style(s)) {
				p.text = part
				if len(line) > 0 && s.widthOf(line)+p.style(s).width(part) > width {
					lines, line = append(lines, line), nil
				}
				line = appended(line, p)
			}
		}
	}
	if len(line) > 0 {
		lines = append(lines, line)
	}
	return lines
}

// fitSpans cuts spans with an ellipsis at a width.
func fitSpans(spans []span, width float64, s style) []span {
	var out []span
	for _, p := range spans {
		text := fit(p.text, width, p.style(s))
		width -= p.style(s).width(text)
		if text == "" {
			break
		}
		cut := text != p.text
		p.text = text
		if out = append(out, p); cut {
			break
		}
	}
	return out
}

// spans draws a line. The browser places its parts one after the other, whichever font it has.
func (c *canvas) spans(x, y float64, spans []span, s style, link string) {
	if len(spans) == 0 {
		return
	}
	var text strings.Builder
	for _, p := range spans {
		text.WriteString(p.text)
	}
	c.place(x, y, s.widthOf(spans), text.String(), s)
	c.openText(x, y, s)
	for _, p := range spans {
		c.span(p, s, link)
	}
	c.close("text")
}

func (c *canvas) span(p span, s style, link string) {
	if p.link != "" {
		c.open("a", "href", p.link, "rel", "noopener", "target", "_blank")
	}
	own := p.style(s)
	var weight, size, family, slant, color string
	if own.bold && !s.bold {
		weight = "500"
	}
	if own.mono && !s.mono {
		size, family = num(own.size), monospace
	}
	if p.italic {
		slant = "italic"
	}
	if p.link != "" {
		color = link
	}
	styled := weight+family+slant+color != ""
	if styled {
		c.open("tspan", "font-weight", weight, "font-style", slant, "font-size", size, "font-family", family, "fill", color)
	}
	c.buf.WriteString(escape(p.text))
	if styled {
		c.close("tspan")
	}
	if p.link != "" {
		c.close("a")
	}
}
