package render

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// Stores are the stores of a Grafana. One without a URL is not configured.
type Stores struct {
	Prometheus Store // Prometheus, Mimir, Thanos or another with their API
	Loki       Store
	Tempo      Store
	Pyroscope  Store
}

// Store is the HTTP API of a store.
type Store struct {
	URL string // without the path of an endpoint, such as http://localhost:9090
	// Get reads a page. The address begins with the URL.
	Get func(ctx context.Context, address string) ([]byte, error)
	// Secret is left out of errors, in which a server may quote it, like the password in the URL.
	Secret string
}

// Query runs a query on the HTTP API of its store. It is a [Source].
func (s Stores) Query(ctx context.Context, q Query) (Result, error) {
	var query func(Store, context.Context, Query) (Result, error)
	var store Store
	name := q.Store
	switch q.Store {
	case Prometheus:
		name, store, query = "Prometheus", s.Prometheus, Store.prometheus
	case Loki:
		name, store, query = "Loki", s.Loki, Store.loki
	case Tempo:
		name, store, query = "Tempo", s.Tempo, Store.tempo
	case Pyroscope:
		name, store, query = "Pyroscope", s.Pyroscope, Store.pyroscope
	}
	if store.URL == "" {
		return Result{}, fmt.Errorf("%s is %w", name, ErrNoStore)
	}
	store.URL = strings.TrimRight(store.URL, "/")
	result, err := query(store, ctx, q)
	return result, store.redacted(err)
}

// redacted returns an error without the secrets of a store.
func (s Store) redacted(err error) error {
	if err == nil {
		return nil
	}
	const hidden = "xxxxx" // as in net/url
	var pairs []string
	add := func(text, shown string) {
		if text != "" {
			pairs = append(pairs, text, shown)
		}
	}
	u, invalid := url.Parse(s.URL)
	if invalid != nil { // the error may quote it in any form
		return redactedError{"the URL of the store is not valid; write one such as http://localhost:9090", err}
	}
	shown, _, _ := strings.Cut(u.Redacted(), "?")
	add(s.URL, shown)
	if password, ok := u.User.Password(); ok {
		add(base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)), hidden)
		add(password, hidden)
	}
	add(u.RawQuery, hidden)
	add(s.Secret, hidden)
	if text := strings.NewReplacer(pairs...).Replace(err.Error()); text != err.Error() {
		return redactedError{text, err}
	}
	return err
}

// redactedError is an error with another text.
type redactedError struct {
	text string
	err  error
}

func (e redactedError) Error() string { return e.text }

// Unwrap returns the error, whose text must not be shown.
func (e redactedError) Unwrap() error { return e.err }

// read decodes the page at a path.
func (s Store) read(ctx context.Context, path string, parameters url.Values, into any) error {
	page, err := s.Get(ctx, s.URL+path+"?"+parameters.Encode())
	if err != nil {
		return err
	}
	if weight(page) > maxResponseWeight {
		return fmt.Errorf("%s: the response has too many values; select fewer series or a shorter time range", s.URL+path)
	}
	return s.unexpected(path, json.Unmarshal(page, into))
}

// unexpected explains the error of a response that was decoded.
func (s Store) unexpected(path string, err error) error {
	if err == nil {
		return nil
	}
	why := cmp.Or(grafana.WrongType("", err), "it has an invalid value")
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		why = "it is not JSON"
	}
	return fmt.Errorf("%s: unexpected response: %s; check that the URL is the base URL of the API", s.URL+path, why)
}

// maxReason is the number of bytes of an error of a store that are shown.
const maxReason = 200

// api decodes the data of a response of Prometheus' or Loki's API.
func (s Store) api(ctx context.Context, path string, parameters url.Values, into any) error {
	response := struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   any    `json:"data"`
	}{Data: into}
	if err := s.read(ctx, path, parameters, &response); err != nil {
		return err
	}
	if response.Status != "success" {
		reason := s.redacted(errors.New(response.Error)).Error() // before it is cut, which may leave a part of a secret
		return fmt.Errorf("%s: %s", s.URL+path, cmp.Or(cut(reason, maxReason), fmt.Sprintf("response has status %q; check that the URL is the base URL of the API", response.Status)))
	}
	return nil
}

func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

func (s Store) prometheus(ctx context.Context, q Query) (Result, error) {
	const base = "/api/v1/"
	p := url.Values{"start": {seconds(q.From)}, "end": {seconds(q.To)}}
	var out Result
	switch q.Kind {
	case Range:
		from, to := q.AlignedRange()
		p.Set("start", seconds(from))
		p.Set("end", seconds(to))
		p.Set("step", strconv.FormatFloat(q.Step.Seconds(), 'f', -1, 64))
		p.Set("query", q.Expr)
		var data struct{ Result model.Matrix }
		if err := s.api(ctx, base+"query_range", p, &data); err != nil {
			return Result{}, err
		}
		return Result{Series: withoutNulls(data.Result)}, nil
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
	return Result{}, fmt.Errorf("%s queries of Prometheus are not supported", q.Kind)
}

// instant reads a vector or a scalar.
func (s Store) instant(ctx context.Context, path string, p url.Values) (Result, error) {
	var data struct {
		ResultType string
		Result     json.RawMessage
	}
	if err := s.api(ctx, path, p, &data); err != nil {
		return Result{}, err
	}
	var out Result
	if data.ResultType == "scalar" {
		var pair model.SamplePair
		err := s.unexpected(path, json.Unmarshal(data.Result, &pair))
		out.Series = model.Matrix{{Metric: model.Metric{}, Values: []model.SamplePair{pair}}}
		return out, err
	}
	var vector model.Vector
	err := s.unexpected(path, json.Unmarshal(data.Result, &vector))
	for _, sample := range vector {
		if sample != nil && sample.Histogram == nil {
			out.Series = append(out.Series, &model.SampleStream{Metric: sample.Metric, Values: []model.SamplePair{{Timestamp: sample.Timestamp, Value: sample.Value}}})
		}
	}
	return out, err
}

func (s Store) alerts(ctx context.Context, path string) (Result, error) {
	var data struct {
		Alerts []struct {
			Labels   map[string]string
			State    string
			ActiveAt time.Time
		} `json:"alerts"`
	}
	err := s.api(ctx, path, nil, &data)
	var out Result
	for _, a := range data.Alerts {
		out.Alerts = append(out.Alerts, Alert{a.Labels[model.AlertNameLabel], a.State, a.ActiveAt, a.Labels})
	}
	return out, err
}

func (s Store) loki(ctx context.Context, q Query) (Result, error) {
	p := url.Values{
		"query": {q.Expr}, "limit": {strconv.Itoa(q.Limit)}, "direction": {"backward"},
		"start": {strconv.FormatInt(q.From.UnixNano(), 10)}, "end": {strconv.FormatInt(q.To.UnixNano(), 10)},
	}
	var data struct {
		ResultType string
		Result     json.RawMessage
	}
	const path = "/loki/api/v1/query_range"
	if err := s.api(ctx, path, p, &data); err != nil {
		return Result{}, err
	}
	if data.ResultType != "streams" {
		return Result{}, errors.New("metric queries of Loki are not supported; use a query of log lines")
	}
	var streams []struct {
		Stream map[string]string   `json:"stream"`
		Values [][]json.RawMessage `json:"values"` // time in nanoseconds, line, structured metadata
	}
	if err := s.unexpected(path, json.Unmarshal(data.Result, &streams)); err != nil {
		return Result{}, err
	}
	var out Result
	for _, stream := range streams {
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

func (s Store) tempo(ctx context.Context, q Query) (Result, error) {
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
	if err := s.read(ctx, "/api/search", p, &data); err != nil {
		return Result{}, err
	}
	var out Result
	for _, t := range data.Traces {
		ns, err := strconv.ParseInt(t.StartTimeUnixNano, 10, 64)
		if err != nil {
			continue
		}
		out.Traces = append(out.Traces, Trace{t.TraceID, time.Unix(0, ns).UTC(), t.RootServiceName, t.RootTraceName, time.Duration(t.DurationMs) * time.Millisecond})
	}
	return out, nil
}

func (s Store) pyroscope(ctx context.Context, q Query) (Result, error) {
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
	if err := s.read(ctx, "/pyroscope/render", p, &data); err != nil {
		return Result{}, err
	}
	root, err := flame(data.Flamebearer.Names, data.Flamebearer.Levels)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", s.URL, err)
	}
	if root != nil {
		root.Unit = map[string]string{"bytes": "bytes", "nanoseconds": "ns", "samples": "short", "goroutines": "short", "objects": "short"}[data.Metadata.Units]
	}
	return Result{Profile: root}, nil
}

// flame builds the tree of a flamebearer: levels of four numbers for each function, the first of which is
// the space to the function before it.
func flame(names []string, levels [][]float64) (*Flame, error) {
	const fields = 4
	// From the deepest level up, children are complete when their parents take them.
	levels = levels[:min(len(levels), maxFlameLevels)]
	var below []child
	for _, level := range slices.Backward(levels) {
		var here []child
		at := 0.0
		for ; len(level) >= fields; level = level[fields:] {
			name := int(level[3])
			if name < 0 || name >= len(names) {
				return nil, fmt.Errorf("invalid profile: function index %d, but it has %d functions", name, len(names))
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
