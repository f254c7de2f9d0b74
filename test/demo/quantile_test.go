package main

import (
	"math"
	"testing"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	for name, tc := range map[string]struct {
		buckets map[float64]float64
		want    float64
	}{
		"interpolated in a bucket":   {map[float64]float64{0.1: 0, 0.2: 100, inf: 100}, 0.199},
		"all in the first bucket":    {map[float64]float64{0.1: 100, inf: 100}, 0.099},
		"above the last bound":       {map[float64]float64{0.1: 10, inf: 100}, 0.1},
		"empty bucket in the middle": {map[float64]float64{0.1: 99, 0.2: 99, 0.4: 100, inf: 100}, 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := quantile(0.99, tc.buckets); math.Abs(got-tc.want) > 1e-9 {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	if got := quantile(0.99, nil); !math.IsNaN(got) {
		t.Errorf("no buckets: got %v, want NaN", got)
	}
}
