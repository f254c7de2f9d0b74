package dashboardfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

const dashboard = `{
  "uid": "shop", "title": "Shop", "tags": ["a", 3], "refresh": false, "future": {"x": [1]},
  "links": [{"title": "Next", "url": "/grafana/d/other-1/x?from=now"}],
  "templating": {"list": [
    {"name": "datasource", "type": "datasource", "query": "prometheus", "current": {"value": "default"}},
    {"name": "job", "type": "query", "datasource": "${datasource}", "multi": true, "includeAll": true, "refresh": 2,
     "query": {"query": "label_values(up, job)", "refId": "x"}, "current": {"value": ["$__all"]}}]},
  "annotations": {"list": [{"name": "Deploys", "enable": false, "datasource": {"type": "prometheus", "uid": "p"}, "target": {"expr": "x"}}]},
  "panels": [
    {"id": 1, "type": "stat", "title": "Before any row", "description": "All of it. Empty until v1.2 runs. Then it fills.",
     "datasource": {"type": "prometheus", "uid": "p"},
     "targets": [
       {"refId": "A",
        "expr": "up"},
       {"refId": "B", "datasource": {"type": "loki", "uid": "l"}, "expr": "{a=\"b\"}", "hide": true},
       {"refId": "C", "datasource": {"type": "tempo"}, "query": "{ status = error }"},
       {"refId": "D", "datasource": {"type": "grafana-pyroscope-datasource"}, "labelSelector": "{}", "profileTypeId": "cpu"}],
     "fieldConfig": {"defaults": {"unit": "s", "links": [{"title": "Trace", "url": "d/trace"}]},
       "overrides": [{"properties": [{"id": "unit", "value": "ms"}, {"id": "links", "value": [{"title": "Far", "url": "https://x.test/"}]}]}]}},
    {"type": "row", "title": "Open", "panels": []},
    {"title": "In the open row", "targets": [{"refId": "A", "expr": "a", "instant": true, "exemplar": true, "format": "table"}]},
    {"type": "row", "title": "Shut", "collapsed": true, "panels": [{"title": "In the shut row", "libraryPanel": {"uid": "l"}}]},
    "nonsense"
  ]
}`

func TestParseReturnsPlaces(t *testing.T) {
	t.Parallel()
	got, err := dashboardfile.Parse("shop.json", []byte(dashboard))
	if err != nil {
		t.Fatal(err)
	}
	prometheus := dashboardfile.Datasource{Type: "prometheus", UID: "p"}
	want := dashboardfile.Dashboard{
		File: "shop.json", UID: "shop", Title: "Shop", Tags: []string{"a"}, Editable: true,
		Links: []dashboardfile.Link{{Title: "Next", URL: "/grafana/d/other-1/x?from=now", DashboardUID: "other-1"}},
		Variables: []dashboardfile.Variable{
			{Name: "datasource", Type: "datasource", Query: "prometheus", Current: []string{"default"}, Line: 5, Column: 5},
			{
				Name: "job", Type: "query", Query: "label_values(up, job)", Datasource: dashboardfile.Datasource{Type: "prometheus", UID: "${datasource}"},
				Multi: true, IncludeAll: true, Refresh: 2, Current: []string{"$__all"}, Line: 6, Column: 5,
			},
		},
		Annotations: []dashboardfile.Target{{RefID: "Deploys", Expr: "x", Datasource: prometheus, Hidden: true, Line: 8, Column: 134}},
		Panels: []dashboardfile.Panel{
			{
				ID: 1, Type: "stat", Title: "Before any row", Description: "All of it. Empty until v1.2 runs. Then it fills.", Unit: "s", Datasource: prometheus,
				Targets: []dashboardfile.Target{
					{RefID: "A", Expr: "up", Datasource: prometheus, Line: 14, Column: 17},
					{RefID: "B", Expr: `{a="b"}`, Datasource: dashboardfile.Datasource{Type: "loki", UID: "l"}, Hidden: true, Line: 15, Column: 75},
					{RefID: "C", Expr: "{ status = error }", Datasource: dashboardfile.Datasource{Type: "tempo"}, Line: 16, Column: 65},
					{RefID: "D", Expr: "{}", Datasource: dashboardfile.Datasource{Type: "grafana-pyroscope-datasource"}, ProfileType: "cpu", Line: 17, Column: 96},
				},
				Links: []dashboardfile.Link{{Title: "Trace", URL: "d/trace", DashboardUID: "trace"}, {Title: "Far", URL: "https://x.test/"}}, Units: true, Line: 10, Column: 5,
			},
			{
				Title: "In the open row", Row: "Open", Line: 21, Column: 5,
				Targets: []dashboardfile.Target{{RefID: "A", Expr: "a", Instant: true, Exemplar: true, Format: "table", Line: 21, Column: 69}},
			},
			{Title: "In the shut row", Row: "Shut", Library: true, Line: 22, Column: 68},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var walked []string
	for p, target := range got.All() {
		walked = append(walked, p.Title+" "+target.RefID)
		if len(walked) == 5 {
			break
		}
	}
	if want := []string{"Before any row A", "Before any row B", "Before any row C", "Before any row D", "In the open row A"}; !slices.Equal(walked, want) {
		t.Errorf("walked %q", walked)
	}
}

func TestRowsOfOldGrafanaVersionsAreRead(t *testing.T) {
	t.Parallel()
	b, err := dashboardfile.Parse("old.json", []byte(`{"title":"x","rows":[{"title":"One","panels":[{"title":"P","datasource":"Prometheus","targets":[{"expr":"up"}]}]}]}`))
	if err != nil || len(b.Panels) != 1 || b.Panels[0].Row != "One" || b.Panels[0].Targets[0].Datasource.UID != "Prometheus" {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestOtherFormatsAreRejected(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, src, want string }{
		{"half a file", "{\n  \"panels\": [", `b.json:2:14: not JSON: unexpected end of JSON input; correct it, or export the dashboard again`},
		{"a comma too many", "{\n  \"panels\": [1,]\n}", `b.json:2:16: not JSON: invalid character ']' looking for beginning of value; correct it, or export the dashboard again`},
		{"columns are characters", `{"ä": x}`, `b.json:1:7: not JSON: invalid character 'x' looking for beginning of value; correct it, or export the dashboard again`},
		{"nothing", "", `b.json:1:1: not JSON: unexpected end of JSON input; correct it, or export the dashboard again`},
		{"two documents", `{"panels":[]} {}`, `b.json:1:15: not JSON: invalid character '{' after top-level value; correct it, or export the dashboard again`},
		{"a word", `"dashboard"`, `b.json:1:1: not a Grafana dashboard: not a JSON object; export one with Share > Export`},
		{"a list of dashboards", `[{"panels":[]}]`, `b.json:1:1: not a Grafana dashboard but a list; write each dashboard to its own file`},
		{"another JSON file", `{"name":"x"}`, `b.json:1:1: not a Grafana dashboard: it has neither panels nor schemaVersion`},
		{"schema v2", `{"title":"x","elements":{},"layout":{}}`, `b.json:1:1: dashboard schema v2 (elements and layout) is not supported; export the dashboard as classic JSON`},
		{
			"a resource", `{"apiVersion":"dashboard.grafana.app/v1","kind":"Dashboard","spec":{"panels":[]}}`,
			`b.json:1:1: not a classic dashboard but a resource (dashboard.grafana.app/v1); export it as classic JSON, or write its spec to a file if that has panels`,
		},
		{"response of the API", `{"meta":{},"dashboard":{"panels":[]}}`, `b.json:1:1: not a dashboard but a response of Grafana's API; write the value of its key dashboard to the file`},
		{"deep nesting", `{"panels":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, `b.json: values are nested deeper than 200 levels; export the dashboard again`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := dashboardfile.Parse("b.json", []byte(tc.src))
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestValuesOfUnexpectedTypesAreIgnored(t *testing.T) {
	t.Parallel()
	b, err := dashboardfile.Parse("b.json", []byte("\ufeff"+`{"title":7,"uid":null,"panels":[{"id":"x","title":[],"targets":{"a":1}},{"targets":[null,{"expr":3}]}],"templating":[],"links":{}}`))
	if err != nil || b.Title != "" || len(b.Panels) != 2 || len(b.Panels[1].Targets) != 1 {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestEmptyUntil(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, description, want string
		ok                      bool
	}{
		{"a single sentence", "Empty until an alert fires.", "an alert fires", true},
		{"behind others", "Alerts.\n\nBad: many. Empty until v1.2 is out.\n", "v1.2 is out", true},
		{"no end", "Empty until an alert fires", "", false},
		{"another sentence", "It is not Empty-until x. Nonempty until y.", "", false},
		{"nothing", "", "", false},
	} {
		if got, ok := (dashboardfile.Panel{Description: tc.description}).EmptyUntil(); got != tc.want || ok != tc.ok {
			t.Errorf("%s: got %q, %v", tc.name, got, ok)
		}
	}
}

func TestDatasourcePrometheus(t *testing.T) {
	t.Parallel()
	for d, want := range map[dashboardfile.Datasource]bool{
		{Type: "prometheus", UID: "x"}: true, {}: true, {UID: "Prometheus"}: true,
		{Type: "loki"}: false, {UID: "-- Grafana --"}: false, {UID: "__expr__"}: false, {UID: "grafana"}: false, {Type: "datasource", UID: "-- Mixed --"}: false,
	} {
		if d.Prometheus() != want {
			t.Errorf("%+v: %v", d, !want)
		}
	}
}

func TestGeneratedDashboardsAreReadCompletely(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../examples/*/observability/dashboards/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := dashboardfile.Parse(file, src)
		if err != nil {
			t.Error(err)
		}
		queries := 0
		for _, target := range b.All() {
			if target.Expr == "" {
				t.Errorf("%s:%d: a target without a query", file, target.Line)
			}
			queries++
		}
		if want := strings.Count(string(src), `"refId"`) - strings.Count(string(src), `"definition"`); queries != want {
			t.Errorf("%s: %d queries read, the file has %d", file, queries, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(dashboard))
	f.Add([]byte(`{"rows":[{"panels":[{"targets":[{"expr":1}]}]}]}`))
	f.Add([]byte(`{"panels":[{"type":"row","panels":[{"type":"row","panels":[]}]}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		b, err := dashboardfile.Parse("b.json", src)
		if err != nil && !strings.HasPrefix(err.Error(), "b.json:") {
			t.Errorf("%v does not name the file", err)
		}
		lines := strings.Count(string(src), "\n") + 1
		for p, target := range b.All() {
			if p.Line < 1 || target.Line < p.Line || target.Line > lines {
				t.Errorf("panel at %d, target at %d of %d lines", p.Line, target.Line, lines)
			}
			p.EmptyUntil()
			if at := from(src, target.Line, target.Column); !strings.HasPrefix(at, "{") && !strings.HasPrefix(at, `"`) {
				t.Errorf("a target at %d:%d, which is %.10q", target.Line, target.Column, at)
			}
		}
	})
}

// from returns the text of a file after a line and a column.
func from(src []byte, line, column int) string {
	lines := strings.SplitN(strings.TrimPrefix(string(src), "\ufeff"), "\n", line+1)
	if runes := []rune(lines[line-1]); column >= 1 && column <= len(runes) {
		return string(runes[column-1:])
	}
	return ""
}

func TestPlacesInMinifiedDashboardsHaveColumns(t *testing.T) {
	t.Parallel()
	src := []byte(`{"title":"Größe","panels":[{"title":"A","targets":[{"expr":"up"}]},{"title":"B","targets":[{"expr":"down"},{"refId":"C"}]}]}`)
	b, err := dashboardfile.Parse("b.json", src)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for p, target := range b.All() {
		got = append(got, from(src, p.Line, p.Column)[:12], from(src, target.Line, target.Column)[:4])
	}
	if want := []string{`{"title":"A"`, `"up"`, `{"title":"B"`, `"dow`, `{"title":"B"`, `{"re`}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestDataSourcesHaveTheTypeOfTheirVariable(t *testing.T) {
	t.Parallel()
	b, err := dashboardfile.Parse("b.json", []byte(`{"templating":{"list":[{"name":"logs","type":"datasource","query":"loki"}]},"panels":[
		{"targets":[{"expr":"a","datasource":"$logs"},{"expr":"b","datasource":{"uid":"${logs}"}},{"expr":"c","datasource":"$other"},{"expr":"d","datasource":"x$logs"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range b.All() {
		got = append(got, target.Expr+target.Datasource.Type)
	}
	if want := []string{"aloki", "bloki", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestOtherJSONErrorIsForOtherPrograms(t *testing.T) {
	t.Parallel()
	for src, other := range map[string]bool{
		`{"name":"x"}`: true, `[1]`: true, `"x"`: true, `{"apiVersion":"v1","kind":"List","spec":{}}`: true, `{"dashboard":{"a":1}}`: true,
		`{"apiVersion":"dashboard.grafana.app/v1","kind":"Dashboard","spec":{}}`: false, `{"elements":{},"layout":{}}`: false,
		`[{"panels":[]}]`: false, `{"dashboard":{"panels":[]}}`: false, `{"dashboard":{"rows":[]}}`: false, `{`: false,
	} {
		_, err := dashboardfile.Parse("b.json", []byte(src))
		if _, isOther := errors.AsType[*dashboardfile.OtherJSONError](err); err == nil || isOther != other {
			t.Errorf("%s: other JSON is %v: %v", src, isOther, err)
		}
	}
}
