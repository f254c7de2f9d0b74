package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/slo"
)

// checksOf returns the checks of a session in order, one per line.
func checksOf(s *session) []string {
	var out []string
	for _, p := range s.checks.Report("shop", 0).Checks {
		place := p.File
		if p.Line > 0 {
			place += fmt.Sprintf(":%d", p.Line)
		}
		out = append(out, strings.TrimPrefix(place+": ", ": ")+p.Name+": "+string(p.Status)+": "+p.Detail)
	}
	return out
}

// wantChecks compares the checks of a session, one per line.
func wantChecks(t *testing.T, s *session, want ...string) {
	t.Helper()
	if got := checksOf(s); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func parseDashboard(t *testing.T, name, text string) dashboardfile.Dashboard {
	t.Helper()
	b, err := dashboardfile.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func linkedDashboards(t *testing.T) []dashboardfile.Dashboard {
	t.Helper()
	return []dashboardfile.Dashboard{
		parseDashboard(t, "overview.json", `{"uid":"overview","title":"Overview","schemaVersion":39,"panels":[],
			"templating":{"list":[{"name":"job","type":"constant","query":"shop"},{"name":"route","type":"constant","query":"/"}]}}`),
		parseDashboard(t, "runtime.json", `{"uid":"runtime","title":"Runtime","schemaVersion":39,"panels":[],
			"templating":{"list":[{"name":"instance","type":"constant","query":"a"}]}}`),
	}
}

func TestLinksOfDashboardsAreResolved(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"/d/runtime":                                        "passed: links to the dashboard runtime",
		"/d/runtime/any-slug?var-instance=a":                "passed: links to the dashboard runtime",
		"/d/runtime?${__url_time_range}&${__all_variables}": "passed: links to the dashboard runtime", // job is not a separate variable
		"/d/runtime?var-job=${job}":                         "passed: links to the dashboard runtime",
		"/d/runtime?var-instance=${__data.fields.instance}": "passed: links to the dashboard runtime",
		"/d/runtime?var-instance=${__field.labels.instance}&var-job=${__series.name}${__value.raw}": "passed: links to the dashboard runtime",
		"/explore?from=${__from}&to=${__to}":            "passed: links to /explore?from=0&to=1",
		"https://example.com/d/":                        "passed: links to https://example.com/d/",
		"/d/gone":                                       "failed: /d/gone links to the dashboard gone, which does not exist",
		"/d/runtime?var-color=red":                      "failed: /d/runtime?var-color=red sets color, which is not a variable of the dashboard runtime",
		"/d/runtime?var-job=${color}&var-route=${size}": "failed: /d/runtime?var-job=${color}&var-route=${size}: ${color}, ${size} has no value",
		"http://[::1/d/runtime":                         "failed: http://[::1/d/runtime is not an address",
	} {
		dashboards := linkedDashboards(t)
		dashboards[0].Links = []dashboardfile.Link{{Title: "there", URL: address}, {Title: "a list by tags"}}
		dashboards[0].Panels = []dashboardfile.Panel{{Title: "Error ratio", Line: 7, Links: []dashboardfile.Link{{Title: "here", URL: address}}}}
		s := &session{subject: Subject{Dashboards: dashboards}}
		if err := s.links(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantChecks(t, s, "overview.json: link there: "+want, "overview.json:7: link here of panel Error ratio: "+want)
	}
}

// compiledAlert returns a simulation whose specification has the alert.
func compiledAlert(name string) *alertsim.Simulation {
	return &alertsim.Simulation{Rules: slo.Rules{Alerts: []slo.Alert{{Name: name}}}}
}

func TestLinksOfAlertsAreResolved(t *testing.T) {
	t.Parallel()
	books := []Runbook{
		{File: "observability/runbooks/burns.md", Data: []byte("# shop: burns\n\n## ShopBurns\n\n```sh\n# ShopIsDown\n```\n")},
		{File: "observability/runbooks/own/mine.md", Data: []byte("# Mine\n")},
	}
	for name, tc := range map[string]struct {
		annotations []string
		runbooks    []Runbook
		alert       string
		want        []string
	}{
		"no annotation": {nil, books, "ShopBurns", nil},
		"a dashboard and a section that exist": {
			[]string{"dashboard_url", "https://grafana/d/runtime?var-instance={{ $labels.instance }}", "runbook_url", "https://example.com/{{ $labels.x }}/burns.md#shopburns"}, books, "ShopBurns",
			[]string{"dashboard of the alert ShopBurns: passed: the dashboard runtime", "runbook of the alert ShopBurns: passed: burns.md#shopburns"},
		},
		"a runbook without an anchor": {
			[]string{"runbook_url", "https://example.com/mine.md?plain=1"}, books, "MineAlone",
			[]string{"runbook of the alert MineAlone: passed: mine.md"},
		},
		"an anchor that does not exist": {
			[]string{"runbook_url", "https://example.com/burns.md#ShopBurns"}, books, "ShopBurns",
			[]string{"runbook of the alert ShopBurns: failed: https://example.com/burns.md#ShopBurns: the runbook burns.md has no heading with the anchor ShopBurns"},
		},
		"an anchor of another runbook": {
			[]string{"runbook_url", "https://example.com/mine.md#shopburns"}, books, "ShopBurns",
			[]string{"runbook of the alert ShopBurns: failed: https://example.com/mine.md#shopburns: the runbook mine.md has no heading with the anchor shopburns"},
		},
		"a URL that is none": {
			[]string{"runbook_url", "http://[::1/burns.md"}, books, "ShopBurns",
			[]string{"runbook of the alert ShopBurns: failed: http://[::1/burns.md is not an address"},
		},
		"a dashboard that does not exist": {
			[]string{"dashboard_url", "/d/gone"}, books, "ShopBurns",
			[]string{"dashboard of the alert ShopBurns: failed: /d/gone links to the dashboard gone, which does not exist"},
		},
		"a runbook that does not exist": {
			[]string{"runbook_url", "https://example.com/Other.md"}, books, "ShopBurns",
			[]string{"runbook of the alert ShopBurns: failed: https://example.com/Other.md: the runbook Other.md does not exist"},
		},
		"a generated alert without a section": {
			nil, books, "ShopIsDown", []string{"runbook of the alert ShopIsDown: failed: no runbook has a section with the heading ShopIsDown"},
		},
		"a service without runbooks":    {nil, nil, "ShopIsDown", nil},
		"a user-defined alert":          {nil, books, "MineAlone", nil},
		"only runbooks of other alerts": {nil, []Runbook{{File: "mine.md", Data: []byte("# MineAlone\n")}}, "ShopIsDown", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulation := compiledAlert("ShopBurns")
			simulation.Rules.Alerts = append(simulation.Rules.Alerts, slo.Alert{Name: "ShopIsDown"})
			s := &session{subject: Subject{Dashboards: linkedDashboards(t), Runbooks: tc.runbooks, Simulation: simulation, Rules: []rulesim.Group{{File: "shop.yaml", Rules: []rulesim.Rule{
				{Name: "shop:rate5m", Annotations: labels.FromStrings("dashboard_url", "/d/gone")},
				{Name: tc.alert, IsAlert: true, Annotations: labels.FromStrings(tc.annotations...)},
			}}}}}
			if err := s.links(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i := range tc.want {
				tc.want[i] = "shop.yaml: " + tc.want[i]
			}
			wantChecks(t, s, tc.want...)
		})
	}
}

func TestAlertsOutsideTheSpecificationNeedNoRunbook(t *testing.T) {
	t.Parallel()
	s := &session{subject: Subject{
		Runbooks: []Runbook{{File: "other.md", Data: []byte("# Other\n")}},
		Rules:    []rulesim.Group{{File: "shop.yaml", Rules: []rulesim.Rule{{Name: "ShopBurns", IsAlert: true}}}},
	}}
	if err := s.links(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantChecks(t, s)
}

func TestLinksOfRunbooksAreResolved(t *testing.T) {
	t.Parallel()
	const text = "# Burns\n\nSee [the dashboard](https://grafana/d/runtime) and [another](/d/gone).\n" +
		"[next](../Other.md) [far](https://example.com/Elsewhere.md#x)\n[missing](Missing.md)\n" +
		"[title](#burns) [section](../Other.md#the-cause) [gone](#silence) [there](../Other.md#silence)\n"
	s := &session{subject: Subject{Dashboards: linkedDashboards(t), Runbooks: []Runbook{{File: "Burns.md", Data: []byte(text)}, {File: `runbooks\Other.md`, Data: []byte("## The cause\n")}}}}
	if err := s.links(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantChecks(t, s,
		"Burns.md:3: link the dashboard of the runbook: passed: links to the dashboard runtime",
		"Burns.md:3: link another of the runbook: failed: /d/gone links to the dashboard gone, which does not exist",
		"Burns.md:4: link next of the runbook: passed: links to ../Other.md",
		"Burns.md:4: link far of the runbook: passed: links to https://example.com/Elsewhere.md#x",
		"Burns.md:5: link missing of the runbook: failed: the runbook Missing.md does not exist",
		"Burns.md:6: link title of the runbook: passed: links to #burns",
		"Burns.md:6: link section of the runbook: passed: links to ../Other.md#the-cause",
		"Burns.md:6: link gone of the runbook: failed: no heading has the anchor silence",
		"Burns.md:6: link there of the runbook: failed: the runbook Other.md has no heading with the anchor silence",
	)
	for _, p := range s.checks.Report("shop", 0).Checks {
		if p.Section != sectionLinks || p.Status == report.Skipped {
			t.Errorf("got %+v", p)
		}
	}
}
