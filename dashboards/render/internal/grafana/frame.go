package grafana

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// FieldType is the type of a field's values.
type FieldType string

// The types of fields.
const (
	Time   FieldType = "time" // milliseconds since 1970
	Number FieldType = "number"
	String FieldType = "string"
)

// Frame is a table: a series, or the rows of an instant query.
type Frame struct {
	Name, RefID string
	Fields      []*Field
}

// Len returns the number of rows.
func (f *Frame) Len() int {
	if len(f.Fields) == 0 {
		return 0
	}
	return f.Fields[0].Len()
}

// Field is a column. Strings are the values of a field of type [String], Values those of others.
type Field struct {
	Name    string
	Type    FieldType
	Labels  map[string]string
	Values  []float64
	Strings []string
	// Legend is the name that the query's legend format gives.
	Legend string
	Config Config
	// Zone is the time zone of units that are dates; nil is UTC.
	Zone *time.Location

	// Set by [Apply].
	Display string // name in legends, headings and tables
	Index   int    // among all fields but those of time, for colors by index
	Low     float64
	High    float64 // range of the values, for colors and bars
}

// Len returns the number of values.
func (f *Field) Len() int {
	if f.Type == String {
		return len(f.Strings)
	}
	return len(f.Values)
}

// valueName is the name of a Prometheus value.
const valueName = "Value"

// Apply returns copies of the frames with the configuration of a panel: defaults, overrides, names and
// ranges. Its error is that of an override with a value of the wrong type; other settings hold.
func Apply(frames []*Frame, config FieldConfig) ([]*Frame, error) {
	out := make([]*Frame, len(frames))
	for i, frame := range frames {
		copied := *frame
		copied.Fields = make([]*Field, len(frame.Fields))
		for j, f := range frame.Fields {
			field := *f
			field.Display = ""
			field.Config = config.Defaults
			if f.Config.DisplayName != "" {
				field.Config.DisplayName = f.Config.DisplayName
			}
			copied.Fields[j] = &field
		}
		out[i] = &copied
	}
	err := override(out, config)
	low, high := span(out)
	index := 0
	for _, frame := range out {
		for _, f := range frame.Fields {
			f.Display = f.name(frame, out)
			f.Index = index
			f.setRange(low, high)
			if f.Type != Time {
				index++
			}
		}
	}
	return out, err
}

func override(frames []*Frame, config FieldConfig) (err error) {
	rules := config.Overrides
	selects := make([]selector, len(rules))
	for i, rule := range rules {
		selects[i] = rule.Matcher.selector()
	}
	for _, frame := range frames {
		for _, f := range frame.Fields {
			if config.Done != nil && config.Done() {
				return err
			}
			for i, rule := range rules {
				if !selects[i](f, frame, frames) {
					continue
				}
				for _, p := range rule.Properties {
					if problem := f.Config.set(p); problem != nil {
						err = problem
					}
				}
			}
			f.Config.cut()
		}
	}
	return err
}

// span returns the range of all numbers of the frames, NaN without any.
func span(frames []*Frame) (low, high float64) {
	low, high = math.NaN(), math.NaN()
	for _, frame := range frames {
		for _, f := range frame.Fields {
			if f.Type != Number {
				continue
			}
			for _, v := range f.Values {
				if math.IsNaN(v) {
					continue
				}
				if math.IsNaN(low) || v < low {
					low = v
				}
				if math.IsNaN(high) || v > high {
					high = v
				}
			}
		}
	}
	return low, high
}

// setRange sets the range of colors by value and of bars: the configured limits, else those of all
// numbers of the panel.
func (f *Field) setRange(low, high float64) {
	if f.Type != Number {
		f.Low, f.High = 0, 100
		return
	}
	if f.Config.FieldMinMax {
		low, high = Reduce(f.Values, Min), Reduce(f.Values, Max)
	}
	f.Low, f.High = value(f.Config.Min, low), value(f.Config.Max, high)
}

// displayName returns the name that overrides and transformations match: the one at the first question,
// whatever overrides change later.
func (f *Field) displayName(frame *Frame, all []*Frame) string {
	if f.Display == "" {
		f.Display = f.name(frame, all)
	}
	return f.Display
}

// name returns the name of a field: configured, from the legend's format, or made of its labels.
func (f *Field) name(frame *Frame, all []*Frame) string {
	switch {
	case f.Config.DisplayName != "":
		return f.Config.DisplayName
	case f.Legend != "":
		return f.Legend
	case f.Type == Time && len(f.Labels) == 0:
		return f.Name
	}
	var parts []string
	framed := frame.Name != "" && namesDiffer(all)
	if framed {
		parts = append(parts, frame.Name)
	}
	if f.Name != "" && f.Name != valueName {
		parts = append(parts, f.Name)
	}
	labels := f.labelText(all)
	if labels != "" {
		parts = append(parts, labels)
	}
	if !framed && labels == "" && f.Name == valueName && frame.Name != "" {
		parts = append(parts, frame.Name)
	}
	if len(parts) == 0 {
		parts = []string{f.Name}
		if f.Name == "" {
			return valueName
		}
	}
	if name := strings.Join(parts, " "); name != f.Name {
		return name
	}
	return f.unique(frame)
}

func namesDiffer(frames []*Frame) bool {
	for i := 1; i < len(frames); i++ {
		if frames[i].Name != frames[i-1].Name {
			return true
		}
	}
	return false
}

// labelText returns the value of the only label of all fields, or all labels.
func (f *Field) labelText(all []*Frame) string {
	if len(f.Labels) == 0 {
		return ""
	}
	single := ""
	for _, frame := range all {
		for _, other := range frame.Fields {
			for name := range other.Labels {
				if single != "" && single != name {
					return f.allLabels()
				}
				single = name
			}
		}
	}
	return f.Labels[single]
}

func (f *Field) allLabels() string {
	parts := make([]string, 0, len(f.Labels))
	for _, name := range slices.Sorted(maps.Keys(f.Labels)) {
		parts = append(parts, name+`="`+f.Labels[name]+`"`)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// unique numbers fields of one frame with equal names.
func (f *Field) unique(frame *Frame) string {
	before, same := 0, 0
	found := false
	for _, other := range frame.Fields {
		if other == f {
			found = true
			continue
		}
		if other.Name == f.Name {
			same++
			if !found {
				before++
			}
		}
	}
	if same == 0 {
		return f.Name
	}
	return f.Name + " " + jsString(float64(before+1))
}
