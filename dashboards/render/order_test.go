package render_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards/render"
)

// series returns series of routes with one value each.
func series(routes ...string) model.Matrix {
	var out model.Matrix
	for i, r := range routes {
		out = append(out, &model.SampleStream{
			Metric: model.Metric{"route": model.LabelValue(r)},
			Values: []model.SamplePair{{Timestamp: 1000, Value: model.SampleValue(10 - i)}},
		})
	}
	return out
}

func draw(t *testing.T, panel string, source render.Source) string {
	t.Helper()
	dashboard := `{"title":"T","schemaVersion":39,"panels":[` + panel + `]}`
	o := render.Options{From: time.Unix(0, 0), To: time.Unix(1, 0), Location: time.UTC}
	picture, err := render.Dashboard(t.Context(), "t.json", []byte(dashboard), source, o)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := picture.SVG(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Prometheus sorts the series of a range query by the values of labels, so that "idle" is before "idle in
// transaction"; topk of an instant query has the largest value first. Grafana keeps both.
func TestSeriesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	source := func(context.Context, render.Query) (render.Result, error) {
		return render.Result{Series: series("second", "first")}, nil
	}
	for _, kind := range []string{"instant", "range"} {
		for _, panel := range []string{"bargauge", "table"} {
			format := map[string]string{"bargauge": "time_series", "table": "table"}[panel]
			svg := draw(t, `{"type":"`+panel+`","title":"P","gridPos":{"h":8,"w":12,"x":0,"y":0},"options":{"orientation":"horizontal"},
				"targets":[{"refId":"A","expr":"x","`+kind+`":true,"format":"`+format+`","legendFormat":"{{route}}"}]}`, source)
			if second, first := strings.Index(svg, "second"), strings.Index(svg, "first"); second < 0 || second > first {
				t.Errorf("%s query, %s: second is at %d, first at %d", kind, panel, second, first)
			}
		}
	}
}

// Panels of different widths may have the same query, in any order.
func TestSnapshotHasTheFinestResult(t *testing.T) {
	t.Parallel()
	for _, steps := range [][]time.Duration{{15 * time.Second, time.Minute}, {time.Minute, 15 * time.Second}} {
		recorder := render.Record(func(_ context.Context, q render.Query) (render.Result, error) {
			return render.Result{Values: []string{q.Step.String()}}, nil
		})
		for _, step := range steps {
			if _, err := recorder.Query(t.Context(), render.Query{Kind: render.Range, Expr: "x", Step: step}); err != nil {
				t.Fatal(err)
			}
		}
		s := recorder.Snapshot(time.Time{}, time.Time{})
		if len(s.Results) != 1 || s.Results[0].Result.Values[0] != "15s" {
			t.Errorf("steps %v: %+v, want the result of 15s", steps, s.Results)
		}
	}
}

// The variables of a dashboard query the same selector for several labels, and an exemplar query has the
// expression of its range query.
func TestSnapshotHasAllQueriesOfAnExpression(t *testing.T) {
	t.Parallel()
	queries := []render.Query{
		{Kind: render.Values, Expr: "up", Label: "job"}, {Kind: render.Values, Expr: "up", Label: "instance"},
		{Kind: render.Range, Expr: "up"}, {Kind: render.Exemplars, Expr: "up"},
		{Kind: render.Profile, Expr: "up", ProfileType: "cpu"}, {Kind: render.Profile, Expr: "up", ProfileType: "heap"},
	}
	recorder := render.Record(func(_ context.Context, q render.Query) (render.Result, error) {
		return render.Result{Values: []string{string(q.Kind), q.Label, q.ProfileType}}, nil
	})
	for _, q := range queries {
		if _, err := recorder.Query(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	source := recorder.Snapshot(time.Time{}, time.Time{}).Source()
	for _, q := range queries {
		a, err := source(t.Context(), q)
		if want := []string{string(q.Kind), q.Label, q.ProfileType}; err != nil || !slices.Equal(a.Values, want) {
			t.Errorf("%v: %v, %v, want %v", want, a.Values, err, want)
		}
	}
}
