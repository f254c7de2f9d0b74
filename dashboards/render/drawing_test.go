package render

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
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

// custom returns a graph with settings of its lines, and overrides.
func custom(settings, overrides string) string {
	return panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"bytes","custom":{`+settings+`}},"overrides":[`+overrides+`]},"options":{"legend":{"showLegend":true,"displayMode":"table","calcs":["max"]}}`)
}

// The values of the legend are those of the query, as in Grafana.
func TestNegativeValuesAreBelowZero(t *testing.T) {
	t.Parallel()
	const down = `{"matcher":{"id":"byName","options":"transmit"},"properties":[{"id":"custom.transform","value":"negative-Y"}]}`
	traffic := series(map[string]func(float64) float64{"route=receive": constant(2048), "route=transmit": constant(1024)})
	_, d := drawOne(t, custom("", down), traffic)
	if a := d.facts.Axes[0]; a.Low > -1024 || a.High < 2048 || !slices.Contains(d.texts("legend"), "1 KiB") {
		t.Errorf("the axis is %+v, the legend %q", a, d.texts("legend"))
	}
	_, d = drawOne(t, custom(`"stacking":{"mode":"normal","group":"A"}`, down), traffic)
	if a := d.facts.Axes[0]; a.Low > -1024 || a.High > 3000 {
		t.Errorf("with stacks, the axis is %+v", a)
	}
}

func TestStacksOfPercentEndAtHundred(t *testing.T) {
	t.Parallel()
	_, d := drawOne(t, custom(`"stacking":{"mode":"percent","group":"A"},"fillOpacity":100`, ""), series(map[string]func(float64) float64{
		"route=a": constant(1), "route=b": constant(3), "route=c": constant(0),
	}))
	if a := d.facts.Axes[0]; a.Low != 0 || a.High != 1 || !slices.Contains(a.Labels, "100%") || !slices.Contains(d.texts("legend"), "3 B") {
		t.Errorf("the axis is %+v, the legend %q", a, d.texts("legend"))
	}
}

func TestStackedLinesHaveTheHeightOfTheOneBelow(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	stacked := func(mode string, lists ...[]float64) []*line {
		var out []*line
		for _, values := range lists {
			f := &grafana.Field{Type: grafana.Number}
			f.Config.Custom.Stacking.Mode = mode
			l := &line{field: f, axis: &axis{}}
			for i, v := range values {
				if v != 99 { // no point
					l.times, l.values = append(l.times, float64(i)), append(l.values, v)
				}
			}
			out = append(out, l)
		}
		stack(out)
		return out
	}
	for _, tc := range []struct {
		name, mode string
		lists      [][]float64
		want       [][]float64
	}{
		{"sums", "normal", [][]float64{{1, 2}, {3, 4}}, [][]float64{{1, 2}, {4, 6}}},
		{"missing values", "normal", [][]float64{{1, 2, nan}, {nan, 4, nan}}, [][]float64{{1, 2, nan}, {1, 6, nan}}},
		{"missing points", "normal", [][]float64{{1, 2}, {99, 4}}, [][]float64{{1, 2}, {1, 6}}},
		{"directions", "normal", [][]float64{{1, 2}, {-3, -4}, {-1, -1}}, [][]float64{{1, 2}, {-3, -4}, {-4, -5}}},
		{"shares", "percent", [][]float64{{1, 0}, {3, 0}}, [][]float64{{.25, 0}, {1, 0}}},
		{"shares below zero", "percent", [][]float64{{-1, -1}, {-3, -1}}, [][]float64{{-.25, -.5}, {-1, -1}}},
		{"shares of nothing", "percent", [][]float64{{nan, 1}, {nan, 1}}, [][]float64{{nan, .5}, {nan, 1}}},
	} {
		for i, l := range stacked(tc.mode, tc.lists...) {
			if !slices.EqualFunc(l.values, tc.want[i], func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }) {
				t.Errorf("%s: line %d is %v, want %v", tc.name, i, l.values, tc.want[i])
			}
		}
	}
}

func TestConstantIsTheFirstValue(t *testing.T) {
	t.Parallel()
	_, d := drawOne(t, custom(`"transform":"constant"`, ""), series(map[string]func(float64) float64{"route=a": func(minute float64) float64 { return 7 + minute }}))
	if a := d.facts.Axes[0]; a.High > 20 {
		t.Errorf("the axis is %+v", a)
	}
}

func TestLabelOfAnAxis(t *testing.T) {
	t.Parallel()
	traffic := series(map[string]func(float64) float64{"route=a": wave(3, 1), "route=b": wave(300, 1)})
	_, plain := drawOne(t, custom("", ""), traffic)
	_, d := drawOne(t, custom(`"axisLabel":"in (-) / out (+)"`, `{"matcher":{"id":"byName","options":"b"},"properties":[{"id":"custom.axisPlacement","value":"right"},{"id":"custom.axisLabel","value":"right side"}]}`), traffic)
	for _, label := range []string{"in (-) / out (+)", "right side"} {
		i := slices.IndexFunc(d.canvas.texts, func(b textBox) bool { return b.text == label })
		if i < 0 {
			t.Fatalf("no %q in %q", label, d.texts("axis"))
		}
		if b := d.canvas.texts[i]; b.h < b.w || b.x < d.box.x || b.right() > d.box.right() {
			t.Errorf("%+v is not vertical, or outside of the panel %+v", b, d.box)
		}
	}
	if len(plain.facts.Axes) != 1 || len(d.facts.Axes) != 2 {
		t.Errorf("%+v", d.facts)
	}
	noOverlap(t, d)
}

// sizes returns the different sizes of the texts of a class.
func (d *drawing) sizes(class string) []float64 {
	var out []float64
	for _, b := range d.canvas.texts {
		if b.class == class {
			out = append(out, b.h)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inside reports texts that are outside of their panel.
func inside(t *testing.T, d *drawing) {
	t.Helper()
	for _, b := range d.canvas.texts {
		if b.x < d.box.x || b.right() > d.box.right() {
			t.Errorf("%q is from %.1f to %.1f, the panel from %.1f to %.1f", b.text, b.x, b.right(), d.box.x, d.box.right())
		}
	}
}

// unequal are values whose texts and names have different lengths.
func unequal() Source {
	return series(map[string]func(float64) float64{
		"route=/a": constant(7), "route=/v1/orders": constant(1234567.25), "route=/v1/orders/{id}": constant(-12.5), "route=/healthz": constant(0),
	})
}

func TestValuesOfAPanelHaveOneSize(t *testing.T) {
	t.Parallel()
	for _, width := range []int{300, 600, 1600} {
		for _, panel := range []string{
			panelJSON("stat", `"fieldConfig":{"defaults":{"unit":"reqps"}}`), panelJSON("stat", `"options":{"orientation":"horizontal","colorMode":"background","graphMode":"none"}`),
			panelJSON("bargauge", `"fieldConfig":{"defaults":{"unit":"reqps"}},"options":{"orientation":"horizontal"}`), panelJSON("bargauge", `"options":{"orientation":"vertical"}`),
		} {
			_, d := drawOne(t, panel, unequal(), func(o *Options) { o.Width = width })
			if len(d.texts("value")) != 4 || len(d.sizes("value")) != 1 || len(d.sizes("name")) != 1 {
				t.Errorf("%d pixels: values %q have sizes %v, names %v: %s", width, d.texts("value"), d.sizes("value"), d.sizes("name"), panel)
			}
			inside(t, d)
			noOverlap(t, d)
		}
	}
}

func TestBarsStartAndEndAtOnePlace(t *testing.T) {
	t.Parallel()
	for _, placement := range []string{"auto", "left", "top", "hidden"} {
		_, d := drawOne(t, strings.Replace(panelJSON("bargauge", `"options":{"orientation":"horizontal","showUnfilled":true,"namePlacement":"`+placement+`"}`), `"h":8`, `"h":5`, 1), unequal())
		places := map[string]bool{}
		for _, m := range regexp.MustCompile(`<rect x="([^"]*)" y="[^"]*" width="([^"]*)" height="[^"]*" fill="`+grafana.Dark().Unfilled).FindAllStringSubmatch(d.canvas.buf.String(), -1) {
			places[m[1]+" "+m[2]] = true
		}
		if len(places) != 1 {
			t.Errorf("%s: bars have different starts and lengths: %v", placement, places)
		}
	}
}

func TestTextsOnAColorHaveContrast(t *testing.T) {
	t.Parallel()
	for _, color := range []string{"red", "dark-red", "green", "yellow", "super-light-blue", "purple"} {
		for _, light := range []bool{false, true} {
			theme := grafana.Dark()
			if light {
				theme = grafana.Light()
			}
			_, d := drawOne(t, panelJSON("stat", `"fieldConfig":{"defaults":{"color":{"mode":"fixed","fixedColor":"`+color+`"}}},"options":{"colorMode":"background"}`), unequal(), func(o *Options) { o.Light = light })
			for _, m := range regexp.MustCompile(`<text [^>]*fill="([^"]*)"`).FindAllStringSubmatch(d.canvas.buf.String(), -1)[1:] { // after the title
				if ratio := grafana.ContrastRatio(m[1], theme.Color(color)); ratio < 4.5 {
					t.Errorf("%s on %s has a contrast of %.1f", m[1], color, ratio)
				}
			}
		}
	}
}

// What has no room is counted at the lower edge of the panel.
func TestPanelsCountWhatHasNoRoom(t *testing.T) {
	t.Parallel()
	table := func(columns, height int) string {
		var exclude []string
		for i := columns; i < 8; i++ {
			exclude = append(exclude, fmt.Sprintf(`"c%d":true`, i))
		}
		return fmt.Sprintf(`{"type":"table","title":"T","gridPos":{"w":24,"h":%d},"targets":[{"refId":"A","expr":"a","format":"table","instant":true}],"transformations":[{"id":"organize","options":{"excludeByName":{"Time":true,"Value":true,%s}}}]}`, height, strings.Join(exclude, ","))
	}
	rows := func(n int) Source {
		f := map[string]func(float64) float64{}
		for i := range n {
			var labels []string
			for c := range 8 {
				labels = append(labels, fmt.Sprintf("c%d=%d", c, i))
			}
			f[strings.Join(labels, ",")] = constant(1)
		}
		return series(f)
	}
	var lines []Line
	var alerts []Alert
	for i := range 20 {
		lines = append(lines, Line{Time: end(), Text: "failed"})
		alerts = append(alerts, Alert{Name: fmt.Sprint("Down", i), State: "firing", Since: end()})
	}
	for _, tc := range []struct {
		name, panel string
		source      Source
		want        []string
	}{
		{"all", table(4, 8), rows(3), nil},
		{"one row", table(4, 6), rows(5), []string{"1 row is not shown"}},
		{"rows", table(4, 6), rows(8), []string{"4 rows are not shown"}},
		{"one column", table(6, 8), rows(3), []string{"1 column is not shown"}},
		{"both", table(7, 6), rows(5), []string{"2 columns and 1 row are not shown"}},
		{"logs", `{"type":"logs","gridPos":{"w":24,"h":6},"targets":[{"refId":"A","expr":"{}","datasource":{"type":"loki"}}]}`, always(Result{Lines: lines}), []string{"9 lines are not shown"}},
		{"alerts", `{"type":"alertlist","gridPos":{"w":24,"h":6}}`, always(Result{Alerts: alerts}), []string{"16 alerts are not shown"}},
		{"bars", strings.Replace(panelJSON("bargauge", `"options":{"orientation":"horizontal","minVizHeight":30}`), `"h":8`, `"h":4`, 1), many(9), []string{"7 bars are not shown"}},
		{"text", `{"type":"text","gridPos":{"w":24,"h":3},"options":{"content":"a\n\nb\n\nc\n\nd\n\ne\n\nf"}}`, rows(0), []string{"3 lines are not shown"}},
	} {
		_, d := drawOne(t, tc.panel, tc.source)
		if got := d.texts("hidden"); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
		noOverlap(t, d)
	}
}

// A long text has the lines that it needs, and the rows below it less room.
func TestTextsOfATableAreWrapped(t *testing.T) {
	t.Parallel()
	const table = `{"type":"table","title":"T","gridPos":{"w":8,"h":8},"targets":[{"refId":"A","expr":"a","format":"table","instant":true}],"fieldConfig":{"overrides":[
		{"matcher":{"id":"byName","options":"route"},"properties":[{"id":"custom.cellOptions","value":{"type":"auto","wrapText":%t}}]}]},
		"transformations":[{"id":"organize","options":{"excludeByName":{"Time":true,"Value":true}}}]}`
	for wrap, rows := range map[bool]int{false: 6, true: 4} {
		_, d := drawOne(t, fmt.Sprintf(table, wrap), many(8))
		lines := strings.Join(d.texts("cell"), "")
		if whole := strings.Count(lines, "/members/"); len(d.facts.Rows) != rows || wrap != (whole == rows) {
			t.Errorf("wrap %t: %d rows, of which %d are whole, want %d: %q", wrap, len(d.facts.Rows), whole, rows, d.texts("cell"))
		}
		noOverlap(t, d)
		inside(t, d)
	}
}

// A picture alone says what it shows. A page has a header of its own.
func TestSVGHasAHeader(t *testing.T) {
	t.Parallel()
	src := `{"title":"Orders <overview>","templating":{"list":[{"name":"env","label":"environment","type":"custom","query":"prod,staging","current":{"value":"prod"}},{"name":"ds","type":"datasource","query":"prometheus"}]},"panels":[` + panelJSON("stat", "") + `]}`
	for width, lines := range map[int]int{1280: 1, 600: 2, 400: 3, 200: 4} {
		p, err := Dashboard(t.Context(), "x.json", []byte(src), unequal(), Options{From: end().Add(-time.Hour), To: end(), Location: time.FixedZone("CET", 3600), Width: width})
		if err != nil {
			t.Fatal(err)
		}
		c := &canvas{}
		height := p.header(c, float64(width))
		seen := map[float64]bool{}
		for _, b := range c.texts {
			seen[b.bottom()-b.h*(1-ascent)] = true
			if b.right() > float64(width) || b.bottom() > height+margin {
				t.Errorf("width %d: %q ends at %.0f, %.0f, the header at %.0f", width, b.text, b.right(), b.bottom(), height)
			}
		}
		if len(seen) != lines {
			t.Errorf("width %d: %d lines, want %d: %+v", width, len(seen), lines, c.texts)
		}
		var svg, page bytes.Buffer
		if err := errors.Join(p.SVG(&svg), p.HTML(&page)); err != nil {
			t.Fatal(err)
		}
		const subtitle = "2026-11-28 12:00:00 to 2026-11-28 13:00:00 CET · environment: prod"
		if width > 600 && !strings.Contains(svg.String(), subtitle) || strings.Count(page.String(), subtitle) != 1 {
			t.Errorf("width %d: %.400s", width, svg.String())
		}
		if err := wellFormed(svg.Bytes()); err != nil {
			t.Error(err)
		}
	}
}

// Units that dashboards of other projects have.
func TestCommonUnits(t *testing.T) {
	t.Parallel()
	for unit, want := range map[string]string{
		"kbytes": "4 MiB", "gbytes": "4 TiB", "mbytes": "4 GiB", "celsius": "4096 °C", "bool": "True", "bool_yes_no": "Yes", "bool_on_off": "On", "locale": "4,096",
		"watt": "4.10 kW", "currencyUSD": "$4.10K", "currencyEUR": "€4.10K", "currencySEK": "4.10Kkr", "pps": "4.10 kp/s", "rps": "4.10K rd/s", "wps": "4.10K wr/s",
		"iops": "4.10K io/s", "Mbits": "4.10 Gb/s", "Kbits": "4.10 Mb/s", "binBps": "4 KiB/s", "dtdurations": "1 hour", "dtdurationms": "4 seconds", "dthms": "01:08:16",
		"dateTimeAsIso": "1970-01-01 01:00:04", "dateTimeAsUS": "01/01/1970 1:00:04 am",
	} {
		_, d := drawOne(t, panelJSON("stat", `"fieldConfig":{"defaults":{"unit":"`+unit+`"}}`), series(map[string]func(float64) float64{"route=/a": constant(4096)}), func(o *Options) { o.Location = time.FixedZone("CET", 3600) })
		if got := d.texts("value"); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", unit, got, want)
		}
		if !grafana.KnownUnit(unit) {
			t.Errorf("%s is not known", unit)
		}
	}
}

// In a title, several values are text, not a pattern.
func TestTitlesHaveTheTextsOfVariables(t *testing.T) {
	t.Parallel()
	const src = `{"title":"x","templating":{"list":[{"name":"env","type":"custom","query":"Production : prod,staging,test","multi":true,"includeAll":true,%s"current":{"value":%s}}]},"panels":[
		{"type":"stat","title":"Up in $env","gridPos":{"w":24}},{"type":"stat","title":"Up in ${env:csv}","gridPos":{"w":24}},{"type":"row","title":"Row of $env","gridPos":{"w":24}}]}`
	for _, tc := range []struct {
		allValue, current string
		given             []string
		want, csv         string
	}{
		{"", `["prod","test"]`, nil, "Production + test", "prod,test"}, {"", `"prod"`, nil, "Production", "prod"}, {"", `["$__all"]`, nil, "All", "prod,staging,test"},
		{`"allValue":".*",`, `["$__all"]`, nil, "All", ".*"}, {"", `["removed"]`, nil, "All", "prod,staging,test"}, {"", `["prod","staging","test"]`, nil, "Production + staging + test", "prod,staging,test"},
		{"", `"prod"`, []string{"test", "prod"}, "test + Production", "test,prod"}, {"", `"prod"`, []string{"$__all"}, "All", "prod,staging,test"},
	} {
		o := Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC}
		if tc.given != nil {
			o.Variables = map[string][]string{"env": tc.given}
		}
		p, err := Dashboard(t.Context(), "x.json", fmt.Appendf(nil, src, tc.allValue, tc.current), unequal(), o)
		if err != nil {
			t.Fatal(err)
		}
		var page bytes.Buffer
		if err := p.HTML(&page); err != nil {
			t.Fatal(err)
		}
		first, second := p.panels[0].texts("title"), p.panels[1].texts("title")
		if !slices.Equal(first, []string{"Up in " + tc.want}) || !slices.Equal(second, []string{"Up in " + tc.csv}) || strings.Count(page.String(), "Row of "+tc.want+"<") != 2 {
			t.Errorf("%s %q: got %q and %q, want %q and %q", tc.current, tc.given, first, second, tc.want, tc.csv)
		}
	}
}

func TestFramesKeepTheFunction(t *testing.T) {
	t.Parallel()
	s := style{size: 10, mono: true} // 6.1 pixels a character
	for _, tc := range []struct {
		name  string
		width float64
		want  string
	}{
		{"example.com/orders/internal/api.create", 300, "example.com/orders/internal/api.create (4 s)"}, {"example.com/orders/internal/api.create", 200, "api.create (4 s)"},
		{"example.com/orders/internal/api.create", 70, "api.create"}, {"example.com/orders/internal/api.create", 50, "create"}, {"example.com/orders/internal/api.create", 30, "cre…"},
		{"net/http.(*conn).serve", 120, "http.(*conn).serve"}, {"net/http.(*conn).serve", 100, "(*conn).serve"}, {"slices.SortFunc[go.shape.struct { example.com/x.T }]", 60, "SortFunc…"},
		{"main", 40, "main"}, {"", 40, " (4 s)"},
	} {
		if got := frameText(tc.name, "4 s", tc.width, s); got != tc.want {
			t.Errorf("%q in %g pixels: got %q, want %q", tc.name, tc.width, got, tc.want)
		}
	}
	k := kinds()["flamegraph"]
	_, d := drawOne(t, k.panel, k.source)
	for _, want := range []string{"<title>total: 8 s, 100.0 %</title>", "<title>example.com/orders/internal/api.create: 4 s, 50.0 %</title>"} {
		if !strings.Contains(d.canvas.buf.String(), want) {
			t.Errorf("no %s in %s", want, d.canvas.buf.String())
		}
	}
}

func TestMarkdownHasBoldCodeAndLinks(t *testing.T) {
	t.Parallel()
	text := func(content string) *drawing {
		_, d := drawOne(t, fmt.Sprintf(`{"type":"text","gridPos":{"w":24,"h":8},"options":{"content":%q}}`, content), unequal())
		return d
	}
	for content, want := range map[string]string{
		"a **bold** b": `>a <tspan font-weight="500">bold</tspan> b</text>`, "a `x<y` b": `monospace">x&lt;y</tspan> b</text>`, "*slant*": `font-style="italic">slant</tspan>`,
		"**a**:b": `<tspan font-weight="500">a</tspan>:b</text>`, "[runbook](https://example.com/a?b=c&d)": `<a href="https://example.com/a?b=c&amp;d" rel="noopener" target="_blank"><tspan fill="` + grafana.Dark().Link + `">runbook</tspan></a>`,
		"| a |\n|---|\n| **b** `c` |": `<tspan font-weight="500">b</tspan> <tspan`, "<http://example.com>": `<a href="http://example.com"`,
	} {
		if svg := text(content).canvas.buf.String(); !strings.Contains(svg, want) {
			t.Errorf("%q: no %s in %s", content, want, svg)
		}
	}
	for _, address := range []string{"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//example.com", "/local", "https:", "vbscript:x", "http:example.com"} {
		if svg := text("[link](" + address + ") <" + address + ">").canvas.buf.String(); strings.Contains(svg, "href") || !strings.Contains(svg, "link") {
			t.Errorf("%s: %s", address, svg)
		}
	}
	for _, width := range []int{120, 300, 800} {
		_, d := drawOne(t, fmt.Sprintf(`{"type":"text","gridPos":{"w":24,"h":30},"options":{"content":%q}}`, "a **"+strings.Repeat("long words ", 20)+"** and `"+strings.Repeat("code", 60)+"`.\n\n| a **b** | c |\n|---|---|\n| "+strings.Repeat("`cell` ", 40)+" | x |"), unequal(), func(o *Options) { o.Width = width })
		inside(t, d)
		joined := strings.Join(d.texts("text"), "")
		if strings.Count(joined, "long")+strings.Count(joined, "code") < 20 {
			t.Errorf("width %d: %q", width, d.texts("text"))
		}
	}
}
