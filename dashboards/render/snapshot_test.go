package render

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

func TestNullsOfASnapshotAreDropped(t *testing.T) {
	t.Parallel()
	for kind, options := range map[string]string{
		"timeseries": "", "stat": "", "table": "", "heatmap": "", "state-timeline": `"options":{"showValue":"never","legend":{"showLegend":false}}`,
	} {
		for _, series := range []string{`[null]`, `[{"metric":null,"values":null}]`, `[{"metric":{},"histograms":[[1795867200,{"count":"1","sum":"1","buckets":[null]}]]}]`} {
			s, err := ReadSnapshot("x.json", []byte(`{"version":1,"results":[{"query":{"store":"prometheus","kind":"range","expr":"up","from":"2026-11-28T11:00:00Z","to":"2026-11-28T12:00:00Z"},"result":{"series":`+series+`}}]}`))
			if err != nil {
				t.Fatal(err)
			}
			p, _ := drawOne(t, panelJSON(kind, options), s.Source())
			var svg bytes.Buffer
			if err := p.SVG(&svg); err != nil || len(p.Problems) > 0 {
				t.Errorf("%s of %s: %v, %q", kind, series, err, p.Problems)
			}
		}
	}
}

// A snapshot has the results of one width and scrape interval, on which intervals in queries depend.
func TestSnapshotHasTheOptionsOfItsQueries(t *testing.T) {
	t.Parallel()
	recorder := Record(always(Result{}))
	s := recorder.Snapshot(end().Add(-time.Hour), end())
	s.ScrapeInterval, s.Width = 30*time.Second, 1600
	var file bytes.Buffer
	if err := s.Write(&file); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSnapshot("x.json", file.Bytes())
	if err != nil || got.ScrapeInterval != 30*time.Second || got.Width != 1600 {
		t.Errorf("%s: %+v, %v", file.Bytes(), got, err)
	}
}

// The panel of the recording was narrower: its points are further apart, which is not a gap.
func TestStepIsThatOfTheRecordedQuery(t *testing.T) {
	t.Parallel()
	recorder := Record(series(map[string]func(float64) float64{"route=/a": constant(1)}))
	src := panelJSON("timeseries", "")
	drawOne(t, src, recorder.Query, func(o *Options) { o.Width = 100 })
	s := recorder.Snapshot(end().Add(-time.Hour), end())
	recorded := s.Results[0].Query.Step
	_, d := drawOne(t, src, s.Source(), func(o *Options) { o.Width = 2000 })
	if recorded <= 15*time.Second || d.data.step != recorded {
		t.Errorf("recorded with a step of %s, drawn with %s", recorded, d.data.step)
	}
	if text, err := json.Marshal(s.Results[0].Result); err != nil || bytes.Contains(bytes.ToLower(text), []byte("step")) {
		t.Errorf("the step is in the query; the file has it again: %s, %v", text, err)
	}
}

// The recording is finer than the query of the panel: its cells are as wide as their points are apart.
func TestCellsAreAsWideAsTheRecordedStep(t *testing.T) {
	t.Parallel()
	source := series(map[string]func(float64) float64{"le=1": constant(1), "le=+Inf": constant(2)})
	recorder := Record(source)
	src := panelJSON("heatmap", "")
	drawOne(t, src, recorder.Query, func(o *Options) { o.Width = 2000 })
	s := recorder.Snapshot(end().Add(-time.Hour), end())
	_, d := drawOne(t, src, s.Source(), func(o *Options) { o.Width = 100 })
	if recorded := s.Results[0].Query.Step; d.data.cells.step != recorded {
		t.Errorf("recorded with a step of %s, cells of %s", recorded, d.data.cells.step)
	}
}

func TestSnapshotNamesTheQueryThatItLacks(t *testing.T) {
	t.Parallel()
	_, err := Snapshot{}.Source()(t.Context(), Query{Store: Prometheus, Kind: Range, Expr: "down"})
	if err == nil || err.Error() != "the snapshot has no result for down; write a new one with scaffold verify --snapshot FILE" {
		t.Errorf("got %v", err)
	}
}

func TestWithoutNullsKeepsTheRest(t *testing.T) {
	t.Parallel()
	one := &model.SampleStream{Metric: model.Metric{"a": "b"}, Values: []model.SamplePair{{Timestamp: 1, Value: 2}}}
	got := withoutNulls(model.Matrix{nil, one, nil})
	if len(got) != 1 || got[0] != one {
		t.Errorf("got %v", got)
	}
}

// A response may list anything as null. Secrets are removed from an error before it is cut.
func TestNullsAndSecretsInResponses(t *testing.T) {
	t.Parallel()
	page := `{"status":"success","data":{"resultType":"matrix","result":[null,{"metric":{},"values":[],"histograms":[[1700000000,null]]}]}}`
	stores := Stores{Prometheus: Store{URL: "http://x", Secret: "SECRETSECRET", Get: func(context.Context, string) ([]byte, error) { return []byte(page), nil }}}
	query := Query{Store: Prometheus, Kind: Range, Expr: "up", From: time.Unix(0, 0), To: time.Unix(60, 0), Step: time.Minute}
	if result, err := stores.Query(t.Context(), query); err == nil && len(result.Series) > 0 && len(result.Series[0].Histograms) > 0 {
		t.Errorf("got %v", result.Series)
	}
	page = `{"status":"error","error":"` + strings.Repeat("x", maxReason-5) + `SECRETSECRET"}`
	if _, err := stores.Query(t.Context(), query); err == nil || strings.Contains(err.Error(), "SECRE") {
		t.Errorf("got %v", err)
	}
}

func TestSnapshotHasAWidthThatIsDrawn(t *testing.T) {
	t.Parallel()
	for _, width := range []string{"-5", "1", "2000000000"} {
		if _, err := ReadSnapshot("x.json", []byte(`{"version":1,"width":`+width+`}`)); err == nil || !strings.Contains(err.Error(), "it has to be 320 to 8000") {
			t.Errorf("%s: got %v", width, err)
		}
	}
}
