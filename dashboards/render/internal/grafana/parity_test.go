//go:build parity

package grafana

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/testkit/golden"
)

// values is how many random values each option is compared with.
const values = 5000

// original asks Grafana's own code.
type original struct {
	questions *json.Encoder
	answers   *bufio.Reader
}

// newOriginal starts test/grafana/parity.mjs. `make grafana-parity` installs its packages.
func newOriginal(t *testing.T) original {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "parity.mjs")
	cmd.Dir = "../../../../test/grafana"
	cmd.Env = append(os.Environ(), "TZ=UTC")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; install Node.js 20", err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return original{json.NewEncoder(in), bufio.NewReaderSize(out, 1<<20)}
}

// ask decodes the answer to a question into T.
func ask[T any](t *testing.T, o original, question map[string]any) T {
	t.Helper()
	if err := o.questions.Encode(question); err != nil {
		t.Fatal(err)
	}
	line, err := o.answers.ReadBytes('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	var out T
	if err := json.Unmarshal(line, &out); err != nil {
		t.Fatalf("%v: answer %.200s", err, line)
	}
	return out
}

// js is a number in questions and answers, where JSON has no NaN and no infinities.
type js float64

func (n js) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendQuote(nil, jsString(v)), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', -1, 64), nil
}

func (n *js) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "null" {
		text = "NaN"
	}
	v, err := strconv.ParseFloat(text, 64)
	*n = js(v)
	return err
}

func numbers(list []float64) []js {
	out := make([]js, len(list))
	for i, v := range list {
		out[i] = js(v)
	}
	return out
}

// random returns numbers of all magnitudes, whole and not, of both signs, zeros and infinities.
func random(r *rand.Rand) float64 {
	sign := []float64{1, 1, 1, -1}[r.IntN(4)]
	switch r.IntN(20) {
	case 0:
		return 0
	case 1:
		return sign * math.Pow(10, float64(r.IntN(20)-9))
	case 2:
		return sign * float64(r.IntN(10_000))
	case 3:
		return sign * float64(r.IntN(1000)) / 1000
	case 4:
		return sign * math.Pow(1024, float64(r.IntN(6)))
	}
	return sign * r.Float64() * math.Pow(10, float64(r.IntN(24)-10))
}

func seeded() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// TestRecord writes some of Grafana's answers for a test that needs no npm.
func TestRecord(t *testing.T) {
	o, r := newOriginal(t), seeded()
	var out recorded
	for _, name := range slices.Sorted(maps.Keys(units())) {
		for range 3 {
			v, decimals := random(r), r.IntN(5)-1
			q := map[string]any{"ask": "format", "unit": name, "value": js(v)}
			if decimals != auto {
				q["decimals"] = decimals
			}
			out.Formats = append(out.Formats, recordedFormat{name, jsString(v), decimals, strings.Join(parts(ask[[3]string](t, o, q)), "")})
		}
	}
	for range 60 {
		low := random(r)
		high := low + math.Abs(random(r))
		one := recordedAxis{Low: low, High: high, Length: float64(50 + r.IntN(400))}
		scale := map[string]any{}
		if r.IntN(2) == 0 {
			one.Min, scale["min"] = new(0.0), 0
		}
		if r.IntN(2) == 0 {
			one.SoftMax, scale["softMax"] = new(1.0), 1
		}
		limits := ask[[2]js](t, o, map[string]any{"ask": "limits", "low": js(low), "high": js(high), "scale": scale})
		one.Bottom, one.Top = float64(limits[0]), float64(limits[1])
		answer := ask[[2]json.RawMessage](t, o, map[string]any{"ask": "ticks", "low": one.Bottom, "high": one.Top, "length": one.Length, "space": 30, "binary": false})
		if err := json.Unmarshal(answer[1], &one.Ticks); err != nil {
			t.Fatal(err)
		}
		out.Axes = append(out.Axes, one)
	}
	data, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, recordedFile, append(data, '\n'))
}

func parts(p [3]string) []string { return p[:] }

func TestUnitsMatch(t *testing.T) {
	o, r := newOriginal(t), seeded()
	names := []string{"prefix:~", "suffix:per day", "count:rows", "si:W", "a unit of nobody", "dateTimeAsIso", "dateTimeAsSystem", "dateTimeAsUS"}
	for name := range units() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		wrong := 0
		for range values {
			v, decimals := random(r), r.IntN(5)-1
			q := map[string]any{"ask": "format", "unit": name, "value": js(v)}
			if decimals != auto {
				q["decimals"] = decimals
			}
			want := ask[[3]string](t, o, q)
			if got := (&Field{Config: Config{Unit: name}}).format(v, decimals); [3]string{got.Prefix, got.Text, got.Suffix} != want {
				if wrong++; wrong < 4 {
					t.Errorf("unit %q, %v with %d decimals: got %q, want %q", name, jsString(v), decimals, got, want)
				}
			}
		}
		if wrong > 0 {
			t.Errorf("unit %q: %d of %d values differ", name, wrong, values)
		}
	}
}

func TestReducersMatch(t *testing.T) {
	o, r := newOriginal(t), seeded()
	for _, reducer := range []Reducer{
		Last, LastNotNull, First, FirstNotNull, Min, Max, Mean, Sum, Count, Range, Difference, Delta, Median, StdDev, Variance, LogMin, ChangeCount, DistinctCount, "p95",
	} {
		wrong := 0
		for i := range values {
			list := make([]float64, r.IntN(12)+1)
			for j := range list {
				list[j] = float64(r.IntN(2000)-500) / 8
				// Of these, Grafana counts a missing value as zero or fails.
				complete := slices.Contains([]Reducer{Median, StdDev, Variance, "p95"}, reducer)
				if !complete && r.IntN(6) == 0 || i == 0 && !complete {
					list[j] = math.NaN()
				}
			}
			want := ask[js](t, o, map[string]any{"ask": "reduce", "values": numbers(list), "reducer": reducer})
			if got := Reduce(list, reducer); !same(got, float64(want)) && wrong < 3 {
				wrong++
				t.Errorf("%s of %v: got %v, want %v", reducer, list, got, want)
			}
		}
	}
}

func same(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-12*math.Max(math.Abs(a), math.Abs(b))
}

func TestAxesMatch(t *testing.T) {
	o, r := newOriginal(t), seeded()
	maybe := func(v float64) *float64 {
		if r.IntN(3) == 0 {
			return &v
		}
		return nil
	}
	wrong := 0
	for i := range 4 * values {
		low := random(r)
		high := low + math.Abs(random(r))*float64(r.IntN(2))
		if i%10 == 0 {
			low, high = 0, 0
		}
		s := Scale{Min: maybe(0), Max: maybe([]float64{1, 100, random(r)}[r.IntN(3)]), SoftMin: maybe(random(r)), SoftMax: maybe([]float64{1, .01, random(r)}[r.IntN(3)])}
		if r.IntN(4) == 0 {
			s.Decimals = new(0)
		}
		if r.IntN(5) == 0 {
			s = Scale{LogBase: 10}
			low, high = math.Abs(low), math.Abs(high)
			low, high = min(low, high), max(low, high)
			if low == 0 {
				continue // a logarithmic axis with a zero is not drawn
			}
		}
		scale := map[string]any{"min": s.Min, "max": s.Max, "softMin": s.SoftMin, "softMax": s.SoftMax, "decimals": s.Decimals}
		if s.LogBase > 0 {
			scale["log"] = s.LogBase
		}
		want := ask[[2]js](t, o, map[string]any{"ask": "limits", "low": js(low), "high": js(high), "scale": scale})
		bottom, top := s.Limits(low, high)
		if (!same(bottom, float64(want[0])) || !same(top, float64(want[1]))) && wrong < 8 {
			wrong++
			t.Errorf("limits of %v to %v with %v: got %v to %v, want %v", low, high, scale, bottom, top, want)
		}
		if s.LogBase > 0 {
			continue
		}
		length, space := float64(40+r.IntN(400)), []float64{15, 30}[r.IntN(2)]
		binary := r.IntN(4) == 0
		answer := ask[[2]json.RawMessage](t, o, map[string]any{"ask": "ticks", "low": bottom, "high": top, "length": length, "space": space, "binary": binary})
		var distance float64
		var ticks []float64
		if json.Unmarshal(answer[0], &distance) != nil || json.Unmarshal(answer[1], &ticks) != nil {
			t.Fatalf("ticks: %s", answer)
		}
		gotTicks, gotDistance := Ticks(bottom, top, length, space, binary)
		if (gotDistance != distance || !slices.Equal(gotTicks, ticks)) && wrong < 8 {
			wrong++
			t.Errorf("ticks of %v to %v, length %v, space %v: got %v %v, want %v %v", bottom, top, length, space, gotDistance, gotTicks, distance, ticks)
		}
	}
}

func TestLogTicksMatch(t *testing.T) {
	o, r := newOriginal(t), seeded()
	for range values {
		low := pow10(r.IntN(12) - 6)
		high := low * pow10(1+r.IntN(5))
		want := ask[[]float64](t, o, map[string]any{"ask": "logTicks", "low": low, "high": high, "base": 10})
		if got := LogTicks(low, high, 10); !slices.EqualFunc(got, want, same) {
			t.Fatalf("%v to %v: got %v, want %v", low, high, got, want)
		}
	}
}

func TestTimeTicksMatch(t *testing.T) {
	o, r := newOriginal(t), seeded()
	for range values {
		from := time.UnixMilli(1_790_000_000_000 + r.Int64N(30_000_000_000)).UTC()
		to := from.Add(time.Duration(r.Int64N(int64(30*24*time.Hour)) >> r.IntN(16)).Truncate(time.Millisecond)).Add(time.Second)
		length, space := float64(100+r.IntN(1500)), float64(40+r.IntN(60))
		want := ask[[]int64](t, o, map[string]any{"ask": "timeTicks", "from": from.UnixMilli(), "to": to.UnixMilli(), "length": length, "space": space})
		// uPlot's first tick may be behind the end, where it is not drawn.
		want = slices.DeleteFunc(want, func(tick int64) bool { return tick > to.UnixMilli() })
		ticks, _ := TimeTicks(from, to, length, space)
		got := make([]int64, len(ticks))
		for i, tick := range ticks {
			got[i] = tick.UnixMilli()
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v to %v, length %v, space %v: got %v, want %v", from, to, length, space, got, want)
		}
	}
}

func TestColorsMatch(t *testing.T) {
	o := newOriginal(t)
	for name, theme := range map[string]Theme{"dark": Dark(), "light": Light()} {
		for _, color := range slices.Concat(classic(), []string{"gray", "#123456", "rgba(1,2,3,0.5)", "light-red", "dark-purple", "super-light-blue", "semi-dark-green"}) {
			if want := ask[string](t, o, map[string]any{"ask": "color", "theme": name, "name": color}); theme.Color(color) != want {
				t.Errorf("%s in the %s theme: got %s, want %s", color, name, theme.Color(color), want)
			}
		}
	}
	if want := ask[[]string](t, o, map[string]any{"ask": "palette"}); !slices.Equal(classic(), want) {
		t.Errorf("palette: got %q, want %q", classic(), want)
	}
}

// shown is what Grafana makes of a field.
type shown struct {
	Name   string      `json:"name"`
	Color  string      `json:"color"`
	Shown  [][3]any    `json:"shown"`
	Ticks  []string    `json:"ticks"`
	Config fieldConfig `json:"config"`
}

// fieldConfig has the settings that are compared.
type fieldConfig struct {
	Unit   string `json:"unit"`
	Custom Custom `json:"custom"`
}

// randomFrames returns series with labels.
func randomFrames(r *rand.Rand) []*Frame {
	var frames []*Frame
	for i := range r.IntN(4) + 1 {
		f := &Frame{RefID: string(rune('A' + i%2))}
		times, numbers := make([]float64, 4), make([]float64, 4)
		for j := range times {
			times[j] = float64(1_790_000_000_000 + 15_000*j)
			numbers[j] = float64(r.IntN(4000)-1000) / 1000
			if r.IntN(8) == 0 {
				numbers[j] = math.NaN()
			}
		}
		field := &Field{Name: "Value", Type: Number, Values: numbers}
		switch r.IntN(4) {
		case 0:
			field.Legend = fmt.Sprintf("p%d", i)
		case 1:
			field.Labels = map[string]string{"route": fmt.Sprintf("/v%d", i)}
		case 2:
			field.Labels = map[string]string{"route": fmt.Sprintf("/v%d", i), "method": "GET"}
		}
		f.Fields = []*Field{{Name: "Time", Type: Time, Values: times}, field}
		frames = append(frames, f)
	}
	return frames
}

// fieldQuestion returns the frames as the original reads them.
func fieldQuestion(frames []*Frame) []map[string]any {
	var out []map[string]any
	for _, f := range frames {
		var fields []map[string]any
		for _, field := range f.Fields {
			fields = append(fields, map[string]any{
				"Name": field.Name, "Type": field.Type, "Labels": field.Labels, "Values": numbers(field.Values), "Strings": field.Strings, "Legend": field.Legend,
			})
		}
		out = append(out, map[string]any{"Name": f.Name, "RefID": f.RefID, "Fields": fields})
	}
	return out
}

func randomConfig(r *rand.Rand) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	defaults := []string{
		`"unit":` + pick(`"s"`, `"percentunit"`, `"reqps"`, `"short"`, `"bytes"`, `"none"`),
		`"color":` + pick(`{"mode":"palette-classic"}`, `{"mode":"palette-colorblind"}`, `{"mode":"continuous-YlRd"}`, `{"mode":"continuous-BlPu","seriesBy":"max"}`, `{"mode":"thresholds"}`, `{"mode":"fixed","fixedColor":"purple"}`, `{"mode":"thresholds","seriesBy":"max"}`, `{"mode":"continuous-BlYlRd"}`, `{"mode":"continuous-GrYlRd"}`),
		`"thresholds":` + pick(`{"mode":"absolute","steps":[{"color":"green","value":null},{"color":"orange","value":0.5},{"color":"red","value":1}]}`,
			`{"mode":"percentage","steps":[{"color":"green","value":null},{"color":"red","value":70}]}`),
		`"custom":{"fillOpacity":8,"lineWidth":1,"axisPlacement":"auto","stacking":{"mode":"none","group":"A"}}`,
	}
	for _, more := range []string{`"min":0`, `"max":1`, `"decimals":2`, `"noValue":"nothing"`, `"fieldMinMax":true`,
		`"mappings":[{"type":"value","options":{"1":{"text":"up","color":"green"}}},{"type":"range","options":{"from":-1,"to":-0.5,"result":{"text":"low"}}},{"type":"special","options":{"match":"null+nan","result":{"text":"away"}}}]`} {
		if r.IntN(3) == 0 {
			defaults = append(defaults, more)
		}
	}
	var overrides []string
	for _, o := range []string{
		`{"matcher":{"id":"byName","options":"p0"},"properties":[{"id":"color","value":{"mode":"fixed","fixedColor":"red"}}]}`,
		`{"matcher":{"id":"byFrameRefID","options":"B"},"properties":[{"id":"unit","value":"short"},{"id":"custom.lineStyle","value":{"fill":"dash","dash":[8,6]}},{"id":"custom.axisPlacement","value":"right"},{"id":"max","value":4}]}`,
		`{"matcher":{"id":"byValue","options":{"reducer":"allIsZero","op":"gte","value":0}},"properties":[{"id":"custom.hideFrom","value":{"legend":true,"tooltip":false,"viz":false}},{"id":"decimals","value":5}]}`,
		`{"matcher":{"id":"byValue","options":{"reducer":"max","op":"lt","value":1}},"properties":[{"id":"unit","value":"bytes"}]}`,
		`{"matcher":{"id":"byRegexp","options":"/v[12]/"},"properties":[{"id":"decimals","value":0},{"id":"custom.fillOpacity","value":0}]}`,
		`{"matcher":{"id":"byType","options":"number"},"properties":[{"id":"noValue","value":"-"},{"id":"displayName","value":"renamed"}]}`,
		`{"matcher":{"id":"byNames","options":{"mode":"exclude","names":["p1"]}},"properties":[{"id":"unit","value":"ms"}]}`,
		`{"matcher":{"id":"byName","options":"/v2"},"properties":[{"id":"thresholds","value":{"mode":"absolute","steps":[{"color":"blue","value":null}]}}]}`,
	} {
		if r.IntN(3) == 0 {
			overrides = append(overrides, o)
		}
	}
	return `{"defaults":{` + strings.Join(defaults, ",") + `},"overrides":[` + strings.Join(overrides, ",") + `]}`
}

func TestFieldsMatch(t *testing.T) {
	for name, theme := range map[string]Theme{"dark": Dark(), "light": Light()} {
		// A process each, since Grafana keeps the colors of its first theme.
		t.Run(name, func(t *testing.T) { testFields(t, name, theme) })
	}
}

func testFields(t *testing.T, name string, theme Theme) {
	o, r := newOriginal(t), seeded()
	wrong := 0
	for range values {
		frames, text := randomFrames(r), randomConfig(r)
		var config FieldConfig
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatal(err)
		}
		decimals := r.IntN(4)
		want := ask[[][]shown](t, o, map[string]any{
			"ask": "apply", "frames": fieldQuestion(frames), "config": json.RawMessage(text), "theme": name, "decimals": decimals,
		})
		applied, err := Apply(frames, config)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, describe(applied, theme, decimals)); diff != "" && wrong < 3 {
			wrong++
			t.Errorf("%s (-Grafana +ours):\n%s", text, diff)
		}
	}
}

// describe returns what [shown] has, of our fields.
func describe(frames []*Frame, theme Theme, decimals int) [][]shown {
	var out [][]shown
	for _, frame := range frames {
		var fields []shown
		for _, f := range frame.Fields {
			s := shown{Name: f.Display, Shown: [][3]any{}, Ticks: []string{}, Config: fieldConfig{f.Config.Unit, f.Config.Custom}}
			if f.Type == Number {
				s.Color = strings.ToLower(f.SeriesColor(theme))
				for _, v := range f.Values {
					shown := f.Show(v, theme)
					var percent any = shown.Percent
					if math.IsInf(shown.Percent, 0) {
						percent = jsString(shown.Percent)
					}
					s.Shown = append(s.Shown, [3]any{shown.String(), strings.ToLower(shown.Color), percent})
					if !math.IsNaN(v) {
						s.Ticks = append(s.Ticks, f.text(v, decimals))
					}
				}
			}
			fields = append(fields, s)
		}
		out = append(out, fields)
	}
	return out
}

func TestTransformationsMatch(t *testing.T) {
	o, r := newOriginal(t), seeded()
	wrong := 0
	for range values {
		frames := randomTables(r)
		options := `{"excludeByName":{"Time":true,"b":true},"renameByName":{"Value #A":"rate","Value #B":"errors","Value":"count"},"indexByName":{"c":0,"a":1}}`
		if r.IntN(2) == 0 {
			options = `{"excludeByName":{"Time":true},"renameByName":{"Value #A":"rate"},"indexByName":{}}`
		}
		list := []Transformation{{ID: "merge", Options: json.RawMessage(`{}`)}, {ID: "organize", Options: json.RawMessage(options)}}
		if r.IntN(3) == 0 {
			list = append(list, Transformation{ID: "sortBy", Options: json.RawMessage(`{"fields":{},"sort":[{"field":"rate","desc":true}]}`)})
		}
		type column struct {
			Name   string `json:"name"`
			Values []any  `json:"values"`
		}
		want := ask[[][]column](t, o, map[string]any{"ask": "transform", "frames": fieldQuestion(frames), "transformations": list})
		changed, err := Transform(frames, list)
		if err != nil {
			t.Fatal(err)
		}
		applied, err := Apply(changed, FieldConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var got [][]column
		for _, frame := range applied {
			columns := []column{}
			for _, f := range frame.Fields {
				c := column{f.Display, []any{}}
				for i := range f.Len() {
					switch {
					case f.Type == String:
						c.Values = append(c.Values, f.Strings[i])
					case math.IsNaN(f.Values[i]):
						c.Values = append(c.Values, "NaN")
					default:
						c.Values = append(c.Values, f.Values[i])
					}
				}
				columns = append(columns, c)
			}
			got = append(got, columns)
		}
		if !reflect.DeepEqual(got, want) && wrong < 3 {
			wrong++
			t.Errorf("(-Grafana +ours):\n%s", cmp.Diff(want, got))
		}
	}
}

// randomTables returns the answers of one to three instant queries.
func randomTables(r *rand.Rand) []*Frame {
	var frames []*Frame
	queries := r.IntN(3) + 1
	labels := []string{"a", "b", "c"}[:r.IntN(3)+1]
	for i := range queries {
		f := &Frame{RefID: string(rune('A' + i)), Fields: []*Field{{Name: "Time", Type: Time}}}
		for _, label := range labels {
			f.Fields = append(f.Fields, &Field{Name: label, Type: String, Strings: []string{}})
		}
		name := "Value"
		if queries > 1 {
			name += " #" + f.RefID
		}
		f.Fields = append(f.Fields, &Field{Name: name, Type: Number})
		for row := range r.IntN(4) {
			f.Fields[0].Values = append(f.Fields[0].Values, 1_790_000_000_000)
			for j := range labels {
				f.Fields[j+1].Strings = append(f.Fields[j+1].Strings, strconv.Itoa((row+r.IntN(2))%3))
			}
			last := f.Fields[len(labels)+1]
			last.Values = append(last.Values, float64(row*r.IntN(5)))
		}
		frames = append(frames, f)
	}
	return frames
}
