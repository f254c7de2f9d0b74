package grafana

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// increment is a distance of ticks, with its number of decimals.
type increment struct {
	size     float64
	decimals int
}

// increments returns 1, 2, 2.5 and 5 times the powers of ten from 1e-32 to 1e31.
func increments() []increment {
	var out []increment
	for exponent := -32; exponent < 32; exponent++ {
		for _, m := range []string{"1", "2", "2.5", "5"} {
			decimals := max(0, -exponent)
			if m == "2.5" && exponent < 1 {
				decimals++
			}
			out = append(out, increment{parse(m + "e" + strconv.Itoa(exponent)), decimals})
		}
	}
	return out
}

func isIncrement(v float64) bool {
	mantissa, _, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	return slices.Contains([]string{"1", "2", "2.5", "5"}, mantissa)
}

// binaryIncrements returns the powers of two, for units of 1024.
func binaryIncrements() []increment {
	out := make([]increment, 53)
	for i := range out {
		out[i].size = math.Ldexp(1, i)
	}
	return out
}

// Ticks returns the values of an axis' ticks and their distance, for an axis of length pixels whose
// labels need space pixels. Binary is for units of 1024.
func Ticks(low, high, length, space float64, binary bool) (ticks []float64, distance float64) {
	choices := increments()
	if binary {
		choices = binaryIncrements()
	}
	i, found := firstFitting(choices, low, high, length, space)
	if !found {
		return nil, 0
	}
	step := choices[i]
	v := roundDecimals(stepUp(low, step.size), step.decimals)
	for more := true; more && v <= high && len(ticks) < maxTicks; {
		ticks = append(ticks, v+0) // no negative zero
		before := v
		v = roundDecimals(v+step.size, step.decimals)
		more = v > before // a step that is lost in rounding has no end
	}
	return ticks, step.size
}

// maxTicks is the number of ticks of an axis: more than the largest panel has pixels.
const maxTicks = 10_000

// maxDigits is the number of digits of a float.
const maxDigits = 17

func firstFitting(choices []increment, low, high, length, space float64) (int, bool) {
	whole := max(wholeDigits(low), wholeDigits(high))
	for i := nearest(choices, space/length*(high-low)); i < len(choices); i++ {
		decimals := 0
		if choices[i].size < 5 {
			decimals = choices[i].decimals
		}
		if length*choices[i].size/(high-low) >= space && whole+decimals <= maxDigits {
			return i, true
		}
	}
	return 0, false
}

func wholeDigits(v float64) int { return len(jsString(math.Abs(math.Trunc(v)))) }

func nearest(choices []increment, v float64) int {
	low, high := 0, len(choices)-1
	for high-low > 1 {
		if middle := (low + high) / 2; choices[middle].size < v {
			low = middle
		} else {
			high = middle
		}
	}
	if v-choices[low].size <= choices[high].size-v {
		return low
	}
	return high
}

// LogTicks returns the ticks of a logarithmic axis: each whole multiple of a power of the base.
func LogTicks(low, high, base float64) []float64 {
	if low <= 0 || high < low {
		return nil
	}
	var ticks []float64
	for power := max(powerBelow(low, base), smallestPower); power <= high && len(ticks) < maxTicks; power *= base {
		for i := 1.0; i < base; i++ {
			v := power * i
			if power < 1 && base == 10 {
				v = roundDecimals(v, int(-math.Floor(log10(power))))
			}
			if v >= low && v <= high {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}

// smallestPower is the smallest normal number. Below it, powers are zero, or not exact.
const smallestPower = 0x1p-1022

func powerBelow(v, base float64) float64 {
	if base == 10 {
		return pow10(int(math.Floor(log10(v))))
	}
	return math.Pow(base, math.Floor(math.Log2(v)/math.Log2(base)))
}

// TickText formats the label of a tick, as the values of field f.
func (f *Field) TickText(v, distance float64) string {
	decimals := guessDecimals(roundDecimals(distance, 6))
	if decimals == 0 {
		decimals = auto
	}
	return f.text(v, decimals)
}

// YSpace is the least distance of the ticks of a vertical axis of a height, in pixels.
func YSpace(height float64) float64 {
	if height <= 150 {
		return 15
	}
	return 30
}
