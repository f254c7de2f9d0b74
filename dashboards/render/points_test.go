package render

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// Grafana draws points if there is room for them between the first and the last, not in the whole graph.
func TestPointsAreDrawnWhereTheyHaveRoom(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		every time.Duration
		count int
		want  bool
	}{
		{"few over the whole range", 2 * time.Minute, 30, true},
		{"many over the whole range", 15 * time.Second, 240, false},
		{"few, but close together", 15 * time.Second, 30, false},
	} {
		s := &model.SampleStream{Metric: model.Metric{}}
		for i := range tc.count {
			at := end().Add(-time.Hour + time.Duration(i+1)*tc.every)
			s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()), Value: model.SampleValue(i % 7)})
		}
		_, d := drawOne(t, panelJSON("timeseries", `"interval":"`+model.Duration(tc.every).String()+`"`), always(Result{Series: model.Matrix{s}}))
		want := 0
		if tc.want {
			want = tc.count
		}
		svg := d.canvas.buf.String()
		if got := strings.Count(svg, "h0M") + strings.Count(svg, `h0"`); got != want {
			t.Errorf("%s: %d points are drawn, want %d", tc.name, got, want)
		}
	}
}

// A sparkline is over the whole time range, also if the data starts later.
func TestSparklineIsOverTheTimeRange(t *testing.T) {
	t.Parallel()
	s := &model.SampleStream{Metric: model.Metric{}}
	for minute := 30; minute <= 60; minute++ {
		at := end().Add(time.Duration(minute-60) * time.Minute)
		s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()), Value: model.SampleValue(minute % 7)})
	}
	_, d := drawOne(t, panelJSON("stat", `"options":{"graphMode":"area"}`), always(Result{Series: model.Matrix{s}}))
	svg := d.canvas.buf.String()
	line := svg[strings.LastIndex(svg, `<path d="M`)+len(`<path d="M`):]
	x, err := strconv.ParseFloat(strings.Fields(line)[0], 64)
	if middle := d.box.x + d.box.w/2; err != nil || math.Abs(x-middle) > 2 {
		t.Errorf("half an hour of an hour starts at %g, %v, want %g: %.60s", x, err, middle, line)
	}
}
