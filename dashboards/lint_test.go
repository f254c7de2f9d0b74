package dashboards_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/testkit/golden"
)

// document is the part of the JSON that the tests read.
type document struct {
	UID        string   `json:"uid"`
	Title      string   `json:"title"`
	Tags       []string `json:"tags"`
	Editable   *bool    `json:"editable"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Refresh    int    `json:"refresh"`
			Query      any    `json:"query"`
			IncludeAll bool   `json:"includeAll"`
		} `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []struct {
			Name string `json:"name"`
			Expr string `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
	Links []struct {
		Type        string `json:"type"`
		KeepTime    bool   `json:"keepTime"`
		IncludeVars bool   `json:"includeVars"`
	} `json:"links"`
	Panels []panel `json:"panels"`
}

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	} `json:"gridPos"`
	Targets []struct {
		RefID      string `json:"refId"`
		Expr       string `json:"expr"`
		Datasource struct {
			Type string `json:"type"`
			UID  string `json:"uid"`
		} `json:"datasource"`
		Exemplar bool `json:"exemplar"`
		Instant  bool `json:"instant"`
	} `json:"targets"`
	FieldConfig *struct {
		Defaults struct {
			Unit string `json:"unit"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	Links []struct {
		Title string `json:"title"`
		URL   string `json:"url"`
	} `json:"links"`
	Collapsed bool    `json:"collapsed"`
	Panels    []panel `json:"panels"` // of a collapsed row
}

// all returns the panels, those of collapsed rows too.
func (d document) all() []panel {
	var out []panel
	for _, p := range d.Panels {
		out = append(append(out, p), p.Panels...)
	}
	return out
}

// withoutNumbers reports whether panels of a kind need no unit.
func withoutNumbers(kind string) bool {
	return slices.Contains([]string{"row", "text", "logs", "traces", "alertlist", "state-timeline", "table"}, kind)
}

// each runs a test on every dashboard of every input.
func each(t *testing.T, check func(t *testing.T, in dashboards.Input, b dashboards.Dashboard, d document)) {
	t.Helper()
	for name, in := range inputs(t) {
		for _, b := range dashboardsOf(t, in) {
			t.Run(name+"/"+b.Name(), func(t *testing.T) {
				t.Parallel()
				src, err := b.JSON()
				if err != nil {
					t.Fatal(err)
				}
				var d document
				if err := json.Unmarshal(src, &d); err != nil {
					t.Fatal(err)
				}
				check(t, in, b, d)
			})
		}
	}
}

func TestDashboardVariables(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, in dashboards.Input, _ dashboards.Dashboard, d document) {
		types := map[string]string{}
		for _, v := range d.Templating.List {
			types[v.Name] = v.Type
			if v.Type == "query" && v.Refresh != 2 {
				t.Errorf("%s: values are not refreshed when the time range changes", v.Name)
			}
		}
		for name, want := range map[string]string{
			"datasource": "datasource", "environment": "query", "instance": "query",
		} {
			if types[name] != want {
				t.Errorf("variable %s has the type %q, want %q", name, types[name], want)
			}
		}
		src := fmt.Sprint(d.Templating.List)
		for label, value := range in.Rules.Spec.Selector {
			if !strings.Contains(src, label+`="`+value+`"`) {
				t.Errorf("no variable is bound to %s=%q", label, value)
			}
		}
	})
}

func TestDashboardsAreReadOnlyWithStableUIDs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, in dashboards.Input, b dashboards.Dashboard, d document) {
		if d.Editable == nil || *d.Editable {
			t.Error("the dashboard can be edited in Grafana; changes would be overwritten")
		}
		if d.UID != b.UID() || len(d.UID) > 40 {
			t.Errorf("uid %q", d.UID)
		}
		if !slices.Contains(d.Tags, "service:"+in.Rules.Spec.Service) || !strings.HasPrefix(d.Title, in.Rules.Spec.Service+" / ") {
			t.Errorf("title %q and tags %q do not name the service", d.Title, d.Tags)
		}
		for _, l := range d.Links {
			if l.Type == "dashboards" && (!l.KeepTime || !l.IncludeVars) {
				t.Error("a link between dashboards drops time range or variables")
			}
		}
	})
}

func TestPanelDescriptions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ dashboards.Input, _ dashboards.Dashboard, d document) {
		ids, titles := map[int]bool{}, map[string]bool{}
		for _, p := range d.all() {
			if ids[p.ID] {
				t.Errorf("duplicate id %d", p.ID)
			}
			ids[p.ID] = true
			if p.Type == "row" {
				continue
			}
			if p.Title == "" || titles[p.Title] {
				t.Errorf("empty or duplicate title %q", p.Title)
			}
			titles[p.Title] = true
			if strings.Count(p.Description, "\n\n") != 1 {
				t.Errorf("%s: the description is not what the panel shows and what to do: %q", p.Title, p.Description)
			}
			if !withoutNumbers(p.Type) && (p.FieldConfig == nil || p.FieldConfig.Defaults.Unit == "") {
				t.Errorf("%s: no unit", p.Title)
			}
			for _, l := range p.Links {
				if !strings.Contains(l.URL, "${__url_time_range}") || !strings.Contains(l.URL, "${__all_variables}") {
					t.Errorf("%s: link %q drops time range or variables", p.Title, l.Title)
				}
			}
		}
	})
}

func TestQueriesUseVariables(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, in dashboards.Input, _ dashboards.Dashboard, d document) {
		for _, p := range d.all() {
			for _, q := range p.Targets {
				if !strings.HasPrefix(q.Datasource.UID, "${") {
					t.Errorf("%s %s: the data source is fixed", p.Title, q.RefID)
				}
				if q.Datasource.Type != "prometheus" {
					continue
				}
				if strings.Contains(q.Expr, "rate(") && !strings.Contains(q.Expr, "[$__rate_interval]") && !fixedWindow(p.Title, q.Instant) {
					t.Errorf("%s %s: rate over a fixed interval: %s", p.Title, q.RefID, q.Expr)
				}
				if scoped := excused(q.Expr) || strings.Contains(q.Expr, in.Rules.Spec.EnvironmentLabel+`="$environment"`); !scoped {
					t.Errorf("%s %s: not restricted to the environment: %s", p.Title, q.RefID, q.Expr)
				}
				if raw := !recorded(q.Expr); raw && (!strings.Contains(q.Expr, `instance=~"$instance"`) || !strings.Contains(q.Expr, `job="`)) {
					t.Errorf("%s %s: not restricted to job and instance: %s", p.Title, q.RefID, q.Expr)
				}
			}
		}
	})
}

// The files declare the same empty panels as [dashboards.Dashboard.Queries].
func TestFilesDeclareEmptyPanels(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ dashboards.Input, b dashboards.Dashboard, _ document) {
		src, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		file, err := dashboardfile.Parse(b.Name(), src)
		if err != nil {
			t.Fatal(err)
		}
		declared := map[string]string{}
		for _, q := range b.Queries() {
			declared[q.Panel] = q.EmptyUntil
		}
		for _, p := range file.Panels {
			if got, _ := p.EmptyUntil(); len(p.Targets) > 0 && got != declared[p.Title] {
				t.Errorf("%s: empty until %q in the file, until %q in the dashboard", p.Title, got, declared[p.Title])
			}
		}
	})
}

// fixedWindow reports whether a panel may have a rate over a window of its own: numbers that name it, and those over
// the time range.
func fixedWindow(title string, instant bool) bool {
	return strings.Contains(title, "(5m") || instant && strings.HasPrefix(title, "Budget spent")
}

// recorded reports whether a query reads recorded series or alerts, which have neither
// job nor instance. The rules target-job and target-instance of dashboard-linter do not
// apply to them.
func recorded(expr string) bool {
	return strings.Contains(expr, "slo:") || strings.Contains(expr, "ALERTS{")
}

// excused reports whether a query reads series without the environment label: those that
// rules record once for all environments, and alerts, whose label has another name.
func excused(expr string) bool {
	names := regexp.MustCompile(`[a-z_]+[a-z_:0-9]*\{|ALERTS\{`).FindAllString(expr, -1)
	constants := []string{"slo:objective:ratio{", "slo:error_budget:ratio{"}
	return strings.Contains(expr, "ALERTS{") || !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(constants, name) })
}

func TestPanelsFillTheGrid(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ dashboards.Input, _ dashboards.Dashboard, d document) {
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other, ok := taken[[2]int{x, y}]; ok {
						t.Fatalf("panel %q overlaps %q", p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W < 3 {
				t.Errorf("%q is %d wide at %d", p.Title, p.GridPos.W, p.GridPos.X)
			}
		}
	})
}

func TestAtMostOneTargetQueriesExemplars(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ dashboards.Input, _ dashboards.Dashboard, d document) {
		for _, p := range d.all() {
			exemplars := 0
			for _, q := range p.Targets {
				if q.Exemplar {
					exemplars++
				}
			}
			if exemplars > 1 || p.Title == "Latency percentiles" && exemplars != 1 {
				t.Errorf("%s: %d targets query exemplars", p.Title, exemplars)
			}
		}
	})
}

// Queries of collapsed rows run only if somebody opens the row.
func TestOverviewQueries(t *testing.T) {
	t.Parallel()
	const most = 25
	for name, in := range inputs(t) {
		n := 0
		for _, q := range dashboardsOf(t, in)[0].Queries() {
			if !q.Collapsed {
				n++
			}
		}
		if n > most {
			t.Errorf("%s: the overview has %d queries, want at most %d", name, n, most)
		} else {
			t.Logf("%s: %d queries", name, n)
		}
		if name == "orders" {
			golden.Figure(t, "../docs/benchmarks.md", `queries of the overview \|[^|]*\| (\d+);`, float64(n), 0)
		}
	}
}

func TestUIDsAndFilesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{"orders", "minimal", "checkout"} {
		for _, b := range dashboardsOf(t, inputs(t)[name]) {
			for _, key := range []string{"uid " + b.UID(), "name " + b.Name()} {
				if other, ok := seen[key]; ok {
					t.Errorf("%s: %s and %s", key, other, b.Name())
				}
				seen[key] = b.Name()
			}
		}
	}
}
