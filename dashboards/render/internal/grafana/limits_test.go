package grafana

import (
	"math"
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
