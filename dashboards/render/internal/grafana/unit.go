package grafana

import (
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	return units()[name] != nil || dateLayout(name) != "" || kind == "prefix" || kind == "suffix" || kind == "count" || kind == "si"
}

// units returns the formatters of Grafana's units, of all categories but those of mass, length, area, volume, force,
// pressure, flow, radiation, rotation, concentration and acceleration.
var units = sync.OnceValue(func() map[string]formatter {
	out := map[string]formatter{
		"": fixed(""), "none": fixed(""), "short": scaled(1000, []string{"", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept"}, 0),
		"percent": percent(1), "percentunit": percent(100), "locale": grouped, "string": plain,
		"ns": nanoseconds, "µs": microseconds, "ms": milliseconds, "s": seconds, "m": minutes, "h": hours, "d": days,
		"dtdurationms": duration(1), "dtdurations": duration(1000), "dthms": clock, "dtdhms": dayClock, "timeticks": hundredths,
		"bool": either("True", "False"), "bool_yes_no": either("Yes", "No"), "bool_on_off": either("On", "Off"),
	}
	for name, symbol := range pairs(fixedUnits) {
		out[name] = fixed(symbol)
	}
	for name, symbol := range pairs(countUnits) {
		out[name] = counts(symbol)
	}
	for name, symbol := range pairs(siUnits) {
		power, symbol := powerOf(symbol)
		out[name] = scaled(1000, siPrefixes(symbol), siOffset+power)
	}
	for name, symbol := range pairs(binaryUnits) {
		power, symbol := powerOf(symbol)
		out[name] = scaled(1024, binaryPrefixes(symbol), power)
	}
	for name, symbol := range pairs(currencies) {
		out["currency"+name] = currency(symbol, strings.HasPrefix(symbol, "-"))
	}
	return out
})

// Units by name and symbol. A number before the symbol is the power of the prefix that a value of the unit has:
// 1 is kilo.
const (
	fixedUnits = "humidity=%H dB=dB pixel=px degree=° radian=rad grad=grad arcmin=arcmin arcsec=arcsec ppm=ppm celsius=°C fahrenheit=°F kelvin=K " +
		"dBm=dbm lux=lux rotrpm=rpm rotrads=rad/s rotdegs=°/s velocityms=m/s velocitykmh=km/h velocitymph=mph velocityknot=kn"
	countUnits = "cps=c/s ops=ops/s reqps=req/s rps=rd/s wps=wr/s iops=io/s eps=evt/s mps=msg/s recps=rec/s rowsps=rows/s " +
		"cpm=c/m opm=ops/m reqpm=req/m rpm=rd/m wpm=wr/m epm=evts/m mpm=msgs/m recpm=rec/m rowspm=rows/m"
	siUnits = "sishort= candela=cd hertz=Hz decbytes=B decbits=b deckbytes=1B decmbytes=2B decgbytes=3B dectbytes=4B decpbytes=5B " +
		"pps=p/s Bps=B/s bps=b/s KBs=1B/s Kbits=1b/s MBs=2B/s Mbits=2b/s GBs=3B/s Gbits=3b/s TBs=4B/s Tbits=4b/s PBs=5B/s Pbits=5b/s " +
		"flops=FLOPS mflops=2FLOPS gflops=3FLOPS tflops=4FLOPS pflops=5FLOPS eflops=6FLOPS zflops=7FLOPS yflops=8FLOPS " +
		"watt=W kwatt=1W megwatt=2W gwatt=3W mwatt=-1W Wm2=W/m² voltamp=VA kvoltamp=1VA voltampreact=VAr kvoltampreact=1VAr " +
		"watth=Wh watthperkg=Wh/kg kwatth=1Wh kwattm=1W-Min mwatth=2Wh amph=Ah kamph=1Ah mamph=-1Ah joule=J ev=eV " +
		"amp=A kamp=1A mamp=-1A volt=V kvolt=1V mvolt=-1V mohm=-1Ω ohm=Ω kohm=1Ω Mohm=2Ω farad=F µfarad=-2F nfarad=-3F pfarad=-4F ffarad=-5F " +
		"henry=H mhenry=-1H µhenry=-2H lumens=Lm Hs=H/s KHs=1H/s MHs=2H/s GHs=3H/s THs=4H/s PHs=5H/s EHs=6H/s rothz=Hz rotkhz=1Hz rotmhz=2Hz rotghz=3Hz"
	binaryUnits = "bytes=B bits=b kbytes=1B mbytes=2B gbytes=3B tbytes=4B pbytes=5B binBps=B/s binbps=b/s " +
		"KiBs=1B/s Kibits=1b/s MiBs=2B/s Mibits=2b/s GiBs=3B/s Gibits=3b/s TiBs=4B/s Tibits=4b/s PiBs=5B/s Pibits=5b/s"
	// Symbols after the number have a minus sign.
	currencies = "USD=$ GBP=£ EUR=€ JPY=¥ RUB=₽ UAH=₴ BRL=R$ DKK=-kr ISK=-kr NOK=-kr SEK=-kr CZK=czk CHF=CHF PLN=PLN BTC=฿ ZAR=R INR=₹ KRW=₩ IDR=Rp PHP=PHP VND=-đ TRY=-₺"
)

// pairs returns the names and symbols of a list.
func pairs(list string) iter.Seq2[string, string] {
	return func(yield func(name, symbol string) bool) {
		for pair := range strings.FieldsSeq(list) {
			if name, symbol, _ := strings.Cut(pair, "="); !yield(name, symbol) {
				return
			}
		}
	}
}

// powerOf splits the power before a symbol.
func powerOf(symbol string) (int, string) {
	digits := strings.TrimLeft(symbol, "-0123456789")
	power, _ := strconv.Atoi(strings.TrimSuffix(symbol, digits)) // 0 without one
	return power, digits
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

// currency formats an amount with its symbol before it, or after it if the symbol has a minus sign.
func currency(symbol string, after bool) formatter {
	symbol = strings.TrimPrefix(symbol, "-")
	scale := scaled(1000, []string{"", "K", "M", "B", "T"}, 0)
	return func(v float64, decimals int) Text {
		t := scale(math.Abs(v), decimals)
		switch {
		case !after:
			t.Prefix = symbol
		case !math.IsInf(v, 0):
			t.Suffix += symbol
		}
		if v < 0 {
			t.Prefix = "-" + t.Prefix
		}
		return t
	}
}

func either(yes, no string) formatter {
	return func(v float64, _ int) Text {
		if v != 0 && !math.IsNaN(v) {
			return Text{Text: yes}
		}
		return Text{Text: no}
	}
}

// grouped separates thousands by commas. Without a number of decimals there are at most three.
func grouped(v float64, decimals int) Text {
	const most = 3
	if math.IsInf(v, 0) {
		return Text{Text: infinity(v)}
	}
	if decimals < 0 {
		decimals = most
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(math.Abs(v), 'f', -1, 64), ".")
	if len(fraction) > decimals {
		digits := whole + fraction[:decimals]
		if fraction[decimals] >= '5' {
			digits = plusOne(digits)
		}
		whole, fraction = digits[:len(digits)-decimals], digits[len(digits)-decimals:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		whole += "." + fraction
	}
	if math.Signbit(v) {
		whole = "-" + whole
	}
	return Text{Text: whole}
}

// plusOne adds one to a whole number, which may be longer than an integer.
func plusOne(digits string) string {
	out := []byte(digits)
	for i := range slices.Backward(out) {
		if out[i] != '9' {
			out[i]++
			return string(out)
		}
		out[i] = '0'
	}
	return "1" + string(out)
}

func plain(v float64, _ int) Text { return Text{Text: jsString(v)} }

func counts(symbol string) formatter {
	scale := scaled(1000, []string{"", "K", "M", "B", "T"}, 0)
	return func(v float64, decimals int) Text {
		t := scale(v, decimals)
		t.Suffix += " " + symbol
		return t
	}
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
