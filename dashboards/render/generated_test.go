package render_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/queryapi"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// generated is the directory with today's dashboards and rules.
const generated = "../../examples/orders/observability"

// renamed are metrics that have another name since the run, or one more.
func renamed() map[string]string {
	return map[string]string{
		"http_server_requests_total":           "http_server_routed_requests_total",
		"http_server_request_duration_seconds": "http_server_routed_request_duration_seconds",
		"runtime_overload_at_floor":            "runtime_overload_at_min_limit",
		"runtime_label_overflow_total":         "runtime_cardinality_overflow_total",
	}
}

// TestGeneratedDashboardsShowTheRun draws today's dashboards with the data of the run.
func TestGeneratedDashboardsShowTheRun(t *testing.T) {
	t.Parallel()
	w := worldOf(t, renamed())
	var groups []rulesim.Group
	files, err := filepath.Glob(filepath.Join(generated, "rules", "*.rules.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		more, err := rulesim.Load(file, src)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, more...)
	}
	rules, err := rulesim.New(w.store, groups, rulesim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	source := sourceOf(&queryapi.Prometheus{Store: w.store, Rules: rules})
	evaluated := clock(runStart)
	for _, until := range []string{"12:13:30", "12:35:30"} {
		if err := rules.Run(t.Context(), evaluated, clock(until)); err != nil {
			t.Fatal(err)
		}
		evaluated = clock(until)
		w.expose(evaluated)
		dashboards, err := filepath.Glob(filepath.Join(generated, "dashboards", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range dashboards {
			for _, environment := range []string{"prod", "staging"} {
				src, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				o := render.Options{
					Location: time.UTC, Width: 1600, From: evaluated.Add(-33 * time.Minute), To: evaluated, Now: evaluated,
					Variables: map[string][]string{"environment": {environment}},
				}
				picture, err := render.Dashboard(t.Context(), file, opened(t, src), source, o)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range picture.Problems {
					t.Errorf("%s: %s", file, p)
				}
				if dir := os.Getenv("LOOK"); dir != "" {
					f, err := os.Create(filepath.Join(dir, filepath.Base(file)+"-"+environment+"-"+slices.Collect(slices.Values([]string{until[:2] + until[3:5]}))[0]+".svg"))
					if err != nil {
						t.Fatal(err)
					}
					if err := picture.SVG(f); err != nil {
						t.Fatal(err)
					}
					_ = f.Close()
				}
			}
		}
	}
}

func opened(t *testing.T, src []byte) []byte { return src }
