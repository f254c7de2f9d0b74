package grafana

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// recordedFile has answers of Grafana's own code, which make grafana-parity writes with -update.
const recordedFile = "testdata/recorded.json"

type recorded struct {
	Formats []recordedFormat `json:"formats"`
	Axes    []recordedAxis   `json:"axes"`
}

type recordedFormat struct {
	Unit     string `json:"unit"`
	Value    string `json:"value"`
	Decimals int    `json:"decimals"` // -1 leaves them to Grafana
	Want     string `json:"want"`
}

type recordedAxis struct {
	Low     float64   `json:"low"`
	High    float64   `json:"high"`
	Length  float64   `json:"length"`
	Min     *float64  `json:"min"`
	SoftMax *float64  `json:"softMax"`
	Bottom  float64   `json:"bottom"`
	Top     float64   `json:"top"`
	Ticks   []float64 `json:"ticks"`
}

func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile(recordedFile)
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.Unmarshal(src, &r); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Formats {
		if got := unit(f.Unit)(parse(f.Value), f.Decimals).String(); got != f.Want {
			t.Errorf("unit %q, %s with %d decimals: got %q, want %q", f.Unit, f.Value, f.Decimals, got, f.Want)
		}
	}
	for _, a := range r.Axes {
		bottom, top := Scale{Min: a.Min, SoftMax: a.SoftMax}.Limits(a.Low, a.High)
		ticks, _ := Ticks(bottom, top, a.Length, 30, false)
		if bottom != a.Bottom || top != a.Top || !slices.Equal(ticks, a.Ticks) {
			t.Errorf("%+v: got %v to %v, %v", a, bottom, top, ticks)
		}
	}
	if len(r.Formats) < 200 || len(r.Axes) < 50 {
		t.Errorf("%d formats and %d axes are recorded", len(r.Formats), len(r.Axes))
	}
}
