package render

import (
	"strings"
	"testing"
)

// Texts from labels, mappings and units cannot add elements or attributes.
func TestEachTextOfTheCanvasIsEscaped(t *testing.T) {
	t.Parallel()
	const markup = "\"><script>alert(1)</script>&\x00"
	for name, draw := range map[string]func(*canvas){
		"attribute": func(c *canvas) { c.element("path", "d", markup) },
		"text":      func(c *canvas) { c.text(0, 0, 0, markup, style{size: 12}) },
		"number":    func(c *canvas) { c.valueText(0, 0, markup, "", 1, style{size: 12}) },
		"unit":      func(c *canvas) { c.valueText(0, 0, "1", markup, 1, style{size: 12}) },
		"tooltip":   func(c *canvas) { c.title(markup) },
	} {
		c := &canvas{}
		draw(c)
		got := c.buf.String()
		if strings.Contains(got, "<script") || strings.Contains(got, "\x00") || !strings.Contains(got, "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
