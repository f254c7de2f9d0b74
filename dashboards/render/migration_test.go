package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
)

// Grafana takes a panel without a version for one of version 6, where ratios ended at 100 %.
func TestRatiosOfOldPanelsEndAtOne(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, kind, more string
		percent          float64
	}{
		{"bar gauge without a version", "bargauge", `"fieldConfig":{"defaults":{"unit":"percentunit"}}`, .1},
		{"bar gauge of version 7", "bargauge", `"pluginVersion":"7.5.17","fieldConfig":{"defaults":{"unit":"percentunit"}}`, .1},
		{"bar gauge of version 11", "bargauge", `"pluginVersion":"11.6.0","fieldConfig":{"defaults":{"unit":"percentunit","min":0}}`, .5},
		{"bar gauge with limits", "bargauge", `"fieldConfig":{"defaults":{"unit":"percentunit","min":-0.1,"max":0.3}}`, .5},
		{"bar gauge of another unit", "bargauge", `"fieldConfig":{"defaults":{"unit":"short","min":0}}`, .5},
		{"gauge of any version", "gauge", `"pluginVersion":"11.6.0","fieldConfig":{"defaults":{"unit":"percentunit"}}`, .1},
		{"percent", "bargauge", `"fieldConfig":{"defaults":{"unit":"percent"}}`, .001},
	} {
		src := fmt.Sprintf(`{"title":"T","schemaVersion":39,"panels":[{"type":"row","collapsed":true,"panels":[%s]}]}`, panelJSON(tc.kind, tc.more))
		b, _, err := parse("t.json", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		r := &renderer{dashboard: b, record: &record{}}
		d := &drawing{panel: &b.Panels[0].Panels[0], facts: &facts{}}
		values := r.reduce(d, panelData{frames: seriesFrames(target{LegendFormat: "{{route}}"}, model.Matrix{sampleOf("a", .2), sampleOf("b", .1)})}, reduceOptions{})
		if got := values[1].Percent; fmt.Sprintf("%.4f", got) != fmt.Sprintf("%.4f", tc.percent) {
			t.Errorf("%s: 0.1 is at %g, want %g", tc.name, got, tc.percent)
		}
	}
}

// The axis of a graph is not limited.
func TestRatiosOfGraphsDoNotEndAtOne(t *testing.T) {
	t.Parallel()
	_, d := drawOne(t, panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"percentunit"}}`), series(map[string]func(float64) float64{"route=/a": wave(.1, .05)}))
	if high := d.facts.Axes[0].High; high > .2 || strings.Contains(strings.Join(d.facts.Axes[0].Labels, " "), "100%") {
		t.Errorf("the axis ends at %g", high)
	}
}

func sampleOf(route string, v model.SampleValue) *model.SampleStream {
	return &model.SampleStream{Metric: model.Metric{"route": model.LabelValue(route)}, Values: []model.SamplePair{{Value: v}}}
}
