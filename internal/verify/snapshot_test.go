package verify

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// The results of a snapshot depend on the scrape interval and the width, so it contains them.
func TestSnapshotHasTheOptionsOfItsQueries(t *testing.T) {
	t.Parallel()
	s := dashboardSession(t, dashboardfile.Dashboard{File: "shop.json"})
	s.subject.Dir = t.TempDir()
	const src = `{"templating":{"list":[{"name":"job","type":"custom","query":"a,b"},{"name":"source","type":"datasource","query":"prometheus"}]},"panels":[{"type":"stat","title":"Jobs","targets":[{"refId":"A","expr":"jobs_total"}]}]}`
	if err := os.WriteFile(filepath.Join(s.subject.Dir, "shop.json"), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	var got render.Snapshot
	s.options.Snapshot = func(snapshot render.Snapshot) { got = snapshot }
	s.snapshot(t.Context())
	if got.ScrapeInterval != scrapedEvery || got.Width != render.DefaultWidth || len(got.Results) != 1 || len(got.Results[0].Result.Series) == 0 {
		t.Errorf("got %+v, checks %q", got, checksOf(s))
	}
	if want := map[string][]string{"job": {"a"}}; !maps.EqualFunc(got.Variables, want, slices.Equal) {
		t.Errorf("variables %v, want %v", got.Variables, want)
	}
}

// A bug of the renderer must not lose the report, and a limit that selects nothing is the default.
func TestSnapshotSurvivesAPanic(t *testing.T) {
	t.Parallel()
	s := dashboardSession(t, dashboardfile.Dashboard{File: "shop.json"})
	s.options.Snapshot = func(render.Snapshot) { panic("no such panel\nstack") }
	s.snapshot(t.Context())
	if got := checksOf(s); !slices.ContainsFunc(got, func(text string) bool { return strings.Contains(text, "the renderer has a bug: no such panel") }) {
		t.Errorf("checks %q", got)
	}
}
