package render

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
)

func TestCountsAtTheEndsOfTheRangeHaveAColor(t *testing.T) {
	t.Parallel()
	ends := []float64{math.Inf(-1), -1.7e308, 0, 5, 1.7e308, math.Inf(1)}
	for _, low := range ends {
		for _, high := range ends {
			for _, n := range ends {
				if i := colorIndex(n, low, high, 64); i < 0 || i >= 64 {
					t.Errorf("%v in %v to %v: color %d", n, low, high, i)
				}
			}
		}
	}
	if i := colorIndex(0, -1.7e308, 1.7e308, 64); i != 32 {
		t.Errorf("the middle has color %d of 64", i)
	}
	var histograms []model.SampleHistogramPair
	for i, count := range []model.FloatString{model.FloatString(math.Inf(-1)), 5, model.FloatString(math.Inf(1))} {
		histograms = append(histograms, model.SampleHistogramPair{
			Timestamp: model.TimeFromUnixNano(end().UnixNano()) - model.Time(i*15000),
			Histogram: &model.SampleHistogram{Buckets: model.HistogramBuckets{{Lower: 1, Upper: 2, Count: count}}},
		})
	}
	drawOne(t, panelJSON("heatmap", ""), always(Result{Series: model.Matrix{{Histograms: histograms}}}))
}

func TestTextsHaveNoBidirectionalControls(t *testing.T) {
	t.Parallel()
	if got := escape("a\u202eb\u2066c\u200fd"); got != "abcd" {
		t.Errorf("got %q", got)
	}
}

func TestIntervalsDoNotOverflow(t *testing.T) {
	t.Parallel()
	recorder := Record(always(Result{}))
	drawOne(t, panelJSON("stat", `"targets":[{"refId":"A","expr":"rate(up[$__rate_interval])","interval":"290y"}]`), recorder.Query)
	if expr := recorder.entries[0].Query.Expr; strings.Contains(expr, "-") || !strings.Contains(expr, "y]") {
		t.Errorf("got %s", expr)
	}
}

func TestLimitsThatSelectNothingAreTheDefault(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]int{"loki": maxLines, "tempo": maxTraces} {
		for _, limit := range []int{-5, 0} {
			recorder := Record(always(Result{}))
			drawOne(t, panelJSON("logs", fmt.Sprintf(`"targets":[{"refId":"A","expr":"x","query":"x","maxLines":%d,"limit":%d,"datasource":{"type":%q}}]`, limit, limit, kind)), recorder.Query)
			if got := recorder.entries[0].Query.Limit; got != want {
				t.Errorf("%s with a limit of %d: got %d", kind, limit, got)
			}
		}
	}
}

// In its own goroutine a panic would end the program before it removes its files.
func TestPanicReachesTheCaller(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "panel Requests: no such series\n") {
			t.Errorf("got %s", p)
		}
	}()
	drawOne(t, panelJSON("stat", ""), func(context.Context, Query) (Result, error) { panic("no such series") })
}
