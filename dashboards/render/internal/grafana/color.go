package grafana

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Theme is Grafana's dark or light theme.
type Theme struct {
	Dark bool
	// Colors of the page, of panels, and of text on them.
	Canvas, Panel, Border, Grid, Text, TextSecondary, Link, Error, Unfilled string
}

// Dark returns the dark theme.
func Dark() Theme {
	return Theme{
		Dark: true, Canvas: "#111217", Panel: "#181b1f", Border: "#2d2f36", Grid: "#2b2e34", Text: "#ccccdc", TextSecondary: "#9a9aa7",
		Link: "#6e9fff", Error: "#ff5286", Unfilled: "#22252b",
	}
}

// Light returns the light theme.
func Light() Theme {
	return Theme{
		Canvas: "#f4f5f5", Panel: "#ffffff", Border: "#e4e5e5", Grid: "#e6e7e8", Text: "#24292e", TextSecondary: "#5a5e62",
		Link: "#1f62e0", Error: "#cf0e5b", Unfilled: "#f4f5f5",
	}
}

// fallbackColor is that of a field without a color.
const fallbackColor = "gray"

// Color returns the #rrggbb or rgba() of a color by Grafana's name.
func (t Theme) Color(name string) string {
	switch name {
	case "text":
		return t.Text
	case "panel-bg":
		return t.Panel
	case "transparent":
		return "rgba(0,0,0,0)"
	case "":
		name = fallbackColor
	}
	if name[0] != '#' {
		if color := t.hues()[name]; color != "" {
			return color
		}
	}
	if name == fallbackColor || !cssColor.MatchString(name) {
		return "#808080"
	}
	return name
}

// cssColor matches colors that refer to nothing else: #rrggbb, a word, or numbers in parentheses.
var cssColor = regexp.MustCompile(`^(?:#[0-9A-Fa-f]{3,8}|[A-Za-z]+|(?:rgb|hsl)a?\([0-9., %]+\))$`)

// Hues of the two themes by name.
var (
	darkHues  = sync.OnceValue(func() map[string]string { return hues(0) })
	lightHues = sync.OnceValue(func() map[string]string { return hues(1) })
)

// hues returns the colors with a name.
func (t Theme) hues() map[string]string {
	if t.Dark {
		return darkHues()
	}
	return lightHues()
}

// hues returns five shades of each of the six hues, from the first one on.
func hues(first int) map[string]string {
	shades := map[string]string{ // from the lightest to that of the light theme only
		"red": "FFA6B0 FF7383 F2495C E02F44 C4162A AD0317", "orange": "FFCB7D FFB357 FF9830 FF780A FA6400 E55400",
		"yellow": "FFF899 FFEE52 FADE2A F2CC0C E0B400 CC9D00", "green": "C8F2C2 96D98D 73BF69 56A64B 37872D 19730E",
		"blue": "C0D8FF 8AB8FF 5794F2 3274D9 1F60C4 1250B0", "purple": "DEB6F2 CA95E5 B877D9 A352CC 8F3BB8 7C2EA3",
	}
	out := make(map[string]string, 5*len(shades))
	for hue, list := range shades {
		colors := strings.Fields(list)[first:]
		for i, prefix := range []string{"super-light-", "light-", "", "semi-dark-", "dark-"} {
			out[prefix+hue] = "#" + colors[i]
		}
	}
	return out
}

// Name returns Grafana's name of a color, or the color if it has none.
func (t Theme) Name(color string) string {
	for name, hue := range t.hues() {
		if strings.EqualFold(hue, color) {
			return name
		}
	}
	return color
}

// palette returns the colors of a mode that counts series, or nil.
func (t Theme) palette(mode string) []string {
	switch {
	case mode == "palette-classic":
		return classic()
	case mode == "palette-colorblind" && t.Dark:
		return strings.Fields("#0072B2 #E69F00 #009E73 #CC79A7 #56B4E9 #D55E00 #F0E442 #FFFFFF")
	case mode == "palette-colorblind":
		return strings.Fields("#0072B2 #009E73 #CC79A7 #D55E00 #000000")
	}
	return nil
}

func classic() []string {
	return strings.Fields("green semi-dark-yellow blue orange red purple dark-green dark-yellow dark-blue dark-orange dark-red dark-purple " +
		"super-light-green super-light-yellow super-light-blue super-light-orange super-light-red super-light-purple " +
		"#447EBC #C15C17 #890F02 #0A437C #6D1F62 #584477 #B7DBAB #F4D598 #70DBED #F9BA8F #F29191 #82B5D8 #E5A8E2 #AEA2E0 " +
		"#629E51 #E5AC0E #64B0C8 #E0752D #BF1B00 #0A50A1 #962D82 #614D93 #9AC48A #F2C96D #65C5DB #F9934E #EA6460 #5195CE #D683CE #806EB7 " +
		"#3F6833 #967302 #2F575E #99440A #58140C #052B51 #511749 #3F2B5B #E0F9D7 #FCEACA #CFFAFF #F9E2D2 #FCE2DE #BADFF4 #F9D9F9 #DEDAF7")
}

// schemes returns the colors of continuous modes, from the lowest value to the highest.
var schemes = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"continuous-GrYlRd": "green yellow red", "continuous-RdYlGr": "red yellow green", "continuous-BlYlRd": "dark-blue super-light-yellow dark-red",
		"continuous-YlRd": "super-light-yellow dark-red", "continuous-BlPu": "blue purple", "continuous-YlBl": "super-light-yellow dark-blue",
		"continuous-blues": "panel-bg dark-blue", "continuous-reds": "panel-bg dark-red", "continuous-greens": "panel-bg dark-green",
		"continuous-purples": "panel-bg dark-purple",
	}
})

// KnownColorMode reports whether colors of the mode are drawn. Grafana takes one that it does not know
// for thresholds.
func KnownColorMode(mode string) bool {
	switch mode {
	case "", "fixed", "thresholds", "palette-classic", "palette-colorblind":
		return true
	}
	return schemes()[mode] != ""
}

// colorOf returns the color of a value.
func (f *Field) colorOf(v float64, t Theme) string {
	c := f.Config.Color
	if colors := t.palette(c.Mode); colors != nil {
		return t.Color(colors[f.Index%len(colors)])
	}
	switch {
	case c.Mode == "fixed":
		return t.Color(c.FixedColor)
	case schemes()[c.Mode] != "":
		return t.blend(schemes()[c.Mode], f.Percent(v))
	}
	return t.Color(f.step(v).Color)
}

// SeriesColor returns the color of a line, of its last value if the mode is by value.
func (f *Field) SeriesColor(t Theme) string {
	by := f.Config.Color.SeriesBy
	if by == "" {
		by = Last
	}
	v := Reduce(f.Values, by)
	if math.IsNaN(v) {
		v = 0
	}
	return f.colorOf(v, t)
}

// Percent returns where a value is between the lowest and the highest, 0 to 1 within them.
func (f *Field) Percent(v float64) float64 {
	p := (v - f.Low) / (f.High - f.Low)
	if math.IsInf(v, -1) || math.IsNaN(p) {
		return 0
	}
	return p
}

// step returns the threshold that holds for a value.
func (f *Field) step(v float64) Step {
	steps := f.Config.Thresholds.Steps
	if len(steps) == 0 {
		return Step{Color: fallbackColor}
	}
	if f.Config.Thresholds.Mode == "percentage" {
		v = 100 * f.Percent(v)
	}
	active := steps[0]
	for _, s := range steps {
		if v < value(s.Value, math.Inf(-1)) {
			break
		}
		active = s
	}
	return active
}

// blend returns the color at a part of the way through colors, along a uniform B-spline as d3's
// interpolateRgbBasis does.
func (t Theme) blend(scheme string, part float64) string {
	var points [][3]float64
	for name := range strings.FieldsSeq(scheme) {
		points = append(points, rgb(t.Color(name)))
	}
	n := len(points) - 1
	part = min(max(part, 0), 1)
	i := min(int(part*float64(n)), n-1)
	at := func(k, channel int) float64 { return points[k][channel] }
	var out [3]float64
	for c := range out {
		v1, v2 := at(i, c), at(i+1, c)
		v0, v3 := 2*v1-v2, 2*v2-v1
		if i > 0 {
			v0 = at(i-1, c)
		}
		if i < n-1 {
			v3 = at(i+2, c)
		}
		x := (part - float64(i)/float64(n)) * float64(n)
		x2, x3 := x*x, x*x*x
		out[c] = ((1-3*x+3*x2-x3)*v0 + (4-6*x2+3*x3)*v1 + (1+3*x+3*x2-3*x3)*v2 + x3*v3) / 6
	}
	return fmt.Sprintf("#%02x%02x%02x", channel(out[0]), channel(out[1]), channel(out[2]))
}

func channel(v float64) int { return int(min(max(jsRound(v), 0), 255)) }

// rgb parses #rrggbb. Other colors are black.
func rgb(color string) (out [3]float64) {
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil || len(color) != len("#rrggbb") {
		return out
	}
	return [3]float64{float64(n >> 16), float64(n >> 8 & 0xff), float64(n & 0xff)}
}

// Scheme returns a heatmap's colors, from the lowest value to the highest. Grafana takes them from
// d3-scale-chromatic; in the dark theme it reverses those that start light.
func (t Theme) Scheme(name string, steps int, reverse bool) []string {
	points := heatSchemes()[name]
	if points == "" {
		points = heatSchemes()["Oranges"] // Grafana's default
	}
	out := make([]string, steps)
	for i := range out {
		out[i] = t.blend(points, float64(i)/float64(max(steps-1, 1)))
	}
	if t.Dark != reverse {
		slices.Reverse(out)
	}
	return out
}

// heatSchemes are those of ColorBrewer, with nine colors, as d3 has them.
func heatSchemes() map[string]string {
	return map[string]string{
		"Blues":   "#f7fbff #deebf7 #c6dbef #9ecae1 #6baed6 #4292c6 #2171b5 #08519c #08306b",
		"Greens":  "#f7fcf5 #e5f5e0 #c7e9c0 #a1d99b #74c476 #41ab5d #238b45 #006d2c #00441b",
		"Oranges": "#fff5eb #fee6ce #fdd0a2 #fdae6b #fd8d3c #f16913 #d94801 #a63603 #7f2704",
		"Purples": "#fcfbfd #efedf5 #dadaeb #bcbddc #9e9ac8 #807dba #6a51a3 #54278f #3f007d",
		"Reds":    "#fff5f0 #fee0d2 #fcbba1 #fc9272 #fb6a4a #ef3b2c #cb181d #a50f15 #67000d",
	}
}

// KnownScheme reports whether a heatmap's color scheme is drawn.
func KnownScheme(name string) bool { return heatSchemes()[name] != "" }

// Contrast returns black or white, whichever is easier to read on a color: where their contrast ratios
// by WCAG 2 are equal, the relative luminance is 0.179.
func Contrast(color string) string {
	const equal = 0.179
	if luminance(color) > equal {
		return "#000000"
	}
	return "#ffffff"
}

// luminance is the relative luminance of WCAG 2.
func luminance(color string) float64 {
	c := rgb(color)
	for i, v := range c {
		v /= 255
		if v <= .04045 {
			c[i] = v / 12.92
		} else {
			c[i] = math.Pow((v+.055)/1.055, 2.4)
		}
	}
	return .2126*c[0] + .7152*c[1] + .0722*c[2]
}

// ContrastRatio is that of WCAG 2 between two colors, 1 to 21.
func ContrastRatio(a, b string) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + .05) / (min(la, lb) + .05)
}
