package dashboards

import (
	"maps"
	"slices"
)

// Colors by meaning, the same on every dashboard.
const (
	Good    = "green"
	Warning = "orange"
	Failing = "red"
	Calm    = "blue"
	Quiet   = "text"
)

type fieldConfig struct {
	Defaults  fieldDefaults `json:"defaults"`
	Overrides []override    `json:"overrides"`
}

type fieldDefaults struct {
	Unit       string         `json:"unit,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	Decimals   *int           `json:"decimals,omitempty"`
	NoValue    string         `json:"noValue,omitempty"`
	Color      map[string]any `json:"color"`
	Thresholds thresholds     `json:"thresholds"`
	Custom     map[string]any `json:"custom,omitempty"`
	Mappings   []any          `json:"mappings"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"` // null for the first step
}

type override struct {
	Matcher    map[string]any `json:"matcher"`
	Properties []property     `json:"properties"`
}

type property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// fieldConfig returns the style of a panel's values: axes from zero, thin lines, gaps
// where there is no data, and red and orange only for thresholds.
func (p Panel) fieldConfig() *fieldConfig {
	if p.Unit == NoUnit && len(p.Thresholds) == 0 && p.Kind != Timeline {
		return nil
	}
	d := fieldDefaults{
		Unit: string(p.Unit), Mappings: []any{}, Thresholds: p.steps(), Custom: p.custom(),
		Color: map[string]any{"mode": "palette-classic"},
	}
	if !p.Log && !p.signed {
		d.Min = new(0.0)
	}
	if p.decimals > 0 {
		d.Decimals = new(p.decimals)
	}
	if p.Max > 0 {
		d.Max = new(p.Max)
	}
	if p.EmptyUntil != "" {
		d.NoValue = "no data until " + p.EmptyUntil
	}
	if len(p.Thresholds) > 0 && p.Kind != TimeSeries {
		d.Color = map[string]any{"mode": "thresholds"}
	}
	return &fieldConfig{Defaults: d, Overrides: p.overrides()}
}

func (p Panel) steps() thresholds {
	base := Good
	if len(p.Thresholds) == 0 {
		base = Calm
	}
	out := []step{{Color: base}}
	for _, t := range p.Thresholds {
		out = append(out, step{Color: t.Color, Value: new(t.From)})
	}
	return thresholds{Mode: "absolute", Steps: out}
}

// custom returns the settings of a kind of panel.
func (p Panel) custom() map[string]any {
	switch p.Kind {
	case TimeSeries:
		return p.graph()
	case Timeline:
		return map[string]any{"fillOpacity": 80, "lineWidth": 0}
	case Table:
		return map[string]any{"align": "auto", "cellOptions": map[string]any{"type": "auto"}}
	}
	return nil
}

func (p Panel) graph() map[string]any {
	custom := map[string]any{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 8, "gradientMode": "none",
		"showPoints": "auto", "pointSize": 4, "spanNulls": false, "axisPlacement": "auto",
		"stacking":          map[string]any{"mode": "none", "group": "A"},
		"scaleDistribution": map[string]any{"type": "linear"},
		"thresholdsStyle":   map[string]any{"mode": "off"},
	}
	if p.Stack {
		custom["stacking"] = map[string]any{"mode": "normal", "group": "A"}
		custom["fillOpacity"] = 30
	}
	if p.Log {
		custom["scaleDistribution"] = map[string]any{"type": "log", "log": 10}
	}
	if p.Line {
		custom["thresholdsStyle"] = map[string]any{"mode": "dashed"}
	}
	return custom
}

func (p Panel) overrides() []override {
	out := []override{}
	for _, name := range slices.Sorted(maps.Keys(p.Colors)) {
		out = append(out, override{
			Matcher:    map[string]any{"id": "byName", "options": name},
			Properties: []property{{"color", map[string]any{"mode": "fixed", "fixedColor": p.Colors[name]}}},
		})
	}
	for _, ref := range p.shade {
		out = append(out, override{Matcher: byRef(ref), Properties: []property{
			{"custom.axisPlacement", "hidden"}, {"max", 1}, {"unit", "none"}, {"custom.lineWidth", 0}, {"custom.fillOpacity", 25},
			{"color", map[string]any{"mode": "fixed", "fixedColor": Quiet}},
		}})
	}
	for _, ref := range p.limit {
		out = append(out, override{Matcher: byRef(ref), Properties: []property{
			{"custom.stacking", map[string]any{"mode": "none", "group": "A"}}, {"custom.fillOpacity", 0},
			{"custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{8, 6}}},
			{"color", map[string]any{"mode": "fixed", "fixedColor": Failing}},
		}})
	}
	for _, ref := range p.count {
		out = append(out, override{Matcher: byRef(ref), Properties: []property{
			{"custom.axisPlacement", "right"}, {"unit", string(Count)}, {"decimals", 0}, {"custom.lineInterpolation", "stepAfter"},
			{"custom.fillOpacity", 0},
		}})
	}
	return out
}

func byRef(ref string) map[string]any { return map[string]any{"id": "byFrameRefID", "options": ref} }

// options returns the settings of a panel that are not about values.
func (p Panel) options() map[string]any {
	last := map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
	switch p.Kind {
	case Stat:
		return map[string]any{
			"reduceOptions": last, "colorMode": "value", "graphMode": "area", "justifyMode": "auto",
			"orientation": "auto", "textMode": "auto", "wideLayout": true,
		}
	case BarGauge:
		return map[string]any{
			"reduceOptions": last, "displayMode": "basic", "orientation": "horizontal", "showUnfilled": true, "valueMode": "color",
			"minVizHeight": 16, "minVizWidth": 8, "namePlacement": "auto", "sizing": "auto",
		}
	case TimeSeries:
		return map[string]any{
			"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
			"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
		}
	case Timeline:
		return map[string]any{
			"alignValue": "left", "mergeValues": true, "rowHeight": 0.8, "showValue": "never",
			"legend": map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": false}, "tooltip": map[string]any{"mode": "single", "sort": "none"},
		}
	}
	return p.listOptions()
}

// listOptions returns the options of panels that show rows, cells or text.
func (p Panel) listOptions() map[string]any {
	switch p.Kind {
	case Table:
		return map[string]any{"showHeader": true, "cellHeight": "sm", "footer": map[string]any{"show": false, "reducer": []string{"sum"}, "fields": ""}}
	case Heatmap:
		return map[string]any{
			"calculate": false, "cellGap": 1, "color": map[string]any{"mode": "scheme", "scheme": "Blues", "steps": 64, "exponent": 0.5, "fill": "dark-blue"},
			"exemplars": map[string]any{"color": "rgba(255,0,255,0.7)"}, "filterValues": map[string]any{"le": 1e-9},
			"legend": map[string]any{"show": true}, "rowsFrame": map[string]any{"layout": "auto"}, "showValue": "never",
			"tooltip": map[string]any{"mode": "single", "yHistogram": false, "showColorScale": false},
			"yAxis":   map[string]any{"axisPlacement": "left", "unit": string(p.Unit), "reverse": false},
		}
	case Logs:
		return map[string]any{
			"showTime": true, "wrapLogMessage": true, "enableLogDetails": true, "sortOrder": "Descending", "dedupStrategy": "none",
			"prettifyLogMessage": false, "showCommonLabels": false, "showLabels": false,
		}
	case Text:
		return map[string]any{"mode": "markdown", "content": p.Body, "code": map[string]any{"language": "plaintext", "showLineNumbers": false, "showMiniMap": false}}
	case AlertList:
		return map[string]any{
			"viewMode": "list", "groupMode": "default", "groupBy": []string{}, "maxItems": 20, "sortOrder": 3, "dashboardAlerts": false,
			"alertName": "", "alertInstanceLabelFilter": p.Filter, "datasource": "${" + varMetrics + "}", "folder": nil,
			"stateFilter": map[string]any{"firing": true, "pending": true, "noData": false, "normal": false, "error": true},
		}
	}
	return nil
}

// transformations turn the series of a table into columns.
func (p Panel) transformations() []map[string]any {
	if p.Kind != Table {
		return nil
	}
	rename, hide := map[string]string{}, map[string]bool{"Time": true}
	for i, t := range p.Targets {
		if t.Legend == "" {
			continue
		}
		rename["Value #"+refID(i)] = t.Legend
		if len(p.Targets) == 1 {
			rename = map[string]string{"Value": t.Legend}
		}
	}
	return []map[string]any{
		{"id": "merge", "options": map[string]any{}},
		{"id": "organize", "options": map[string]any{"excludeByName": hide, "renameByName": rename, "indexByName": map[string]int{}}},
	}
}
