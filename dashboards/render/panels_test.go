package render

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
	"github.com/observability-first/scaffold/internal/testkit/golden"
)

// end is the end of the time range of tests, which is an hour.
func end() time.Time { return time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC) }

// series returns a source of series of the values that f returns, by their labels.
func series(f map[string]func(minute float64) float64) Source {
	return func(_ context.Context, q Query) (Result, error) {
		var out Result
		for name, value := range f {
			s := &model.SampleStream{Metric: labelsOf(name)}
			step := max(q.Step, time.Second)
			for at := q.From; q.Kind == Range && !at.After(q.To); at = at.Add(step) {
				s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()), Value: model.SampleValue(value(at.Sub(q.From).Minutes()))})
			}
			if q.Kind == Instant {
				s.Values = []model.SamplePair{{Timestamp: model.TimeFromUnixNano(q.To.UnixNano()), Value: model.SampleValue(value(60))}}
			}
			out.Series = append(out.Series, s)
		}
		slices.SortFunc(out.Series, func(a, b *model.SampleStream) int { return strings.Compare(a.Metric.String(), b.Metric.String()) })
		return out, nil
	}
}

// labelsOf parses route=/a,code=500.
func labelsOf(text string) model.Metric {
	m := model.Metric{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(pair, "=")
		m[model.LabelName(name)] = model.LabelValue(value)
	}
	return m
}

func constant(v float64) func(float64) float64 { return func(float64) float64 { return v } }

// wave moves around a value.
func wave(around, by float64) func(float64) float64 {
	return func(minute float64) float64 { return around + by*math.Sin(minute/6) }
}

// always returns a source with the same result for each query.
func always(a Result) Source {
	return func(context.Context, Query) (Result, error) { return a, nil }
}

// drawOne draws a dashboard of one panel.
func drawOne(t testing.TB, panel string, source Source, change ...func(*Options)) (*Picture, *drawing) {
	t.Helper()
	src := fmt.Sprintf(`{"title":"Test","schemaVersion":39,"panels":[%s]}`, panel)
	o := Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC, Width: 800}
	for _, f := range change {
		f(&o)
	}
	p, err := Dashboard(t.Context(), "test.json", []byte(src), source, o)
	if err != nil {
		t.Fatal(err)
	}
	return p, p.panels[0]
}

// panelJSON returns a panel with one query.
func panelJSON(kind, more string) string {
	if more != "" {
		more = "," + more
	}
	return fmt.Sprintf(`{"id":1,"type":%q,"title":"Requests","gridPos":{"x":0,"y":0,"w":24,"h":8},"targets":[{"refId":"A","expr":"up","legendFormat":"{{route}}"}]%s}`, kind, more)
}

// kinds returns a panel of each kind with its data.
func kinds() map[string]struct {
	panel  string
	source Source
} {
	traffic := series(map[string]func(float64) float64{"route=/orders": wave(40, 10), "route=/carts": wave(20, 5), "route=/users": constant(0)})
	thresholds := `"thresholds":{"mode":"absolute","steps":[{"color":"green","value":null},{"color":"orange","value":25},{"color":"red","value":45}]}`
	buckets := map[string]func(float64) float64{"le=0.1": wave(5, 4), "le=0.5": wave(9, 4), "le=+Inf": wave(10, 4)}
	type one = struct {
		panel  string
		source Source
	}
	return map[string]one{
		"timeseries": {panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"reqps","min":0,"color":{"mode":"palette-classic"},`+thresholds+`,"custom":{"fillOpacity":10,"thresholdsStyle":{"mode":"dashed"}}}},"options":{"legend":{"displayMode":"table","placement":"bottom","showLegend":true,"calcs":["lastNotNull","max","mean"]}}`), traffic},
		"stacked":    {panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"reqps","color":{"mode":"palette-classic"},"custom":{"fillOpacity":30,"stacking":{"mode":"normal","group":"A"}}}},"options":{"legend":{"displayMode":"list","placement":"right","showLegend":true,"calcs":["max"]}}`), traffic},
		"logarithmic": {panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"s","color":{"mode":"palette-classic"},"custom":{"scaleDistribution":{"type":"log","log":10}}}}`),
			series(map[string]func(float64) float64{"route=/orders": func(m float64) float64 { return math.Pow(10, m/20-2) }})},
		"twoaxes": {panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"percentunit","color":{"mode":"palette-classic"}},"overrides":[{"matcher":{"id":"byName","options":"/users"},"properties":[{"id":"custom.axisPlacement","value":"right"},{"id":"unit","value":"short"},{"id":"custom.lineStyle","value":{"fill":"dash","dash":[8,6]}},{"id":"custom.lineInterpolation","value":"stepAfter"}]}]}`),
			series(map[string]func(float64) float64{"route=/orders": wave(.4, .1), "route=/users": func(m float64) float64 { return math.Floor(m / 20) }})},
		"stat":          {panelJSON("stat", `"fieldConfig":{"defaults":{"unit":"s","color":{"mode":"thresholds"},`+thresholds+`}},"options":{"graphMode":"area","colorMode":"value"}`), traffic},
		"gauge":         {panelJSON("gauge", `"fieldConfig":{"defaults":{"unit":"percent","min":0,"max":100,"color":{"mode":"thresholds"},`+thresholds+`}}`), traffic},
		"bargauge":      {panelJSON("bargauge", `"fieldConfig":{"defaults":{"unit":"reqps","min":0,"color":{"mode":"thresholds"},`+thresholds+`}},"options":{"orientation":"horizontal","showUnfilled":true}`), traffic},
		"bars":          {panelJSON("bargauge", `"fieldConfig":{"defaults":{"unit":"reqps","min":0,"color":{"mode":"continuous-GrYlRd"}}},"options":{"orientation":"vertical","showUnfilled":true}`), traffic},
		"table":         {`{"type":"table","title":"Routes","gridPos":{"w":24,"h":6},"targets":[{"refId":"A","expr":"a","format":"table","instant":true},{"refId":"B","expr":"b","format":"table","instant":true}],"transformations":[{"id":"merge","options":{}},{"id":"organize","options":{"excludeByName":{"Time":true},"renameByName":{"Value #A":"rate","Value #B":"errors"}}}],"fieldConfig":{"defaults":{` + thresholds + `,"custom":{"cellOptions":{"type":"color-text"}}}},"options":{"sortBy":[{"displayName":"rate","desc":true}]}}`, traffic},
		"heatmap":       {panelJSON("heatmap", `"fieldConfig":{"defaults":{"unit":"s"}},"options":{"yAxis":{"unit":"s"},"color":{"scheme":"Blues","steps":64,"exponent":0.5},"legend":{"show":true}}`), series(buckets)},
		"nativeheatmap": {panelJSON("heatmap", `"options":{"yAxis":{"unit":"s"},"color":{"scheme":"Oranges"}}`), always(Result{Series: model.Matrix{nativeHistogram()}})},
		"timeline":      {panelJSON("state-timeline", `"fieldConfig":{"defaults":{"color":{"mode":"thresholds"},`+thresholds+`,"custom":{"fillOpacity":80}}},"options":{"mergeValues":true,"rowHeight":0.8}`), traffic},
		"logs": {`{"type":"logs","title":"Logs","gridPos":{"w":24,"h":6},"targets":[{"refId":"A","expr":"{a=\"b\"}","datasource":{"type":"loki"}}],"options":{"showTime":true,"wrapLogMessage":true}}`,
			always(Result{Lines: []Line{{end().Add(-time.Minute), "request failed: <b>database</b> & more", map[string]string{"level": "error"}}, {end(), strings.Repeat("a long line ", 30), map[string]string{"level": "info"}}}})},
		"traces": {`{"type":"traces","title":"Traces","gridPos":{"w":24,"h":6},"targets":[{"refId":"A","query":"{}","datasource":{"type":"tempo"}}]}`,
			always(Result{Traces: []Trace{{"4bf92f3577b34da6", end(), "orders", "POST /orders", 310 * time.Millisecond}, {"00f067aa0ba902b7", end().Add(-time.Minute), "orders", "GET /orders", 4 * time.Millisecond}}})},
		"alertlist": {`{"type":"alertlist","title":"Alerts","gridPos":{"w":24,"h":6},"options":{"alertInstanceLabelFilter":"{service=\"orders\"}","stateFilter":{"firing":true,"pending":true}}}`, always(Result{Alerts: []Alert{
			{"OrdersSlow", "pending", end().Add(-time.Minute), map[string]string{"service": "orders"}}, {"OrdersDown", "firing", end().Add(-time.Hour), map[string]string{"service": "orders", "severity": "critical"}},
			{"CartsDown", "firing", end(), map[string]string{"service": "carts"}},
		}})},
		"flamegraph": {`{"type":"flamegraph","title":"CPU","gridPos":{"w":24,"h":6},"targets":[{"refId":"A","labelSelector":"{}","profileTypeId":"process_cpu:cpu:nanoseconds:cpu:nanoseconds","datasource":{"type":"grafana-pyroscope-datasource"}}]}`,
			always(Result{Profile: &Flame{Name: "total", Total: 8e9, Unit: "ns", Children: []Flame{{Name: "net/http.(*conn).serve", Total: 5e9, Children: []Flame{{Name: "example.com/orders/internal/api.create", Total: 4e9, Self: 4e9}}}, {Name: "runtime.gcBgMarkWorker", Total: 3e9, Self: 3e9}}}})},
		"text":    {`{"type":"text","title":"What fires when","gridPos":{"w":24,"h":8},"options":{"mode":"markdown","content":"# Objectives\n\n- **availability**: 99.9 %\n- latency\n\n| alert | above |\n|---|---|\n| OrdersSlow | 14.4 |\n\n1. first\n2. second\n\n` + "`code`" + `"}}`, traffic},
		"unknown": {panelJSON("piechart", ""), traffic},
		"empty":   {panelJSON("timeseries", `"fieldConfig":{"defaults":{"noValue":"no data until requests arrive"}}`), always(Result{})},
		"away": {panelJSON("stat", ""), func(context.Context, Query) (Result, error) {
			return Result{}, errors.New("http://localhost:9090 does not respond")
		}},
	}
}

func nativeHistogram() *model.SampleStream {
	s := &model.SampleStream{Metric: model.Metric{}}
	for i := range 241 {
		h := &model.SampleHistogram{}
		for b := range 12 {
			upper := math.Pow(2, float64(b)-8)
			h.Buckets = append(h.Buckets, &model.HistogramBucket{Lower: model.FloatString(upper / 2), Upper: model.FloatString(upper), Count: model.FloatString((i/20 + b) % 7)})
		}
		s.Histograms = append(s.Histograms, model.SampleHistogramPair{Timestamp: model.TimeFromUnixNano(end().Add(time.Duration(i-240) * 15 * time.Second).UnixNano()), Histogram: h})
	}
	return s
}

func TestPanelsAreGolden(t *testing.T) {
	t.Parallel()
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, d := drawOne(t, k.panel, k.source, func(o *Options) { o.Light = name == "stat" || name == "table" || name == "heatmap" })
			var svg bytes.Buffer
			if err := p.SVG(&svg); err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, filepath.Join("testdata", "golden", name+".svg"), svg.Bytes())
			if err := wellFormed(svg.Bytes()); err != nil {
				t.Error(err)
			}
			noOverlap(t, d)
		})
	}
}

// wellFormed reports XML that browsers reject.
func wellFormed(svg []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// noOverlap reports texts of a panel that cover each other by more than two pixels.
func noOverlap(t testing.TB, d *drawing) {
	t.Helper()
	const slack = 2
	noValue := d.panel.FieldConfig.Defaults.NoValue
	texts := slices.DeleteFunc(slices.Clone(d.canvas.texts), func(b textBox) bool { return noValue != "" && b.text == noValue })
	for i, a := range texts {
		for _, b := range texts[:i] {
			if a.x+slack < b.right() && b.x+slack < a.right() && a.y+slack < b.bottom() && b.y+slack < a.bottom() {
				t.Errorf("panel %s: the texts %q and %q overlap: %+v, %+v", d.panel.Title, b.text, a.text, b.box, a.box)
			}
		}
	}
}

func TestAllZeroRatiosHaveGrafanasDefaultAxis(t *testing.T) {
	t.Parallel()
	_, d := drawOne(t, panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"percentunit","min":0}}`), series(map[string]func(float64) float64{"route=/a": constant(0)}))
	axis := d.facts.Axes[0]
	if axis.High != 100 || !slices.Contains(axis.Labels, "10000%") {
		t.Errorf("got %+v", axis)
	}
}

func TestGapsAreNotBridged(t *testing.T) {
	t.Parallel()
	s := &model.SampleStream{Metric: model.Metric{}}
	for i := range 60 {
		if i < 20 || i > 40 {
			s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(end().Add(time.Duration(i-60) * time.Minute).UnixNano()), Value: model.SampleValue(i % 3)})
		}
	}
	for spans, want := range map[string]int{"false": 2, "true": 1, "3600000": 1, "60000": 2} {
		_, d := drawOne(t, panelJSON("timeseries", `"interval":"1m","fieldConfig":{"defaults":{"color":{"mode":"fixed","fixedColor":"#ff00ff"},"custom":{"spanNulls":`+spans+`,"showPoints":"never"}}}`), always(Result{Series: model.Matrix{s}}))
		line := d.canvas.buf.String()
		line, _, _ = strings.Cut(line, `" fill="none" stroke="#ff00ff"`)
		line = line[strings.LastIndex(line, `d="`):]
		if got := strings.Count(line, "M"); got != want {
			t.Errorf("spanNulls %s: %d lines, want %d", spans, got, want)
		}
	}
}

func TestThresholdsOfTheLeftAxisAreOnTheRightOneToo(t *testing.T) {
	t.Parallel()
	_, d := drawOne(t, panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"percentunit","thresholds":{"mode":"absolute","steps":[{"color":"green","value":null},{"color":"red","value":0.01}]},"custom":{"thresholdsStyle":{"mode":"line"}}},"overrides":[{"matcher":{"id":"byName","options":"/b"},"properties":[{"id":"custom.axisPlacement","value":"right"},{"id":"unit","value":"short"}]}]}`),
		series(map[string]func(float64) float64{"route=/a": constant(.02), "route=/b": constant(3)}))
	if len(d.facts.Axes) != 2 || len(d.facts.Axes[0].Lines) != 1 || len(d.facts.Axes[1].Lines) != 1 || !d.facts.Axes[1].Right {
		t.Errorf("got %+v", d.facts.Axes)
	}
}

func TestInstantAndRangeStatsDiffer(t *testing.T) {
	t.Parallel()
	var kinds []Kind
	ask := func(_ context.Context, q Query) (Result, error) {
		kinds = append(kinds, q.Kind)
		return Result{}, nil
	}
	drawOne(t, `{"type":"stat","targets":[{"refId":"A","expr":"a","instant":true},{"refId":"B","expr":"b","range":true},{"refId":"C","expr":"c","hide":true}]}`, ask)
	if !slices.Equal(kinds, []Kind{Instant, Range}) {
		t.Errorf("got %v", kinds)
	}
}

func TestAlertListWithAVariableAsDataSourceIsEmpty(t *testing.T) {
	t.Parallel()
	alerts := always(Result{Alerts: []Alert{{"OrdersDown", "firing", end(), nil}}})
	for datasource, want := range map[string]int{"${datasource}": 0, "": 1, "Prometheus": 1} {
		_, d := drawOne(t, fmt.Sprintf(`{"type":"alertlist","gridPos":{"w":12,"h":8},"options":{"datasource":%q,"stateFilter":{"firing":true}}}`, datasource), alerts)
		if len(d.facts.Series) != want {
			t.Errorf("%q: %v", datasource, d.facts.Series)
		}
	}
}

// Formats of several values, as Grafana chooses them.
func TestInterpolation(t *testing.T) {
	t.Parallel()
	var asked []string
	var mutex sync.Mutex
	source := func(_ context.Context, q Query) (Result, error) {
		mutex.Lock()
		defer mutex.Unlock()
		asked = append(asked, q.Expr)
		return Result{}, nil
	}
	src := `{"title":"x","templating":{"list":[{"name":"env","type":"custom","query":"prod,staging.eu","multi":true,"includeAll":true,"current":{"value":["$__all"]}}]},"panels":[
		{"type":"stat","title":"Up in $env at $5 of $nothing","targets":[{"refId":"A","expr":"up{env=~\"$env\"}"}]},
		{"type":"logs","targets":[{"refId":"A","expr":"{env=~\"$env\"}","datasource":{"type":"loki"}}]},
		{"type":"flamegraph","targets":[{"refId":"A","labelSelector":"{env=~\"$env\"}","profileTypeId":"x","datasource":{"type":"grafana-pyroscope-datasource"}}]},
		{"type":"stat","gridPos":{"w":24},"targets":[{"refId":"A","expr":"rate(a[$__rate_interval]) / rate(a[$__range]) / $__interval_ms"}]}]}`
	p, err := Dashboard(t.Context(), "x.json", []byte(src), source, Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(asked)
	want := []string{`rate(a[1m]) / rate(a[3600s]) / 15000`, `up{env=~"(prod|staging\\.eu)"}`, `{env=~"prod|staging\\.eu"}`, `{env=~"{prod,staging.eu}"}`}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
	const filled = "Up in All at $5 of $nothing"
	if title := strings.TrimSuffix(p.panels[0].canvas.texts[0].text, "…"); title != filled[:len(title)] {
		t.Errorf("title %q", title)
	}
}

func TestThemesHaveReadableTexts(t *testing.T) {
	t.Parallel()
	for _, theme := range []grafana.Theme{grafana.Dark(), grafana.Light()} {
		for name, color := range map[string]string{"text": theme.Text, "secondary": theme.TextSecondary, "link": theme.Link, "error": theme.Error} {
			for _, on := range []string{theme.Panel, theme.Canvas} {
				if ratio := grafana.ContrastRatio(color, on); ratio < 4.5 { // WCAG 2, level AA
					t.Errorf("%s %s on %s: %.2f", name, color, on, ratio)
				}
			}
		}
	}
	for _, color := range []string{"#f5c57a", "#f2a97a", "#e8d27a", "#f0b98d", "#dcc48a", "#f3d19c", "#e8b07a", "#d9c9a0", "#f2b27a"} {
		if grafana.ContrastRatio("#1d1d1d", color) < 4.5 {
			t.Errorf("text of a flame graph on %s", color)
		}
	}
}

func TestLargeAndOddDataAreDrawn(t *testing.T) {
	t.Parallel()
	many := Result{}
	for i := range 10_000 {
		many.Series = append(many.Series, &model.SampleStream{Metric: model.Metric{"route": model.LabelValue(strconv.Itoa(i))}, Values: []model.SamplePair{{Timestamp: model.TimeFromUnixNano(end().UnixNano()), Value: 1}}})
	}
	odd := series(map[string]func(float64) float64{
		"route=<script>alert(1)</script>": constant(math.NaN()), "route=\"&'\x00\x1b[31m": constant(math.Inf(1)), "route=\xff\xfe": constant(-math.MaxFloat64), "route=tiny": constant(5e-324),
	})
	for _, kind := range []string{"timeseries", "stat", "gauge", "bargauge", "table", "heatmap", "state-timeline"} {
		for name, source := range map[string]Source{"many": always(many), "odd": odd} {
			p, _ := drawOne(t, panelJSON(kind, ""), source)
			var page bytes.Buffer
			if err := p.HTML(&page); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(page.String(), "<script") {
				t.Errorf("%s of %s series: markup is not escaped", kind, name)
			}
			page.Reset()
			if err := p.SVG(&page); err != nil {
				t.Fatal(err)
			}
			if err := wellFormed(page.Bytes()); err != nil || bytes.Contains(page.Bytes(), []byte("NaN\"")) {
				t.Errorf("%s of %s series: %v", kind, name, err)
			}
			if most := 400_000; page.Len() > most {
				t.Errorf("%s of %s series: %d bytes, more than %d", kind, name, page.Len(), most)
			}
			if name == "many" && !slices.ContainsFunc(p.Problems, func(s string) bool { return strings.Contains(s, "10000 series; the first 1000 are drawn") }) {
				t.Errorf("%s: problems %q", kind, p.Problems)
			}
		}
	}
}

func TestOutputIsStable(t *testing.T) {
	t.Parallel()
	k := kinds()["timeseries"]
	first, _ := drawOne(t, k.panel, k.source)
	second, _ := drawOne(t, k.panel, k.source)
	var a, b bytes.Buffer
	if err := errors.Join(first.HTML(&a), second.HTML(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("two drawings differ: %v", err)
	}
}
