package grafana

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

// A step that rounding loses has no next tick, and a power that is zero no next power.
func TestTicksEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ low, high float64 }{
		{9, 9.000000000000002}, {1 << 53, 1<<53 + 2}, {math.MaxUint64 - 4096, math.MaxUint64}, {-math.MaxFloat64, math.MaxFloat64}, {0, math.SmallestNonzeroFloat64},
	} {
		for _, binary := range []bool{false, true} {
			if ticks, _ := Ticks(tc.low, tc.high, 200, 30, binary); len(ticks) > 20 {
				t.Errorf("%v to %v: %d ticks", tc.low, tc.high, len(ticks))
			}
		}
	}
	for _, base := range []float64{2, 10} {
		if n := len(LogTicks(math.SmallestNonzeroFloat64, math.MaxFloat64, base)); n == 0 || n > maxTicks {
			t.Errorf("base %v: %d ticks", base, n)
		}
	}
}

func TestNumbersAtTheEndsOfTheRange(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		value    float64
		decimals int
		want     string
	}{{5e-324, auto, "5e-324"}, {1e300, 20, "1e+300"}, {-1e300, 20, "-1e+300"}} {
		if got := toFixed(tc.value, tc.decimals); got != tc.want {
			t.Errorf("%v with %d decimals: %s, want %s", tc.value, tc.decimals, got, tc.want)
		}
	}
}

// Mappings are compared with each value of a timeline.
func TestMappingsAreDecodedOnce(t *testing.T) {
	t.Parallel()
	var list []Mapping
	const src = `[{"type":"value","options":{"3":{"text":"three"}}},{"type":"range","options":{"from":5,"to":6,"result":{"text":"some"}}},{"type":"value","options":[]}]`
	if err := json.Unmarshal([]byte(src), &list); err != nil {
		t.Fatal(err)
	}
	for i := range list {
		list[i].Options = nil
	}
	f := &Field{Config: Config{Mappings: list}}
	if got := []string{f.Show(3, Dark()).Text.Text, f.Show(5.5, Dark()).Text.Text, f.Show(7, Dark()).Text.Text}; !slices.Equal(got, []string{"three", "some", "7"}) {
		t.Errorf("got %q", got)
	}
}

func TestOverridesEndEarly(t *testing.T) {
	t.Parallel()
	asked := 0
	config := FieldConfig{
		Overrides: []Override{{Matcher: Matcher{ID: "numeric"}, Properties: []Property{{ID: "unit", Value: []byte(`"s"`)}}}},
		Done:      func() bool { asked++; return asked > 2 },
	}
	var fields []*Field
	for range 5 {
		fields = append(fields, &Field{Type: Number})
	}
	out, err := Apply([]*Frame{{Fields: fields}}, config)
	if err != nil || out[0].Fields[1].Config.Unit != "s" || out[0].Fields[2].Config.Unit != "" {
		t.Errorf("%d, %v", asked, err)
	}
}

func TestConfiguredListsHaveALimit(t *testing.T) {
	t.Parallel()
	c := Config{Mappings: make([]Mapping, 2*maxMappings), NoValue: strings.Repeat("x", 2*maxText)}
	c.Thresholds.Steps = make([]Step, 2*maxSteps)
	out, err := Apply([]*Frame{{Fields: []*Field{{Type: Number}}}}, FieldConfig{Defaults: c})
	if got := out[0].Fields[0].Config; err != nil || len(got.Mappings) != maxMappings || len(got.Thresholds.Steps) != maxSteps || len(got.NoValue) != maxText {
		t.Errorf("%d mappings, %d steps, %d bytes, %v", len(got.Mappings), len(got.Thresholds.Steps), len(got.NoValue), err)
	}
	var frames []*Frame
	for i := range 3 {
		frame := &Frame{Fields: []*Field{{Name: "key", Type: String, Strings: []string{"a"}}}}
		for j := range maxColumns {
			frame.Fields = append(frame.Fields, &Field{Name: string(rune(1000*(i+1) + j)), Type: Number, Values: []float64{1}})
		}
		frames = append(frames, frame)
	}
	if merged := merge(frames); len(merged[0].Fields) != maxColumns {
		t.Errorf("%d columns", len(merged[0].Fields))
	}
}

func TestLongOverridesAreLeftOut(t *testing.T) {
	t.Parallel()
	var c Config
	err := c.set(Property{ID: "thresholds", Value: []byte(`{"steps":[` + strings.Repeat(`{"color":"red"},`, 10_000) + `{}]}`)})
	if err == nil || err.Error() != "override thresholds: its value is longer than 100 kB" || c.Thresholds.Steps != nil {
		t.Errorf("%v, %d steps", err, len(c.Thresholds.Steps))
	}
}
