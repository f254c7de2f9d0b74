package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// Unsupported lists the settings of a dashboard that are not drawn, one line each: types of panels,
// options, transformations, overrides and variables that this package does not know. A setting of several panels has
// one line with their number.
func Unsupported(src []byte) []string { return findUnsupported(src, nil) }

// findUnsupported does it for a dashboard with given values of variables, which may have any type.
func findUnsupported(src []byte, given map[string][]string) []string {
	var raw map[string]any
	if err := json.Unmarshal(withoutMark(src), &raw); err != nil {
		return nil // [Dashboard] reports it
	}
	u := &unsupported{known: map[problem]bool{}}
	u.walk("", "", raw, reflect.TypeFor[dashboard]())
	u.values("", raw, map[string][]any{"weekStart": {"", "browser", "sunday"}})
	for _, v := range objects(raw, "templating", "list") {
		u.variable(v, given)
	}
	for _, a := range objects(raw, "annotations", "list") {
		if ids, _ := at(a, "filter", "ids").([]any); len(ids) > 0 {
			u.addf(fmt.Sprintf("annotation %v", a["name"]), "filter")
		}
	}
	panels := objects(raw, "panels")
	for i := 0; i < len(panels); i++ {
		u.panel(panels[i])
		panels = append(panels, objects(panels[i], "panels")...)
	}
	return u.lines()
}

// unsupported are the settings that are not drawn, with the panel or variable that has them.
type unsupported struct {
	found []problem
	known map[problem]bool
}

func (u *unsupported) addf(where, format string, args ...any) {
	u.add(where, fmt.Sprintf(format, args...)+" is not supported")
}

// add adds a problem once for each place.
func (u *unsupported) add(where, what string) {
	p := problem{cut(where, maxProblem), cut(what, maxProblem)}
	if !u.known[p] {
		u.known[p] = true
		u.found = append(u.found, p)
	}
}

// lines returns a line for each setting.
func (u *unsupported) lines() []string {
	places := map[string][]string{}
	for _, p := range u.found {
		places[p.why] = append(places[p.why], p.where)
	}
	var out []string
	for what, where := range places {
		switch {
		case len(where) > 1:
			what += fmt.Sprintf(": %d panels", len(where))
		case where[0] != "":
			what = where[0] + ": " + what
		}
		out = append(out, what)
	}
	slices.Sort(out)
	return out
}

// variable reports a type whose values are not known.
func (u *unsupported) variable(v map[string]any, given map[string][]string) {
	kind, _ := v["type"].(string)
	name, _ := v["name"].(string)
	switch {
	case slices.Contains([]string{"datasource", "query", "custom", "interval", "constant", "textbox"}, kind):
	case kind == "adhoc": // a filter of all queries
		u.addf("variable "+name, "type %q", kind)
	case given[name] == nil:
		u.add("variable "+name, fmt.Sprintf("type %q is not supported; set a value with --var %s=VALUE", kind, name))
	}
}

// walk reports the keys of a value that a type has not.
func (u *unsupported) walk(where, path string, value any, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[json.RawMessage]() || t == reflect.TypeFor[[]panel]() { // panels have names of their own
		return
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if t.Kind() == reflect.Slice {
				u.walk(where, path, item, t.Elem())
			}
		}
	case map[string]any:
		if t.Kind() == reflect.Map {
			for key, item := range v {
				u.walk(where, path+"."+key, item, t.Elem())
			}
		}
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
			switch {
			case key == "$$hashKey": // of Angular, in Grafana 8 and older
			case !ok:
				u.addf(where, "%s%s", at, short(v[key]))
			case at == "fieldConfig.defaults": // as in overrides
				u.walk(where, "", v[key], known)
			default:
				u.walk(where, at, v[key], known)
			}
		}
	}
}

// short returns a value as it follows its setting, if it has few characters.
func short(value any) string {
	const most = 30
	switch value.(type) {
	case string, bool, float64:
		if text := fmt.Sprint(value); len(text) <= most {
			return strings.TrimRight(" "+text, " ")
		}
	}
	return ""
}

// panel reports what is not drawn of a panel.
func (u *unsupported) panel(p map[string]any) {
	kind, _ := p["type"].(string)
	title, _ := p["title"].(string)
	where := "panel " + cmp.Or(cut(title, maxProblem), "without a title")
	options := optionsOf(kind)
	if options == nil && p["libraryPanel"] != nil {
		u.add(where, inLibrary)
		return
	}
	if options == nil {
		u.addf(where, "type %q", kind)
		return
	}
	u.walk(where, "", p, reflect.TypeFor[panel]())
	u.walk(where, "options", p["options"], reflect.TypeOf(options))
	for _, t := range objects(p, "transformations") {
		id, _ := t["id"].(string)
		into := grafana.TransformationOptions(id)
		if into == nil {
			u.addf(where, "transformation %q", id)
			continue
		}
		u.walk(where, "transformation "+id, t["options"], reflect.TypeOf(into))
	}
	defaults, _ := at(p, "fieldConfig", "defaults").(map[string]any)
	u.config(where, defaults)
	for _, o := range objects(p, "fieldConfig", "overrides") {
		u.override(where, o)
	}
	u.values(where, p, drawnValues(kind))
	u.missing(where, p, undrawnDefaults(kind))
	u.lists(where, kind, p)
	if scheme, ok := at(p, "options", "color", "scheme").(string); ok && !grafana.KnownScheme(scheme) {
		u.addf(where, "color scheme %q", scheme)
	}
	u.reducers(where, p)
}

// override reports settings of an override.
func (u *unsupported) override(where string, o map[string]any) {
	id, _ := at(o, "matcher", "id").(string)
	if into := grafana.MatcherOptions(id); into == nil {
		u.addf(where, "override by %q", id)
	} else {
		u.walk(where, "override "+id, at(o, "matcher", "options"), reflect.TypeOf(into))
	}
	for _, property := range objects(o, "properties") {
		id, _ := property["id"].(string)
		nested := property["value"]
		for _, key := range slices.Backward(strings.Split(id, ".")) {
			nested = map[string]any{key: nested}
		}
		u.walk(where, "", nested, reflect.TypeFor[grafana.Config]())
		u.config(where, nested.(map[string]any))
	}
}

// config reports values of field options.
func (u *unsupported) config(where string, c map[string]any) {
	if unit, _ := c["unit"].(string); !grafana.KnownUnit(unit) {
		u.addf(where, "unit %q", unit)
	}
	if mode, _ := at(c, "color", "mode").(string); !grafana.KnownColorMode(mode) {
		u.addf(where, "color mode %q", mode)
	}
	for _, m := range objects(c, "mappings") {
		kind, _ := m["type"].(string)
		if match := at(m, "options", "match"); kind == "special" && match == "empty" {
			kind += " empty"
		}
		if into := grafana.MappingOptions(kind); into == nil {
			u.addf(where, "value mapping %q", kind)
		} else {
			u.walk(where, "value mapping", m["options"], reflect.TypeOf(into))
		}
	}
	u.values(where, c, drawnFieldValues())
}

// missing reports options that are not set and whose default is not drawn.
func (u *unsupported) missing(where string, p map[string]any, defaults map[string]any) {
	for _, path := range slices.Sorted(maps.Keys(defaults)) {
		if at(p, strings.Split(path, ".")...) == nil {
			u.addf(where, "%s %v (the default)", path, defaults[path])
		}
	}
}

// lists reports options of which only an empty value is drawn.
func (u *unsupported) lists(where, kind string, p map[string]any) {
	zones, _ := at(p, "options", "timezone").([]any)
	if slices.ContainsFunc(zones, func(zone any) bool { return zone != "" && zone != "browser" }) {
		u.addf(where, "options.timezone %v", zones)
	}
	if kind != "alertlist" {
		return
	}
	if folder := at(p, "options", "folder"); folder != nil && folder != "" {
		u.addf(where, "options.folder")
	}
	if by, _ := at(p, "options", "groupBy").([]any); len(by) > 0 {
		u.addf(where, "options.groupBy")
	}
}

// values reports settings with a value that is not drawn. Settings that are missing have their default.
func (u *unsupported) values(where string, settings any, drawn map[string][]any) {
	for _, path := range slices.Sorted(maps.Keys(drawn)) {
		value := at(settings, strings.Split(path, ".")...)
		if value != nil && !slices.Contains(drawn[path], value) {
			text := fmt.Sprintf(" %v", value)
			if slices.Equal(drawn[path], []any{""}) { // any text
				text = ""
			}
			u.addf(where, "%s%s", path, text)
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
		"custom.stacking.mode":          {"none", "normal", "percent"},
		"custom.transform":              {"negative-Y", "constant"},
		"custom.scaleDistribution.type": {"linear", "log"},
		"custom.scaleDistribution.log":  {2.0, 10.0},
		"custom.thresholdsStyle.mode":   {"off", "line", "dashed", "area", "line+area", "dashed+area"},
		"custom.axisColorMode":          {"text"},
		"custom.axisBorderShow":         {false},
		"custom.axisGridShow":           {true},
		"custom.insertNulls":            {false},
		"custom.showValues":             {false},
		"custom.wrapText":               {false},
		"custom.cellOptions.type":       {"auto", "color-text", "color-background", "gauge"},
		"custom.cellOptions.wrapText":   {false, true},
	}
}

// drawnValues lists the values of options that are drawn, by the type of the panel, where not all are.
func drawnValues(kind string) map[string][]any {
	reduced := map[string][]any{"options.reduceOptions.values": {false}, "options.reduceOptions.fields": {""}}
	more := map[string]map[string][]any{
		"stat":     {"options.textMode": {"auto", "value", "value_and_name", "name"}, "options.showPercentChange": {false}, "options.justifyMode": {"auto"}},
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

// undrawnDefaults lists the defaults of Grafana that are not drawn, by the type of the panel.
func undrawnDefaults(kind string) map[string]any {
	return map[string]map[string]any{
		"gauge":          {"options.showThresholdMarkers": true},
		"bargauge":       {"options.displayMode": "gradient"},
		"state-timeline": {"options.showValue": "auto", "options.legend.showLegend": true},
	}[kind]
}

// reducers reports the calculations that are not known.
func (u *unsupported) reducers(where string, p map[string]any) {
	for _, path := range [][]string{{"options", "reduceOptions", "calcs"}, {"options", "legend", "calcs"}} {
		list, _ := at(p, path...).([]any)
		for _, calc := range list {
			if id, _ := calc.(string); !grafana.Reducer(id).Known() {
				u.addf(where, "calculation %q", id)
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
