package render

import (
	"bytes"
	"context"
	"errors"
	"math"
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
		if err := wellFormed(svg.Bytes()); err != nil || bytes.Contains(svg.Bytes(), []byte("NaN ")) || bytes.Contains(svg.Bytes(), []byte(`="-`+"1")) {
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
