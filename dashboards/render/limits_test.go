package render

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

func TestCountsAtTheEndsOfTheRangeHaveAColor(t *testing.T) {
	t.Parallel()
	ends := []float64{math.Inf(-1), -1.7e308, 0, 5, 1.7e308, math.Inf(1)}
	for _, low := range ends {
		for _, high := range ends {
			for _, n := range ends {
				if i := colorIndex(n, low, high, 64); i < 0 || i >= 64 {
					t.Errorf("%v in %v to %v: color %d", n, low, high, i)
				}
			}
		}
	}
	if i := colorIndex(0, -1.7e308, 1.7e308, 64); i != 32 {
		t.Errorf("the middle has color %d of 64", i)
	}
	var histograms []model.SampleHistogramPair
	for i, count := range []model.FloatString{model.FloatString(math.Inf(-1)), 5, model.FloatString(math.Inf(1))} {
		histograms = append(histograms, model.SampleHistogramPair{
			Timestamp: model.TimeFromUnixNano(end().UnixNano()) - model.Time(i*15000),
			Histogram: &model.SampleHistogram{Buckets: model.HistogramBuckets{{Lower: 1, Upper: 2, Count: count}}},
		})
	}
	drawOne(t, panelJSON("heatmap", ""), always(Result{Series: model.Matrix{{Histograms: histograms}}}))
}

func TestTextsHaveNoBidirectionalControls(t *testing.T) {
	t.Parallel()
	if got := escape("a\u202eb\u2066c\u200fd"); got != "abcd" {
		t.Errorf("got %q", got)
	}
}

func TestIntervalsDoNotOverflow(t *testing.T) {
	t.Parallel()
	recorder := Record(always(Result{}))
	drawOne(t, panelJSON("stat", `"targets":[{"refId":"A","expr":"rate(up[$__rate_interval])","interval":"290y"}]`), recorder.Query)
	if expr := recorder.entries[0].Query.Expr; strings.Contains(expr, "-") || !strings.Contains(expr, "y]") {
		t.Errorf("got %s", expr)
	}
}

func TestLimitsThatSelectNothingAreTheDefault(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]int{"loki": maxLines, "tempo": maxTraces} {
		for _, limit := range []int{-5, 0} {
			recorder := Record(always(Result{}))
			drawOne(t, panelJSON("logs", fmt.Sprintf(`"targets":[{"refId":"A","expr":"x","query":"x","maxLines":%d,"limit":%d,"datasource":{"type":%q}}]`, limit, limit, kind)), recorder.Query)
			if got := recorder.entries[0].Query.Limit; got != want {
				t.Errorf("%s with a limit of %d: got %d", kind, limit, got)
			}
		}
	}
}

// In its own goroutine a panic would end the program before it removes its files.
func TestPanicReachesTheCaller(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "panel Requests: no such series\n") {
			t.Errorf("got %s", p)
		}
	}()
	drawOne(t, panelJSON("stat", ""), func(context.Context, Query) (Result, error) { panic("no such series") })
}

func TestTextsAreCutBeforeTheyAreMultiplied(t *testing.T) {
	t.Parallel()
	large, calls := strings.Repeat("x", 500_000), 0
	value := func(name, _ string) (string, bool) {
		calls++
		if name != "a" {
			return "", false
		}
		return large, true
	}
	if filled, _ := fill(strings.Repeat("$a", 2000), maxFilled, value); len(filled) != maxFilled || calls != 1 {
		t.Errorf("%d bytes, %d calls", len(filled), calls)
	}
	if filled, _, err := fillQuery(strings.Repeat("$a", 2000), value); err == nil || len(filled) > 2*maxQuery {
		t.Errorf("%d bytes, %v", len(filled), err)
	}
	if filled, unknown, err := fillQuery("rate($b)", value); err != nil || len(unknown) != 1 || filled == "" {
		t.Errorf("%q, %q, %v", filled, unknown, err)
	}
	if name := legend(strings.Repeat("{{a}}", 300), "", model.Metric{"a": model.LabelValue(large)}); len(name) != maxName {
		t.Errorf("a name of %d bytes", len(name))
	}
	for kind, field := range map[string]string{
		"stat":       `"fieldConfig":{"defaults":{"unit":"suffix:` + large + `"}}`,
		"bargauge":   `"fieldConfig":{"defaults":{"mappings":[{"type":"range","options":{"result":{"text":"` + large + `"}}}]}}`,
		"timeseries": `"fieldConfig":{"defaults":{"noValue":"` + large + `","custom":{"scaleDistribution":{"type":"log","log":10}}}}`,
		"heatmap":    `"options":{"yAxis":{"unit":"suffix:` + large + `"}}`,
	} {
		_, d := drawOne(t, panelJSON(kind, field), series(map[string]func(float64) float64{"le=1": wave(1e6, 1e5), "le=2": constant(1e-3)}))
		for _, text := range d.canvas.texts {
			if len(text.text) > 1100 {
				t.Errorf("%s: a text of %d bytes", kind, len(text.text))
			}
		}
	}
}

func TestOnlyTheFirstProblemsAreListed(t *testing.T) {
	t.Parallel()
	var problems []problem
	for i := range 3 * maxProblems {
		problems = append(problems, problem{fmt.Sprintf("panel %03d", i), fmt.Sprintf("reason %d", i)})
	}
	got := grouped(problems)
	if len(got) != maxProblems+1 || got[maxProblems] != "200 more problems" {
		t.Errorf("%d lines, the last %q", len(got), got[len(got)-1])
	}
}

// What decoding multiplies is counted before it: an empty object takes hundreds of bytes of memory.
func TestFilesWithTooManyValuesAreRejected(t *testing.T) {
	t.Parallel()
	list := func(most int) string { return "[" + strings.Repeat("{},", most/20) + "{}]" }
	if _, _, err := parse("x.json", []byte(`{"panels":`+list(maxDashboardWeight)+`}`)); err == nil || err.Error() != "x.json: the dashboard has too many values; split it" {
		t.Errorf("dashboard: %v", err)
	}
	if _, err := ReadSnapshot("x.json", []byte(`{"version":1,"results":`+list(maxSnapshotWeight)+`}`)); err == nil || err.Error() != "x.json: the snapshot has too many values; write one of fewer dashboards" {
		t.Errorf("snapshot: %v", err)
	}
	store, _ := page(`{"status":"success","data":{"resultType":"matrix","result":` + list(maxResponseWeight) + `}}`)
	_, err := Stores{Prometheus: store}.Query(t.Context(), Query{Store: Prometheus, Kind: Range, Expr: "up", From: end(), To: end(), Step: time.Minute})
	if err == nil || err.Error() != "http://store/api/v1/query_range: the response has too many values; select fewer series or a shorter time range" {
		t.Errorf("response: %v", err)
	}
}

func TestResultsOfADashboardHaveALimitTogether(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 1<<20)
	lines := make([]Line, 100) // that share their text
	for i := range lines {
		lines[i] = Line{Time: end(), Text: large}
	}
	p, _ := drawOne(t, panelJSON("logs", "")+","+panelJSON("logs", ""), always(Result{Lines: lines}))
	if len(p.Problems) != 1 || p.Failed != 1 || !strings.Contains(p.Problems[0], "larger than 128 MiB") {
		t.Errorf("%d of %d failed, %q", p.Failed, p.Queries, p.Problems)
	}
}

func TestSeriesOfAPanelHaveALimitTogether(t *testing.T) {
	t.Parallel()
	var series model.Matrix
	for i := range 600 {
		series = append(series, &model.SampleStream{
			Metric: model.Metric{"a": model.LabelValue(strconv.Itoa(i))}, Values: []model.SamplePair{{Timestamp: model.TimeFromUnixNano(end().UnixNano()), Value: 1}},
		})
	}
	targets := strings.TrimSuffix(strings.Repeat(`{"refId":"A","expr":"up"},`, maxTargets+1), ",")
	for kind, most := range map[string]int{"timeseries": maxSeries, "stat": maxSeries, "table": maxSeries * maxJoined} {
		recorder := Record(always(Result{Series: series}))
		p, d := drawOne(t, panelJSON(kind, `"options":{"reduceOptions":{"calcs":["`+strings.Repeat(`last","`, 500)+`max"],"limit":1000000}},"targets":[`+targets+`]`), recorder.Query)
		if len(d.data.frames) > maxTargets && len(d.data.frames) != most || len(d.facts.Series) > maxSeries || len(recorder.entries) != maxTargets {
			t.Errorf("%s: %d frames, %d values, %d queries", kind, len(d.data.frames), len(d.facts.Series), len(recorder.entries))
		}
		if d.facts.Cut > maxSeries*maxCalcs {
			t.Errorf("%s: %d values", kind, d.facts.Cut)
		}
		if want := fmt.Sprintf("panel Requests: its queries have more than %d series; the first are drawn", most); !slices.Contains(p.Problems, want) || !slices.Contains(p.Problems, "panel Requests: 101 queries; the first 100 are drawn") {
			t.Errorf("%s: %q", kind, p.Problems)
		}
	}
}

func TestTablesAndHeatmapsHaveALimit(t *testing.T) {
	t.Parallel()
	var series model.Matrix
	for i := range 60 {
		s := &model.SampleStream{Metric: model.Metric{model.BucketLabel: model.LabelValue(strconv.Itoa(i))}}
		for j := range 30 {
			s.Metric[model.LabelName(fmt.Sprintf("l%d_%d", i, j))] = "x"
		}
		for j := range 1000 { // all at times of their own
			s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(end().UnixNano()) - model.Time(1000*i+j), Value: 1})
		}
		series = append(series, s)
	}
	p, d := drawOne(t, panelJSON("table", `"targets":[{"refId":"A","expr":"up","format":"table"}]`), always(Result{Series: series}))
	if f := d.data.frames[0]; f.Len() != maxRows || len(f.Fields) != maxColumns+2 || len(p.Problems) != 1 {
		t.Errorf("%d rows, %d columns, %q", f.Len(), len(f.Fields), p.Problems)
	}
	c := classicCells(series, time.Minute)
	if n := len(c.times) * len(c.bounds); !c.cut || n > maxCells+len(c.bounds) || len(c.counts) != len(c.times) {
		t.Errorf("%d cells, %v", n, c.cut)
	}
}

func TestOverridesHaveALimit(t *testing.T) {
	t.Parallel()
	const one = `{"matcher":{"id":"byName","options":"a"},"properties":[{"id":"unit","value":"s"}]},`
	p, d := drawOne(t, panelJSON("timeseries", `"fieldConfig":{"overrides":[`+strings.TrimSuffix(strings.Repeat(one, maxOverrides), ",")+`]}`), busy())
	if n := len(configOf(d.panel).Overrides); n != maxOverrides/2 || !slices.Equal(p.Problems, []string{"panel Requests: 500 overrides; the first 250 apply"}) {
		t.Errorf("%d, %q", n, p.Problems)
	}
}

func TestMarkdownEndsWithThePanel(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"nested list": strings.Repeat("- ", 200) + "x", "deep list": strings.Repeat("- ", 9000) + "x", "deep quote": strings.Repeat("> ", 9000) + "x",
		"list": strings.Repeat("- x\n", 5000), "wide table": strings.Repeat("|a", 4000) + "|\n" + strings.Repeat("|-", 4000) + "|\n" + strings.Repeat("||\n", 1000),
	} {
		p, d := drawOne(t, panelJSON("text", fmt.Sprintf(`"options":{"content":%q}`, content)), always(Result{}))
		for _, text := range d.canvas.texts {
			if text.y > d.box.bottom() || text.x > d.box.right() {
				t.Errorf("%s: %q is outside of the panel", name, text.text)
				break
			}
		}
		if large := strings.Contains(name, "table"); large != (len(p.Problems) == 1) {
			t.Errorf("%s: %q", name, p.Problems)
		}
		if isDeep(content) != strings.HasPrefix(name, "deep") {
			t.Errorf("%s: deep is %v", name, isDeep(content))
		}
		if len(d.canvas.texts) > 200 {
			t.Errorf("%s: %d texts", name, len(d.canvas.texts))
		}
	}
}

func TestLongWordsHaveALimitOfLines(t *testing.T) {
	t.Parallel()
	s := style{size: 12}
	if lines := wrap(strings.Repeat("x", maxText), 1, s); len(lines) > maxWrapped+2 {
		t.Errorf("%d lines", len(lines))
	}
	if lines := wrap(strings.Repeat("x", 1000), 100, s); strings.Join(lines, "") != strings.Repeat("x", 1000) || s.width(lines[0]) > 100 || s.width(lines[0]) < 80 {
		t.Errorf("got %q", lines)
	}
}

// The time ends during the query, which a snapshot ignores.
func TestDrawingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	source := func(context.Context, Query) (Result, error) {
		cancel()
		return Result{Values: []string{"a"}}, nil
	}
	p, err := Dashboard(ctx, "x.json", []byte(`{"panels":[`+panelJSON("stat", "")+`]}`), source, Options{Now: end(), Location: time.UTC, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	const want = "the dashboard was not drawn within 1m0s; use a shorter time range or a longer timeout"
	if texts := p.panels[0].texts("message"); !slices.Equal(p.Problems, []string{"panel Requests: " + want}) || strings.Join(texts, " ") != "Error: "+want {
		t.Errorf("%q, %q", p.Problems, texts)
	}
}

func TestPageEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p, err := Dashboard(ctx, "x.json", panels25(), busy(), Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.HTML(io.Discard); err != nil {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := p.HTML(io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPanelsWithoutSpaceInThePictureShowAMessage(t *testing.T) {
	t.Parallel()
	p, d := drawOne(t, panelJSON("timeseries", ""), busy())
	r := p.renderer
	before := d.canvas.buf.Len()
	r.limits.drawn.Store(maxPicture)
	r.drawWithin(d, "p0")
	if got := strings.Join(d.texts("message"), " "); got != "Error: the picture is larger than 32 MiB; draw fewer panels or series" || d.canvas.buf.Len() > before {
		t.Errorf("%q, %d bytes", got, d.canvas.buf.Len())
	}
	if len(r.problems) != 1 {
		t.Errorf("problems %v", r.problems)
	}
}

func TestSelectedValuesAndTransformationsHaveALimit(t *testing.T) {
	t.Parallel()
	src := `{"templating":{"list":[{"name":"a","type":"custom","includeAll":true,"query":"` + strings.Repeat("x,", 2*maxValuesUsed) + `x"}]},"panels":[` +
		panelJSON("table", `"transformations":[`+strings.Repeat(`{"id":"merge"},`, maxTransformations)+`{"id":"merge"}]`) + `]}`
	p, err := Dashboard(t.Context(), "x.json", []byte(src), busy(), Options{Now: end(), Location: time.UTC})
	if err != nil || !slices.Equal(p.Problems, []string{
		"panel Requests: 51 transformations; the first 50 apply", "variable a: 20001 values are selected; the first 10000 are used",
	}) {
		t.Errorf("%q, %v", p.Problems, err)
	}
}

func TestVariablesAndAnnotationsHaveALimit(t *testing.T) {
	t.Parallel()
	var values []model.SamplePair
	for i := range 2 * (maxEvents + 1) {
		values = append(values, model.SamplePair{Timestamp: model.TimeFromUnixNano(end().UnixNano()) - model.Time(86_400_000*i), Value: 1})
	}
	src := `{"templating":{"list":[` + strings.Repeat(`{"name":"a","type":"constant","query":"`+strings.Repeat("x", 1000)+`"},`, maxVariables) + `{"name":"b","type":"constant","query":"x"}]},` +
		`"annotations":{"list":[{"name":"a","enable":true,"expr":"up"}]},"panels":[],"` + strings.Repeat("k", 5000) + `":1}`
	p, err := Dashboard(t.Context(), "x.json", []byte(src), always(Result{Series: model.Matrix{{Values: values}}}), Options{From: end().Add(-2000 * time.Hour), To: end(), Location: time.UTC})
	if err != nil || len(p.renderer.annotations) != maxEvents || len(p.renderer.chosen) != 1 || len(p.Subtitle()) > maxFilled {
		t.Errorf("%d annotations, %d variables, subtitle of %d bytes, %v", len(p.renderer.annotations), len(p.renderer.chosen), len(p.Subtitle()), err)
	}
	for _, problem := range p.Problems {
		if len(problem) > 2*maxProblem+20 {
			t.Errorf("a problem of %d bytes", len(problem))
		}
	}
	for _, want := range []string{"dashboard: more than 1000 annotations; the first are drawn", "the dashboard has 501 variables; the first 500 are used"} {
		if !slices.Contains(p.Problems, want) {
			t.Errorf("problems %q lack %q", p.Problems, want)
		}
	}
}

func TestCanceledContextEndsQueriesAndDrawing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	unused := func(context.Context, Query) (Result, error) { return Result{}, errors.New("used") }
	p, err := Dashboard(ctx, "x.json", panels25(), unused, Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC})
	if err != nil || !errors.Is(p.Failure, context.Canceled) {
		t.Errorf("got %v, %v", p.Failure, err)
	}
	if got, err := (variable{Regex: "a"}).ordered([]string{"a"}, func() bool { return true }); err != nil || len(got) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
	for _, kind := range []string{"timeseries", "state-timeline", "stat"} {
		p, d := drawOne(t, panelJSON(kind, ""), busy())
		before := d.canvas.buf.Len()
		p.renderer.limits = &limits{ctx: ctx}
		if p.renderer.drawPanel(d, "x"); d.canvas.buf.Len() > before*4/5 {
			t.Errorf("%s: %d of %d bytes", kind, d.canvas.buf.Len(), before)
		}
		p.renderer.limits = &limits{ctx: t.Context()}
		full := &canvas{}
		full.buf.Write(make([]byte, maxPicture+1))
		if !p.renderer.limits.full(full) {
			t.Errorf("%s: a large picture is not full", kind)
		}
	}
}

func TestProfilesHaveALimitOfLevels(t *testing.T) {
	t.Parallel()
	levels := make([][]float64, 2*maxFlameLevels)
	for i := range levels {
		levels[i] = []float64{0, 1, 0, 0}
	}
	root, err := flame([]string{"f"}, levels)
	depth := 0
	for at := root; at != nil; depth++ {
		if len(at.Children) == 0 {
			break
		}
		at = &at.Children[0]
	}
	if err != nil || depth != maxFlameLevels-1 {
		t.Errorf("%d levels, %v", depth, err)
	}
}
