package grafana

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// FieldConfig is the part of a panel that says how its values are shown.
type FieldConfig struct {
	Defaults  Config     `json:"defaults"`
	Overrides []Override `json:"overrides"`
}

// Config is how the values of one field are shown.
type Config struct {
	Unit        string     `json:"unit"`
	Min         *float64   `json:"min"`
	Max         *float64   `json:"max"`
	Decimals    *int       `json:"decimals"`
	NoValue     string     `json:"noValue"`
	DisplayName string     `json:"displayName"`
	FieldMinMax bool       `json:"fieldMinMax"` // the range of the values is that of the field alone
	Color       Color      `json:"color"`
	Thresholds  Thresholds `json:"thresholds"`
	Mappings    []Mapping  `json:"mappings"`
	Custom      Custom     `json:"custom"`

	Links       json.RawMessage `json:"links"` // have no effect on a picture
	Description string          `json:"description"`
}

// Color is where a field's color comes from.
type Color struct {
	Mode       string  `json:"mode"`
	FixedColor string  `json:"fixedColor"`
	SeriesBy   Reducer `json:"seriesBy"` // value that colors a line, with a mode by value
}

// Thresholds color values from each step up.
type Thresholds struct {
	Mode  string `json:"mode"` // absolute or percentage
	Steps []Step `json:"steps"`
}

// Step is a threshold. The first one has no value.
type Step struct {
	Value *float64 `json:"value"`
	Color string   `json:"color"`
}

// Mapping replaces values by texts. The keys of its options depend on the type: value, range, special
// or regex.
type Mapping struct {
	Type    string          `json:"type"`
	Options json.RawMessage `json:"options"`
}

// Custom are the settings of a kind of panel.
type Custom struct {
	DrawStyle         string            `json:"drawStyle"`
	LineInterpolation string            `json:"lineInterpolation"`
	LineWidth         *float64          `json:"lineWidth"`
	LineStyle         LineStyle         `json:"lineStyle"`
	FillOpacity       float64           `json:"fillOpacity"`
	GradientMode      string            `json:"gradientMode"`
	ShowPoints        string            `json:"showPoints"`
	PointSize         float64           `json:"pointSize"`
	SpanNulls         json.RawMessage   `json:"spanNulls"` // true, false or milliseconds
	BarAlignment      int               `json:"barAlignment"`
	Stacking          Stacking          `json:"stacking"`
	Transform         string            `json:"transform"` // negative-Y or constant
	ScaleDistribution ScaleDistribution `json:"scaleDistribution"`
	ThresholdsStyle   ThresholdsStyle   `json:"thresholdsStyle"`
	AxisPlacement     string            `json:"axisPlacement"`
	AxisLabel         string            `json:"axisLabel"`
	AxisSoftMin       *float64          `json:"axisSoftMin"`
	AxisSoftMax       *float64          `json:"axisSoftMax"`
	AxisCenteredZero  bool              `json:"axisCenteredZero"`
	HideFrom          HideFrom          `json:"hideFrom"`

	Align       string      `json:"align"` // of a table column
	Width       float64     `json:"width"`
	CellOptions CellOptions `json:"cellOptions"`
	Hidden      bool        `json:"hidden"`

	// Settings that Grafana writes and that have no effect on a picture, or that have their
	// default in each generated dashboard.
	AxisColorMode  string          `json:"axisColorMode"`
	AxisBorderShow bool            `json:"axisBorderShow"`
	AxisGridShow   *bool           `json:"axisGridShow"`
	InsertNulls    json.RawMessage `json:"insertNulls"`
	Filterable     bool            `json:"filterable"`
	Inspect        bool            `json:"inspect"`
	BarWidthFactor float64         `json:"barWidthFactor"` // of bars
	ShowValues     bool            `json:"showValues"`
	WrapText       bool            `json:"wrapText"`
}

// LineStyle is solid, dash or dot; Dash are lengths in pixels.
type LineStyle struct {
	Fill string    `json:"fill"`
	Dash []float64 `json:"dash"`
}

// Stacking is none, normal or percent, of the series of one group.
type Stacking struct {
	Mode  string `json:"mode"`
	Group string `json:"group"`
}

// ScaleDistribution is linear, log or symlog.
type ScaleDistribution struct {
	Type            string  `json:"type"`
	Log             float64 `json:"log"`
	LinearThreshold float64 `json:"linearThreshold"`
}

// ThresholdsStyle is how a graph draws thresholds: off, line, dashed, area, line+area or dashed+area.
type ThresholdsStyle struct {
	Mode string `json:"mode"`
}

// HideFrom hides a series.
type HideFrom struct {
	Legend  bool `json:"legend"`
	Tooltip bool `json:"tooltip"`
	Viz     bool `json:"viz"`
}

// CellOptions is how a table draws a cell.
type CellOptions struct {
	Type     string `json:"type"` // auto, color-text, color-background, gauge, ...
	Mode     string `json:"mode"`
	WrapText bool   `json:"wrapText"`
}

// Override is a change of the configuration of the fields that match.
type Override struct {
	Matcher    Matcher    `json:"matcher"`
	Properties []Property `json:"properties"`

	SystemRef json.RawMessage `json:"__systemRef"` // which part of Grafana added it
}

// Matcher selects fields.
type Matcher struct {
	ID      string          `json:"id"`
	Options json.RawMessage `json:"options"`
}

// Property is a setting, by its path below [Config].
type Property struct {
	ID    string          `json:"id"`
	Value json.RawMessage `json:"value"`
}

// set changes one setting. Without a value it gets its zero value. What a copy of the configuration shares does
// not change: a value is decoded after the setting has become zero.
func (c *Config) set(p Property) error {
	at := reflect.ValueOf(c).Elem()
	for key := range strings.SplitSeq(p.ID, ".") {
		i := -1
		if at.Kind() == reflect.Struct {
			i = slices.IndexFunc(slices.Collect(at.Type().Fields()), func(f reflect.StructField) bool { return f.Tag.Get("json") == key })
		}
		if i < 0 {
			return nil // not a setting that is drawn
		}
		at = at.Field(i)
	}
	at.SetZero()
	if len(p.Value) == 0 {
		return nil
	}
	err := json.Unmarshal(p.Value, at.Addr().Interface())
	if wrong := WrongType(p.ID, err); wrong != "" {
		return fmt.Errorf("override %s; set it again in Grafana", wrong)
	}
	if err != nil {
		return fmt.Errorf("override %s: %w", p.ID, err)
	}
	return nil
}

// matches reports whether the matcher selects a field.
func (m Matcher) matches(f *Field, frame *Frame, all []*Frame) bool {
	text := func() string {
		var s string
		_ = json.Unmarshal(m.Options, &s) // options of another type select nothing
		return s
	}
	switch m.ID {
	case "byName":
		name := text()
		return name != "" && (f.Name == name || f.displayName(frame, all) == name)
	case "byRegexp":
		pattern, err := Regexp(text())
		return err == nil && pattern.MatchString(f.displayName(frame, all))
	case "byType":
		return string(f.Type) == text()
	case "byFrameRefID":
		return frame.RefID == text()
	case "numeric":
		return f.Type == Number
	case "byNames":
		var names byNamesOptions
		_ = json.Unmarshal(m.Options, &names) // as above
		found := slices.Contains(names.Names, f.Name) || slices.Contains(names.Names, f.displayName(frame, all))
		return found != (names.Mode == "exclude")
	case "byValue":
		return m.compares(f)
	}
	return false
}

// compares reports whether the reduced values of a field are as a matcher by value wants.
func (m Matcher) compares(f *Field) bool {
	var o byValueOptions
	if json.Unmarshal(m.Options, &o) != nil || f.Type != Number {
		return false
	}
	present := slices.DeleteFunc(slices.Clone(f.Values), math.IsNaN)
	switch o.Reducer {
	case "allIsZero":
		return len(present) > 0 && !slices.ContainsFunc(present, func(v float64) bool { return v != 0 })
	case "allIsNull":
		return len(present) == 0
	}
	v := Reduce(f.Values, o.Reducer)
	switch o.Op {
	case "eq", "":
		return v == o.Value
	case "neq":
		return v != o.Value
	case "gt":
		return v > o.Value
	case "gte":
		return v >= o.Value
	case "lt":
		return v < o.Value
	case "lte":
		return v <= o.Value
	}
	return false
}

type byNamesOptions struct {
	Names []string `json:"names"`
	Mode  string   `json:"mode"` // include or exclude
}

type byValueOptions struct {
	Reducer Reducer `json:"reducer"`
	Op      string  `json:"op"` // eq, neq, gt, gte, lt or lte
	Value   float64 `json:"value"`
}

// MatcherOptions returns a pointer to the options of a matcher, nil for one that selects nothing.
func MatcherOptions(id string) any {
	switch id {
	case "byNames":
		return &byNamesOptions{}
	case "byValue":
		return &byValueOptions{}
	case "byName", "byRegexp", "byType", "byFrameRefID", "numeric":
		return new(string)
	}
	return nil
}

// Regexp compiles /pattern/flags, or a pattern that matches the complete text.
func Regexp(text string) (*regexp.Regexp, error) {
	body, isLiteral := strings.CutPrefix(text, "/")
	end := strings.LastIndex(body, "/")
	if !isLiteral || end < 0 {
		return regexp.Compile("^" + text + "$")
	}
	flags := ""
	if strings.Contains(body[end:], "i") {
		flags = "(?i)"
	}
	return regexp.Compile(flags + body[:end])
}
