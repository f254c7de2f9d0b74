package render

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Stores are base URLs of stores. An empty one is not connected.
type Stores struct {
	Prometheus string // Prometheus, Mimir, Thanos or another with their API
	Loki       string
	Tempo      string
	Pyroscope  string
	// Get reads a page.
	Get func(ctx context.Context, address string) ([]byte, error)
}

// Ask asks the HTTP API of a query's store. It is a [Source].
func (s Stores) Ask(ctx context.Context, q Query) (Answer, error) {
	var answer func(context.Context, string, Query) (Answer, error)
	var base string
	switch q.Store {
	case Prometheus:
		base, answer = s.Prometheus, s.prometheus
	case Loki:
		base, answer = s.Loki, s.loki
	case Tempo:
		base, answer = s.Tempo, s.tempo
	case Pyroscope:
		base, answer = s.Pyroscope, s.pyroscope
	}
	if base == "" {
		name := cmp.Or(map[string]string{Loki: "Loki", Tempo: "Tempo", Pyroscope: "Pyroscope", Prometheus: "Prometheus"}[q.Store], q.Store)
		return Answer{}, fmt.Errorf("%s is %w", name, ErrNoStore)
	}
	return answer(ctx, strings.TrimRight(base, "/"), q)
}

// read decodes a page.
func (s Stores) read(ctx context.Context, address string, parameters url.Values, into any) error {
	page, err := s.Get(ctx, address+"?"+parameters.Encode())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(page, into); err != nil {
		return fmt.Errorf("%s did not answer with JSON: %w; write the base URL of its API", withoutQuery(address), err)
	}
	return nil
}

func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}

// api decodes the data of a response of Prometheus' or Loki's API.
func (s Stores) api(ctx context.Context, address string, parameters url.Values, into any) error {
	response := struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   any    `json:"data"`
	}{Data: into}
	if err := s.read(ctx, address, parameters, &response); err != nil {
		return err
	}
	if response.Status != "success" {
		return fmt.Errorf("%s answers %q: %s", withoutQuery(address), response.Status, response.Error)
	}
	return nil
}

func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

func (s Stores) prometheus(ctx context.Context, base string, q Query) (Answer, error) {
	base += "/api/v1/"
	p := url.Values{"start": {seconds(q.From)}, "end": {seconds(q.To)}}
	var out Answer
	switch q.Kind {
	case Range:
		// Grafana aligns the range to the step, so that the points stay while it moves.
		p.Set("start", seconds(q.From.Truncate(q.Step)))
		p.Set("end", seconds(q.To.Truncate(q.Step)))
		p.Set("step", seconds(time.UnixMilli(q.Step.Milliseconds())))
		p.Set("query", q.Expr)
		var data struct{ Result model.Matrix }
		err := s.api(ctx, base+"query_range", p, &data)
		return Answer{Series: data.Result}, err
	case Instant:
		return s.instant(ctx, base+"query", url.Values{"query": {q.Expr}, "time": {seconds(q.To)}})
	case Exemplars:
		p.Set("query", q.Expr)
		var data []struct {
			Exemplars []struct {
				Labels    map[string]string
				Value     model.SampleValue
				Timestamp float64
			}
		}
		err := s.api(ctx, base+"query_exemplars", p, &data)
		for _, series := range data {
			for _, e := range series.Exemplars {
				out.Exemplars = append(out.Exemplars, Exemplar{time.UnixMilli(int64(e.Timestamp * 1000)).UTC(), float64(e.Value), e.Labels})
			}
		}
		return out, err
	case Values:
		if q.Expr != "" {
			p.Set("match[]", q.Expr)
		}
		err := s.api(ctx, base+"label/"+url.PathEscape(q.Label)+"/values", p, &out.Values)
		return out, err
	case Alerts:
		return s.alerts(ctx, base+"alerts")
	}
	return Answer{}, fmt.Errorf("Prometheus has no %s", q.Kind)
}

// instant reads a vector or a scalar.
func (s Stores) instant(ctx context.Context, address string, p url.Values) (Answer, error) {
	var data struct {
		ResultType string
		Result     json.RawMessage
	}
	if err := s.api(ctx, address, p, &data); err != nil {
		return Answer{}, err
	}
	var out Answer
	if data.ResultType == "scalar" {
		var pair model.SamplePair
		err := json.Unmarshal(data.Result, &pair)
		out.Series = model.Matrix{{Metric: model.Metric{}, Values: []model.SamplePair{pair}}}
		return out, err
	}
	var vector model.Vector
	err := json.Unmarshal(data.Result, &vector)
	for _, sample := range vector {
		if sample.Histogram == nil {
			out.Series = append(out.Series, &model.SampleStream{Metric: sample.Metric, Values: []model.SamplePair{{Timestamp: sample.Timestamp, Value: sample.Value}}})
		}
	}
	return out, err
}

func (s Stores) alerts(ctx context.Context, address string) (Answer, error) {
	var data struct {
		Alerts []struct {
			Labels   map[string]string
			State    string
			ActiveAt time.Time
		}
	}
	err := s.api(ctx, address, nil, &data)
	var out Answer
	for _, a := range data.Alerts {
		out.Alerts = append(out.Alerts, Alert{a.Labels[model.AlertNameLabel], a.State, a.ActiveAt, a.Labels})
	}
	return out, err
}

func (s Stores) loki(ctx context.Context, base string, q Query) (Answer, error) {
	p := url.Values{
		"query": {q.Expr}, "limit": {strconv.Itoa(q.Limit)}, "direction": {"backward"},
		"start": {strconv.FormatInt(q.From.UnixNano(), 10)}, "end": {strconv.FormatInt(q.To.UnixNano(), 10)},
	}
	var data struct {
		Result []struct {
			Stream map[string]string
			Values [][]json.RawMessage // time in nanoseconds, line, structured metadata
		}
	}
	if err := s.api(ctx, base+"/loki/api/v1/query_range", p, &data); err != nil {
		return Answer{}, err
	}
	var out Answer
	for _, stream := range data.Result {
		for _, v := range stream.Values {
			if len(v) < 2 {
				continue
			}
			var at, text string
			if json.Unmarshal(v[0], &at) != nil || json.Unmarshal(v[1], &text) != nil {
				continue
			}
			if ns, err := strconv.ParseInt(at, 10, 64); err == nil {
				out.Lines = append(out.Lines, Line{time.Unix(0, ns).UTC(), text, stream.Stream})
			}
		}
	}
	return out, nil
}

func (s Stores) tempo(ctx context.Context, base string, q Query) (Answer, error) {
	p := url.Values{
		"q": {q.Expr}, "limit": {strconv.Itoa(q.Limit)},
		"start": {strconv.FormatInt(q.From.Unix(), 10)}, "end": {strconv.FormatInt(q.To.Unix(), 10)},
	}
	var data struct {
		Traces []struct {
			TraceID           string
			RootServiceName   string
			RootTraceName     string
			StartTimeUnixNano string
			DurationMs        int64
		}
	}
	if err := s.read(ctx, base+"/api/search", p, &data); err != nil {
		return Answer{}, err
	}
	var out Answer
	for _, t := range data.Traces {
		ns, err := strconv.ParseInt(t.StartTimeUnixNano, 10, 64)
		if err != nil {
			continue
		}
		out.Traces = append(out.Traces, Trace{t.TraceID, time.Unix(0, ns).UTC(), t.RootServiceName, t.RootTraceName, time.Duration(t.DurationMs) * time.Millisecond})
	}
	return out, nil
}

func (s Stores) pyroscope(ctx context.Context, base string, q Query) (Answer, error) {
	p := url.Values{
		"query": {q.ProfileType + q.Expr}, "format": {"json"},
		"from": {strconv.FormatInt(q.From.UnixMilli(), 10)}, "until": {strconv.FormatInt(q.To.UnixMilli(), 10)},
	}
	var data struct {
		Flamebearer struct {
			Names  []string
			Levels [][]float64 // offset, total, self and name of each function of a depth
		}
		Metadata struct{ Units string }
	}
	if err := s.read(ctx, base+"/pyroscope/render", p, &data); err != nil {
		return Answer{}, err
	}
	root, err := flame(data.Flamebearer.Names, data.Flamebearer.Levels)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", base, err)
	}
	if root != nil {
		root.Unit = map[string]string{"bytes": "bytes", "nanoseconds": "ns", "samples": "short", "goroutines": "short", "objects": "short"}[data.Metadata.Units]
	}
	return Answer{Profile: root}, nil
}

// flame builds the tree of a flamebearer: levels of four numbers for each function, the first of which is
// the space to the function before it.
func flame(names []string, levels [][]float64) (*Flame, error) {
	const fields = 4
	// From the deepest level up, children are complete when their parents take them.
	var below []child
	for _, level := range slices.Backward(levels) {
		var here []child
		at := 0.0
		for ; len(level) >= fields; level = level[fields:] {
			name := int(level[3])
			if name < 0 || name >= len(names) {
				return nil, fmt.Errorf("the profile names function %d of %d", name, len(names))
			}
			start := at + level[0]
			at = start + level[1]
			node := Flame{Name: names[name], Total: level[1], Self: level[2]}
			for len(below) > 0 && below[0].start < at {
				node.Children = append(node.Children, below[0].Flame)
				below = below[1:]
			}
			here = append(here, child{node, start})
		}
		below = here
	}
	if len(below) == 0 {
		return nil, nil //nolint:nilnil // a profile of nothing
	}
	return &below[0].Flame, nil
}

// child is a function and where its values start.
type child struct {
	Flame
	start float64
}
