package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBadDashboards(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, src, want string }{
		{"not JSON", `{"panels":[`, `x.json:1:12: not JSON: unexpected end of JSON input; correct it, or export the dashboard again`},
		{"schema v2", `{"elements":{},"layout":{}}`, `x.json:1:1: dashboard schema v2 (elements and layout) is not supported; export the dashboard as classic JSON`},
		{"time range", `{"panels":[],"time":{"from":"yesterday","to":"now"}}`, `x.json: time range: "yesterday" is not a time; write now-6h or 2026-11-28T12:15:00Z`},
		{"reversed time range", `{"panels":[],"time":{"from":"now","to":"now-1h"}}`, `x.json: time range: its start 2026-11-28T12:00:00Z is not before its end 2026-11-28T11:00:00Z; set both with --from and --to`},
	} {
		_, err := Dashboard(t.Context(), "x.json", []byte(tc.src), always(Result{}), Options{Now: end(), Location: time.UTC})
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s:\n got %v\nwant %s", tc.name, err, tc.want)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	const dashboard = `{"title":"x","templating":{"list":[%s]},"panels":[
		{"type":"stat","title":"A","targets":[{"refId":"A","expr":"up{job=\"$job\"}"}]},
		{"type":"stat","title":"B","targets":[{"refId":"A","expr":"up"}]}]}`
	away := func(context.Context, Query) (Result, error) { return Result{}, errors.New("no response") }
	slow := func(ctx context.Context, _ Query) (Result, error) { <-ctx.Done(); return Result{}, ctx.Err() }
	values := always(Result{Values: []string{"a"}})
	query := func(name, text string) string {
		return fmt.Sprintf(`{"name":%q,"type":"query","query":%q,"datasource":{"type":"prometheus"}}`, name, text)
	}
	for _, tc := range []struct {
		name, variables string
		source          Source
		options         Options
		want            []string
	}{
		{"nothing", query("job", "label_values(up, job)"), values, Options{}, nil},
		{"no variable", "", values, Options{}, []string{"panel A: $job has no value; declare the variable, or set it with --var"}},
		{"a loop", query("job", "label_values(up{env=\"$env\"}, job)") + "," + query("env", "label_values(up{job=\"$job\"}, env)"), values, Options{}, []string{
			"variable job: $env has no value; declare it; two variables may not use each other",
		}},
		{"unknown variable", query("job", "label_values(up, job)"), values, Options{Variables: map[string][]string{"jbo": {"x"}}}, []string{"variable jbo: the dashboard has no such variable"}},
		{"other query", query("job", "metrics(up)"), values, Options{}, []string{`variable job: query "metrics(up)" is not supported; use label_values(metric, label)`}},
		{"a value of another type", `{"name":"job","type":"custom","query":"a","multi":"yes"}`, values, Options{}, []string{
			"templating.list.multi is a string, not a boolean; the default is drawn; set it again in Grafana",
		}},
		{"other type", `{"name":"job","type":"adhoc"}`, values, Options{}, []string{
			`variable job: type "adhoc" is not supported`,
		}},
		{"source away", "", away, Options{}, []string{"panel A: $job has no value; declare the variable, or set it with --var", "panel B: no response"}},
		{"source slow", query("job", "label_values(up, job)"), slow, Options{Timeout: time.Millisecond}, []string{
			"panel A: queries did not finish within 1ms; use a shorter time range or a longer timeout", "panel B: queries did not finish within 1ms; use a shorter time range or a longer timeout",
			"variable job: queries did not finish within 1ms; use a shorter time range or a longer timeout",
		}},
	} {
		tc.options.Now, tc.options.Location = end(), time.UTC
		p, err := Dashboard(t.Context(), "x.json", fmt.Appendf(nil, dashboard, tc.variables), tc.source, tc.options)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.Problems, tc.want) {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, p.Problems, tc.want)
		}
	}
}

func TestManyEqualProblemsAreOneLine(t *testing.T) {
	t.Parallel()
	var panels []string
	for i := range 20 {
		panels = append(panels, fmt.Sprintf(`{"type":"stat","title":"P%02d","targets":[{"refId":"A","expr":"up"}]}`, i))
	}
	p, err := Dashboard(t.Context(), "x.json", []byte(`{"panels":[`+strings.Join(panels, ",")+`]}`), func(context.Context, Query) (Result, error) { return Result{}, errors.New("away") }, Options{Now: end(), Location: time.UTC})
	if err != nil || !slices.Equal(p.Problems, []string{"panel P00 and 19 others: away"}) || p.Queries != 20 || p.Failed != 20 {
		t.Errorf("%q, %v, %d of %d", p.Problems, err, p.Failed, p.Queries)
	}
}

// generated returns the example dashboards.
func generated(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("../../examples/*/observability/dashboards/*.json")
	if err != nil || len(files) < 6 {
		tb.Fatalf("%v, %v", files, err)
	}
	out := map[string][]byte{}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		out[filepath.Base(file)] = src
	}
	return out
}

func TestTextsOfGeneratedDashboardsDoNotOverlap(t *testing.T) {
	t.Parallel()
	for name, src := range generated(t) {
		p, err := Dashboard(t.Context(), name, src, busy(), Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range slices.Concat(p.panels, p.renderer.phone(p.panels)) {
			if d.panel.Type != "row" {
				noOverlap(t, d)
			}
		}
	}
}

// An unknown key at any place, and an unknown value of each setting that has a list of values, is found.
func TestUnsupportedFindsEachChange(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{} // places without their indexes
	for name, src := range generated(t) {
		var root any
		if err := json.Unmarshal(src, &root); err != nil {
			t.Fatal(err)
		}
		eachObject("", root, func(path string, object map[string]any) {
			if tried[path] {
				return
			}
			tried[path] = true
			if strings.HasSuffix(path, ".mappings.options") { // its keys are values
				object["surprise"] = map[string]any{"surprise": true}
			} else {
				object["surprise"] = true
			}
			changed, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			if len(Unsupported(changed)) == 0 {
				t.Errorf("%s: a new key in %s is not found", name, path)
			}
			delete(object, "surprise")
		})
	}
	t.Logf("%d places", len(tried))
	src := generated(t)["orders-overview.json"]
	for from, to := range map[string]string{
		`"type": "heatmap"`: `"type": "candlestick"`, `"id": "merge"`: `"id": "reduce"`, `"id": "byFrameRefID"`: `"id": "byValues"`, `"type": "query"`: `"type": "adhoc"`,
		`"mode": "palette-classic"`: `"mode": "shades"`, `"unit": "reqps"`: `"unit": "masskg"`, `"scheme": "Blues"`: `"scheme": "Turbo"`,
		`"lastNotNull"`: `"guess"`, `"type": "gauge"`: `"type": "sparkline"`, `"mode": "dashed"`: `"mode": "dotted"`, `"textMode": "name"`: `"textMode": "none"`, `"viewMode": "list"`: `"viewMode": "stat"`, `"id": "custom.width"`: `"id": "custom.widht"`,
	} {
		changed := strings.Replace(string(src), from, to, 1)
		if changed == string(src) {
			t.Errorf("the dashboard has no %s", from)
		} else if len(Unsupported([]byte(changed))) == 0 {
			t.Errorf("%s is not found", to)
		}
	}
}

// eachObject calls f for the objects whose keys are settings: not for lists of names, and not below
// settings that have no effect on a picture.
func eachObject(path string, value any, f func(path string, object map[string]any)) {
	free := []string{
		"tooltip", "code", "rowsFrame", "folder", "links", "datasource", "query", "text", "value", "footer",
		"excludeByName", "renameByName", "indexByName", "stateFilter",
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			eachObject(path, item, f)
		}
	case map[string]any:
		if slices.Contains(free, path[strings.LastIndex(path, ".")+1:]) || path == ".templating.list.options" {
			return
		}
		f(path, v)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			eachObject(path+"."+key, v[key], f)
		}
	}
}

func TestStepIsGrafanas(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		span   time.Duration
		pixels float64
		want   time.Duration
	}{
		{time.Hour, 400, 15 * time.Second}, {6 * time.Hour, 400, time.Minute}, {24 * time.Hour, 400, 5 * time.Minute}, {30 * 24 * time.Hour, 400, 2 * time.Hour}, {time.Hour, 0, time.Hour},
	} {
		if got := stepOf(tc.span, tc.pixels, 15*time.Second); got != tc.want {
			t.Errorf("%s in %v pixels: %s, want %s", tc.span, tc.pixels, got, tc.want)
		}
	}
}

func TestSnapshotsHaveWhatWasRecorded(t *testing.T) {
	t.Parallel()
	k := kinds()["timeseries"]
	recorder := Record(k.source)
	first, _ := drawOne(t, k.panel, recorder.Query)
	var file bytes.Buffer
	if err := recorder.Snapshot(first.TimeRange()).Write(&file); err != nil {
		t.Fatal(err)
	}
	snapshot, err := ReadSnapshot("x.json", file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	second, _ := drawOne(t, k.panel, snapshot.Source())
	var a, b bytes.Buffer
	if err := errors.Join(first.SVG(&a), second.SVG(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("drawn again from the snapshot it differs: %v", err)
	}
	other, _ := drawOne(t, panelJSON("stat", `"targets":[{"refId":"A","expr":"down"}]`), snapshot.Source())
	if want := []string{"panel Requests: the snapshot has no result for down; write a new one with scaffold verify --snapshot FILE"}; !slices.Equal(other.Problems, want) {
		t.Errorf("got %q", other.Problems)
	}
	for text, want := range map[string]string{
		`[]`:                            "x.json: not a snapshot: it is a list, not an object; write one with scaffold verify --snapshot",
		`{`:                             "x.json: not a snapshot: it is not JSON; write one with scaffold verify --snapshot",
		`{"results":[{"result":true}]}`: "x.json: not a snapshot: results.result is a boolean, not an object; write one with scaffold verify --snapshot",
		`{}`:                            "x.json: not a snapshot of version 1; write one with scaffold verify --snapshot FILE",
	} {
		if _, err := ReadSnapshot("x.json", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestStores queries servers that respond as the real ones do.
func TestStores(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"/api/v1/query_range":         `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"a"},"values":[[1790000000,"1"],[1790000015,"NaN"]]}]}}`,
		"/api/v1/query":               `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1790000000,"+Inf"]}]}}`,
		"/api/v1/query_exemplars":     `{"status":"success","data":[{"seriesLabels":{},"exemplars":[{"labels":{"trace_id":"t"},"value":"0.2","timestamp":1790000000.5}]}]}`,
		"/api/v1/label/job/values":    `{"status":"success","data":["a","b"]}`,
		"/api/v1/alerts":              `{"status":"success","data":{"alerts":[{"labels":{"alertname":"Down"},"state":"firing","activeAt":"2026-11-28T11:00:00Z"}]}}`,
		"/loki/api/v1/query_range":    `{"status":"success","data":{"resultType":"streams","result":[{"stream":{"level":"error"},"values":[["1790000000000000000","failed",{"structuredMetadata":{}}]]}]}}`,
		"/api/search":                 `{"traces":[{"traceID":"t","rootServiceName":"orders","rootTraceName":"GET /","startTimeUnixNano":"1790000000000000000","durationMs":12}]}`,
		"/pyroscope/render":           `{"flamebearer":{"names":["total","main","gc","work"],"levels":[[0,10,0,0],[0,6,2,1,0,4,4,2],[0,4,4,3]]},"metadata":{"units":"samples"}}`,
		"/garbage/api/v1/query":       `<html>`,
		"/garbage/api/v1/alerts":      `{"status":"success","data":{"alerts":{}}}`,
		"/garbage/api/v1/query_range": `{"status":"success","data":{"result":[{"metric":{},"values":[["x"]]}]}}`,
		"/refusing/api/v1/query":      `{"status":"error","errorType":"bad_data","error":"parse error"}`,
		"/profile/pyroscope/render":   `{"flamebearer":{"names":[],"levels":[[0,10,0,7]]}}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
		}
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(server.Close)
	get := func(ctx context.Context, address string) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		var page bytes.Buffer
		_, err = page.ReadFrom(response.Body)
		return page.Bytes(), err
	}
	at := func(path string) Store { return Store{URL: server.URL + path, Get: get} }
	stores := Stores{at(""), at("/"), at(""), at("")}
	query := func(s Stores, store string, kind Kind) (Result, string) {
		a, err := s.Query(t.Context(), Query{Store: store, Kind: kind, Expr: "{}", Label: "job", From: end().Add(-time.Hour), To: end(), Step: 15 * time.Second, Limit: 5})
		if err != nil {
			return a, strings.ReplaceAll(err.Error(), server.URL, "URL")
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		return a, string(text)
	}
	for _, tc := range []struct {
		store string
		kind  Kind
		want  string
	}{
		{Prometheus, Range, `{"series":[{"metric":{"job":"a"},"values":[[1790000000,"1"],[1790000015,"NaN"]]}]}`},
		{Prometheus, Instant, `{"series":[{"metric":{"job":"a"},"values":[[1790000000,"+Inf"]]}]}`},
		{Prometheus, Exemplars, `{"exemplars":[{"time":"2026-09-21T14:13:20.5Z","value":0.2,"labels":{"trace_id":"t"}}]}`},
		{Prometheus, Values, `{"values":["a","b"]}`},
		{Prometheus, Alerts, `{"alerts":[{"name":"Down","state":"firing","since":"2026-11-28T11:00:00Z","labels":{"alertname":"Down"}}]}`},
		{Loki, Logs, `{"lines":[{"time":"2026-09-21T14:13:20Z","text":"failed","labels":{"level":"error"}}]}`},
		{Tempo, Traces, `{"traces":[{"id":"t","start":"2026-09-21T14:13:20Z","service":"orders","name":"GET /","duration":12000000}]}`},
		{Pyroscope, Profile, `{"profile":{"name":"total","total":10,"self":0,"unit":"short","children":[{"name":"main","total":6,"self":2,"children":[{"name":"work","total":4,"self":4}]},{"name":"gc","total":4,"self":4}]}}`},
	} {
		if _, got := query(stores, tc.store, tc.kind); got != tc.want {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.store, tc.kind, got, tc.want)
		}
	}
	garbage, refusing, profile := Stores{Prometheus: at("/garbage")}, Stores{Prometheus: at("/refusing")}, Stores{Pyroscope: at("/profile")}
	for _, tc := range []struct {
		stores Stores
		store  string
		kind   Kind
		want   string
	}{
		{garbage, Prometheus, Instant, "URL/garbage/api/v1/query: unexpected response: it is not JSON; check that the URL is the base URL of the API"},
		{garbage, Prometheus, Alerts, "URL/garbage/api/v1/alerts: unexpected response: data.alerts is an object, not a list; check that the URL is the base URL of the API"},
		{garbage, Prometheus, Range, "URL/garbage/api/v1/query_range: unexpected response: it has an invalid value; check that the URL is the base URL of the API"},
		{refusing, Prometheus, Instant, `URL/refusing/api/v1/query: parse error`},
		{profile, Pyroscope, Profile, "URL/profile: invalid profile: function index 7, but it has 0 functions"},
		{Stores{}, Loki, Logs, "Loki is not configured"},
	} {
		if _, got := query(tc.stores, tc.store, tc.kind); got != tc.want {
			t.Errorf("got %s\nwant %s", got, tc.want)
		}
	}
}

// panels25 is a dashboard of 25 panels, most of them graphs.
func panels25() []byte {
	var panels []string
	for i := range 25 {
		kind := []string{"timeseries", "timeseries", "timeseries", "stat", "bargauge", "table", "heatmap"}[i%7]
		p := panelJSON(kind, `"fieldConfig":{"defaults":{"unit":"reqps","custom":{"fillOpacity":8}}}`)
		panels = append(panels, strings.Replace(p, `"x":0,"y":0,"w":24`, fmt.Sprintf(`"x":%d,"y":%d,"w":6`, i%4*6, i/4*8), 1))
	}
	return []byte(`{"title":"x","panels":[` + strings.Join(panels, ",") + `]}`)
}

func busy() Source {
	f := map[string]func(float64) float64{}
	for i := range 4 {
		f[fmt.Sprintf("route=/v%d,le=%d", i, i)] = wave(float64(10*i+20), float64(i+3))
	}
	return series(f)
}

func BenchmarkDashboard(b *testing.B) {
	src, source := panels25(), busy()
	b.ReportAllocs()
	for b.Loop() {
		p, err := Dashboard(b.Context(), "x.json", src, source, Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC})
		if err != nil {
			b.Fatal(err)
		}
		var svg bytes.Buffer
		if err := p.SVG(&svg); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDashboard(f *testing.F) {
	for _, k := range kinds() {
		f.Add(`{"title":"x","panels":[` + k.panel + `]}`)
	}
	for _, src := range generated(f) {
		f.Add(string(src))
	}
	f.Add(`{"panels":[{"type":"timeseries","gridPos":{"h":-1,"w":99999999,"x":-5},"maxDataPoints":-1,"targets":[{"expr":"${x:y}"}]}]}`)
	f.Add(`{"panels":[],"Templating":{"list":[{"name":"a","type":"custom","query":"x"}]}}`)
	f.Add(`{"panels":[],"templating":{"list":[null,1,{"name":"a","type":"query","query":{"query":1},"regex":"("}]}}`)
	source := busy()
	f.Fuzz(func(t *testing.T, src string) {
		p, err := Dashboard(t.Context(), "x.json", []byte(src), source, Options{From: end().Add(-time.Hour), To: end(), Location: time.UTC})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "x.json") {
				t.Errorf("%v does not name the file", err)
			}
			return
		}
		var svg, page bytes.Buffer
		if err := errors.Join(p.SVG(&svg), p.HTML(&page)); err != nil {
			t.Fatal(err)
		}
		if err := wellFormed(svg.Bytes()); err != nil {
			t.Errorf("%v in %s", err, svg.Bytes())
		}
	})
}
