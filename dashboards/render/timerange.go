package render

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // Windows and small images have no time zones
)

// location sets the time zone that the options leave open.
func (r *renderer) location() {
	o, zone := &r.options, r.dashboard.Timezone
	if o.Location != nil {
		return
	}
	switch {
	case zone == "", zone == "browser":
		o.Location = time.Local //nolint:gosmopolitan // the reader's time zone, as in a browser
		return
	case strings.EqualFold(zone, "utc"):
		o.Location = time.UTC
		return
	}
	var err error
	if o.Location, err = time.LoadLocation(zone); err != nil {
		o.Location = time.UTC
		r.report("dashboard", fmt.Sprintf("time zone %q is unknown; its times are in UTC", zone))
	}
}

// timeRange sets the time range that the options leave open.
func (r *renderer) timeRange() error {
	o := &r.options
	now := o.Now.In(o.Location)
	var err error
	if o.From.IsZero() {
		if o.From, err = ParseFrom(cmp.Or(o.FromText, r.dashboard.Time.From, "now-6h"), now); err != nil {
			return err
		}
	}
	if o.To.IsZero() {
		if o.To, err = ParseTo(cmp.Or(o.ToText, r.dashboard.Time.To, "now"), now); err != nil {
			return err
		}
	}
	if o.From.UTC().Year() < 1970 || o.To.UTC().Year() > 2200 {
		return fmt.Errorf("the time range from %s to %s is not between 1970 and 2200; write now-6h, or milliseconds since 1970", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339))
	}
	if !o.From.Before(o.To) {
		return fmt.Errorf("its start %s is not before its end %s; set both with --from and --to", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339))
	}
	return nil
}

// ParseFrom parses the start of a time range as Grafana writes it: relative to now, such as now-6h or
// now-1d/d, a date with or without a time, RFC 3339, or milliseconds since 1970. Units are s, m, h, d, w, M and
// y. Days and dates are those of the time zone of now; /d and a date are the start of the day.
func ParseFrom(text string, now time.Time) (time.Time, error) {
	return parseTime(text, now, func(start, _ time.Time) time.Time { return start })
}

// ParseTo parses the end of a time range, as [ParseFrom] does its start; /d and a date are the end of the day.
func ParseTo(text string, now time.Time) (time.Time, error) {
	return parseTime(text, now, func(_, end time.Time) time.Time { return end.Add(-time.Millisecond) })
}

// steps matches what follows now.
var steps = regexp.MustCompile(`^(?:([+-]\d{1,6}|/)([smhdwMy]))`)

// parseTime parses a time. Rounded chooses the time within a unit.
func parseTime(text string, now time.Time, rounded func(start, end time.Time) time.Time) (time.Time, error) {
	t, err := absolute(text, now.Location(), rounded)
	if rest, relative := strings.CutPrefix(text, "now"); relative {
		t, err = move(now, rest, rounded)
	}
	if seconds, ok := errors.AsType[secondsError](err); ok {
		return time.Time{}, seconds
	}
	const lastYear = 9999 // of RFC 3339
	if err != nil || t.Year() < 0 || t.Year() > lastYear {
		return time.Time{}, fmt.Errorf("%q is not a time; write now-6h or 2026-11-28T12:15:00Z", text)
	}
	return t, nil
}

// secondsError is a number that is a time of this century in seconds, but one of 1970 in milliseconds.
type secondsError int64

func (e secondsError) Error() string {
	return fmt.Sprintf("\"%d\" is a time in seconds; write it in milliseconds: %d", int64(e), int64(e)*1000)
}

// absolute parses a time that is not relative to now.
func absolute(text string, location *time.Location, rounded func(start, end time.Time) time.Time) (time.Time, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		const first, last = 1_000_000_000, 10_000_000_000 // seconds of 2001 and 2286
		if n >= first && n < last {
			return time.Time{}, secondsError(n)
		}
		return time.UnixMilli(n).UTC(), nil
	}
	if start, err := time.ParseInLocation(time.DateOnly, text, location); err == nil {
		return rounded(start, start.AddDate(0, 0, 1)), nil
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, location); err == nil {
			return t, nil
		}
	}
	return time.Parse(time.RFC3339, text)
}

// move moves a time by steps such as -1d/d.
func move(t time.Time, text string, rounded func(start, end time.Time) time.Time) (time.Time, error) {
	for text != "" {
		m := steps.FindStringSubmatch(text)
		if m == nil {
			return t, fmt.Errorf("%q is not a step", text)
		}
		text = text[len(m[0]):]
		if m[1] == "/" {
			start := startOf(t, m[2])
			t = rounded(start, shifted(start, 1, m[2]))
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return t, err
		}
		t = shifted(t, n, m[2])
	}
	return t, nil
}

// shifted returns the time n units later. A day may have 23 hours, and a month is clipped to its last day.
func shifted(t time.Time, n int, unit string) time.Time {
	switch unit {
	case "d":
		return t.AddDate(0, 0, n)
	case "w":
		return t.AddDate(0, 0, 7*n)
	case "M", "y":
		if unit == "y" {
			n *= 12
		}
		moved := t.AddDate(0, n, 0)
		if moved.Day() != t.Day() {
			moved = moved.AddDate(0, 0, -moved.Day())
		}
		return moved
	}
	return t.Add(time.Duration(n) * clockUnit(unit))
}

// clockUnit returns the length of a second, minute or hour.
func clockUnit(unit string) time.Duration {
	return map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
}

// startOf returns the start of the unit that contains a time. A week starts on Sunday, as in Grafana's
// default locale.
func startOf(t time.Time, unit string) time.Time {
	year, month, day := t.Date()
	switch unit {
	case "y":
		month, day = time.January, 1
	case "M":
		day = 1
	case "w":
		day -= int(t.Weekday())
	case "d":
	default:
		_, offset := t.Zone() // of 30 minutes in some zones
		shift := time.Duration(offset) * time.Second
		return t.Add(shift).Truncate(clockUnit(unit)).Add(-shift)
	}
	return time.Date(year, month, day, 0, 0, 0, 0, t.Location())
}
