package render_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards/render"
)

// waves returns series that look like traffic for each query.
func waves(_ context.Context, q render.Query) (render.Result, error) {
	switch q.Kind {
	case render.Values:
		return render.Result{Values: []string{"prod", "staging"}}, nil
	case render.Exemplars:
		var out []render.Exemplar
		for at := q.From; at.Before(q.To); at = at.Add(2 * time.Minute) {
			out = append(out, render.Exemplar{Time: at, Value: math.Abs(math.Sin(float64(at.Unix()))) / 2})
		}
		return render.Result{Exemplars: out}, nil
	case render.Alerts:
		return render.Result{Alerts: []render.Alert{{Name: "OrdersDown", State: "firing", Since: q.To.Add(-5 * time.Minute), Labels: map[string]string{"service": "orders"}}}}, nil
	case render.Logs:
		return render.Result{Lines: []render.Line{{Time: q.To, Text: "request failed", Labels: map[string]string{"level": "error"}}}}, nil
	case render.Profile:
		return render.Result{Profile: &render.Flame{Name: "total", Total: 100, Unit: "short", Children: []render.Flame{{Name: "main.main", Total: 70, Children: []render.Flame{{Name: "net/http.(*conn).serve", Total: 50}}}, {Name: "runtime.gopark", Total: 30}}}}, nil
	}
	var out render.Result
	heatmap := strings.Contains(q.Expr, "le)") || strings.Contains(q.Expr, ", le")
	for i := range 3 {
		s := &model.SampleStream{Metric: model.Metric{"instance": model.LabelValue(fmt.Sprintf("10.0.0.%d:9464", i)), "http_route": model.LabelValue(fmt.Sprintf("GET /v%d/orders", i))}}
		if heatmap && !strings.Contains(q.Expr, "histogram_quantile") {
			s.Metric = model.Metric{"le": model.LabelValue([]string{"0.1", "0.5", "+Inf"}[i])}
		}
		step := max(q.Step, 15*time.Second)
		for at := q.From.Truncate(step); !at.After(q.To) && q.Kind == render.Range; at = at.Add(step) {
			v := .02*float64(i+1) + .01*math.Sin(float64(at.Unix())/400+float64(i))
			s.Values = append(s.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()), Value: model.SampleValue(v)})
		}
		if q.Kind == render.Instant {
			s.Values = []model.SamplePair{{Timestamp: model.TimeFromUnixNano(q.To.UnixNano()), Value: model.SampleValue(i)}}
		}
		out.Series = append(out.Series, s)
	}
	return out, nil
}

func options() render.Options {
	to := time.Date(2026, 11, 28, 12, 15, 0, 0, time.UTC)
	return render.Options{From: to.Add(-time.Hour), To: to, Location: time.UTC}
}

func TestEverythingThatIsGeneratedIsDrawn(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*/observability/dashboards/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := render.Dashboard(t.Context(), file, src, waves, options())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range picture.Problems {
			t.Errorf("%s: %s", file, p)
		}
		var svg, page bytes.Buffer
		if err := picture.SVG(&svg); err != nil {
			t.Fatal(err)
		}
		if err := picture.HTML(&page); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d kB SVG, %d kB HTML", filepath.Base(file), svg.Len()/1000, page.Len()/1000)
		if dir := os.Getenv("PICTURES"); dir != "" {
			_ = os.WriteFile(filepath.Join(dir, filepath.Base(file)+".svg"), svg.Bytes(), 0o644)
			_ = os.WriteFile(filepath.Join(dir, filepath.Base(file)+".html"), page.Bytes(), 0o644)
		}
	}
}
