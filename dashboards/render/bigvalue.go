package render

import (
	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// alignment returns the widest name, and the widest prefix, number and unit, on which the sizes of all values of a
// panel depend, so that they are equal. Grafana takes those with the most characters.
func alignment(values []reduced) (name, text string) {
	var prefix, number, suffix string
	wider := func(a, b string) string {
		if (style{size: 1}).width(b) > (style{size: 1}).width(a) {
			return b
		}
		return a
	}
	for _, v := range values {
		name, prefix = wider(name, v.name), wider(prefix, v.Prefix)
		number, suffix = wider(number, v.Text.Text), wider(suffix, v.Suffix)
	}
	return name, prefix + number + suffix
}

// lineHeight is the height of a line of a large value or of its name, in sizes of the font.
const lineHeight = 1.2

// fitting returns the largest size of a text for a width and for a height of its line.
func fitting(text string, width, height float64, s style) float64 {
	s.size = 14
	return max(min(width/(s.width(text)+2)*s.size, height), 1)
}

// statLayout is where a stat panel has a value, its name and its sparkline.
type statLayout struct {
	padding     float64
	name, value float64 // sizes
	chart       float64 // height
	wide        bool    // the name is left of the value, not above it
	limit       float64 // width of the name
}

// layoutStat returns Grafana's layout for a value in a box. Name is empty if none is shown.
func layoutStat(b box, name, text string, chart bool) statLayout {
	const most = 30.0 // size of a name
	l := statLayout{padding: 8, wide: b.w/b.h > 2.5}
	if b.h > 100 {
		l.padding = 12
	}
	w, h := max(b.w-2*l.padding, 1), max(b.h-2*l.padding, 1)
	l.limit = w
	value := func(width, height float64) float64 {
		return fitting(text, width, height/lineHeight, style{bold: true})
	}
	title := func(width, height float64) float64 {
		if name == "" {
			return 0
		}
		return min(fitting(name, width, height/lineHeight, style{}), most)
	}
	switch {
	case l.wide && chart && b.h > 50:
		l.chart, l.limit = b.h*.5, w*.6
		l.value, l.name = value(w*.4, h*.5), title(w*.6, h*.4)
	case l.wide:
		width := w
		if name != "" {
			width = w * .3
		}
		l.value, l.limit = value(width, h), w*.6
		l.name = min(title(w*.6, h), l.value*.7)
	case chart && b.h > 100:
		l.name = title(w, b.h*.15)
		l.value = value(w, h-b.h*.25-l.name*lineHeight)
		l.name = min(l.name, l.value*.7)
		l.chart = b.h - (l.name+l.value)*lineHeight
	default:
		l.name = title(w, b.h*.15)
		l.value = value(w, h-l.name*lineHeight)
		l.name = min(l.name, l.value*.7)
	}
	return l
}

// baseline returns the baseline of a line that starts at y.
func baseline(y, size float64) float64 { return y + size*(lineHeight/2+.35) }

// statValue draws one value. Name and text are those on which the sizes depend.
func (r *renderer) statValue(c *canvas, b box, v reduced, o statOptions, name, text string) {
	title, value, line := r.theme.Text, v.Color, v.Color
	switch o.ColorMode {
	case "background", "background_solid":
		c.rect(b, v.Color, "rx", "3")
		title = grafana.Contrast(v.Color)
		value, line = title, "#ffffff"
	case "none":
		value = r.theme.Text
	}
	chart := o.GraphMode == "area" && !v.empty && len(v.times) > 1
	l := layoutStat(b, name, text, chart)
	if chart && l.chart > 0 {
		r.sparkline(c, box{b.x, b.bottom() - l.chart, b.w, l.chart}, v, line)
	}
	if v.empty {
		l.value = min(l.value, 24)
	}
	big := style{size: l.value, color: value, bold: true, class: "value"}
	small := style{size: l.name, color: title, class: "name"}
	top := b.y + l.padding
	center := b.y + b.h/2
	left := b.x + l.padding
	switch {
	case name == "":
		big.anchor = "middle"
		r.bigValue(c, b.x+b.w/2, baseline(center-l.value*lineHeight/2, l.value), v.Value, big)
	case l.wide && l.chart > 0: // both at the top
		c.text(left, baseline(top, l.name), 0, fitMiddle(v.name, l.limit, small), small)
		big.anchor = "end"
		r.bigValue(c, b.right()-l.padding, baseline(top, l.value), v.Value, big)
	case l.wide:
		c.text(left, baseline(center-l.name*lineHeight/2, l.name), 0, fitMiddle(v.name, l.limit, small), small)
		big.anchor = "end"
		r.bigValue(c, b.right()-l.padding, baseline(center-l.value*lineHeight/2, l.value), v.Value, big)
	default:
		if l.chart == 0 {
			top = center - (l.name+l.value)*lineHeight/2
		}
		c.text(left, baseline(top, l.name), 0, fitMiddle(v.name, l.limit, small), small)
		r.bigValue(c, left, baseline(top+l.name*lineHeight, l.value), v.Value, big)
	}
}

// bigValue draws a value with its unit, which is smaller the larger the value is.
func (r *renderer) bigValue(c *canvas, x, y float64, v grafana.Value, s style) {
	unit := .6
	switch {
	case s.size < 20:
		unit = .9
	case s.size < 26:
		unit = .8
	}
	c.valueText(x, y, v.Prefix+v.Text.Text, v.Suffix, unit, s)
}
