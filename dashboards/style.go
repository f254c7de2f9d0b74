package dashboards

import (
	"cmp"
	"maps"
	"slices"
)

// Colors by meaning, the same on every dashboard.
const (
	Good    = "green"
	Warning = "orange"
	Failing = "red"
	Neutral = "blue"
	Muted   = "text"
)

// Settings that equal Grafana's defaults are left out.

type fieldConfig struct {
	Defaults  fieldDefaults `json:"defaults"`
	Overrides []override    `json:"overrides,omitempty"`
}

type fieldDefaults struct {
	Unit       string         `json:"unit,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	Decimals   *int           `json:"decimals,omitempty"`
	NoValue    string         `json:"noValue,omitempty"`
	Color      map[string]any `json:"color,omitempty"`
	Thresholds *thresholds    `json:"thresholds,omitempty"`
	Custom     map[string]any `json:"custom,omitempty"`
	Mappings   []mapping      `json:"mappings,omitempty"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"` // null for the first step
}

type mapping struct {
	Type    string         `json:"type"`
	Options map[string]any `json:"options"`
}

type override struct {
	Matcher    matcher    `json:"matcher"`
	Properties []property `json:"properties"`
}

type matcher struct {
	ID      string `json:"id"`
	Options any    `json:"options"`
}

type property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// fieldConfig returns the style of a panel's values: axes from zero, and red and orange only for what
// is bad.
func (p Panel) fieldConfig() *fieldConfig {
	if p.Kind == Text || p.Kind == Logs || p.Kind == AlertList || p.Kind == Traces {
		return nil
	}
	d := fieldDefaults{
		Unit: string(p.Unit), Thresholds: steps(p.Base, p.Thresholds), Custom: p.custom(), Mappings: mappings(p.Mappings), NoValue: p.noValue(),
	}
	if d.NoValue != "" { // Grafana would give it the color of a value below all thresholds
		result := map[string]any{"text": d.NoValue, "color": cmp.Or(p.NoValueColor, Muted)}
		d.Mappings = append(d.Mappings, mapping{"special", map[string]any{"match": "null", "result": result}})
	}
	switch {
	case p.LogBase > 0:
		d.Min = new(logAxisMin)
	case !p.signed && p.Kind != Table && p.Kind != Timeline:
		d.Min = new(0.0)
	}
	if p.Decimals > 0 {
		d.Decimals = new(p.Decimals)
	}
	if p.Max > 0 {
		d.Max = new(p.Max)
	}
	switch {
	case p.Kind == TimeSeries:
		d.Color = p.lineColor()
	case len(p.Thresholds) == 0 && p.Kind == Stat:
		d.Color = fixed(p.color())
	}
	return &fieldConfig{Defaults: d, Overrides: p.overrides()}
}

// logAxisMin is the least value on a logarithmic axis, which has no zero. Grafana ignores soft limits there.
const logAxisMin = 0.1

func (p Panel) color() string {
	if p.Color == "" {
		return Neutral
	}
	return p.Color
}

func fixed(color string) map[string]any { return map[string]any{"mode": "fixed", "fixedColor": color} }

// lineColor is the color of lines. Those named by labels, such as routes, are colored by their largest value: by its
// threshold, or so that the one that differs has another color. A palette would have a red and a green one without a
// reason.
func (p Panel) lineColor() map[string]any {
	switch {
	case !p.labeled():
		return fixed(p.color())
	case len(p.Thresholds) > 0 && !p.Area: // an area has no color where values are good
		return map[string]any{"mode": "thresholds", "seriesBy": "max"}
	case p.Color == Failing || p.Color == Warning:
		return map[string]any{"mode": "continuous-YlRd", "seriesBy": "max"}
	case p.DistinctColors:
		return map[string]any{"mode": "palette-classic"}
	}
	by := "max"
	if p.signed { // of a budget the least value matters
		by = "min"
	}
	return map[string]any{"mode": "continuous-BlPu", "seriesBy": by}
}

// neutralColors are the colors of lines of one graph that are neither good nor bad.
func neutralColors() []string {
	return []string{Neutral, "purple", "dark-blue", "dark-purple", "light-blue"}
}

// noValue is the text of a number that is missing. In a graph, Grafana would write it on the axis, and in each
// empty cell of a table.
func (p Panel) noValue() string {
	switch {
	case p.Kind != Stat && p.Kind != BarGauge:
		return ""
	case p.NoValue != "":
		return p.NoValue
	case p.EmptyUntil != "":
		return "no data until " + p.EmptyUntil
	}
	return ""
}

func steps(base string, list []Threshold) *thresholds {
	if len(list) == 0 {
		return nil
	}
	if base == "" {
		base = Good
	}
	out := thresholds{Mode: "absolute", Steps: []step{{Color: base}}}
	for _, t := range list {
		out.Steps = append(out.Steps, step{Color: t.Color, Value: new(t.From)})
	}
	return &out
}

func mappings(words []ValueMapping) []mapping {
	if len(words) == 0 {
		return nil
	}
	options := map[string]any{}
	for _, w := range words {
		options[number(w.Value)] = map[string]any{"text": w.Text, "color": w.Color}
	}
	return []mapping{{"value", options}}
}

// custom returns the settings of a kind of panel.
func (p Panel) custom() map[string]any {
	if p.Kind != TimeSeries {
		return nil
	}
	custom := map[string]any{"fillOpacity": 8}
	if p.Stack {
		// Without lines, a series of zeros does not show on top of the others.
		custom["stacking"] = map[string]any{"mode": "normal", "group": "A"}
		custom["fillOpacity"], custom["lineWidth"] = 60, 0
	}
	if p.LogBase > 0 {
		custom["scaleDistribution"] = map[string]any{"type": "log", "log": p.LogBase}
		custom["fillOpacity"] = 0
	}
	if p.Line && len(p.Thresholds) > 0 { // Grafana would draw its default, 80
		custom["thresholdsStyle"] = map[string]any{"mode": "dashed"}
	}
	if p.Area {
		custom["thresholdsStyle"] = map[string]any{"mode": "area"}
	}
	if p.SoftMax > 0 {
		custom["axisSoftMax"] = p.SoftMax
	}
	return custom
}

func (p Panel) overrides() []override {
	out := p.columnOverrides()
	for _, name := range slices.Sorted(maps.Keys(p.Colors)) {
		out = append(out, override{matcher{"byName", name}, []property{{"color", fixed(p.Colors[name])}}})
	}
	out = append(out, p.targetColors()...)
	for i, t := range p.Targets {
		switch {
		case t.Limit:
			out = append(out, override{byRef(refID(i)), append(line(), property{"color", fixed(Failing)})})
		case t.past:
			out = append(out, override{byRef(refID(i)), append(line(), property{"color", fixed(Muted)})})
		}
	}
	if p.Kind == TimeSeries && p.labeled() {
		// Series of zeros only would fill the legend.
		zeros := map[string]any{"reducer": "allIsZero", "op": "gte", "value": 0}
		hide := map[string]any{"legend": true, "tooltip": false, "viz": false}
		out = append(out, override{matcher{"byValue", zeros}, []property{{"custom.hideFrom", hide}}})
	}
	return out
}

// targetColors distinguishes the lines of a graph that have a query each.
func (p Panel) targetColors() []override {
	if p.Kind != TimeSeries || p.labeled() || p.Color != "" {
		return nil
	}
	var out []override
	colors := neutralColors()
	for i, t := range p.Targets[1:] {
		if p.Colors[t.Legend] == "" && !t.Limit && !t.past {
			out = append(out, override{byRef(refID(i + 1)), []property{{"color", fixed(colors[(i+1)%len(colors)])}}})
		}
	}
	return out
}

// line draws a series dashed above the stacked ones.
func line() []property {
	return []property{
		{"custom.stacking", map[string]any{"mode": "none", "group": "A"}}, {"custom.fillOpacity", 0}, {"custom.lineWidth", 1},
		{"custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{8, 6}}},
	}
}

func byRef(ref string) matcher { return matcher{"byFrameRefID", ref} }

// labeled reports whether labels name the series, so that there may be many.
func (p Panel) labeled() bool {
	return slices.ContainsFunc(p.Targets, func(t Target) bool { return len(t.Legend) > 1 && t.Legend[:2] == "{{" })
}

// columnOverrides returns the styles of the columns of a table.
func (p Panel) columnOverrides() []override {
	var out []override
	for _, c := range p.Columns {
		var style []property
		add := func(id string, value any) { style = append(style, property{id, value}) }
		if c.Unit != NoUnit {
			add("unit", string(c.Unit))
		}
		if c.Decimals > 0 {
			add("decimals", c.Decimals)
		}
		if c.Width > 0 {
			add("custom.width", c.Width)
		}
		if t := steps(c.Base, c.Thresholds); t != nil {
			add("thresholds", t)
		}
		if m := mappings(c.Mappings); m != nil {
			add("mappings", m)
		}
		switch {
		case c.Wrap:
			add("custom.cellOptions", map[string]any{"type": "auto", "wrapText": true})
		case c.Bar:
			add("custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic"})
			add("color", fixed(Neutral))
			add("min", 0)
			if !c.Unbounded {
				add("max", 1)
			}
		case len(c.Thresholds)+len(c.Mappings) > 0:
			add("custom.cellOptions", map[string]any{"type": "color-text"})
		}
		if c.Link.URL != "" {
			add("links", []linkJSON{{Title: c.Link.Title, URL: c.Link.URL}})
		}
		if len(style) > 0 {
			out = append(out, override{matcher{"byName", c.Title}, style})
		}
	}
	return out
}

// options returns the settings of a panel that are not about values.
func (p Panel) options() map[string]any {
	switch p.Kind {
	case Stat:
		return p.statOptions()
	case BarGauge:
		return map[string]any{"displayMode": "basic", "orientation": "horizontal"}
	case TimeSeries:
		return p.graphOptions()
	case Timeline:
		return map[string]any{"showValue": "never", "legend": map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": false}}
	}
	return p.listOptions()
}

func (p Panel) statOptions() map[string]any {
	out := map[string]any{"graphMode": "none"}
	if p.NameOnly {
		out["textMode"] = "name"
	}
	return out
}

func (p Panel) graphOptions() map[string]any {
	out := map[string]any{"tooltip": map[string]any{"mode": "multi", "sort": "desc"}}
	switch {
	case p.LegendTable:
		place := "bottom"
		if p.aside {
			place = "right"
		}
		out["legend"] = map[string]any{"displayMode": "table", "placement": place, "showLegend": true, "calcs": []string{"lastNotNull", "max"}, "sortBy": "Max", "sortDesc": true}
	case len(p.Targets) == 1 && p.Targets[0].Legend == "":
		out["legend"] = map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": []string{}}
	}
	return out
}

// listOptions returns the options of panels that show rows, cells or text.
func (p Panel) listOptions() map[string]any {
	switch p.Kind {
	case Table:
		if p.SortBy != "" {
			by := []map[string]any{{"displayName": p.SortBy, "desc": true}}
			if p.ThenBy != "" {
				by = append(by, map[string]any{"displayName": p.ThenBy, "desc": true})
			}
			return map[string]any{"cellHeight": "sm", "sortBy": by}
		}
		return map[string]any{"cellHeight": "sm"}
	case Heatmap:
		return map[string]any{
			// The exponent makes single slow requests visible beside thousands of fast ones.
			"color":        map[string]any{"mode": "scheme", "scheme": "Blues", "steps": 64, "exponent": 0.3, "fill": "dark-blue"},
			"filterValues": map[string]any{"le": 1e-9}, "exemplars": map[string]any{"color": "rgba(255,0,255,0.7)"},
			"yAxis": map[string]any{"axisPlacement": "left", "unit": string(p.Unit)},
		}
	case Logs:
		return map[string]any{"showTime": true, "wrapLogMessage": true, "enableLogDetails": true, "sortOrder": "Descending"}
	case Text:
		return map[string]any{"mode": "markdown", "content": p.Body}
	case AlertList:
		return map[string]any{
			// Grafana does not replace a variable here, and would list no alert.
			"datasource": "", "alertInstanceLabelFilter": p.Filter, "maxItems": 20, "sortOrder": 3, "viewMode": "list",
			"stateFilter": map[string]any{"firing": true, "pending": true, "noData": false, "normal": false, "error": true},
		}
	}
	return nil
}

// transformations join the results of a table's queries by their labels, and name the columns.
func (p Panel) transformations() []map[string]any {
	if p.Kind != Table || len(p.Columns) == 0 {
		return nil
	}
	rename, index, next := map[string]string{}, map[string]int{}, 0
	for i, c := range p.Columns {
		name := c.Label
		if name == "" {
			name = "Value #" + refID(next)
			if len(p.Targets) == 1 {
				name = "Value"
			}
			next++
		}
		rename[name], index[name] = c.Title, i
	}
	return []map[string]any{
		{"id": "merge", "options": map[string]any{}},
		{"id": "organize", "options": map[string]any{"excludeByName": map[string]bool{"Time": true}, "renameByName": rename, "indexByName": index}},
	}
}
