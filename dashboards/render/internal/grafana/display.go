package grafana

import (
	"encoding/json"
	"math"
)

// Value is a value as a panel shows it.
type Value struct {
	Text
	Color   string
	Number  float64 // NaN if there is none
	Percent float64 // of the range of the field
}

// Show returns the text and the color of a value: that of a mapping, else formatted in the unit of the
// field.
func (f *Field) Show(v float64, t Theme) Value {
	out := Value{Number: v, Percent: f.Percent(v)}
	mapped := f.mapped(v)
	switch {
	case mapped.Text != nil:
		out.Text.Text = short(*mapped.Text)
	case math.IsNaN(v):
		out.Text.Text = f.Config.NoValue
	default:
		out.Text = f.format(v, f.decimals())
	}
	switch {
	case mapped.Color != "":
		out.Color, out.Percent = t.Color(mapped.Color), 0
	case math.IsNaN(v):
		out.Color = f.colorOf(math.Inf(-1), t)
	default:
		out.Color = f.colorOf(v, t)
	}
	return out
}

// maxDecimals is more than a number has; a file may have any.
const maxDecimals = 20

// decimals returns the configured number of decimals.
func (f *Field) decimals() int {
	if f.Config.Decimals != nil {
		return min(*f.Config.Decimals, maxDecimals)
	}
	return auto
}

func (f *Field) format(v float64, decimals int) Text {
	if layout := dateLayout(f.Config.Unit); layout != "" {
		return date(v, layout, f.Zone)
	}
	return unit(f.Config.Unit)(v, decimals)
}

// text formats a value with the decimals that ticks of an axis need, without zeros at the end, unless
// the number of decimals is configured.
func (f *Field) text(v float64, decimals int) string {
	if mapped := f.mapped(v); mapped.Text != nil {
		return short(*mapped.Text)
	}
	if f.Config.Decimals != nil || decimals == auto {
		return f.format(v, f.decimals()).String()
	}
	out := f.format(v, decimals)
	if n := parse(out.Text); !math.IsNaN(n) {
		out.Text = jsString(n)
	}
	return out.String()
}

// mapping is what replaces a value.
type mapping struct {
	Text  *string `json:"text"`
	Color string  `json:"color"`
	Index int     `json:"index"` // in the editor; has no effect on a picture
}

// mapped returns the first mapping of a value.
func (f *Field) mapped(v float64) mapping {
	for _, m := range f.Config.Mappings {
		if out, ok := m.of(v); ok {
			return out
		}
	}
	return mapping{}
}

// UnmarshalJSON decodes the options, too, since they are compared with each value.
func (m *Mapping) UnmarshalJSON(src []byte) error {
	type plain Mapping
	if err := json.Unmarshal(src, (*plain)(m)); err != nil {
		return err
	}
	if m.Type == "value" {
		_ = json.Unmarshal(m.Options, &m.values) // a mapping of another form maps nothing
		return nil
	}
	_ = json.Unmarshal(m.Options, &m.decoded) // as above
	return nil
}

func (m Mapping) of(v float64) (mapping, bool) {
	o := m.decoded
	switch m.Type {
	case "value":
		out, ok := m.values[jsString(v)]
		return out, ok && !math.IsNaN(v)
	case "range":
		return o.Result, v >= value(o.From, math.Inf(-1)) && v <= value(o.To, math.Inf(1))
	case "special":
		missing := o.Match == "null" || o.Match == "nan" || o.Match == "null+nan"
		return o.Result, missing && math.IsNaN(v)
	}
	return mapping{}, false
}

// mappingOptions are those of a mapping that is not by single values.
type mappingOptions struct {
	From   *float64 `json:"from"`
	To     *float64 `json:"to"`
	Match  string   `json:"match"`
	Result mapping  `json:"result"`
}

// MappingOptions returns a pointer to the options of a type of mapping, nil for one that is not applied.
func MappingOptions(kind string) any {
	switch kind {
	case "value":
		return &map[string]mapping{}
	case "range", "special":
		return &mappingOptions{}
	}
	return nil
}
