package render

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// scene is a dashboard of commit e1cf93e with recorded results, drawn as wide as in the pictures of the
// Grafana that showed its defects.
type scene struct {
	t        *testing.T
	picture  *Picture
	snapshot Snapshot
}

func draw(t *testing.T, recording, dashboard, environment string) scene {
	t.Helper()
	snapshot, err := ReadSnapshot(recording, unpack(t, recording+".snapshot.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	const width = 1600
	o := Options{From: snapshot.From, To: snapshot.To, Location: time.UTC, Width: width}
	if environment != "" {
		o.Variables = map[string][]string{"environment": {environment}}
	}
	p, err := Dashboard(t.Context(), dashboard, unpack(t, "orders-"+dashboard+".json.gz"), snapshot.Source(), o)
	if err != nil {
		t.Fatal(err)
	}
	return scene{t, p, snapshot}
}

func unpack(t *testing.T, name string) []byte {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join("testdata", "e1cf93e", name))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// panel returns a panel by its title.
func (s scene) panel(title string) *drawing {
	s.t.Helper()
	i := slices.IndexFunc(s.picture.panels, func(d *drawing) bool { return d.panel.Title == title })
	if i < 0 {
		s.t.Fatalf("no panel %q", title)
	}
	return s.picture.panels[i]
}

// texts returns the texts of a class.
func (d *drawing) texts(class string) []string {
	var out []string
	for _, b := range d.canvas.texts {
		if b.class == class {
			out = append(out, b.text)
		}
	}
	return out
}

// colored reports whether a panel has something in a color of Grafana's dark theme.
func (d *drawing) colored(name string) bool {
	return strings.Contains(d.canvas.buf.String(), grafana.Dark().Color(name))
}

// clock is a time of the run.
func clock(hour, minute int) time.Time { return time.Date(2026, 11, 28, hour, minute, 0, 0, time.UTC) }

// Each defect has the number that it has in the report of the run in a Grafana.
func TestDefectsOfTheRunInGrafana(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(*testing.T){
		"01 the alert list is empty while alerts fire": func(t *testing.T) {
			s := draw(t, "overview-incident", "overview", "")
			result, err := s.snapshot.Source()(t.Context(), Query{Store: Prometheus, Kind: Alerts, From: s.snapshot.From, To: s.snapshot.To})
			firing := slices.DeleteFunc(slices.Clone(result.Alerts), func(a Alert) bool { return a.State != "firing" })
			if texts := s.panel("Alerts").texts("message"); err != nil || len(firing) < 3 || !slices.Equal(texts, []string{"No alerts matching filters"}) {
				t.Errorf("%d alerts fire, drawn is %q, %v", len(firing), texts, err)
			}
		},
		"02 the headline depends on the time range": func(t *testing.T) {
			seen := map[string]bool{}
			for _, span := range []string{"1h", "6h", "24h", "7d"} {
				seen[draw(t, "stat-"+span, "overview", "").panel("Is it real?").texts("value")[0]] = true
			}
			if len(seen) < 3 {
				t.Errorf("four ranges show %v", seen)
			}
		},
		"03 an overspent budget is green or yellow, and 96 percent of a promised 99.9 green": func(t *testing.T) {
			d := draw(t, "overview-incident", "overview", "").panel("Error budget left")
			if v := d.texts("value"); len(v) != 2 || !strings.HasPrefix(v[0], "-2") || !strings.HasPrefix(v[1], "-7") || !d.colored("green") || !d.colored("semi-dark-yellow") || d.colored("red") {
				t.Errorf("budgets %q", v)
			}
			kept := draw(t, "slo-prod", "slo", "prod").panel("Kept so far")
			if v := kept.texts("value"); !strings.HasPrefix(v[0], "96.") || !kept.colored("green") || kept.colored("red") {
				t.Errorf("kept %q", v)
			}
		},
		"04 the deployment has no mark, the first scrape has one of minutes": func(t *testing.T) {
			events := draw(t, "overview-incident", "overview", "").picture.renderer.annotations
			if len(events) == 0 {
				t.Error("no marks")
			}
			for _, e := range events {
				if e.to.After(clock(12, 5)) || e.to.Sub(e.from) < 3*time.Minute {
					t.Errorf("%s: %v to %v; the roll-out was at 12:08", e.text, e.from, e.to)
				}
			}
			prod := draw(t, "slo-prod", "slo", "prod").picture.renderer.annotations
			if len(prod) != 2 || prod[1].from.Before(clock(12, 7)) {
				t.Errorf("marks of production alone: %+v", prod)
			}
		},
		"05 all environments are shown, so that names repeat": func(t *testing.T) {
			series := draw(t, "overview-incident", "overview", "").panel("Budget burn now").facts.Series
			if !slices.Equal(series, []string{"availability", "latency", "availability", "latency"}) {
				t.Errorf("legend %q", series)
			}
		},
		"06 log lines say only that a request failed": func(t *testing.T) {
			lines := draw(t, "overview-incident", "overview", "").panel("Warnings and errors").texts("log")
			if len(lines) < 5 {
				t.Errorf("lines %q", lines)
			}
			for _, line := range lines {
				if strings.Contains(line, "/v1/orders") || strings.Contains(line, "500") {
					t.Errorf("line %q", line)
				}
			}
		},
		"07 shares that are all zero have an axis to 10,000 percent": func(t *testing.T) {
			s := draw(t, "overview-staging", "overview", "staging")
			for _, title := range []string{"Since when, and what changed?", "Errors by route", "Slower than 200ms by route"} {
				if a := s.panel(title).facts.Axes[0]; a.High != 100 || !slices.Contains(a.Labels, "10000%") {
					t.Errorf("%s: %+v", title, a)
				}
			}
			if a := draw(t, "saturation-locks", "saturation", "").panel("Refused for" + " want of room").facts.Axes[0]; !slices.Contains(a.Labels, "100 ops/s") {
				t.Errorf("%+v", a)
			}
		},
		"08 promised lines are off the scale, and shares have no maximum": func(t *testing.T) {
			s := draw(t, "saturation-locks", "saturation", "")
			for _, title := range []string{"Processes", "Processors used by one process", "Share of processors", "Share of memory"} {
				if a := s.panel(title).facts.Axes[0]; len(a.Lines) == 0 || a.Lines[0] <= a.High {
					t.Errorf("%s: lines %v, the axis ends at %v", title, a.Lines, a.High)
				}
			}
			if a := s.panel("Share of processors").facts.Axes[0]; a.High > .02 {
				t.Errorf("%+v", a)
			}
		},
		"09 thresholds of the left axis are on the right one, too": func(t *testing.T) {
			axes := draw(t, "overview-incident", "overview", "").panel("Since when, and what changed?").facts.Axes
			if len(axes) != 2 || !axes[1].Right || !slices.Equal(axes[1].Lines, axes[0].Lines) {
				t.Errorf("%+v", axes)
			}
		},
		"10 limits flatten use to zero": func(t *testing.T) {
			s := draw(t, "runtime-locks", "runtime", "")
			for title, least := range map[string]float64{"Processors": 8, "Requests worked" + " on": 256} {
				used := grafana.Reduce(s.panel(title).data.frames[0].Fields[1].Values, grafana.Max)
				if a := s.panel(title).facts.Axes[0]; a.High < least || used > a.High/20 {
					t.Errorf("%s: %v used, the axis ends at %v", title, used, a.High)
				}
			}
		},
		"11 memory against its limit has no limit": func(t *testing.T) {
			d := draw(t, "runtime-locks", "runtime", "").panel("Memory against its limit")
			if !slices.Equal(d.facts.Series, []string{"resident", "held by Go"}) || len(d.facts.Axes[0].Lines) > 0 {
				t.Errorf("%+v", d.facts)
			}
		},
		"12 totals of flame graphs grow with the range": func(t *testing.T) {
			var totals []float64
			for _, span := range []string{"1m", "3m", "6m"} {
				totals = append(totals, draw(t, "goroutines-"+span, "runtime", "").panel("Goroutines by stack").data.profile.Total)
			}
			if totals[1] < 2*totals[0] || totals[2] < 1.3*totals[1] {
				t.Errorf("totals %v", totals)
			}
		},
		"14 the text for no value is printed along a logarithmic axis": func(t *testing.T) {
			d := draw(t, "slo-prod", "slo", "prod").panel("Burn by window")
			count := 0
			for _, text := range d.texts("axis") {
				if text == "none until the rules have run for five minutes with requests" {
					count++
				}
			}
			if count < 10 {
				t.Errorf("%d times: %q", count, d.texts("axis"))
			}
		},
		"15 series of zeros fill legends and lists": func(t *testing.T) {
			s := draw(t, "overview-incident", "overview", "")
			if n := len(s.panel("Telemetry dropped").facts.Series); n < 15 {
				t.Errorf("%d series", n)
			}
			if d := draw(t, "runtime-locks", "runtime", "").panel("Requests refused"); len(d.facts.Series) != 15 {
				t.Errorf("%d series", len(d.facts.Series))
			}
			zeros := slices.DeleteFunc(s.panel("Where?").texts("value"), func(text string) bool { return text != "0 req/s" })
			if len(zeros) != 4 {
				t.Errorf("%d of five rows are zero", len(zeros))
			}
		},
		"16 names of bars are cut, and one bar has none": func(t *testing.T) {
			all := draw(t, "overview-incident", "overview", "").panel("Who else?").texts("name")
			if len(all) < 2 {
				t.Errorf("names %q", all)
			}
			for _, name := range all {
				if !strings.Contains(name, "…") {
					t.Errorf("name %q", name)
				}
			}
			s := draw(t, "overview-staging", "overview", "staging")
			for _, title := range []string{"Who else?", "Am I alone?"} {
				d := s.panel(title)
				if values, names := d.texts("value"), d.texts("name"); len(values) != 1 || len(names) > 0 {
					t.Errorf("%s: values %q, names %q", title, values, names)
				}
			}
		},
		"17 the column with the count has no room": func(t *testing.T) {
			d := draw(t, "overview-incident", "overview", "").panel("Versions")
			i := slices.IndexFunc(d.canvas.texts, func(b textBox) bool { return b.text == "processes" })
			if d.facts.Cut == 0 || i < 0 || d.canvas.texts[i].right() < d.box.right() {
				t.Errorf("%+v, %q", d.facts, d.texts("header"))
			}
		},
		"18 a table has raw headers and no colors, and two are cut": func(t *testing.T) {
			s := draw(t, "slo-prod", "slo", "prod")
			d := s.panel("Windows")
			if !strings.HasPrefix(d.texts("header")[0], "deployment_env") || d.facts.Cut == 0 || d.colored("red") || !slices.ContainsFunc(d.texts("cell"), func(v string) bool { return strings.HasPrefix(v, "3") }) {
				t.Errorf("%q, %+v", d.texts("header"), d.facts)
			}
			if cut := s.panel("What fires when").facts.Cut; cut == 0 {
				t.Errorf("the list of alerts is complete")
			}
		},
		"19 bad requests are green, a constant has a sparkline, one row of the heatmap has all light": func(t *testing.T) {
			s := draw(t, "overview-incident", "overview", "")
			if d := s.panel("Since when, and what changed?"); !strings.Contains(d.canvas.buf.String(), `fill="none" stroke="`+grafana.Dark().Color("green")) {
				t.Errorf("bad requests are not green")
			}
			if d := draw(t, "slo-prod", "slo", "prod").panel("Objective"); !strings.Contains(d.canvas.buf.String(), `fill-opacity="0.2"`) {
				t.Errorf("the objective has no sparkline")
			}
			if share := s.darkCells("Latency distribution"); share < .7 {
				t.Errorf("%.0f %% of the cells are in the darkest third", 100*share)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t)
		})
	}
}

// darkCells returns the share of a heatmap's cells that are in the lowest third of its colors.
func (s scene) darkCells(title string) float64 {
	d := s.panel(title)
	var o heatmapOptions
	d.panel.options(&o)
	low, high := d.data.cells.visible(o)
	dark, all := 0.0, 0.0
	for _, row := range d.data.cells.counts {
		for _, n := range row {
			if o.draws(n) {
				all++
				if share := (n - low) / (high - low); share*share < .5*.5*.5 { // the exponent is 0.5
					dark++
				}
			}
		}
	}
	return dark / all
}

// The recordings have the results of all queries of the pictures.
func TestRecordingsAreComplete(t *testing.T) {
	t.Parallel()
	for recording, environment := range map[string]string{
		"overview-incident": "", "overview-staging": "staging", "slo-prod": "prod", "saturation-locks": "", "runtime-locks": "", "dependencies-locks": "",
	} {
		dashboard, _, _ := strings.Cut(recording, "-")
		if problems := draw(t, recording, dashboard, environment).picture.Problems; len(problems) > 0 {
			t.Errorf("%s: %q", recording, problems)
		}
	}
}
