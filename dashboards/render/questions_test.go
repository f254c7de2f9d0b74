package render_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/queryapi"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/testkit/golden"
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

// situation is a dashboard at a time of the run.
type situation struct {
	name, dashboard, environment string
	until                        string
	span                         time.Duration
	light                        bool
}

// situations are ordered by their ends.
func situations() []situation {
	const half = 33 * time.Minute
	incident, locks := "12:13:30", "12:35:30"
	return []situation{
		{"overview-incident", "overview", "prod", incident, half, false},
		{"overview-light", "overview", "prod", incident, half, true},
		{"overview-healthy-staging", "overview", "staging", incident, half, false},
		{"slo-prod", "slo", "prod", incident, half, false},
		{"resources", "resources", "prod", incident, half, false},
		{"headline-1h", "overview", "prod", incident, time.Hour, false},
		{"headline-7d", "overview", "prod", incident, 7 * 24 * time.Hour, false},
		{"dependencies-locks", "dependencies", "prod", "12:23:00", half, false},
		{"runtime-locks", "runtime", "prod", "12:23:00", half, false},
		{"overview-after", "overview", "prod", locks, half, false},
	}
}

// linked is the name of the picture of another dashboard, at the time and in the environment of a situation.
func (s situation) linked(dashboard string) string { return s.name + " > " + dashboard }

// runs draws all situations, and the dashboards that answer what they do not.
func runs(t *testing.T) map[string]*render.Picture {
	t.Helper()
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
	set := sharedSet(t)
	out, evaluated := map[string]*render.Picture{}, clock(runStart)
	for _, s := range situations() {
		until := clock(s.until)
		if err := rules.Run(t.Context(), evaluated, until); err != nil {
			t.Fatal(err)
		}
		evaluated = until
		w.expose(until)
		files := map[string][]byte{s.name: dashboardOf(t, s.dashboard), ofSet + s.name: set[s.dashboard]}
		for _, a := range answers()[s.name] {
			if a.on != "" {
				files[s.linked(a.on)] = dashboardOf(t, a.on)
			}
		}
		for name, src := range files {
			out[name], err = render.Dashboard(t.Context(), name, src, source, render.Options{
				Location: time.UTC, Width: 1600, From: until.Add(-s.span), To: until, Now: until, Light: s.light,
				Variables: map[string][]string{"environment": {s.environment}},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range out[name].Problems {
				t.Errorf("%s: %s", name, p)
			}
		}
	}
	return out
}

// dashboardOf reads a generated dashboard.
func dashboardOf(t *testing.T, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(generated, "dashboards", "orders-"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// linksTo reports whether a dashboard has a link to all with a tag of another one, which keeps the time range and the variables.
func linksTo(t *testing.T, from, to string) bool {
	t.Helper()
	type link struct {
		Type        string   `json:"type"`
		Tags        []string `json:"tags"`
		KeepTime    bool     `json:"keepTime"`
		IncludeVars bool     `json:"includeVars"`
	}
	var a, b struct {
		Tags  []string `json:"tags"`
		Links []link   `json:"links"`
	}
	if err := errors.Join(json.Unmarshal(dashboardOf(t, from), &a), json.Unmarshal(dashboardOf(t, to), &b)); err != nil {
		t.Fatal(err)
	}
	for _, l := range a.Links {
		listed := !slices.ContainsFunc(l.Tags, func(tag string) bool { return !slices.Contains(b.Tags, tag) })
		if l.Type == "dashboards" && len(l.Tags) > 0 && listed && l.KeepTime && l.IncludeVars {
			return true
		}
	}
	return false
}

// TestDashboardsAnswerQuestions draws today's dashboards with the data of the run in which a Grafana showed the
// defects of those of commit e1cf93e.
func TestDashboardsAnswerQuestions(t *testing.T) {
	t.Parallel()
	pictures := runs(t)
	for _, s := range situations() {
		list := answers()[s.name]
		for _, q := range questions() {
			if !slices.ContainsFunc(list, func(a answer) bool { return a.question == q }) {
				t.Errorf("%s does not answer %q", s.name, q)
			}
		}
		for _, a := range list {
			name := s.name
			if a.on != "" {
				name = s.linked(a.on)
				if !linksTo(t, s.dashboard, a.on) {
					t.Errorf("%s: %s has no link to %s", s.name, s.dashboard, a.on)
				}
			}
			if !a.shownIn(pictures[name]) {
				t.Errorf("%s: %s %s does not show %s %q in %q\n%v", name, a.question, a.panel, a.class, a.text, a.color, pictures[name].Shown(a.panel))
			}
		}
		compareShared(t, s, pictures[s.name], pictures[ofSet+s.name])
	}
	if len(situations()) != len(answers()) {
		t.Errorf("%d situations, %d with answers", len(situations()), len(answers()))
	}
	publish(t, pictures)
	for _, s := range situations() {
		if marks := pictures[s.name].Annotations(); s.environment == "staging" && len(marks) > 0 {
			t.Errorf("%s: staging has no deployment, but the marks %v", s.name, marks)
		}
	}
}

// titles are those of linked dashboards.
func titles() map[string]string {
	return map[string]string{"overview": "Overview", "dependencies": "Dependencies"}
}

// picturesDir has what `make pictures` writes, for docs/dashboards.md and the README.
const picturesDir = "../../docs/pictures"

// publish compares the pictures in the documentation with those that are drawn.
func publish(t *testing.T, pictures map[string]*render.Picture) {
	t.Helper()
	const most = 100_000 // bytes, for a page that loads quickly
	var text strings.Builder
	text.WriteString("# What an engineer on call sees\n\n" +
		"The run: three instances of `orders` in production, a deployment of 1.5.0 at 12:07, errors of one route from 12:08:15 to 12:13:45, and a table that is\n" +
		"locked four times from 12:20:51. Staging is healthy. No collector ran, so that `OrdersTelemetryDropped` fires: a ticket, in both. `make pictures` draws it from simulated series, and a test asserts each answer.\n")
	for _, s := range situations() {
		var svg bytes.Buffer
		if err := pictures[s.name].SVG(&svg); err != nil {
			t.Fatal(err)
		}
		if svg.Len() > most {
			t.Errorf("%s has %d bytes, more than %d", s.name, svg.Len(), most)
		}
		golden.Compare(t, filepath.Join(picturesDir, s.name+".svg"), svg.Bytes())
		fmt.Fprintf(&text, "\n## %s\n\n![%s](%s.svg)\n\n| question | panel | what it shows |\n|---|---|---|\n", s.name, s.name, s.name)
		list := slices.Clone(answers()[s.name])
		slices.SortStableFunc(list, func(a, b answer) int {
			return slices.Index(questions(), a.question) - slices.Index(questions(), b.question)
		})
		for _, a := range list {
			shown := a.text
			if a.color != "" {
				shown += " (" + a.color + ")"
			}
			panel := a.panel
			if a.class == "annotation" {
				panel = "mark in all graphs"
			}
			if a.on != "" {
				panel += ", on the linked dashboard " + titles()[a.on]
			}
			fmt.Fprintf(&text, "| %s | %s | %s |\n", a.question, panel, shown)
		}
	}
	golden.Compare(t, filepath.Join(picturesDir, "README.md"), []byte(text.String()))
}

func (a answer) shownIn(p *render.Picture) bool {
	if a.class == "annotation" {
		return slices.ContainsFunc(p.Annotations(), func(m render.Annotation) bool {
			return m.From.Equal(m.To) && m.From.Format(time.TimeOnly)+" "+m.Text == a.text
		})
	}
	return slices.ContainsFunc(p.Shown(a.panel), func(s render.Shown) bool {
		if a.class == "row" {
			return hasRow(s, a.text, a.color)
		}
		return slices.ContainsFunc(s.Of(a.class), func(x render.Text) bool { return x.Text == a.text && (a.color == "" || x.Color == a.color) })
	})
}

// hasRow reports whether cells, or texts of a legend, follow each other as in the text, one of them in the color.
func hasRow(s render.Shown, text, color string) bool {
	cells := append(s.Of("cell"), s.Of("legend")...)
	for i := range cells {
		joined, colored := "", color == ""
		for _, c := range cells[i:] {
			joined = strings.TrimPrefix(joined+" "+c.Text, " ")
			colored = colored || c.Color == color
			if joined == text && colored {
				return true
			}
			if !strings.HasPrefix(text, joined) {
				break
			}
		}
	}
	return false
}
