package render

import (
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
		_, d := drawOne(t, panelJSON("timeseries", `"interval":"`+model.Duration(tc.every).String()+`"`), answer(Answer{Series: model.Matrix{s}}))
		if got := strings.Contains(d.canvas.buf.String(), "h0"); got != tc.want {
			t.Errorf("%s: points are drawn: %t, want %t", tc.name, got, tc.want)
		}
	}
}
