package render

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRelativeTimes(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	// A Saturday, 34 days after clocks went back.
	now := time.Date(2026, 11, 28, 12, 34, 56, 789e6, berlin)
	for _, tc := range []struct{ text, from, to string }{
		{"now", "2026-11-28T12:34:56.789+01:00", "2026-11-28T12:34:56.789+01:00"},
		{"now-6h", "2026-11-28T06:34:56.789+01:00", "2026-11-28T06:34:56.789+01:00"},
		{"now+5m", "2026-11-28T12:39:56.789+01:00", "2026-11-28T12:39:56.789+01:00"},
		{"now-1M", "2026-10-28T12:34:56.789+01:00", "2026-10-28T12:34:56.789+01:00"},
		{"now-40d", "2026-10-19T12:34:56.789+02:00", "2026-10-19T12:34:56.789+02:00"},
		{"now-1y", "2025-11-28T12:34:56.789+01:00", "2025-11-28T12:34:56.789+01:00"},
		{"now/m", "2026-11-28T12:34:00+01:00", "2026-11-28T12:34:59.999+01:00"},
		{"now/d", "2026-11-28T00:00:00+01:00", "2026-11-28T23:59:59.999+01:00"},
		{"now-1d/d", "2026-11-27T00:00:00+01:00", "2026-11-27T23:59:59.999+01:00"},
		{"now/w", "2026-11-22T00:00:00+01:00", "2026-11-28T23:59:59.999+01:00"},
		{"now-1w", "2026-11-21T12:34:56.789+01:00", "2026-11-21T12:34:56.789+01:00"},
		{"now-1M/M", "2026-10-01T00:00:00+02:00", "2026-10-31T23:59:59.999+01:00"},
		{"now/y", "2026-01-01T00:00:00+01:00", "2026-12-31T23:59:59.999+01:00"},
		{"now-1d/d+8h", "2026-11-27T08:00:00+01:00", "2026-11-28T07:59:59.999+01:00"},
		{"2026-11-28T11:00:00Z", "2026-11-28T11:00:00Z", "2026-11-28T11:00:00Z"},
		{"1795867200000", "2026-11-28T12:00:00Z", "2026-11-28T12:00:00Z"},
		{"2026-11-28", "2026-11-28T00:00:00+01:00", "2026-11-28T23:59:59.999+01:00"},
		{"2026-10-25", "2026-10-25T00:00:00+02:00", "2026-10-25T23:59:59.999+01:00"},
		{"2026-11-28 10:00", "2026-11-28T10:00:00+01:00", "2026-11-28T10:00:00+01:00"},
		{"2026-11-28 10:00:30", "2026-11-28T10:00:30+01:00", "2026-11-28T10:00:30+01:00"},
	} {
		from, err := ParseFrom(tc.text, now)
		if got := from.Format(time.RFC3339Nano); err != nil || got != tc.from {
			t.Errorf("from %s: got %s, %v, want %s", tc.text, got, err, tc.from)
		}
		to, err := ParseTo(tc.text, now)
		if got := to.Format(time.RFC3339Nano); err != nil || got != tc.to {
			t.Errorf("to %s: got %s, %v, want %s", tc.text, got, err, tc.to)
		}
	}
	for _, text := range []string{"", "nowhere", "now-", "now-6", "yesterday", "now/", "now/x", "now-1h30m", "now-99999y", "now-99999999999999999999d", "9000000000000000000"} {
		if got, err := ParseFrom(text, now); err == nil || !strings.Contains(err.Error(), "is not a time; write") {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestSecondsAreNotMilliseconds(t *testing.T) {
	t.Parallel()
	_, err := ParseFrom("1795867200", end())
	if want := `"1795867200" is a time in seconds; write it in milliseconds: 1795867200000`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// Texts of the options are relative to days of the dashboard's time zone.
func TestTextsOfTheOptionsAreInTheTimeZoneOfTheDashboard(t *testing.T) {
	t.Parallel()
	p, err := Dashboard(t.Context(), "x.json", []byte(`{"timezone":"Asia/Tokyo","panels":[]}`), always(Result{}), Options{Now: end(), FromText: "now/d", ToText: "now/d"})
	if err != nil {
		t.Fatal(err)
	}
	from, to := p.TimeRange()
	if !from.Equal(time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC)) || !to.Equal(time.Date(2026, 11, 28, 14, 59, 59, 999e6, time.UTC)) {
		t.Errorf("from %s to %s", from.UTC(), to.UTC())
	}
}

// The last day of a month has no such day in the month before.
func TestMonthsAreClippedToTheirLastDay(t *testing.T) {
	t.Parallel()
	got, err := ParseFrom("now-1M", time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC))
	if want := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestTodayIsAWholeDay(t *testing.T) {
	t.Parallel()
	p, err := Dashboard(t.Context(), "x.json", []byte(`{"timezone":"utc","time":{"from":"now/d","to":"now/d"},"panels":[]}`), always(Result{}), Options{Now: end()})
	if err != nil {
		t.Fatal(err)
	}
	from, to := p.TimeRange()
	if !from.Equal(time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)) || !to.Equal(time.Date(2026, 11, 28, 23, 59, 59, 999e6, time.UTC)) {
		t.Errorf("from %s to %s", from, to)
	}
}

func TestNowIsTheDefault(t *testing.T) {
	t.Parallel()
	p, err := Dashboard(t.Context(), "x.json", []byte(`{"panels":[]}`), always(Result{}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, to := p.TimeRange(); time.Since(to).Abs() > time.Minute {
		t.Errorf("the time range ends at %s", to)
	}
}

func TestTimeZoneIsThatOfTheDashboard(t *testing.T) {
	t.Parallel()
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	local := time.Local //nolint:gosmopolitan // that of the reader
	for _, tc := range []struct {
		dashboard string
		option    *time.Location
		want      *time.Location
		problems  []string
	}{
		{"utc", nil, time.UTC, nil},
		{"UTC", nil, time.UTC, nil},
		{"", nil, local, nil},
		{"browser", nil, local, nil},
		{"Asia/Tokyo", nil, tokyo, nil},
		{"Asia/Tokyo", time.UTC, time.UTC, nil},
		{"Mars/Olympus", nil, time.UTC, []string{`dashboard: time zone "Mars/Olympus" is unknown; its times are in UTC`}},
		{"Mars/Olympus", tokyo, tokyo, nil},
	} {
		src := `{"timezone":"` + tc.dashboard + `","panels":[]}`
		p, err := Dashboard(t.Context(), "x.json", []byte(src), always(Result{}), Options{Now: end(), Location: tc.option})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.renderer.options.Location; got.String() != tc.want.String() {
			t.Errorf("%s, %v: got %s, want %s", src, tc.option, got, tc.want)
		}
		if !slices.Equal(p.Problems, tc.problems) {
			t.Errorf("%s, %v: got %q, want %q", src, tc.option, p.Problems, tc.problems)
		}
	}
}
