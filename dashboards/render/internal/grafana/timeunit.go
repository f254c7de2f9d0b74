package grafana

import (
	"math"
	"slices"
	"strings"
	"time"
)

// dateLayout returns the layout of a unit of dates; empty for other units.
func dateLayout(unit string) string {
	switch unit {
	case "dateTimeAsIso", "dateTimeAsSystem":
		return time.DateTime
	case "dateTimeAsUS":
		return "01/02/2006 3:04:05 pm"
	}
	return ""
}

// date formats milliseconds since 1970.
func date(v float64, layout string, zone *time.Location) Text {
	if math.IsNaN(v) || math.Abs(v) > maxDate {
		return Text{Text: "Invalid date"}
	}
	if zone == nil {
		zone = time.UTC
	}
	return Text{Text: time.UnixMilli(int64(v)).In(zone).Format(layout)}
}

// maxDate is the last date of JavaScript.
const maxDate = 8.64e15

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

// clock formats seconds as hours, minutes and seconds.
func clock(v float64, _ int) Text {
	if v < 0 {
		t := clock(-v, auto)
		t.Suffix += " ago"
		return t
	}
	two := func(n float64) string {
		text := jsString(math.Floor(n))
		if n < 10 {
			text = "0" + text
		}
		return text
	}
	return Text{Text: two(v/hour) + ":" + two(math.Mod(v, hour)/minute) + ":" + two(math.Mod(math.Mod(v, hour), minute))}
}

// dayClock formats seconds as days, hours, minutes and seconds.
func dayClock(v float64, _ int) Text {
	if v < 0 {
		t := dayClock(-v, auto)
		t.Suffix += " ago"
		return t
	}
	days := math.Floor(v / day)
	t := clock(v-days*day, auto)
	if days > 0 {
		t.Text = jsString(days) + " d " + t.Text
	}
	return t
}

// hundredths formats hundredths of a second.
func hundredths(v float64, decimals int) Text { return seconds(v/100, decimals) }

// duration formats a length of time in units of a number of milliseconds as "2 days, 3 hours": one part, and as many
// more as there are decimals.
func duration(unit float64) formatter {
	return func(v float64, decimals int) Text {
		name := " milliseconds"
		if unit == 1000 {
			name = " seconds"
		}
		if v == 0 {
			return Text{Text: "0", Suffix: name}
		}
		out := Text{}
		if v < 0 {
			v, out.Suffix = -v, " ago"
		}
		v *= unit
		var parts []string
		for _, p := range []struct {
			name   string
			length float64
		}{{"year", year}, {"month", 30 * day}, {"week", week}, {"day", day}, {"hour", hour}, {"minute", minute}, {"second", 1}, {"millisecond", .001}} {
			length := p.length * 1000
			if len(parts) > max(decimals, 0) || len(parts) == 0 && v/length < 1 {
				continue
			}
			n := math.Floor(v / length)
			text := jsString(n) + " " + p.name
			if n != 1 {
				text += "s"
			}
			parts = append(parts, text)
			v = math.Mod(v, length)
		}
		out.Text = strings.Join(parts, ", ")
		return out
	}
}
