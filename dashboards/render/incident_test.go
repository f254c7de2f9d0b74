package render_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/queryapi"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/testkit/golden"
)

// fixtures has the dashboards and the rules of commit e1cf93e, and what their queries return in a run with a
// roll-out, an error incident and table locks. A Grafana showed that run with defects.
const fixtures = "testdata/e1cf93e"

// recording is a dashboard over a part of the run.
type recording struct {
	name, dashboard, environment string
	from, to                     string // times of the day, or a duration before to
	panels                       []int  // all if empty
}

// recordings are ordered by their ends: alerts are those of the end.
func recordings() []recording {
	const incidentFrom, incidentTo = "11:40:00", "12:13:30"
	const statTo, profileTo = "12:26:35", "12:33:21"
	const stagingFrom, stagingTo = "12:03:00", "12:33:00"
	isItReal, goroutines := []int{101}, []int{705}
	return []recording{
		{"dependencies-incident", "dependencies", "", incidentFrom, incidentTo, nil},
		{"overview-incident", "overview", "", incidentFrom, incidentTo, nil},
		{"runtime-incident", "runtime", "", incidentFrom, incidentTo, nil},
		{"saturation-incident", "saturation", "", incidentFrom, incidentTo, nil},
		{"slo-incident", "slo", "", incidentFrom, incidentTo, nil},
		{"stat-1h", "overview", "", "1h", statTo, isItReal},
		{"stat-6h", "overview", "", "6h", statTo, isItReal},
		{"stat-24h", "overview", "", "24h", statTo, isItReal},
		{"stat-7d", "overview", "", "168h", statTo, isItReal},
		{"slo-prod", "slo", "prod", "11:46:00", "12:31:00", nil},
		{"dependencies-staging", "dependencies", "staging", stagingFrom, stagingTo, nil},
		{"overview-staging", "overview", "staging", stagingFrom, stagingTo, nil},
		{"runtime-staging", "runtime", "staging", stagingFrom, stagingTo, nil},
		{"saturation-staging", "saturation", "staging", stagingFrom, stagingTo, nil},
		{"slo-staging", "slo", "staging", stagingFrom, stagingTo, nil},
		{"goroutines-1m", "runtime", "", "1m", profileTo, goroutines},
		{"goroutines-3m", "runtime", "", "3m", profileTo, goroutines},
		{"goroutines-6m", "runtime", "", "6m", profileTo, goroutines},
		{"dependencies-locks", "dependencies", "", "11:55:00", "12:35:30", nil},
		{"runtime-locks", "runtime", "", "11:55:00", "12:35:30", nil},
		{"saturation-locks", "saturation", "", "11:55:00", "12:35:30", nil},
	}
}

func (r recording) span() (from, to time.Time) {
	to = clock(r.to)
	if d, err := time.ParseDuration(r.from); err == nil {
		return to.Add(-d), to
	}
	return clock(r.from), to
}

// TestIncidentFixture compares the snapshots with what the queries return. With -update it writes them.
func TestIncidentFixture(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rules, err := rulesim.New(w.store, rulesOf(t), rulesim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	source := sourceOf(&queryapi.Prometheus{Store: w.store, Rules: rules})
	evaluated := clock(runStart)
	compared := recordings()
	if raceDetector { // `make simulations` compares all
		const ofTheIncident = 5
		compared = compared[:ofTheIncident]
	}
	for _, r := range compared {
		_, to := r.span()
		if err := rules.Run(t.Context(), evaluated, to); err != nil {
			t.Fatal(err)
		}
		evaluated = to
		w.expose(to)
		compare(t, r.file(), record(t, r, source))
	}
}

func rulesOf(t *testing.T) []rulesim.Group {
	t.Helper()
	var out []rulesim.Group
	for _, name := range []string{"alive", "page", "ticket"} {
		file := "orders." + name + ".rules.yaml"
		groups, err := rulesim.Load(file, unzip(t, filepath.Join(fixtures, file+".gz")))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, groups...)
	}
	return out
}

// sourceOf adds logs and profiles to the results of Prometheus.
func sourceOf(prometheus *queryapi.Prometheus) render.Source {
	return func(ctx context.Context, q render.Query) (render.Result, error) {
		switch q.Store {
		case render.Loki:
			return render.Result{Lines: logLines(q)}, nil
		case render.Pyroscope:
			return render.Result{Profile: profile(q)}, nil
		}
		a, err := prometheus.Query(ctx, q)
		for _, s := range a.Series {
			for i := range s.Values {
				s.Values[i].Value = model.SampleValue(rounded(float64(s.Values[i].Value)))
			}
		}
		for i := range a.Exemplars {
			a.Exemplars[i].Value = rounded(a.Exemplars[i].Value)
		}
		return a, err
	}
}

// rounded returns the number with five digits, which are enough for a picture.
func rounded(v float64) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64)
	return short
}

// record draws a dashboard and returns the results of its queries.
func record(t *testing.T, r recording, source render.Source) render.Snapshot {
	t.Helper()
	recorder := render.Record(source)
	r.draw(t, recorder.Query, 1600)
	return recorder.Snapshot(r.span())
}

func (r recording) draw(t *testing.T, source render.Source, width int) {
	t.Helper()
	name := "orders-" + r.dashboard + ".json"
	dashboard := unzip(t, filepath.Join(fixtures, name+".gz"))
	if len(r.panels) > 0 {
		dashboard = only(t, dashboard, r.panels)
	}
	o := render.Options{Location: time.UTC, Width: width, Variables: map[string][]string{}}
	o.From, o.To = r.span()
	if r.environment != "" {
		o.Variables["environment"] = []string{r.environment}
	}
	picture, err := render.Dashboard(t.Context(), name, dashboard, source, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range picture.Problems {
		t.Errorf("%s: %s", r.name, p)
	}
}

func (r recording) file() string { return filepath.Join(fixtures, r.name+".snapshot.json.gz") }

func read(t *testing.T, path string) render.Snapshot {
	t.Helper()
	s, err := render.ReadSnapshot(path, unzip(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSnapshotsHaveEveryQuery draws the dashboards from the snapshots, also in the width that is the default.
func TestSnapshotsHaveEveryQuery(t *testing.T) {
	t.Parallel()
	for _, r := range recordings() {
		s := read(t, r.file())
		if from, to := r.span(); !s.From.Equal(from) || !s.To.Equal(to) {
			t.Errorf("%s is from %s to %s, want %s to %s", r.file(), s.From, s.To, from, to)
		}
		r.draw(t, s.Source(), 1600)
		r.draw(t, s.Source(), render.DefaultWidth)
	}
}

// The Grafana of the run had data in all panels: missing data did not cause the defects.
func TestEveryQueryOfTheRunHasData(t *testing.T) {
	t.Parallel()
	queries := 0
	for _, r := range recordings() {
		if !slices.Contains([]string{"overview-incident", "slo-prod", "dependencies-locks", "runtime-locks", "saturation-locks"}, r.name) {
			continue
		}
		for _, e := range read(t, r.file()).Results {
			a := e.Result
			queries++
			if len(a.Series)+len(a.Exemplars)+len(a.Values)+len(a.Alerts)+len(a.Lines) == 0 && a.Profile == nil {
				t.Errorf("%s: %s %s has no data", r.name, e.Query.Kind, e.Query)
			}
		}
	}
	if queries < 104 {
		t.Errorf("%d queries, want at least the 104 of the panels", queries)
	}
}

// only removes all panels but some from a dashboard.
func only(t *testing.T, dashboard []byte, ids []int) []byte {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(dashboard, &all); err != nil {
		t.Fatal(err)
	}
	all["panels"] = slices.DeleteFunc(all["panels"].([]any), func(p any) bool {
		id := p.(map[string]any)["id"].(float64)
		return !slices.Contains(ids, int(id))
	})
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// compare fails the test if a snapshot differs from its file, of which only the content counts.
func compare(t *testing.T, path string, got render.Snapshot) {
	t.Helper()
	var text bytes.Buffer
	if err := got.Write(&text); err != nil {
		t.Fatal(err)
	}
	_, err := os.Stat(path)
	switch {
	case err == nil && bytes.Equal(unzip(t, path), text.Bytes()):
		return // an update leaves the file, which another version of Go compresses differently
	case golden.Updating():
		if err := os.WriteFile(path, zip(t, text.Bytes()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := read(t, path)
	t.Errorf("%s differs; run the test with -update to write it again", path)
	for i := range max(len(want.Results), len(got.Results)) {
		if a, b := entry(t, want, i), entry(t, got, i); a != b {
			t.Fatalf("the first difference:\nwant %.2000s\ngot  %.2000s", a, b)
		}
	}
}

func entry(t *testing.T, s render.Snapshot, i int) string {
	t.Helper()
	if i >= len(s.Results) {
		return "nothing"
	}
	text, err := json.Marshal(s.Results[i])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func zip(t *testing.T, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unzip(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update to write it", err)
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return content
}
