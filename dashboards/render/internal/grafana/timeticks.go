package grafana

import (
	"slices"
	"time"
)

// Lengths that uPlot takes for a month and a year while it chooses the distance of ticks.
const (
	dayLength   = 24 * time.Hour
	monthLength = 30 * dayLength
	yearLength  = 365 * dayLength
)

// timeIncrements returns the distances of ticks on a time axis.
func timeIncrements() []time.Duration {
	var out []time.Duration
	add := func(unit time.Duration, times ...int) {
		for _, n := range times {
			out = append(out, time.Duration(n)*unit)
		}
	}
	add(time.Millisecond, 1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500)
	add(time.Second, 1, 5, 10, 15, 30)
	add(time.Minute, 1, 5, 10, 15, 30)
	add(time.Hour, 1, 2, 3, 4, 6, 8, 12)
	add(dayLength, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15)
	add(monthLength, 1, 2, 3, 4, 6)
	add(yearLength, 1, 2, 5, 10, 25, 50, 100)
	return out
}

// TimeTicks returns the ticks of a time axis of length pixels whose labels need space pixels, and the
// layout of their labels. Ticks of days start at midnight in the location of from, those of months on
// the first.
func TimeTicks(from, to time.Time, length, space float64) ([]time.Time, string) {
	span := to.Sub(from)
	if span <= 0 || length <= 0 {
		return nil, ""
	}
	choices := timeIncrements()
	i := slices.IndexFunc(choices, func(d time.Duration) bool { return length*float64(d)/float64(span) >= space })
	if i < 0 {
		return nil, ""
	}
	step := choices[i]
	var ticks []time.Time
	switch {
	case step >= yearLength:
		ticks = monthTicks(from, to, time.January, 12*int(step/yearLength))
	case step >= monthLength:
		ticks = monthTicks(from, to, from.Month(), int(step/monthLength))
	default:
		midnight := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, from.Location())
		unit := min(step, dayLength)
		for t := midnight.Add((from.Sub(midnight) + unit - 1).Truncate(unit)); !t.After(to); t = t.Add(step) {
			ticks = append(ticks, t)
		}
	}
	return ticks, timeLayout(span, step)
}

// monthTicks returns ticks every some months, from the first step behind the given month of from's
// year.
func monthTicks(from, to time.Time, month time.Month, months int) (ticks []time.Time) {
	t := time.Date(from.Year(), month, 1, 0, 0, 0, 0, from.Location())
	if !t.Equal(from) {
		t = t.AddDate(0, months, 0)
	}
	for ; !t.After(to); t = t.AddDate(0, months, 0) {
		ticks = append(ticks, t)
	}
	return ticks
}

// timeLayout returns the layout of labels for a range and a distance of ticks.
func timeLayout(span, step time.Duration) string {
	switch {
	case step < time.Second:
		return "15:04:05.000"
	case step <= time.Minute:
		return "15:04:05"
	case span <= dayLength:
		return "15:04"
	case step <= dayLength:
		return "01/02 15:04"
	case span < yearLength:
		return "01/02"
	case step < yearLength:
		return "2006-01"
	}
	return "2006"
}
