package grafana

import (
	"math"
	"slices"
	"strings"
)

// Text is a formatted value, in three parts since a stat panel draws the unit smaller.
type Text struct{ Prefix, Text, Suffix string }

func (t Text) String() string { return t.Prefix + t.Text + t.Suffix }

// auto is the number of decimals that depends on the value.
const auto = -1

// formatter formats a value with a number of decimals, or [auto].
type formatter func(value float64, decimals int) Text

// unit returns the formatter of a unit, by Grafana's name. Grafana shows a name that it does not know
// after the number.
func unit(name string) formatter {
	name = short(name)
	if f, ok := units()[name]; ok {
		return f
	}
	if kind, symbol, ok := strings.Cut(name, ":"); ok {
		switch kind {
		case "prefix":
			return func(v float64, decimals int) Text { return Text{Prefix: symbol, Text: toFixed(v, decimals)} }
		case "suffix":
			return fixed(symbol)
		case "count":
			return counts(symbol)
		case "si":
			return scaled(1000, siPrefixes(symbol), siOffset)
		}
	}
	return fixed(name)
}

// KnownUnit reports whether the unit is formatted as Grafana formats it, not only as a number with
// the unit's name.
func KnownUnit(name string) bool {
	kind, _, _ := strings.Cut(name, ":")
	return units()[name] != nil || kind == "prefix" || kind == "suffix" || kind == "count" || kind == "si"
}

// units returns the formatters of the units of rates, durations, data and shares. Units of physics,
// money and dates are missing.
func units() map[string]formatter {
	return map[string]formatter{
		"": fixed(""), "none": fixed(""), "short": scaled(1000, []string{"", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept"}, 0),
		"sishort": scaled(1000, siPrefixes(""), siOffset),
		"percent": percent(1), "percentunit": percent(100),
		"ns": nanoseconds, "µs": microseconds, "ms": milliseconds, "s": seconds, "m": minutes, "h": hours, "d": days,
		"hertz": scaled(1000, siPrefixes("Hz"), siOffset),
		"bytes": scaled(1024, binaryPrefixes("B"), 0), "decbytes": scaled(1000, siPrefixes("B"), siOffset),
		"bits": scaled(1024, binaryPrefixes("b"), 0), "decbits": scaled(1000, siPrefixes("b"), siOffset),
		"binBps": scaled(1024, binaryPrefixes("B/s"), 0), "Bps": scaled(1000, siPrefixes("B/s"), siOffset),
		"binbps": scaled(1024, binaryPrefixes("b/s"), 0), "bps": scaled(1000, siPrefixes("b/s"), siOffset),
		"pps": scaled(1000, siPrefixes("p/s"), siOffset),
		"cps": counts("c/s"), "ops": counts("ops/s"), "reqps": counts("req/s"), "rps": counts("rd/s"), "wps": counts("wr/s"),
		"iops": counts("io/s"), "eps": counts("evt/s"), "mps": counts("msg/s"),
		"cpm": counts("c/m"), "opm": counts("ops/m"), "reqpm": counts("req/m"),
	}
}

func fixed(symbol string) formatter {
	if symbol != "" {
		symbol = " " + symbol
	}
	return func(v float64, decimals int) Text { return Text{Text: toFixed(v, decimals), Suffix: symbol} }
}

func percent(factor float64) formatter {
	return func(v float64, decimals int) Text { return Text{Text: toFixed(factor*v, decimals), Suffix: "%"} }
}

// siOffset is the index of no prefix among those of [siPrefixes].
const siOffset = 5

func siPrefixes(symbol string) []string {
	return prefixes([]string{"f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y"}, symbol)
}

func binaryPrefixes(symbol string) []string {
	return prefixes([]string{"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"}, symbol)
}

func prefixes(list []string, symbol string) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = " " + p + symbol
	}
	return out
}

// scaled divides by the power of the factor that leaves at least 1. The suffix at offset is that of
// 1 to factor.
func scaled(factor float64, suffixes []string, offset int) formatter {
	return func(v float64, decimals int) Text {
		if math.IsInf(v, 0) {
			return Text{Text: infinity(v)}
		}
		magnitude := 0
		if v != 0 {
			magnitude = int(math.Floor(log10(math.Abs(v)) / log10(factor)))
		}
		magnitude = min(max(magnitude, -offset), len(suffixes)-offset-1)
		return Text{Text: toFixed(v/math.Pow(factor, float64(magnitude)), decimals), Suffix: suffixes[offset+magnitude]}
	}
}

func counts(symbol string) formatter {
	scale := scaled(1000, []string{"", "K", "M", "B", "T"}, 0)
	return func(v float64, decimals int) Text {
		t := scale(v, decimals)
		t.Suffix += " " + symbol
		return t
	}
}

// Lengths of time in seconds, as Grafana has them. Its year as a unit is the tropical one.
const (
	minute     = 60.0
	hour       = 3600.0
	day        = 86400.0
	week       = 604800.0
	year       = 31536000.0
	yearScaled = 31556900.0
)

// part is a value in a longer unit, with a plural for words.
func part(v float64, decimals int, suffix string) Text {
	if words := []string{" min", " hour", " day", " week", " year"}; slices.Contains(words, suffix) && math.Abs(v) > 1 {
		suffix += "s"
	}
	return Text{Text: toFixed(v, decimals), Suffix: suffix}
}

func nanoseconds(v float64, decimals int) Text {
	switch abs := math.Abs(v); {
	case abs < 1e3:
		return Text{Text: toFixed(v, decimals), Suffix: " ns"}
	case abs < 1e6:
		return part(v/1e3, decimals, " µs")
	case abs < 1e9:
		return part(v/1e6, decimals, " ms")
	case abs < 6e10:
		return part(v/1e9, decimals, " s")
	case abs < 36e11:
		return part(v/6e10, decimals, " min")
	case abs < 864e11:
		return part(v/36e11, decimals, " hour")
	}
	return part(v/864e11, decimals, " day")
}

func microseconds(v float64, decimals int) Text {
	switch abs := math.Abs(v); {
	case abs < 1e3:
		return Text{Text: toFixed(v, decimals), Suffix: " µs"}
	case abs < 1e6:
		return part(v/1e3, decimals, " ms")
	}
	return part(v/1e6, decimals, " s")
}

func milliseconds(v float64, decimals int) Text {
	switch abs := math.Abs(v); {
	case abs < 1e3:
		return Text{Text: toFixed(v, decimals), Suffix: " ms"}
	case abs < 6e4:
		return part(v/1e3, decimals, " s")
	case abs < 36e5:
		return part(v/6e4, decimals, " min")
	case abs < 864e5:
		return part(v/36e5, decimals, " hour")
	case abs < 31536e6:
		return part(v/864e5, decimals, " day")
	}
	return part(v/31536e6, decimals, " year")
}

func seconds(v float64, decimals int) Text {
	switch abs := math.Abs(v); {
	case v == 0:
		return Text{Text: "0", Suffix: " s"}
	case abs < 1e-6:
		return part(v*1e9, decimals, " ns")
	case abs < 1e-3:
		return part(v*1e6, decimals, " µs")
	case abs < 1:
		return part(v*1e3, decimals, " ms")
	case abs < minute:
		return Text{Text: toFixed(v, decimals), Suffix: " s"}
	case abs < hour:
		return part(v/minute, decimals, " min")
	case abs < day:
		return part(v/hour, decimals, " hour")
	case abs < week:
		return part(v/day, decimals, " day")
	case abs < year:
		return part(v/week, decimals, " week")
	}
	return part(v/yearScaled, decimals, " year")
}

func minutes(v float64, decimals int) Text {
	switch abs := math.Abs(v); {
	case abs < 60:
		return Text{Text: toFixed(v, decimals), Suffix: " min"}
	case abs < 1440:
		return part(v/60, decimals, " hour")
	case abs < 10080:
		return part(v/1440, decimals, " day")
	case abs < 604800:
		return part(v/10080, decimals, " week")
	}
	return part(v/525948, decimals, " year")
}

func hours(v float64, decimals int) Text {
	switch abs := math.Abs(v); {
	case abs < 24:
		return Text{Text: toFixed(v, decimals), Suffix: " hour"}
	case abs < 168:
		return part(v/24, decimals, " day")
	case abs < 8760:
		return part(v/168, decimals, " week")
	}
	return part(v/8760, decimals, " year")
}

func days(v float64, decimals int) Text {
	switch abs := math.Abs(v); {
	case abs < 7:
		return part(v, decimals, " day")
	case abs < 365:
		return part(v/7, decimals, " week")
	}
	return part(v/365, decimals, " year")
}

// toFixed formats a number with a number of decimals; [auto] keeps about three digits.
func toFixed(v float64, decimals int) string {
	if math.IsInf(v, 0) {
		return infinity(v)
	}
	if decimals == auto {
		decimals = digits(v)
	}
	if v == 0 {
		return "0" + zeros(decimals, ".")
	}
	factor := pow10(max(0, decimals))
	rounded := jsRound(v*factor) / factor
	if math.IsNaN(rounded) || math.IsInf(rounded, 0) { // the factor is too large, for which Grafana writes NaN
		return jsString(v)
	}
	text := jsString(rounded)
	if strings.Contains(text, "e") {
		return text
	}
	_, have, found := strings.Cut(text, ".")
	if len(have) >= decimals {
		return text
	}
	if found {
		return text + zeros(decimals-len(have), "")
	}
	return text + zeros(decimals, ".")
}

// zeros returns that many zeros after a point; nothing for none.
func zeros(n int, point string) string {
	if n <= 0 {
		return ""
	}
	return point + strings.Repeat("0", n)
}

// digits returns the number of decimals for about three significant digits, 0 for whole numbers.
func digits(v float64) int {
	if v == math.Trunc(v) || math.IsNaN(v) {
		return 0
	}
	abs := math.Abs(v)
	decimals := 1 - int(math.Floor(math.Log(abs)/math.Ln10))
	if abs/pow10(-decimals) > 2.25 {
		decimals++
	}
	return max(0, decimals)
}

func infinity(v float64) string {
	if v > 0 {
		return "∞"
	}
	return "-∞"
}
