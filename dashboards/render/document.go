package render

import (
	"bytes"
	"context"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Title returns the title of the dashboard, in one line.
func (p *Picture) Title() string { return strings.Map(printable, p.renderer.dashboard.Title) }

// TimeRange returns the time range that is drawn.
func (p *Picture) TimeRange() (from, to time.Time) {
	return p.renderer.options.From, p.renderer.options.To
}

// Variables returns the selected values by the names of the variables. Data sources have none.
func (p *Picture) Variables() map[string][]string {
	out := map[string][]string{}
	for _, v := range p.renderer.dashboard.Templating.List {
		if v.Type != "datasource" {
			out[v.Name] = slices.Clone(p.renderer.chosen[v.Name])
		}
	}
	return out
}

// SVG writes the dashboard as one SVG document, with a header of its title, time range and variables.
func (p *Picture) SVG(w io.Writer) error {
	_, err := w.Write(p.svg(true).Bytes())
	return err
}

func (p *Picture) svg(header bool) *bytes.Buffer {
	c := &canvas{}
	width := float64(p.renderer.options.Width)
	title := &canvas{}
	top := 0.0
	if header {
		top = p.header(title, width)
	}
	c.open("svg", "xmlns", "http://www.w3.org/2000/svg", "width", num(width), "height", num(p.height+top), "viewBox", "0 0 "+num(width)+" "+num(p.height+top), "font-family", sans, "role", "img")
	c.title(p.Title())
	c.buf.WriteString("<style>text{font-variant-numeric:tabular-nums}</style>")
	c.rect(box{0, 0, width, p.height + top}, p.renderer.theme.Canvas)
	c.buf.Write(title.buf.Bytes())
	if header {
		c.open("g", "transform", "translate(0 "+num(top)+")")
	}
	for _, d := range p.panels {
		if d.panel.Type == "row" {
			d.renderer.heading(c, d)
			continue
		}
		c.open("g")
		c.buf.Write(d.canvas.buf.Bytes())
		c.close("g")
	}
	if header {
		c.close("g")
	}
	c.close("svg")
	c.buf.WriteByte('\n')
	return &c.buf
}

// header draws the title, the time range and the variables in one line, or below the title if they have no room beside
// it, and returns the height.
func (p *Picture) header(c *canvas, width float64) float64 {
	const line, space, most = 18.0, 16.0, 3
	title := style{size: 16, color: p.renderer.theme.Text, bold: true, class: "title"}
	more := style{size: 12, color: p.renderer.theme.TextSecondary, class: "subtitle"}
	room := width - 2*margin
	x, y := margin, margin+10.0
	text, subtitle := p.Title(), p.Subtitle()
	c.text(x, y, room, text, title)
	if used := title.width(text) + space; text != "" && used+more.width(subtitle) <= room {
		c.text(x+used, y, 0, subtitle, more)
		return y - margin + line - 6
	}
	if text != "" {
		y += line
	}
	lines := wrap(subtitle, room, more)
	if len(lines) > most {
		lines[most-1] = strings.Join(lines[most-1:], " ")
		lines = lines[:most]
	}
	for _, part := range lines {
		c.text(x, y, room, part, more)
		y += line
	}
	return y - margin - 6
}

// heading draws the title of a row.
func (r *renderer) heading(c *canvas, d *drawing) {
	y := d.box.y + d.box.h/2
	arrow := "M" + num(d.box.x+2) + " " + num(y-2) + "l4 4 4-4"
	if d.panel.Collapsed {
		arrow = "M" + num(d.box.x+4) + " " + num(y-4) + "l4 4-4 4"
	}
	c.element("path", "d", arrow, "fill", "none", "stroke", r.theme.Text, "stroke-width", "1.5")
	c.text(d.box.x+18, y+5, d.box.w-18, r.rowTitle(d.panel), style{size: 16, color: r.theme.Text, bold: true, class: "row"})
}

// rowTitle returns the title of a row, with the number of panels that are not visible.
func (r *renderer) rowTitle(p *panel) string {
	title := r.title(p.Title)
	if p.Collapsed {
		title += panelCount(len(p.Panels))
	}
	return title
}

// panelCount is shown after the title of a collapsed row.
func panelCount(n int) string {
	if n == 1 {
		return " (1 panel)"
	}
	return " (" + strconv.Itoa(n) + " panels)"
}

// HTML writes the dashboard as a page without scripts. On screens narrower than the dashboard it is
// smaller, on those of phones its panels are one below the other.
func (p *Picture) HTML(w io.Writer) error {
	var b bytes.Buffer
	t := p.renderer.theme
	width := num(float64(p.renderer.options.Width))
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>" +
		escape(p.Title()) + "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n" +
		"body{margin:0;background:" + t.Canvas + ";color:" + t.Text + ";font-family:" + sans + ";font-variant-numeric:tabular-nums}\n" +
		"header{max-width:" + width + "px;margin:0 auto;padding:16px 16px 0;box-sizing:border-box;overflow-wrap:anywhere}\n" +
		"h1{font-size:20px;font-weight:500;margin:0 0 4px}p{margin:0;color:" + t.TextSecondary + ";font-size:14px}.row{color:" + t.Text + ";font-size:16px;font-weight:500;margin:16px 0 8px}\n" +
		"svg{display:block;height:auto;max-width:100%}.wide{margin:0 auto;max-width:" + width + "px}.phone{display:none;padding:0 8px 8px}.phone svg{width:100%;margin-bottom:8px}\n" +
		"@media(max-width:700px){.wide{display:none}.phone{display:block}}\n</style>\n</head>\n<body>\n")
	b.WriteString("<header><h1>" + escape(p.Title()) + "</h1><p>" + escape(p.Subtitle()) + "</p></header>\n")
	body, err := p.Fragment()
	if err != nil {
		return err
	}
	b.Write(body)
	b.WriteString("</body>\n</html>\n")
	_, err = w.Write(b.Bytes())
	return err
}

// Fragment returns the dashboard for a page of HTML: an element of the class wide for screens, one of the class phone
// for phones, in which rows are of the class row. The styles of the page show one of the two. Its error is that of
// the context in which the dashboard is drawn.
func (p *Picture) Fragment() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("<div class=\"wide\">")
	b.Write(p.svg(false).Bytes())
	b.WriteString("</div>\n<div class=\"phone\">\n")
	phone := p.renderer.phone(p.panels)
	if err := context.Cause(p.renderer.limits.ctx); err != nil {
		return nil, err
	}
	for _, d := range phone {
		if d.panel.Type == "row" {
			b.WriteString("<p class=\"row\">" + escape(d.renderer.rowTitle(d.panel)) + "</p>\n")
			continue
		}
		height := num(math.Max(d.box.h, 1))
		b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + num(d.box.w) + " " + height + `" font-family="` + sans + "\">")
		b.Write(d.canvas.buf.Bytes())
		b.WriteString("</svg>\n")
	}
	b.WriteString("</div>\n")
	return b.Bytes(), nil
}

// Subtitle returns the time range and the selected values, in one line.
func (p *Picture) Subtitle() string {
	o := p.renderer.options
	parts := []string{o.From.In(o.Location).Format("2006-01-02 15:04:05") + " to " + o.To.In(o.Location).Format("2006-01-02 15:04:05 MST")}
	for _, v := range p.renderer.dashboard.Templating.List {
		if v.Hide != 0 || v.Type == "datasource" {
			continue
		}
		label := v.Label
		if label == "" {
			label = v.Name
		}
		parts = append(parts, label+": "+p.renderer.selection(v, ", "))
	}
	return cut(strings.Join(parts, " · "), maxFilled)
}
