package render

import (
	"bytes"
	"context"
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// An alert that is over is not drawn until the end.
func TestStatesEndWithTheirSeries(t *testing.T) {
	t.Parallel()
	s := &model.SampleStream{Metric: model.Metric{}}
	for at := end().Add(-time.Hour); at.Before(end().Add(-40 * time.Minute)); at = at.Add(15 * time.Second) {
		s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()), Value: 1})
	}
	_, d := drawOne(t, panelJSON("state-timeline", `"fieldConfig":{"defaults":{"color":{"mode":"fixed","fixedColor":"#ff00ff"}}}`), always(Result{Series: model.Matrix{s}}))
	_, rect, _ := strings.Cut(d.canvas.buf.String(), `height="`)
	if n := strings.Count(d.canvas.buf.String(), "#ff00ff"); n != 1 {
		t.Fatalf("%d states in %s", n, rect)
	}
	before, _, _ := strings.Cut(d.canvas.buf.String(), `" fill="#ff00ff"`)
	_, width, _ := strings.Cut(before[strings.LastIndex(before, "<rect"):], `width="`)
	width, _, _ = strings.Cut(width, `"`)
	if w := parseNumber(t, width); w < 150 || w > 300 { // a third of about 700 pixels
		t.Errorf("the state is %s pixels wide", width)
	}
}

func parseNumber(t *testing.T, text string) float64 {
	t.Helper()
	v := model.SampleValue(0)
	if err := v.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
		t.Fatal(err)
	}
	return float64(v)
}

// What a file or a source may contain must not stop the program, nor make a picture that no browser reads.
func TestOddSettings(t *testing.T) {
	t.Parallel()
	negative := regexp.MustCompile(` (?:width|height|r|rx|ry|font-size|stroke-width)="-`) // browsers reject such an element
	traffic := series(map[string]func(float64) float64{"route=/a": wave(3, 3), "route=/b": constant(math.Inf(1))})
	for name, panel := range map[string]string{
		"a second threshold without a value": panelJSON("timeseries", `"fieldConfig":{"defaults":{"thresholds":{"steps":[{"color":"green","value":1},{"color":"red","value":null}]},"custom":{"thresholdsStyle":{"mode":"area"}}}}`),
		"decimals":                           panelJSON("stat", `"fieldConfig":{"defaults":{"decimals":900000000000000000}}`),
		"a logarithmic axis from 0":          panelJSON("timeseries", `"fieldConfig":{"defaults":{"min":0,"custom":{"scaleDistribution":{"type":"log","log":10}}}}`),
		"infinite cells":                     strings.Replace(panelJSON("heatmap", ""), "{{route}}", "", 1),
		"control characters":                 panelJSON("stat", `"fieldConfig":{"defaults":{"unit":"suffix:\u0001","color":{"mode":"fixed","fixedColor":"\u0002"}}}`),
		"a sparkline without an end":         panelJSON("stat", `"options":{"graphMode":"area"}`),
		"no height":                          `{"type":"gauge","gridPos":{"h":0,"w":0},"targets":[{"refId":"A","expr":"a"}]}`,
		"columns of negative widths":         panelJSON("table", `"fieldConfig":{"defaults":{"custom":{"width":-5}}}`),
		"an override without a value":        panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"s","custom":{"fillOpacity":50}},"overrides":[{"matcher":{"id":"byType","options":"number"},"properties":[{"id":"unit"},{"id":"custom.fillOpacity","value":null}]}]}`),
	} {
		p, _ := drawOne(t, panel, traffic)
		var svg, page bytes.Buffer
		if err := errors.Join(p.SVG(&svg), p.HTML(&page)); err != nil {
			t.Fatal(err)
		}
		if err := wellFormed(svg.Bytes()); err != nil || bytes.Contains(svg.Bytes(), []byte("NaN")) || negative.Match(svg.Bytes()) {
			t.Errorf("%s: %v in %s", name, err, svg.Bytes())
		}
	}
}

func TestOverridesWithoutAValueRemoveTheSetting(t *testing.T) {
	t.Parallel()
	_, d := drawOne(t, panelJSON("timeseries", `"fieldConfig":{"defaults":{"unit":"s","custom":{"fillOpacity":50}},"overrides":[{"matcher":{"id":"byType","options":"number"},"properties":[{"id":"unit"},{"id":"custom.fillOpacity","value":null}]}]}`),
		series(map[string]func(float64) float64{"route=/a": wave(3, 1)}))
	if strings.Contains(d.canvas.buf.String(), "fill-opacity") || slices.ContainsFunc(d.facts.Axes[0].Labels, func(l string) bool { return strings.HasSuffix(l, " s") }) {
		t.Errorf("%+v", d.facts)
	}
}

func TestTheDataSourceOfThePanelHolds(t *testing.T) {
	t.Parallel()
	var stores []string
	source := func(_ context.Context, q Query) (Result, error) {
		stores = append(stores, q.Store)
		return Result{}, nil
	}
	src := `{"templating":{"list":[{"name":"logs","type":"datasource","query":"loki"}]},"panels":[
		{"type":"logs","datasource":{"type":"loki"},"targets":[{"refId":"A","expr":"{}"}]},
		{"type":"logs","datasource":{"uid":"${logs}"},"targets":[{"refId":"A","expr":"{}"}]},
		{"type":"stat","datasource":{"type":"datasource","uid":"-- Mixed --"},"targets":[{"refId":"A","expr":"up","datasource":{"type":"prometheus"}}]},
		{"type":"stat","datasource":"Prometheus","targets":[{"refId":"A","expr":"up"}]}]}`
	if _, err := Dashboard(t.Context(), "x.json", []byte(src), source, Options{Now: end(), Width: 800}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(stores)
	if want := []string{Loki, Loki, Prometheus, Prometheus}; !slices.Equal(stores, want) {
		t.Errorf("asked %q", stores)
	}
}

func TestAlertListHasARowForEachRule(t *testing.T) {
	t.Parallel()
	var alerts []Alert
	for i := range 30 {
		alerts = append(alerts, Alert{"Slow", []string{"pending", "firing"}[i%2], end().Add(-time.Duration(i) * time.Minute), map[string]string{"instance": string(rune('a' + i))}})
	}
	alerts = append(alerts, Alert{"Down", "firing", end(), nil})
	_, d := drawOne(t, `{"type":"alertlist","gridPos":{"w":12,"h":8}}`, always(Result{Alerts: alerts}))
	if !slices.Equal(d.facts.Series, []string{"Down", "Slow"}) || !slices.Contains(d.texts("alert"), "Firing for 29m  30 instances") {
		t.Errorf("%+v, %q", d.facts, d.texts("alert"))
	}
}

func TestOneFailedQueryLeavesTheOthers(t *testing.T) {
	t.Parallel()
	traffic := series(map[string]func(float64) float64{"route=/a": wave(3, 1)})
	source := func(ctx context.Context, q Query) (Result, error) {
		if q.Kind == Exemplars || q.Expr == "b" {
			return Result{}, errors.New("refused")
		}
		return traffic(ctx, q)
	}
	p, d := drawOne(t, `{"type":"timeseries","title":"P","gridPos":{"w":24,"h":8},"targets":[{"refId":"A","expr":"a","exemplar":true},{"refId":"B","expr":"b"}]}`, source)
	if len(d.facts.Series) != 1 || len(p.Problems) != 2 {
		t.Errorf("%+v, problems %q", d.facts, p.Problems)
	}
}

func TestNamesOfSeriesAreGrafanas(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ format, labels, want string }{
		{"", "route=/a", `{route="/a"}`}, {"__auto", "route=/a", "/a"}, {"", "", "up"}, {"__auto", "", "up"}, {"{{route}} of {{ job }}", "route=/a", "/a of "},
	} {
		labels := model.Metric{}
		if tc.labels != "" {
			labels = labelsOf(tc.labels)
		}
		s := &model.SampleStream{Metric: labels, Values: []model.SamplePair{{Timestamp: model.TimeFromUnixNano(end().UnixNano()), Value: 1}}}
		_, d := drawOne(t, `{"type":"timeseries","gridPos":{"w":24,"h":8},"targets":[{"refId":"A","expr":"up","legendFormat":"`+tc.format+`"}]}`, always(Result{Series: model.Matrix{s}}))
		if !slices.Equal(d.facts.Series, []string{tc.want}) {
			t.Errorf("%q with %q: got %q", tc.format, tc.labels, d.facts.Series)
		}
	}
}

func TestExemplarsLikeOthersAreLeftOut(t *testing.T) {
	t.Parallel()
	var list []Exemplar
	for i := range 100 {
		list = append(list, Exemplar{Time: end().Add(time.Duration(i) * 100 * time.Millisecond), Value: float64(i%10) / 100})
	}
	list = append(list, Exemplar{Time: end(), Value: 5})
	got := thinned(list, time.Minute)
	if len(got) < 2 || len(got) > 4 || got[0].Value != 5 {
		t.Errorf("%d are left: %+v", len(got), got)
	}
}

// What an attacker puts into a file must not make a picture ask another server, nor take all memory.
func TestHostileDashboards(t *testing.T) {
	t.Parallel()
	traffic := series(map[string]func(float64) float64{"route=/a": wave(3, 2), "route=/b": constant(0)})
	threshold := `"thresholds":{"mode":"absolute","steps":[{"color":"url(http://evil.test/x)","value":null}]}`
	for name, panel := range map[string]string{
		"a color that is an address": panelJSON("timeseries", `"fieldConfig":{"defaults":{"color":{"mode":"fixed","fixedColor":"url(http://evil.test/x.svg#a)"},"custom":{"fillOpacity":9}}}`),
		"a threshold that is one":    panelJSON("stat", `"fieldConfig":{"defaults":{"color":{"mode":"thresholds"},`+threshold+`}}`),
		"heatmap below its data":     panelJSON("heatmap", `"options":{"color":{"max":0.5}}`),
		"heatmap of nothing":         panelJSON("heatmap", `"options":{"color":{"min":0,"max":0}}`),
		"heatmap of everything":      panelJSON("heatmap", `"options":{"color":{"min":-1e308,"max":1e308}}`),
		"timeline without a time":    `{"type":"state-timeline","gridPos":{"w":24,"h":8},"targets":[{"refId":"A","expr":"a","format":"table","instant":true}],"transformations":[{"id":"organize","options":{"excludeByName":{"Time":true}}}]}`,
		"base of a logarithm":        panelJSON("timeseries", `"fieldConfig":{"defaults":{"custom":{"scaleDistribution":{"type":"log","log":1e9}}}}`),
		"tiny limits":                panelJSON("timeseries", `"fieldConfig":{"defaults":{"min":5e-324,"max":10,"custom":{"scaleDistribution":{"type":"log","log":10},"fillOpacity":5}}}`),
		"markup in Markdown":         `{"type":"text","gridPos":{"w":24,"h":8},"options":{"content":"` + strings.Repeat("*a_ ", 50_000) + `"}}`,
		"nested quotes":              `{"type":"text","gridPos":{"w":24,"h":8},"options":{"content":"` + strings.Repeat(">", 50_000) + `"}}`,
		"long dashes":                panelJSON("timeseries", `"fieldConfig":{"defaults":{"custom":{"lineStyle":{"fill":"dash","dash":[`+strings.Repeat("1e300,", 5000)+`1]}}}}`),
	} {
		p, _ := drawOne(t, panel, traffic)
		var svg, page bytes.Buffer
		if err := errors.Join(p.SVG(&svg), p.HTML(&page)); err != nil {
			t.Fatal(err)
		}
		if err := wellFormed(svg.Bytes()); err != nil || bytes.Contains(page.Bytes(), []byte("evil.test")) || bytes.Contains(svg.Bytes(), []byte("NaN")) || page.Len() > 200_000 {
			t.Errorf("%s: %v, %d bytes", name, err, page.Len())
		}
	}
}

func TestVariablesDoNotMultiplyATitle(t *testing.T) {
	t.Parallel()
	src := `{"title":"x\nforged","templating":{"list":[{"name":"v","type":"textbox","query":"` + strings.Repeat("a", 100_000) + `"}]},"panels":[{"type":"stat","title":"` + strings.Repeat("$v", 10_000) + `\nforged"}]}`
	p, err := Dashboard(t.Context(), "x.json", []byte(src), always(Result{}), Options{Now: end()})
	if err != nil || strings.Contains(p.Title(), "\n") || len(p.panels[0].canvas.texts) == 0 {
		t.Errorf("%v, %q", err, p.Title())
	}
	for _, problem := range p.Problems {
		if strings.Contains(problem, "\n") {
			t.Errorf("two lines: %q", problem)
		}
	}
}
