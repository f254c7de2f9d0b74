package dashboards_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/internal/lint/dashboardlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/testkit/golden"
)

func TestSharedDashboards(t *testing.T) {
	t.Parallel()
	all := inputs(t)
	marks := []string{"red is above the objective", "red below the objective", "line is the objective", "line is deploy", "line is the autoscaler", "error budget, and threshold", "above the error budget"}
	uids := map[string]bool{}
	for name, src := range shared(t, all["minimal"], all["orders"]) {
		var d document
		if err := json.Unmarshal(src, &d); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(d.UID, "shared_") || uids[d.UID] || !strings.HasPrefix(d.Title, "Services / ") || !slices.Contains(d.Tags, "services") {
			t.Errorf("%s: uid %s, title %q, tags %q", name, d.UID, d.Title, d.Tags)
		}
		uids[d.UID] = true
		if strings.Contains(string(src), "orders") || strings.Contains(string(src), `/d/$service`) {
			t.Errorf("%s names a service", name)
		}
		for _, p := range d.all() {
			if p.Type != "row" && strings.Count(p.Description, "\n\n") != 1 {
				t.Errorf("%s: %s: the description is not what the panel shows and what to do: %q", name, p.Title, p.Description)
			}
			if at := slices.IndexFunc(marks, func(m string) bool { return strings.Contains(p.Description, m) }); at >= 0 {
				t.Errorf("%s: %s: the description has thresholds that the set does not have: %q", name, p.Title, p.Description)
			}
			for _, q := range p.Targets {
				if one := strings.Contains(q.Expr, `service="$service"`) || strings.Contains(q.Expr, `job="$service"`); q.Datasource.Type == "prometheus" && one == (name == "fleet") {
					t.Errorf("%s: %s %s selects one service: %v: %s", name, p.Title, q.RefID, one, q.Expr)
				}
			}
		}
	}
	if len(uids) != 6 {
		t.Errorf("%d dashboards, want fleet, overview, slo, resources, runtime and dependencies", len(uids))
	}
	golden.Compare(t, filepath.Join("testdata", "shared", "fleet.json"), shared(t, all["orders"])["fleet"])
}

// A set has only what one of the services has.
func TestSharedDashboardsFollowTheServices(t *testing.T) {
	t.Parallel()
	all := inputs(t)
	for name, want := range map[string]int{"orders": 6, "minimal": 5, "checkout": 3} {
		if got := shared(t, all[name]); len(got) != want {
			t.Errorf("%s: %d dashboards, want %d", name, len(got), want)
		}
	}
}

// Labels of groupBy are variables of each dashboard.
func TestSharedDashboardsOfSeveralClusters(t *testing.T) {
	t.Parallel()
	for name, src := range shared(t, dashboards.Input{Rules: compiled(t, minimalSpec+"groupBy: [cluster]\n")}) {
		file, err := dashboardfile.Parse(name, src)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(file.Variables, func(v dashboardfile.Variable) bool { return v.Name == "cluster" }) {
			t.Errorf("%s has no variable cluster", name)
		}
		for _, f := range dashboardlint.Check(dashboardlint.Input{Dashboards: []dashboardfile.Dashboard{file}}) {
			t.Errorf("%s: %s", name, f.Message)
		}
	}
}

func TestSharedDashboardsNeedEqualLabels(t *testing.T) {
	t.Parallel()
	all := inputs(t)
	other := dashboards.Input{Rules: compiled(t, minimalSpec+"selector: {job: web}\n")}
	for name, tt := range map[string]struct {
		services []dashboards.Input
		want     string
	}{
		"no service":         {nil, "no service; pass at least one"},
		"environment labels": {[]dashboards.Input{all["orders"], all["checkout"]}, `environmentLabel of "orders" is deployment_environment_name, and that of "checkout" is env; make them equal`},
		"histograms":         {[]dashboards.Input{all["minimal"], all["native"]}, `histograms of "minimal" is classic, and that of "orders" is native`},
		"pushed metrics":     {[]dashboards.Input{all["minimal"], all["pushed"]}, `metrics of "minimal" is scrape, and that of "orders" is push`},
		"another job":        {[]dashboards.Input{other}, `the selector of "minimal" is not job: minimal`},
		"invalid":            {[]dashboards.Input{{}}, "the rules have no service"},
	} {
		if _, err := dashboards.Shared(tt.services...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
