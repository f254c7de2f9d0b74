package httpserver

import (
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// written returns a histogram with observations, each with an exemplar.
func written(t *testing.T, observed ...float64) *dto.Histogram {
	t.Helper()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Help: "Test.", Buckets: []float64{0.1, 10}})
	for _, v := range observed {
		h.(prometheus.ExemplarObserver).ObserveWithExemplar(v, prometheus.Labels{"trace_id": "a"})
	}
	return read(h).GetHistogram()
}

// A histogram has a bucket for +Inf only if an observation above all bounds has an exemplar. Routes with and without
// one add up in any order.
func TestSumOfHistogramsWithAndWithoutInfinity(t *testing.T) {
	t.Parallel()
	for name, both := range map[string][2]*dto.Histogram{
		"the first is longer":  {written(t, 0.05, 60), written(t, 1)},
		"the second is longer": {written(t, 1), written(t, 0.05, 60)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newRouted(nil, []float64{0.1, 10}, false)
			sum := c.zero()
			sum.add(both[0])
			sum.add(both[1])
			h := read(sum.metric(c.durations, "success")).GetHistogram()
			if h.GetSampleCount() != 3 || h.GetSampleSum() != 61.05 {
				t.Errorf("%d observations with the sum %v, want 3 with 61.05", h.GetSampleCount(), h.GetSampleSum())
			}
			want := map[float64]uint64{0.1: 1, 10: 2, math.Inf(1): 3}
			for _, b := range h.GetBucket() {
				if b.GetCumulativeCount() != want[b.GetUpperBound()] || b.GetExemplar() == nil {
					t.Errorf("bucket %v has %d observations and the exemplar %v, want %d", b.GetUpperBound(), b.GetCumulativeCount(), b.GetExemplar(), want[b.GetUpperBound()])
				}
				delete(want, b.GetUpperBound())
			}
			if len(want) > 0 {
				t.Errorf("missing buckets: %v", want)
			}
		})
	}
}
