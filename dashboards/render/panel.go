package render

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// fill replaces the variables in a text by values of at most so many bytes together.
func fill(text string, most int, value func(name, format string) (string, bool)) (string, []string) {
	room := budget(most)
	type result struct {
		text string
		ok   bool
	}
	known := map[[2]string]result{}
	return dashboardfile.Fill(text, func(name, format string) (string, bool) {
		if room <= 0 {
			return "", true
		}
		with, ok := known[[2]string{name, format}]
		if !ok {
			with.text, with.ok = value(name, format)
			known[[2]string{name, format}] = with
		}
		return room.take(with.text), with.ok
	})
}

// fillQuery replaces the variables in a query, which is not cut.
func fillQuery(text string, value func(name, format string) (string, bool)) (filled string, unknown []string, err error) {
	if filled = text; len(text) <= maxQuery {
		filled, unknown = fill(text, maxQuery+utf8.UTFMax, value)
	}
	if len(filled) > maxQuery {
		err = fmt.Errorf("the query is longer than %d kB with the values of its variables; select fewer values", maxQuery/1000)
	}
	return filled, unknown, err
}

// maxFilled is the number of bytes of a panel's text that are drawn, and again of the values in it: more than
// a panel has room for.
const maxFilled = 20_000

// cut returns at most a number of bytes of a text.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:max(most, 0)], "")
}

// text replaces the variables in a text of a panel. Unknown ones stay.
func (r *renderer) text(text string) string { return r.filled(text, r.plain(), "") }

// title replaces the variables in a title: several values are "a + b", and all of them are "All".
func (r *renderer) title(text string) string {
	values := r.filler(r.chosen, r.plain(), "")
	return filledText(text, func(name, format string) (string, bool) {
		i := slices.IndexFunc(r.dashboard.Templating.List, func(v variable) bool { return v.Name == name })
		if i < 0 || format != "" && format != "text" {
			return values(name, format)
		}
		return r.selection(r.dashboard.Templating.List[i], " + "), true
	})
}

// selection is what a variable shows that it selects.
func (r *renderer) selection(v variable, separator string) string {
	if _, repeated := r.scope[v.Name]; !repeated && v.IncludeAll && r.selectsAll(v) {
		return "All"
	}
	texts := v.texts()
	selected := slices.Clone(r.chosen[v.Name])
	for i, value := range selected {
		selected[i] = cmp.Or(texts[value], value)
	}
	return strings.Join(selected, separator)
}

// texts returns the texts of values, which a custom variable may name: "Text : value".
func (v variable) texts() map[string]string {
	out := map[string]string{}
	var query string
	if v.Type != "custom" || json.Unmarshal(v.Query, &query) != nil {
		return out
	}
	for option := range strings.SplitSeq(query, ",") {
		text, named, ok := strings.Cut(option, " : ")
		if named = strings.TrimSpace(named); ok && out[named] == "" { // the first one holds
			out[named] = strings.TrimSpace(text)
		}
	}
	return out
}

// selectsAll reports whether a variable selects all values: if the reader or the dashboard says so, or if none of the
// values that the dashboard selects exist.
func (r *renderer) selectsAll(v variable) bool {
	selected := r.chosen[v.Name]
	if given := r.options.Variables[v.Name]; len(given) > 0 {
		return given[0] == all
	}
	return v.AllValue != "" && slices.Equal(selected, []string{v.AllValue}) || len(selected) > 0 && !slices.Contains(v.selected(), selected[0])
}

// selected returns the values that the dashboard selects.
func (v variable) selected() []string {
	var list []string
	if json.Unmarshal(v.Current.Value, &list) == nil {
		return list
	}
	var one string
	_ = json.Unmarshal(v.Current.Value, &one) // empty if it is neither
	return []string{one}
}

// filled replaces the variables in a text as in a query of a store. Unknown ones stay.
func (r *renderer) filled(text string, t timing, store string) string {
	return filledText(text, r.filler(r.chosen, t, store))
}

func filledText(text string, values func(name, format string) (string, bool)) string {
	filled, _ := fill(cut(text, maxFilled), maxFilled, func(name, format string) (string, bool) {
		value, ok := values(name, format)
		if !ok {
			value = "$" + name
		}
		return value, true
	})
	return filled
}

// store returns the type of the first data source that has one: that of the query, else of its panel. One
// without a type is a Prometheus, unless its id is a variable of another type.
func (r *renderer) store(sources ...json.RawMessage) string {
	for _, source := range sources {
		var d struct {
			Type string `json:"type"`
			UID  string `json:"uid"`
		}
		if json.Unmarshal(source, &d) != nil {
			_ = json.Unmarshal(source, &d.UID) // old files have a name
		}
		if d.Type == "" {
			d.Type = r.variableType(d.UID)
		}
		if d.Type != "" && d.UID != "-- Mixed --" {
			return d.Type
		}
	}
	return Prometheus
}

// variableType returns the type of the data source that a variable such as ${logs} selects.
func (r *renderer) variableType(uid string) string {
	for _, v := range r.dashboard.Templating.List {
		if v.Type == "datasource" && v.Name == strings.Trim(uid, "${}") {
			var kind string
			_ = json.Unmarshal(v.Query, &kind) // empty if it is not a text
			return kind
		}
	}
	return ""
}

// facts are what a test asks of a panel: texts and values as they are drawn, and where lines are.
type facts struct {
	Axes   []axisFacts
	Series []string
	Rows   [][]Text // of a table
	// Dots is the number of exemplars that are drawn.
	Dots int
	// Cut is the number of rows, legends or lines that have no room.
	Cut int
}

// axisFacts is a vertical axis.
type axisFacts struct {
	Low, High float64
	Right     bool
	Labels    []string
	// Lines are the thresholds that are drawn, within the axis or not.
	Lines []float64
}

// drawPanel draws a panel with its frame and title.
func (r *renderer) drawPanel(d *drawing, id string) {
	data := d.data
	c := &canvas{id: id}
	d.canvas, d.facts = c, &facts{}
	t := r.theme
	if !d.panel.Transparent {
		c.rect(d.box.inset(.5, .5, .5, .5), t.Panel, "stroke", t.Border, "rx", "2")
	}
	title := r.title(d.panel.Title)
	body := d.box.inset(padding, padding, padding, padding)
	if title != "" {
		c.text(d.box.x+padding, d.box.y+21, d.box.w-2*padding, title, style{size: 14, color: t.Text, bold: true, class: "title"})
		body = d.box.inset(padding, titleSpace, padding, padding)
	}
	switch {
	case optionsOf(d.panel.Type) == nil:
		r.unknown(d, body)
	case data.err != nil && data.empty():
		r.message(c, body, errorText(data.err), t.Error)
	default:
		c.clip(d.box)
		r.drawBody(d, body, data)
		c.close("g")
	}
}

// empty reports whether no query of a panel has a result.
func (d panelData) empty() bool {
	return len(d.frames)+len(d.cells.times)+len(d.alerts)+len(d.lines)+len(d.traces) == 0 && d.profile == nil
}

// errorText is the text that is drawn in place of the data.
func errorText(err error) string {
	if errors.Is(err, ErrNoStore) {
		return err.Error()
	}
	return "Error: " + err.Error()
}

func (r *renderer) drawBody(d *drawing, b box, data panelData) {
	switch d.panel.Type {
	case "timeseries":
		r.timeSeries(d, b, data)
	case "stat":
		r.stat(d, b, data)
	case "gauge":
		r.gauge(d, b, data)
	case "bargauge":
		r.barGauge(d, b, data)
	case "table":
		r.table(d, b, data)
	case "heatmap":
		r.heatmap(d, b, data)
	case "state-timeline":
		r.timeline(d, b, data)
	case "logs":
		r.logs(d, b, data)
	case "traces":
		r.traces(d, b, data)
	case "text":
		r.markdown(d, b)
	case "alertlist":
		r.alertList(d, b, data)
	case "flamegraph":
		r.flameGraph(d, b, data)
	}
}

// unknown draws what is known of a panel of another type.
func (r *renderer) unknown(d *drawing, b box) {
	lines := []string{"Panel type " + d.panel.Type + " is not drawn."}
	if d.panel.library() {
		lines = []string{inLibrary}
	}
	for _, t := range d.panel.Targets[:min(len(d.panel.Targets), maxTargets)] {
		at := r.timing(d.panel, t, plotWidth(d.box.w))
		text := r.filled(strings.TrimSpace(t.Expr+t.Query+t.LabelSelector), at, r.store(t.Datasource, d.panel.Datasource))
		if text != "" {
			lines = append(lines, t.RefID+": "+text)
		}
	}
	s := style{size: 12, color: r.theme.TextSecondary, class: "message"}
	y := b.y + 16
	for _, line := range lines {
		for _, part := range wrap(line, b.w, s) {
			if y > b.bottom() {
				return
			}
			d.canvas.text(b.x, y, b.w, part, s)
			y += 16
		}
	}
}

// message draws a text in the middle of a panel.
func (r *renderer) message(c *canvas, b box, text, color string) {
	s := style{size: 14, color: color, anchor: "middle", class: "message"}
	lines := wrap(text, b.w-16, s)
	lines = lines[:min(len(lines), max(1, int(b.h/18)))]
	y := b.y + b.h/2 - float64(len(lines)-1)*9 + 5
	for _, line := range lines {
		c.text(b.x+b.w/2, y, b.w, line, s)
		y += 18
	}
}

// count is a number of things; empty for none.
func count(n int, thing string) string {
	switch {
	case n <= 0:
		return ""
	case n == 1:
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// hidden writes at the lower edge of a panel what has no room in it. Grafana scrolls, which a picture cannot.
func (r *renderer) hidden(d *drawing, counts ...string) {
	counts = slices.DeleteFunc(counts, func(text string) bool { return text == "" })
	if len(counts) == 0 {
		return
	}
	text := strings.Join(counts, " and ") + " are not shown"
	if len(counts) == 1 && strings.HasPrefix(counts[0], "1 ") {
		text = counts[0] + " is not shown"
	}
	s := style{size: 10, color: r.theme.TextSecondary, anchor: "end", class: "hidden"}
	d.canvas.text(d.box.right()-padding, d.box.bottom()-3, d.box.w-2*padding, text, s)
}

// noData is what Grafana draws without data.
func (r *renderer) noData(d *drawing, b box) {
	text := d.panel.FieldConfig.Defaults.NoValue
	if text == "" {
		text = "No data"
	}
	r.message(d.canvas, b, text, r.theme.TextSecondary)
}
