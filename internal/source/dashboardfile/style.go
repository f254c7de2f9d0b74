package dashboardfile

import (
	"encoding/json"
	"strings"
)

// Style is how a panel of Grafana 8 or later shows its values.
type Style struct {
	Width     int    // in columns of the grid, of 24
	ColorMode string // such as thresholds; empty for the default of the type
	// Colored means that overrides color series.
	Colored bool
	// Thresholds are the values of the steps but the first, which has none. HasThresholds distinguishes
	// none from those of Grafana.
	Thresholds    []float64
	HasThresholds bool
	Lines         bool // thresholds are drawn as lines or areas
	// RightAxis means that an override moves series to the right axis, and that their thresholds stay.
	RightAxis    bool
	Max, SoftMax *float64
	Logarithmic  bool
	NoValue      string
	Renamed      bool   // a transformation or an override names columns
	AlertSource  string // data source of an alert list
	Range        string // time range of the panel
}

func style(n node) Style {
	defaults := n.get("fieldConfig", "defaults")
	custom := defaults.get("custom")
	s := Style{
		Width: n.get("gridPos", "w").number(), ColorMode: defaults.get("color", "mode").text(),
		HasThresholds: len(defaults.get("thresholds", "steps").items) > 0,
		Lines:         drawsThresholds(custom.get("thresholdsStyle", "mode").text()),
		Max:           defaults.get("max").float(), SoftMax: custom.get("axisSoftMax").float(),
		Logarithmic: custom.get("scaleDistribution", "type").text() == "log", NoValue: defaults.get("noValue").text(),
		AlertSource: n.get("options", "datasource").text(), Range: n.get("timeFrom").text(),
	}
	for _, step := range defaults.get("thresholds", "steps").items {
		if v := step.get("value").float(); v != nil {
			s.Thresholds = append(s.Thresholds, *v)
		}
	}
	for _, t := range n.get("transformations").items {
		s.Renamed = s.Renamed || len(t.get("options", "renameByName").fields) > 0
	}
	for _, o := range n.get("fieldConfig", "overrides").items {
		s.override(o)
	}
	return s
}

func (s *Style) override(o node) {
	right, keeps := false, s.Lines
	for _, property := range o.get("properties").items {
		switch value := property.get("value"); property.get("id").text() {
		case "color":
			s.Colored = true
		case "displayName":
			s.Renamed = true
		case "custom.axisPlacement":
			right = value.text() == "right"
		case "custom.thresholdsStyle":
			keeps = drawsThresholds(value.get("mode").text())
		}
	}
	s.RightAxis = s.RightAxis || right && keeps
}

func drawsThresholds(mode string) bool {
	return strings.Contains(mode, "line") || strings.Contains(mode, "dashed") || strings.Contains(mode, "area")
}

// float returns a number, nil for other values.
func (n node) float() *float64 {
	num, _ := n.value.(json.Number)
	f, err := num.Float64()
	if err != nil {
		return nil
	}
	return &f
}
