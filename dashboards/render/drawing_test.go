package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// browserWidths are the widths of texts in pixels at a size of 12, as Chromium measures them with digits of one width.
func browserWidths() map[string]map[string]float64 {
	return map[string]map[string]float64{
		"Inter": {
			"OrdersAvailabilityErrorBudgetBurnFast": 217.9, "GET /v1/orders/{id}": 110, "10.0.0.12:9464": 91, "process_resident_memory_bytes": 185.4,
			"99.95 %  max: 1,234.5 req/s": 162.6, `{route="/orders", code="500"}`: 172.7, "WWMM@@": 66.6,
		},
		"DejaVu Sans": {
			"OrdersAvailabilityErrorBudgetBurnFast": 230.5, "GET /v1/orders/{id}": 119.4, "10.0.0.12:9464": 91.8, "process_resident_memory_bytes": 196.3,
			"99.95 %  max: 1,234.5 req/s": 170.8, `{route="/orders", code="500"}`: 190.9, "WWMM@@": 68.4,
		},
	}
}

func TestTextsAreAtMostAsWideAsMeasured(t *testing.T) {
	t.Parallel()
	for font, widths := range browserWidths() {
		for text, want := range widths {
			if got := (style{size: 12}).width(text); got < want || got > 1.2*want {
				t.Errorf("%q in %s is %.1f pixels wide, measured %.1f", text, font, want, got)
			}
		}
	}
}

func TestNamesAreCutInTheMiddle(t *testing.T) {
	t.Parallel()
	s := style{size: 12}
	for _, tc := range []struct {
		text  string
		width float64
		want  string
	}{
		{"short", 100, "short"}, {"OrdersAvailabilityErrorBudgetBurnFast", 120, "Orders…etBurnFast"}, {"", 10, ""}, {"wide", 0, ""}, {"wide", -5, ""},
	} {
		got := fitMiddle(tc.text, tc.width, s)
		if got != tc.want || s.width(got) > max(tc.width, 0) {
			t.Errorf("%q in %g pixels: got %q of %.1f pixels, want %q", tc.text, tc.width, got, s.width(got), tc.want)
		}
	}
}

// Names with a common beginning stay different, and each is within the panel.
func TestNamesOfATimelineStayDifferent(t *testing.T) {
	t.Parallel()
	source := map[string]func(float64) float64{}
	for _, end := range []string{"Fast", "Slow", "Budget"} {
		source["route=OrdersAvailabilityErrorBudgetConsumption"+end] = constant(1)
	}
	_, d := drawOne(t, panelJSON("state-timeline", ""), series(source), func(o *Options) { o.Width = 400 })
	names := slices.DeleteFunc(d.texts("axis"), func(text string) bool { return !strings.Contains(text, ellipsis) })
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != 3 || !strings.HasSuffix(names[0], "Budget") {
		t.Errorf("names %q", names)
	}
	for _, b := range d.canvas.texts {
		if b.x < d.box.x {
			t.Errorf("%q starts at %.1f, left of the panel", b.text, b.x)
		}
	}
}

// many returns a source of n series with long names.
func many(n int) Source {
	f := map[string]func(float64) float64{}
	for i := range n {
		f[fmt.Sprintf("route=/v1/organizations/{organization}/members/%02d", i)] = wave(float64(i), 1)
	}
	return series(f)
}

// Entries of a legend that have no room are counted.
func TestLegendCountsWhatHasNoRoom(t *testing.T) {
	t.Parallel()
	for name, legend := range map[string]string{
		"list":   `"displayMode":"list","placement":"bottom"`,
		"column": `"displayMode":"list","placement":"right"`,
		"table":  `"displayMode":"table","placement":"bottom","calcs":["max"]`,
		"aside":  `"displayMode":"table","placement":"right","calcs":["max"]`,
	} {
		for _, n := range []int{1, 30} {
			_, d := drawOne(t, panelJSON("timeseries", `"options":{"legend":{"showLegend":true,`+legend+`}}`), many(n))
			names, more := 0, ""
			for _, text := range d.texts("legend") {
				if strings.HasPrefix(text, "/v") {
					names++
				}
				if strings.HasPrefix(text, "+") {
					more = text
				}
			}
			want := ""
			if n > names {
				want = fmt.Sprintf("+%d more", n-names)
			}
			if names == 0 || more != want || d.facts.Cut != n-names {
				t.Errorf("%s of %d: %d names and %q, want %q; %d are cut", name, n, names, more, want, d.facts.Cut)
			}
			noOverlap(t, d)
		}
	}
}

// On a phone, names keep their space and values are left out.
func TestLegendTableOnANarrowPanelKeepsNames(t *testing.T) {
	t.Parallel()
	legend := `"options":{"legend":{"showLegend":true,"displayMode":"table","placement":"right","calcs":["lastNotNull","max","mean","min","sum"],"width":%d}}`
	for _, width := range []int{0, -50, 5, 200, 10_000} {
		_, d := drawOne(t, panelJSON("timeseries", fmt.Sprintf(legend, width)), many(3), func(o *Options) { o.Width = 340 })
		names := slices.DeleteFunc(d.texts("legend"), func(text string) bool { return !strings.HasPrefix(text, "/v") })
		if slices.Sort(names); width != 5 && (len(names) != 3 || len(slices.Compact(slices.Clone(names))) != 3 || len(names[0]) < len("/v…ers/00")) {
			t.Errorf("width %d: names %q", width, names)
		}
		if strings.Contains(d.canvas.buf.String(), `width="-`) {
			t.Errorf("width %d: an element has a negative width", width)
		}
		noOverlap(t, d)
	}
}
