package dashboards_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/dashboards"
)

// dependency has one panel, with the title, and a utilization.
func dependency(name, title string) dashboards.Dependency {
	return dashboards.Dependency{
		Name: name,
		Rows: func(s dashboards.Scope) []dashboards.Row {
			return []dashboards.Row{{Title: title, Panels: []dashboards.Panel{s.Rate(title, s.Metric("calls_total"), dashboards.PerSecond).Describe("Calls.", "Read the logs.")}}}
		},
		Utilization: func(s dashboards.Scope) dashboards.Utilization {
			return dashboards.Utilization{Resource: title + " slots", Used: s.Metric("used").Expr(), Limit: s.Metric("slots").Expr(), Action: "Add slots."}
		},
	}
}

// panels returns the titles of the panels with queries of the dashboard with the title; none if there is no such dashboard.
func panels(all []dashboards.Dashboard, title string) []string {
	var out []string
	for _, d := range all {
		if !strings.HasSuffix(d.Title(), " / "+title) {
			continue
		}
		for _, q := range d.Queries() {
			if !strings.HasPrefix(q.Panel, "annotation ") {
				out = append(out, q.Panel)
			}
		}
	}
	return out
}

func TestDependenciesAreOnTheDashboards(t *testing.T) {
	t.Parallel()
	in := dashboards.Input{Rules: compiled(t, minimalSpec)}
	without := dashboardsOf(t, in)
	if got := panels(without, "Dependencies"); got != nil {
		t.Errorf("without dependencies: panels %q", got)
	}
	in.Dependencies = []dashboards.Dependency{dependency("b", "Bees"), dependency("a", "Ants")}
	in.Dependencies[1].Utilization = nil
	all := dashboardsOf(t, in)
	if got, want := panels(all, "Dependencies"), []string{"Dependency health", "Bees", "Ants"}; !slices.Equal(got, want) {
		t.Errorf("dependencies: panels %q, want %q", got, want)
	}
	resources := panels(all, "Resources")
	if !slices.Contains(resources, "Bees slot utilization") || slices.Contains(resources, "Ants slot utilization") {
		t.Errorf("resources: panels %q, want the utilization of Bees alone", resources)
	}
}

// Services may have the same dependency. The set has it once, where it was first.
func TestSharedDashboardsUniteDependencies(t *testing.T) {
	t.Parallel()
	service := func(dependencies ...dashboards.Dependency) dashboards.Input {
		return dashboards.Input{Rules: compiled(t, minimalSpec), Dependencies: dependencies}
	}
	all, err := dashboards.Shared(service(), service(dependency("b", "Bees")),
		service(dependency("c", "Cows"), dependency("b", "Other bees")), service(dependency("a", "Ants"), dependency("c", "Cows")))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := panels(all, "Dependencies"), []string{"Dependency health", "Bees", "Cows", "Ants"}; !slices.Equal(got, want) {
		t.Errorf("dependencies: panels %q, want %q", got, want)
	}
	for _, want := range []string{"Bees slot utilization", "Cows slot utilization", "Ants slot utilization"} {
		if got := panels(all, "Resources"); !slices.Contains(got, want) {
			t.Errorf("resources: panels %q, want also %q", got, want)
		}
	}
}

func TestInvalidDependenciesAreRejected(t *testing.T) {
	t.Parallel()
	valid := dependency("a", "Ants")
	for name, tt := range map[string]struct {
		dependencies []dashboards.Dependency
		want         string
	}{
		"no name":                  {[]dashboards.Dependency{valid, {Rows: valid.Rows}}, `dashboards of "minimal": Dependencies[1] has no name; set Name`},
		"duplicate name":           {[]dashboards.Dependency{valid, valid}, `dashboards of "minimal": two dependencies have the name "a"; remove or rename one`},
		"no rows":                  {[]dashboards.Dependency{{Name: "a"}}, `dashboards of "minimal": dependency "a" has no rows; set Rows`},
		"incomplete utilization":   {[]dashboards.Dependency{{"a", valid.Rows, func(dashboards.Scope) dashboards.Utilization { return dashboards.Utilization{} }}}, `the utilization of dependency "a" is incomplete; set all fields but EmptyUntil`},
		"duplicate title of panel": {[]dashboards.Dependency{valid, dependency("b", "Ants")}, `duplicate panel title "Ants slot utilization"`},
	} {
		in := dashboards.Input{Rules: compiled(t, minimalSpec), Dependencies: tt.dependencies}
		_, err := dashboards.Compile(in)
		_, errShared := dashboards.Shared(in)
		for _, err := range []error{err, errShared} {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
		}
	}
}
