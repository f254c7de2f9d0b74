package grafana

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// These functions return what JavaScript returns, where Go's differ.

// jsString formats a number as String(n) does.
func jsString(n float64) string {
	switch abs := math.Abs(n); {
	case math.IsNaN(n):
		return "NaN"
	case math.IsInf(n, 1):
		return "Infinity"
	case math.IsInf(n, -1):
		return "-Infinity"
	case n == 0:
		return "0"
	case abs >= 1e-6 && abs < 1e21:
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	s := strconv.FormatFloat(n, 'e', -1, 64)
	return strings.NewReplacer("e-0", "e-", "e+0", "e+").Replace(s)
}

// jsRound rounds halves up.
func jsRound(n float64) float64 {
	down := math.Floor(n)
	if n-down >= 0.5 {
		return down + 1
	}
	return down
}

// log10 is exact for powers of ten, unlike [math.Log10]. The constants are log10(2), split in two,
// and 1/ln(10), as in FreeBSD's e_log10.c.
func log10(n float64) float64 {
	const (
		invLn10 = 4.34294481903251816668e-01
		log2hi  = 3.01029995663611771306e-01
		log2lo  = 3.69423907715893078616e-13
	)
	if n <= 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return math.Log10(n)
	}
	fraction, exponent := math.Frexp(n) // n = fraction * 2^exponent, with fraction in [0.5, 1)
	exponent--
	fraction *= 2
	if exponent < 0 {
		exponent++
		fraction /= 2
	}
	k := float64(exponent)
	z := k*log2lo + invLn10*math.Log(fraction)
	return z + k*log2hi
}

// pow10 returns 10^n for a whole n.
func pow10(n int) float64 { return math.Pow10(n) }

// roundDecimals rounds half away from zero, with the tolerance of one unit in the last place that
// Grafana and uPlot allow.
func roundDecimals(n float64, decimals int) float64 {
	if n == math.Trunc(n) {
		return n
	}
	p := pow10(decimals)
	return jsRound(n*p*(1+0x1p-52)) / p
}

// guessDecimals returns the number of decimals that JavaScript prints.
func guessDecimals(n float64) int {
	_, decimals, _ := strings.Cut(jsString(n), ".")
	return len(decimals)
}

// parse reads a number that this package wrote.
func parse(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// stepUp and stepDown round to a multiple of a step.
func stepUp(v, step float64) float64 { return fixFloat(math.Ceil(fixFloat(v/step)) * step) }

func stepDown(v, step float64) float64 { return fixFloat(math.Floor(fixFloat(v/step)) * step) }

// repeated is how many equal digits in a row make a rounding error.
const repeated = 6

// fixFloat removes rounding errors such as 17999.204999999998: from the first run of six nines or
// zeros that ends the number's decimals on.
func fixFloat(v float64) float64 {
	if v == math.Trunc(v) || math.IsNaN(v) || math.IsInf(v, 0) || isIncrement(v) {
		return v
	}
	text := jsString(v)
	mantissa, exponent := text, ""
	if i := slices.Index([]byte(text), 'e'); i >= 0 {
		mantissa, exponent = text[:i], text[i:]
	}
	kept := beforeRepeats(mantissa)
	switch {
	case kept < 0:
		return v
	case exponent != "":
		return parse(jsString(roundDecimals(parse(mantissa), kept)) + exponent)
	}
	return roundDecimals(v, kept)
}

// beforeRepeats returns the number of decimals before the first run of nines or zeros; -1 without one.
func beforeRepeats(text string) int {
	point := slices.Index([]byte(text), '.')
	if point < 0 {
		return -1
	}
	decimals := text[point+1:]
	for i := range decimals {
		run := 0
		for run < len(decimals)-i && decimals[i+run] == decimals[i] {
			run++
		}
		if run >= repeated && (decimals[i] == '9' || decimals[i] == '0') {
			return i
		}
	}
	return -1
}
