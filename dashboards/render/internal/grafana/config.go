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

	// Done ends overrides early; nil never does.
	Done func() bool `json:"-"`
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

	values  map[string]mapping // of type value
	decoded mappingOptions     // of the others
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
	if len(p.Value) > maxProperty {
		return fmt.Errorf("override %s: its value is longer than %d kB", p.ID, maxProperty/1000)
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

// maxText is the number of bytes of a configured text that are shown: more than a panel has room for.
const maxText = 1000

// Limits of what is compared with each value.
const (
	maxSteps    = 100
	maxMappings = 1000
	maxProperty = 100_000 // bytes of an override, which is decoded for each field
)

// cut limits what is used for each value or series.
func (c *Config) cut() {
	for _, text := range []*string{&c.Unit, &c.NoValue, &c.DisplayName} {
		*text = short(*text)
	}
	if len(c.Thresholds.Steps) > maxSteps {
		c.Thresholds.Steps = slices.Clone(c.Thresholds.Steps[:maxSteps]) // without the memory of the rest
	}
	if len(c.Mappings) > maxMappings {
		c.Mappings = slices.Clone(c.Mappings[:maxMappings])
	}
}

func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "")
}

// selector reports whether it selects a field.
type selector func(f *Field, frame *Frame, all []*Frame) bool

// selector returns the selector of a matcher. It decodes the options once for all fields.
func (m Matcher) selector() selector {
	var text string
	_ = json.Unmarshal(m.Options, &text) // options of another type select nothing
	switch m.ID {
	case "byName":
		return func(f *Field, frame *Frame, all []*Frame) bool {
			return text != "" && (f.Name == text || f.displayName(frame, all) == text)
		}
	case "byRegexp":
		pattern, err := Regexp(text)
		return func(f *Field, frame *Frame, all []*Frame) bool {
			return err == nil && pattern.MatchString(f.displayName(frame, all))
		}
	case "byType":
		return func(f *Field, _ *Frame, _ []*Frame) bool { return string(f.Type) == text }
	case "byFrameRefID":
		return func(_ *Field, frame *Frame, _ []*Frame) bool { return frame.RefID == text }
	case "numeric":
		return func(f *Field, _ *Frame, _ []*Frame) bool { return f.Type == Number }
	case "byNames":
		return m.byNames()
	case "byValue":
		return m.byValue()
	}
	return func(*Field, *Frame, []*Frame) bool { return false }
}

// byNames selects the fields of a list, or all others.
func (m Matcher) byNames() selector {
	var names byNamesOptions
	_ = json.Unmarshal(m.Options, &names) // options of another type select nothing
	listed := map[string]bool{}
	for _, name := range names.Names {
		listed[name] = true
	}
	return func(f *Field, frame *Frame, all []*Frame) bool {
		found := listed[f.Name] || listed[f.displayName(frame, all)]
		return found != (names.Mode == "exclude")
	}
}

// byValue selects the fields whose reduced values are as the matcher wants.
func (m Matcher) byValue() selector {
	var o byValueOptions
	err := json.Unmarshal(m.Options, &o)
	return func(f *Field, _ *Frame, _ []*Frame) bool {
		return err == nil && f.Type == Number && o.selects(f.Values)
	}
}

func (o byValueOptions) selects(values []float64) bool {
	present := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	switch o.Reducer {
	case "allIsZero":
		return len(present) > 0 && !slices.ContainsFunc(present, func(v float64) bool { return v != 0 })
	case "allIsNull":
		return len(present) == 0
	}
	v := Reduce(values, o.Reducer)
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
