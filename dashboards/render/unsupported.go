package render

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// Unsupported lists the settings of a dashboard that are not drawn, one line each: types of panels,
// options, transformations, overrides and variables that this package does not know.
func Unsupported(src []byte) []string {
	var raw map[string]any
	if err := json.Unmarshal(src, &raw); err != nil {
		return nil // [Dashboard] reports it
	}
	u := &unsupported{}
	u.walk("", raw, reflect.TypeFor[dashboard]())
	for _, v := range objects(raw, "templating", "list") {
		kind, _ := v["type"].(string)
		if !slices.Contains([]string{"datasource", "query", "custom", "interval", "constant", "textbox"}, kind) {
			u.addf("variable %v: type %q", v["name"], kind)
		}
	}
	panels := objects(raw, "panels")
	for i := 0; i < len(panels); i++ {
		u.panel(panels[i])
		panels = append(panels, objects(panels[i], "panels")...)
	}
	slices.Sort(u.found)
	return slices.Compact(u.found)
}

type unsupported struct{ found []string }

func (u *unsupported) addf(format string, args ...any) {
	u.found = append(u.found, cut(fmt.Sprintf(format, args...), maxProblem)+" is not supported")
}

// walk reports the keys of a value that a type has not.
func (u *unsupported) walk(path string, value any, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[json.RawMessage]() {
		return
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if t.Kind() == reflect.Slice {
				u.walk(path, item, t.Elem())
			}
		}
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return
		}
		fields := map[string]reflect.Type{}
		for f := range t.Fields() {
			fields[f.Tag.Get("json")] = f.Type
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			at := strings.TrimPrefix(path+"."+key, ".")
			known, ok := fields[key]
			if !ok {
				u.addf("%s", at)
				continue
			}
			u.walk(at, v[key], known)
		}
	}
}

// panel reports what only a panel's type or its values say.
func (u *unsupported) panel(p map[string]any) {
	kind, _ := p["type"].(string)
	name := cut(fmt.Sprintf("panel %v", p["title"]), maxProblem/2)
	options := optionsOf(kind)
	if options == nil {
		u.addf("panel type %q", kind)
		return
	}
	u.walk(name+": options", p["options"], reflect.TypeOf(options))
	for _, t := range objects(p, "transformations") {
		id, _ := t["id"].(string)
		into := grafana.TransformationOptions(id)
		if into == nil {
			u.addf("%s: transformation %q", name, id)
			continue
		}
		u.walk(name+": transformation "+id, t["options"], reflect.TypeOf(into))
	}
	defaults, _ := at(p, "fieldConfig", "defaults").(map[string]any)
	u.config(name, defaults)
	for _, o := range objects(p, "fieldConfig", "overrides") {
		if id, _ := at(o, "matcher", "id").(string); !grafana.KnownMatcher(id) {
			u.addf("%s: override by %q", name, id)
		}
		for _, property := range objects(o, "properties") {
			id, _ := property["id"].(string)
			nested := property["value"]
			for _, key := range slices.Backward(strings.Split(id, ".")) {
				nested = map[string]any{key: nested}
			}
			u.walk(name+": override", nested, reflect.TypeFor[grafana.Config]())
			u.config(name, nested.(map[string]any))
		}
	}
	u.values(name, p, drawnValues(kind))
	if scheme, ok := at(p, "options", "color", "scheme").(string); ok && !grafana.KnownScheme(scheme) {
		u.addf("%s: color scheme %q", name, scheme)
	}
	u.reducers(name, p)
}

// config reports values of field options.
func (u *unsupported) config(name string, c map[string]any) {
	if unit, _ := c["unit"].(string); !grafana.KnownUnit(unit) {
		u.addf("%s: unit %q", name, unit)
	}
	if mode, _ := at(c, "color", "mode").(string); !grafana.KnownColorMode(mode) {
		u.addf("%s: color mode %q", name, mode)
	}
	for _, m := range objects(c, "mappings") {
		if kind, _ := m["type"].(string); !grafana.KnownMapping(kind) {
			u.addf("%s: value mapping %q", name, kind)
		}
	}
	u.values(name, c, drawnFieldValues())
}

// values reports settings with a value that is not drawn. Settings that are missing have their default.
func (u *unsupported) values(name string, settings any, drawn map[string][]any) {
	for _, path := range slices.Sorted(maps.Keys(drawn)) {
		value := at(settings, strings.Split(path, ".")...)
		if value != nil && !slices.Contains(drawn[path], value) {
			u.addf("%s: %s %v", name, path, value)
		}
	}
}

// drawnFieldValues lists the values of field options that are drawn, where not all are.
func drawnFieldValues() map[string][]any {
	return map[string][]any{
		"custom.drawStyle":              {"line", "points"},
		"custom.lineInterpolation":      {"linear", "stepAfter", "stepBefore"},
		"custom.gradientMode":           {"none"},
		"custom.showPoints":             {"auto", "always", "never"},
		"custom.axisPlacement":          {"auto", "left", "right", "hidden"},
		"custom.stacking.mode":          {"none", "normal"},
		"custom.scaleDistribution.type": {"linear", "log"},
		"custom.scaleDistribution.log":  {2.0, 10.0},
		"custom.thresholdsStyle.mode":   {"off", "line", "dashed"},
		"custom.axisLabel":              {""},
		"custom.axisColorMode":          {"text"},
		"custom.axisBorderShow":         {false},
		"custom.axisGridShow":           {true},
		"custom.insertNulls":            {false},
		"custom.cellOptions.type":       {"auto", "color-text", "color-background", "gauge"},
	}
}

// drawnValues lists the values of options that are drawn, by the type of the panel, where not all are.
func drawnValues(kind string) map[string][]any {
	reduced := map[string][]any{"options.reduceOptions.values": {false}, "options.reduceOptions.fields": {""}}
	more := map[string]map[string][]any{
		"stat":     {"options.textMode": {"auto", "value", "value_and_name"}, "options.showPercentChange": {false}, "options.justifyMode": {"auto"}},
		"gauge":    {"options.showThresholdLabels": {false}, "options.showThresholdMarkers": {false}},
		"bargauge": {"options.displayMode": {"basic"}, "options.legend.showLegend": {false}},
		"heatmap": {
			"options.calculate": {false}, "options.color.mode": {"scheme"}, "options.yAxis.reverse": {false}, "options.yAxis.axisPlacement": {"left"},
			"options.showValue": {"never"},
		},
		"state-timeline": {"options.showValue": {"never"}, "options.legend.showLegend": {false}},
		"table":          {"options.footer.show": {false}},
		"alertlist":      {"options.viewMode": {"list"}, "options.groupMode": {"default"}, "options.dashboardAlerts": {false}},
		"logs":           {"options.dedupStrategy": {"none"}, "options.prettifyLogMessage": {false}, "options.showCommonLabels": {false}},
	}[kind]
	if kind == "stat" || kind == "gauge" || kind == "bargauge" {
		maps.Copy(more, reduced)
	}
	return more
}

// reducers reports the calculations that are not known.
func (u *unsupported) reducers(name string, p map[string]any) {
	for _, path := range [][]string{{"options", "reduceOptions", "calcs"}, {"options", "legend", "calcs"}} {
		list, _ := at(p, path...).([]any)
		for _, calc := range list {
			if id, _ := calc.(string); !grafana.Reducer(id).Known() {
				u.addf("%s: calculation %q", name, id)
			}
		}
	}
}

// at returns the value at a path of keys.
func at(value any, path ...string) any {
	for _, key := range path {
		m, _ := value.(map[string]any)
		value = m[key]
	}
	return value
}

// objects returns the objects in the list at a path.
func objects(value any, path ...string) []map[string]any {
	list, _ := at(value, path...).([]any)
	var out []map[string]any
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
