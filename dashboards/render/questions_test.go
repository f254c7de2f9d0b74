package render_test

import (
	"bytes"
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
		{"saturation", "saturation", "prod", incident, half, false},
		{"headline-1h", "overview", "prod", incident, time.Hour, false},
		{"headline-7d", "overview", "prod", incident, 7 * 24 * time.Hour, false},
		{"dependencies-locks", "dependencies", "prod", "12:23:00", half, false},
		{"runtime-locks", "runtime", "prod", "12:23:00", half, false},
		{"overview-after", "overview", "prod", locks, half, false},
	}
}

// runs draws all situations.
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
		file := filepath.Join(generated, "dashboards", "orders-"+s.dashboard+".json")
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, src := range map[string][]byte{s.name: src, ofSet + s.name: set[s.dashboard]} {
			out[name], err = render.Dashboard(t.Context(), file, src, source, render.Options{
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

// answer is a text that a reader finds in a panel. A text of a table is the cells of a row.
type answer struct{ question, panel, class, text, color string }

// The questions of an engineer who was called, in their order.
const (
	isItReal   = "Is it real?"
	sinceWhen  = "Since when?"
	whatChange = "What changed?"
	where      = "Where?"
	whoElse    = "Who is affected?"
	whatIsLeft = "What is left?"
	whatToDo   = "What to do?"
)

// answers are those that each situation has to show.
func answers() map[string][]answer {
	incident := []answer{
		{isItReal, "Error ratio (5m)", "value", "11.12%", "red"},
		{isItReal, "Firing alerts", "value", "5", "red"},
		{sinceWhen, "Error ratio by outcome", "legend", "server_error", ""},
		{sinceWhen, "Alerts", "alert", "Firing for 4m30s  2 instances", ""},
		{whatChange, "", "annotation", "12:08:00 Version 1.5.0", ""},
		{whatChange, "Instances by version", "legend", "1.5.0", ""},
		{where, "Routes (5m, top 10)", "row", "POST /v1/orders 16.0 req/s 41.26% 721 ms 100%", "red"},
		{where, "Dependency health", "axis", "postgres", ""},
		{whoElse, "Routes (5m, top 10)", "row", "DELETE /v1/orders/{id} 1.85 req/s 0.00% 25.8 ms 0%", "green"},
		{whoElse, "Ready instances", "value", "3 of 3", "green"},
		{whatIsLeft, "Error budget remaining (30d)", "value", "-3134.5%", "red"},
		{whatIsLeft, "Error budget remaining (30d)", "value", "-83.0%", "red"},
		{whatToDo, "Alerts", "alert", "OrdersAvailabilityErrorBudgetBurn", ""},
	}
	// The headline is the same over any time range.
	headline := []answer{incident[0], incident[1], incident[6], incident[10]}
	return map[string][]answer{
		"overview-incident": incident,
		"overview-light":    incident,
		"headline-1h":       headline,
		"headline-7d":       headline,
		"overview-healthy-staging": {
			{isItReal, "Error ratio (5m)", "value", "0.00%", "green"},
			{isItReal, "p99 latency (5m)", "value", "17.0 ms", "green"},
			{where, "Routes (5m, top 10)", "row", "POST /v1/orders 1.21 req/s 0.00% 22.5 ms", "green"},
			{whoElse, "Ready instances", "value", "1 of 1", "green"},
			{whatIsLeft, "Error budget remaining (30d)", "value", "100.0%", "green"},
			{whatToDo, "Alerts", "alert", "OrdersTelemetryDropped", ""},
		},
		"overview-after": {
			{isItReal, "Error ratio (5m)", "value", "0.45%", "orange"},
			{isItReal, "p99 latency (5m)", "value", "60.5 ms", "green"},
			{whatIsLeft, "Error budget remaining (30d)", "value", "-3084.7%", "red"},
		},
		"slo-prod": {
			{isItReal, "Burn rate (1h)", "value", "37.13", "red"},
			{isItReal, "All SLOs", "row", "availability 99.900% 96.766% -3134.5% 95.60", "red"},
			{sinceWhen, "Alert windows", "row", "critical 1h 5m 14.4 37.13 95.60 firing", "red"},
			{sinceWhen, "Alert history", "axis", "critical 1h", ""},
			{whatChange, "Budget spent by version", "row", "1.5.0 2745.4%", ""},
			{where, "Budget spent by route", "row", "/v1/orders 4474.6%", ""},
			{whoElse, "Budget spent by route", "row", "/v1/orders/{id} 0.0%", ""},
			{whatIsLeft, "Error budget remaining", "value", "-3134.5%", "red"},
			{whatIsLeft, "Time to exhaustion", "value", "0 s", "red"},
			{whatToDo, "Alert windows", "row", "warning 3d 6h 1 32.35 37.13 ok", "green"},
		},
		"saturation": {
			{isItReal, "Highest utilization (5m)", "row", "memory 127.0.0.1:39462 10.1%", "green"},
			{where, "Highest utilization (5m)", "row", "CPU 127.0.0.1:39461 0.6%", "green"},
			{whatChange, "", "annotation", "12:08:00 Version 1.5.0", ""},
		},
		"dependencies-locks": {
			{isItReal, "Waits for a connection", "row", "waits 14.7 ops/s 7.51 ops/s", ""},
			{isItReal, "Waits for a connection", "row", "timeouts 10.4 ops/s 5.31 ops/s", ""},
			{where, "Query errors by type", "row", "timeout 0.951 ops/s 0.484 ops/s", ""},
			{whoElse, "Query error ratio (top 10)", "legend", "INSERT", ""},
		},
		"runtime-locks": {
			{isItReal, "Goroutines by state", "legend", "waiting", ""},
			{whatIsLeft, "CPU cores", "legend", "GOMAXPROCS", ""},
		},
	}
}

// TestDashboardsAnswerQuestions draws today's dashboards with the data of the run in which a Grafana showed the
// defects of those of commit e1cf93e.
func TestDashboardsAnswerQuestions(t *testing.T) {
	t.Parallel()
	pictures := runs(t)
	for name, list := range answers() {
		for _, a := range list {
			if !a.shownIn(pictures[name]) {
				t.Errorf("%s: %s %s does not show %s %q in %q\n%v", name, a.question, a.panel, a.class, a.text, a.color, pictures[name].Shown(a.panel))
			}
		}
	}
	for _, s := range situations() {
		compareShared(t, s, pictures[s.name], pictures[ofSet+s.name])
	}
	if len(pictures) != 2*len(answers()) {
		t.Errorf("%d situations, %d with answers", len(pictures), len(answers()))
	}
	publish(t, pictures)
	for _, s := range situations() {
		if marks := pictures[s.name].Annotations(); s.environment == "staging" && len(marks) > 0 {
			t.Errorf("%s: staging has no deployment, but the marks %v", s.name, marks)
		}
	}
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
		"locked four times from 12:20:51. Staging is healthy. `make pictures` draws it from simulated series, and a test asserts each answer.\n")
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
		for _, a := range answers()[s.name] {
			shown := a.text
			if a.color != "" {
				shown += " (" + a.color + ")"
			}
			panel := a.panel
			if a.class == "annotation" {
				panel = "mark in all graphs"
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
