package render_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/components/postgres"
)

// ofSet begins the names of pictures of the shared set.
const ofSet = "shared "

// sharedSet returns the dashboards of all services, by name. The only one of the run is orders.
func sharedSet(t *testing.T) map[string][]byte {
	t.Helper()
	rules, err := slo.Compile(slo.Spec{Service: "any", Runtime: true, SLOs: []slo.Objective{{
		Name: "other", Target: "99", Indicator: slo.Indicator{Availability: &slo.Availability{}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	set, err := dashboards.Shared(dashboards.Input{Rules: rules, Dependencies: []dashboards.Dependency{postgres.Dependency()}})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, d := range set {
		if out[d.Name()], err = d.JSON(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// compareShared fails the test if the shared dashboard of a situation shows other numbers than that of the service.
func compareShared(t *testing.T, s situation, own, shared *render.Picture) {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(generated, "dashboards", "orders-"+s.dashboard+".json"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := dashboardfile.Parse(s.dashboard, src)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range file.Panels {
		if strings.HasPrefix(p.Title, "Budget spent by") {
			continue
		}
		one, other := own.Shown(p.Title), shared.Shown(strings.Replace(p.Title, "(30d)", "(period)", 1))
		if len(one) != len(other) {
			t.Errorf("%s: %s is in %d panels of the service and %d of the set", s.name, p.Title, len(one), len(other))
			continue
		}
		for i := range one {
			if want, got := numbers(one[i]), numbers(other[i]); !slices.Equal(want, got) {
				t.Errorf("%s: %s of the set shows\n%q, that of the service\n%q", s.name, p.Title, got, want)
			}
		}
	}
}

// numbers returns the texts of a panel that are not those of its axes, in the words of the set. Only the set has the
// budget as a line, and so a legend where the service has no errors.
func numbers(s render.Shown) []string {
	var out []string
	for _, text := range s.Texts {
		if !slices.Contains([]string{"axis", "title", "scale"}, text.Class) {
			out = append(out, strings.NewReplacer("(30d)", "(period)", "critical", "page", "warning", "ticket").Replace(text.Text))
		}
	}
	if i := slices.Index(out, "budget"); i >= 0 {
		out = slices.Delete(out, i, i+3) // with its last and its largest value
	}
	return slices.DeleteFunc(out, func(text string) bool { return text == "Max" || text == "Last *" })
}
