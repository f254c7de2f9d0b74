package render

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// problemsOf draws a dashboard and returns its problems.
func problemsOf(t *testing.T, src string, source Source) []string {
	t.Helper()
	p, err := Dashboard(t.Context(), "x.json", []byte(src), source, Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	return p.Problems
}

func TestBucketsWithoutABoundAreLeftOut(t *testing.T) {
	t.Parallel()
	traffic := series(map[string]func(float64) float64{"le=NaN": constant(1), "le=x": constant(1), "le=1": constant(1), "le=+Inf": constant(2)})
	p, d := drawOne(t, panelJSON("heatmap", ""), traffic)
	var svg bytes.Buffer
	if err := p.SVG(&svg); err != nil || !slices.Equal(d.data.cells.bounds, []float64{1, math.Inf(1)}) {
		t.Errorf("%v, bounds %v", err, d.data.cells.bounds)
	}
}

func TestKeysInAnotherCaseAreAnError(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`{"panels":[],"Templating":{"list":[{"name":"a","type":"custom","query":"x"}]}}`,
		`{"panels":[],"templating":{"LIST":[{"name":"a","type":"custom","query":"x"}]}}`,
	} {
		_, err := Dashboard(t.Context(), "x.json", []byte(src), always(Result{}), Options{Now: end()})
		if want := "x.json: templating.list is not as Grafana writes it; export the dashboard again"; err == nil || err.Error() != want {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestEachProblemIsOnePrintableLine(t *testing.T) {
	t.Parallel()
	many := make(model.Matrix, maxSeries+1)
	for i := range many {
		many[i] = &model.SampleStream{Metric: model.Metric{"i": model.LabelValue(strconv.Itoa(i))}}
	}
	got := problemsOf(t, `{"panels":[{"type":"stat","title":"P","targets":[{"refId":"A","expr":"up +\n\u001b[31mup"}]}]}`, always(Result{Series: many}))
	if len(got) != 1 || strings.ContainsAny(got[0], "\n\x1b") {
		t.Errorf("got %q", got)
	}
}

func TestUnsupportedIgnoresAByteOrderMark(t *testing.T) {
	t.Parallel()
	const src = `{"panels":[{"type":"piechart","title":"P"}]}`
	if got, want := Unsupported([]byte("\ufeff"+src)), Unsupported([]byte(src)); len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Each of these has an error or a setting that is not drawn, and one line for it.
func TestProblemsAreReportedOnce(t *testing.T) {
	t.Parallel()
	stat := func(more string) string {
		return `{"panels":[{"type":"stat","title":"P","targets":[{"refId":"A","expr":"up"}]` + more + `}]}`
	}
	variable := func(text string) string { return `{"panels":[],"templating":{"list":[` + text + `]}}` }
	for src, want := range map[string]string{
		stat(`,"transformations":[{"id":"reduce","options":{}}]`):                            `panel P: transformation "reduce" is not supported`,
		variable(`{"name":"v","type":"adhoc"}`):                                              `variable v: type "adhoc" is not supported`,
		variable(`{"name":"v","type":"switch"}`):                                             `variable v: type "switch" is not supported; set a value with --var v=VALUE`,
		variable(`{"name":"v","type":"query","query":"label_values(up, job)","regex":"(a"}`): `variable v: regex "(a" is not valid: missing closing ); all values are used`,
	} {
		if got := problemsOf(t, src, always(Result{Values: []string{"a"}})); !slices.Equal(got, []string{want}) {
			t.Errorf("%s:\n got %q\nwant %q", src, got, want)
		}
	}
}

func TestSettingsThatChangeThePictureAreReported(t *testing.T) {
	t.Parallel()
	panel := func(kind, more string) string { return `{"panels":[{"type":"` + kind + `","title":"P"` + more + `}]}` }
	defaults := func(kind, text string) string { return panel(kind, `,"fieldConfig":{"defaults":{`+text+`}}`) }
	annotation := func(filter string) string {
		return `{"panels":[],"annotations":{"list":[{"name":"A","enable":true,"expr":"up","filter":` + filter + `}]}}`
	}
	const gauge, bars = `,"options":{"showThresholdMarkers":false}`, `,"options":{"displayMode":"basic"}`
	const timeline = `"showValue":"never","legend":{"showLegend":false}`
	for src, want := range map[string]string{
		`{"panels":[],"weekStart":"monday"}`:                                            `weekStart monday is not supported`,
		`{"panels":[],"weekStart":"browser"}`:                                           "",
		`{"panels":[],"weekStart":"sunday"}`:                                            "",
		annotation(`{"exclude":true,"ids":[1]}`):                                        `annotation A: filter is not supported`,
		annotation(`{"exclude":false,"ids":[]}`):                                        "",
		panel("timeseries", `,"options":{"timezone":["utc"]}`):                          `panel P: options.timezone [utc] is not supported`,
		panel("timeseries", `,"options":{"timezone":["browser"]}`):                      "",
		panel("alertlist", `,"options":{"folder":{"uid":"x"}}`):                         `panel P: options.folder is not supported`,
		panel("alertlist", `,"options":{"folder":null,"groupBy":[]}`):                   "",
		panel("alertlist", `,"options":{"groupBy":["job"]}`):                            `panel P: options.groupBy is not supported`,
		defaults("table", `"custom":{"cellOptions":{"wrapText":true}}`):                 "",
		defaults("stat", `"mappings":[{"type":"special","options":{"match":"empty"}}]`): `panel P: value mapping "special empty" is not supported`,
		defaults("stat", `"mappings":[{"type":"special","options":{"match":"null"}}]`):  "",
		defaults("timeseries", `"custom":{"thresholdsStyle":{"mode":"area"}}`):          "",
		defaults("timeseries", `"custom":{"thresholdsStyle":{"mode":"line+area"}}`):     "",
		defaults("timeseries", `"custom":{"thresholdsStyle":{"mode":"dashed+area"}}`):   "",
		panel("gauge", ""):      `panel P: options.showThresholdMarkers true (the default) is not supported`,
		panel("gauge", gauge):   "",
		panel("bargauge", ""):   `panel P: options.displayMode gradient (the default) is not supported`,
		panel("bargauge", bars): "",
		panel("state-timeline", `,"options":{`+timeline+`}`):                                      "",
		panel("state-timeline", `,"options":{`+strings.Replace(timeline, "never", "auto", 1)+`}`): `panel P: options.showValue auto is not supported`,
		panel("state-timeline", `,"options":{"showValue":"never"}`):                               `panel P: options.legend.showLegend true (the default) is not supported`,
	} {
		var expected []string
		if want != "" {
			expected = []string{want}
		}
		if got := Unsupported([]byte(src)); !slices.Equal(got, expected) {
			t.Errorf("%s:\n got %q\nwant %q", src, got, expected)
		}
	}
}

func TestValuesOfAnotherTypeAreReported(t *testing.T) {
	t.Parallel()
	panel := func(more string) string {
		return `{"panels":[{"type":"timeseries","title":"P","targets":[{"refId":"A","expr":"up"}],` + more + `}]}`
	}
	override := func(id, value string) string {
		return panel(`"fieldConfig":{"overrides":[{"matcher":{"id":"byName","options":"Value"},"properties":[{"id":"` + id + `","value":` + value + `}]}]}`)
	}
	for src, want := range map[string]string{
		override("custom.stacking", `{"group":true}`):                     "panel P: override custom.stacking.group is a boolean, not a string; set it again in Grafana",
		override("decimals", "1.5"):                                       "panel P: override decimals is 1.5, not a whole number; set it again in Grafana",
		panel(`"transformations":[{"id":"sortBy","options":{"sort":1}}]`): "panel P: transformation sortBy: options.sort is a number, not a list; set it again in Grafana",
		panel(`"gridPos":{"x":"1"}`):                                      "panels.gridPos.x is a string, not a number; the default is drawn; set it again in Grafana",
	} {
		up := &model.SampleStream{Metric: model.Metric{}, Values: []model.SamplePair{{Timestamp: 1, Value: 1}}}
		if got := problemsOf(t, src, always(Result{Series: model.Matrix{up}})); !slices.Equal(got, []string{want}) {
			t.Errorf("%s:\n got %q\nwant %q", src, got, want)
		}
	}
}

func TestASettingOfSeveralPanelsIsOneLine(t *testing.T) {
	t.Parallel()
	panel := func(title, custom string) string {
		return `{"type":"timeseries","title":"` + title + `","fieldConfig":{"defaults":{"custom":{` + custom + `}},"overrides":[
			{"matcher":{"id":"byName","options":"a"},"properties":[{"id":"custom.gradientMode","value":"hue"}]}]}}`
	}
	got := Unsupported([]byte(`{"panels":[` + panel("A", "") + "," + panel("B", `"gradientMode":"hue"`) + "," + panel("C", `"barWidth":0.5`) + `]}`))
	if want := []string{"custom.gradientMode hue is not supported: 3 panels", "panel C: custom.barWidth 0.5 is not supported"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSettingsWithoutAnEffectAreNotReported(t *testing.T) {
	t.Parallel()
	got := Unsupported([]byte(`{"__inputs":[{"name":"x"}],"__requires":[],"__elements":{},"gnetId":1,"revision":1,"iteration":1,"fiscalYearStartMonth":0,"preload":false,
		"liveNow":false,"style":"dark","annotations":{"list":[{"name":"A","$$hashKey":"object:1"}]},"timepicker":{"refresh_intervals":["5s"]},"panels":[{"type":"stat","title":"P","targets":[{"refId":"A","expr":"up","step":10}]}]}`))
	if len(got) > 0 {
		t.Errorf("got %q", got)
	}
}

func TestAllValueIsNotEscaped(t *testing.T) {
	t.Parallel()
	var exprs []string
	source := func(_ context.Context, q Query) (Result, error) {
		exprs = append(exprs, q.Expr)
		return Result{}, errors.New("away")
	}
	for format, want := range map[string]string{"": "a.*", ":regex": "a.*", ":pipe": "a.*", ":csv": "a.*", ":text": "All"} {
		exprs = nil
		problemsOf(t, `{"templating":{"list":[{"name":"v","type":"custom","query":"x,y","includeAll":true,"allValue":"a.*","current":{"value":"$__all"}}]},
			"panels":[{"type":"stat","targets":[{"refId":"A","expr":"${v`+format+`}"}]}]}`, source)
		if !slices.Equal(exprs, []string{want}) {
			t.Errorf("${v%s}: got %q, want %q", format, exprs, want)
		}
	}
}

func TestBoxOfAPanelThatIsNotDrawn(t *testing.T) {
	t.Parallel()
	draw := func(panel string) []string {
		src := `{"templating":{"list":[{"name":"v","type":"custom","query":"a.1,b","multi":true,"current":{"value":["a.1","b"]}}]},"panels":[` + panel + `]}`
		p, err := Dashboard(t.Context(), "x.json", []byte(src), always(Result{}), Options{Now: end()})
		if err != nil {
			t.Fatal(err)
		}
		return p.panels[0].texts("message")
	}
	got := draw(`{"type":"piechart","gridPos":{"w":24,"h":8},"targets":[{"refId":"A","expr":"up{v=~\"$v\"}"},{"refId":"B","expr":"$unknown"}]}`)
	if want := []string{"Panel type piechart is not drawn.", `A: up{v=~"(a\\.1|b)"}`, "B: $unknown"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	const library = `{"gridPos":{"w":24,"h":8},"title":"L","libraryPanel":{"uid":"x","name":"L"}}`
	const text = "library panel: stored in Grafana, not in the file"
	if got := draw(library); !slices.Equal(got, []string{text}) {
		t.Errorf("got %q", got)
	}
	if got := Unsupported([]byte(`{"panels":[` + library + `]}`)); !slices.Equal(got, []string{"panel L: " + text}) {
		t.Errorf("got %q", got)
	}
}

// The smallest interval of a query is that of the query, else of the panel, else the scrape interval.
func TestMinIntervals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		panel, query, want string
		step               time.Duration
		problems           []string
	}{
		{"", "", "1m", 15 * time.Second, nil},
		{"", "2m", "8m", 2 * time.Minute, nil},
		{"", ">2m", "8m", 2 * time.Minute, nil},
		{"", "30", "2m", 30 * time.Second, nil},
		{">5m", "", "5m15s", 5 * time.Minute, nil},
		{"5m", "2m", "8m", 2 * time.Minute, nil},
		{"", "$min", "12m", 3 * time.Minute, nil},
		{"", "$__interval", "1m", 15 * time.Second, nil},
		{"5m", "$__interval", "20m", 5 * time.Minute, nil},
		{"", "${__rate_interval}", "1m", time.Minute, nil},
		{"", "soon", "1m", 15 * time.Second, []string{`panel P: interval "soon" is not a duration such as 1m; it is left out`}},
	} {
		var got Query
		source := func(_ context.Context, q Query) (Result, error) { got = q; return Result{}, nil }
		problems := problemsOf(t, `{"templating":{"list":[{"name":"min","type":"custom","query":"3m"}]},"panels":[{"type":"timeseries","title":"P","gridPos":{"w":24,"h":8},"interval":"`+tc.panel+
			`","targets":[{"refId":"A","expr":"$__rate_interval","interval":"`+tc.query+`"}]}]}`, source)
		if got.Expr != tc.want || got.Step != tc.step || !slices.Equal(problems, tc.problems) {
			t.Errorf("panel %q, query %q: $__rate_interval is %s, step %s, %q; want %s, %s", tc.panel, tc.query, got.Expr, got.Step, problems, tc.want, tc.step)
		}
	}
}

func TestIntervalFactorMultipliesTheStep(t *testing.T) {
	t.Parallel()
	var got Query
	source := func(_ context.Context, q Query) (Result, error) { got = q; return Result{}, nil }
	problemsOf(t, `{"panels":[{"type":"timeseries","gridPos":{"w":24,"h":8},"targets":[{"refId":"A","expr":"$__rate_interval $__interval","intervalFactor":2}]}]}`, source)
	if got.Expr != "1m 30s" || got.Step != 30*time.Second {
		t.Errorf("%q, step %s", got.Expr, got.Step)
	}
}

// Grafana evaluates variables in the order of their dependencies.
func TestVariablesAreDeclaredInAnyOrder(t *testing.T) {
	t.Parallel()
	var exprs []string
	source := func(_ context.Context, q Query) (Result, error) {
		exprs = append(exprs, q.Expr)
		return Result{Values: []string{"a"}}, nil
	}
	got := problemsOf(t, `{"panels":[],"templating":{"list":[
		{"name":"instance","type":"query","query":"label_values(up{job=\"$job\"}, instance)"},
		{"name":"job","type":"query","query":"label_values(up{cluster=\"$cluster\"}, job)"},
		{"name":"cluster","type":"query","query":"label_values(up, cluster)"}]}}`, source)
	if want := []string{"up", `up{cluster="a"}`, `up{job="a"}`}; len(got) > 0 || !slices.Equal(exprs, want) {
		t.Errorf("queries %q, problems %q", exprs, got)
	}
}

func TestRowsHaveTheSameTitleInBothLayouts(t *testing.T) {
	t.Parallel()
	src := `{"templating":{"list":[{"name":"v","type":"custom","query":"x"}]},"panels":[
		{"type":"row","title":"Row $v","collapsed":true,"panels":[{"type":"stat","title":"A"}],"gridPos":{"w":24,"h":1}}]}`
	p, err := Dashboard(t.Context(), "x.json", []byte(src), always(Result{}), Options{Now: end()})
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := p.HTML(&page); err != nil || strings.Count(page.String(), "Row x (1 panel)") != 2 {
		t.Errorf("%v in %s", err, page.String())
	}
}
