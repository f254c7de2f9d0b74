package render

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// Kind is what a query returns.
type Kind string

// The kinds of queries.
const (
	Range     Kind = "range"     // series over the time range
	Instant   Kind = "instant"   // series at its end
	Exemplars Kind = "exemplars" // of the metrics in the expression
	Values    Kind = "values"    // of a label, of the series that the expression selects, if any
	Alerts    Kind = "alerts"    // that are pending or firing now
	Logs      Kind = "logs"      // lines, newest first
	Traces    Kind = "traces"    // that match a TraceQL expression, newest first
	Profile   Kind = "profile"   // merged over the time range
)

// The stores, by the names of Grafana's data source plugins.
const (
	Prometheus = "prometheus"
	Loki       = "loki"
	Tempo      = "tempo"
	Pyroscope  = "grafana-pyroscope-datasource"
)

// Query is a query of a store, with its variables replaced.
type Query struct {
	Store       string        `json:"store"`
	Kind        Kind          `json:"kind"`
	Expr        string        `json:"expr,omitempty"`
	Label       string        `json:"label,omitempty"`       // of Values
	ProfileType string        `json:"profileType,omitempty"` // of Profile
	From        time.Time     `json:"from"`
	To          time.Time     `json:"to"`
	Step        time.Duration `json:"step,omitempty"`  // of Range
	Limit       int           `json:"limit,omitempty"` // of Logs and Traces
}

// AlignedRange returns the time range of a Range query as Grafana sends it: aligned to the step, so that the points
// stay while it moves.
func (q Query) AlignedRange() (from, to time.Time) {
	return q.From.Truncate(q.Step), q.To.Truncate(q.Step)
}

// Result is the result of a query, in the field of its kind.
type Result struct {
	Series    model.Matrix `json:"series,omitempty"` // of Range; of Instant with one value each
	Exemplars []Exemplar   `json:"exemplars,omitempty"`
	Values    []string     `json:"values,omitempty"`
	Alerts    []Alert      `json:"alerts,omitempty"`
	Lines     []Line       `json:"lines,omitempty"`
	Traces    []Trace      `json:"traces,omitempty"`
	Profile   *Flame       `json:"profile,omitempty"`
	// Step is the distance of points, if it is not that of the query.
	Step time.Duration `json:"-"`
	// Error is why the query failed, for a snapshot.
	Error string `json:"error,omitempty"`
}

// Exemplar is a value that one request had.
type Exemplar struct {
	Time   time.Time         `json:"time"`
	Value  float64           `json:"value"`
	Labels map[string]string `json:"labels"`
}

// Alert is an instance of an alert. State is pending or firing.
type Alert struct {
	Name   string            `json:"name"`
	State  string            `json:"state"`
	Since  time.Time         `json:"since"`
	Labels map[string]string `json:"labels"`
}

// Line is a line of a log.
type Line struct {
	Time   time.Time         `json:"time"`
	Text   string            `json:"text"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Trace is a request through services.
type Trace struct {
	ID       string        `json:"id"`
	Start    time.Time     `json:"start"`
	Service  string        `json:"service"`
	Name     string        `json:"name"`
	Duration time.Duration `json:"duration"`
}

// Flame is a node of a profile: a function and those that it calls. Values are in the unit of the
// profile.
type Flame struct {
	Name     string  `json:"name"`
	Total    float64 `json:"total"`
	Self     float64 `json:"self"`
	Unit     string  `json:"unit,omitempty"` // of the root, as Grafana names units
	Children []Flame `json:"children,omitempty"`
}

// Source runs queries. It is called by several goroutines at once. Its error says in one line what is
// wrong and what to do; it is in [Picture.Problems], and in the panel if no query of that has a result.
type Source func(context.Context, Query) (Result, error)

// ErrNoStore is the error of a source that has no such store.
var ErrNoStore = errors.New("not configured")

// Snapshot contains results to replay. Its JSON is the format of snapshot files. Replay it with its
// From, To, ScrapeInterval and Width, and without Variables: it has no results for other queries.
type Snapshot struct {
	Version        int           `json:"version"`
	From           time.Time     `json:"from"`
	To             time.Time     `json:"to"`
	ScrapeInterval time.Duration `json:"scrapeInterval,omitempty"`
	Width          int           `json:"width,omitempty"`
	Results        []Entry       `json:"results"`
	// Variables are the values with which the queries were sent, by the names of the variables.
	Variables map[string][]string `json:"variables,omitempty"`
}

// Entry is a query and its result.
type Entry struct {
	Query  Query  `json:"query"`
	Result Result `json:"result"`
}

// snapshotVersion is that of the files that this package reads and writes.
const snapshotVersion = 1

// ReadSnapshot reads a snapshot. Name is the file name in errors.
func ReadSnapshot(name string, src []byte) (Snapshot, error) {
	if weight(src) > maxSnapshotWeight {
		return Snapshot{}, fmt.Errorf("%s: the snapshot has too many values; write one of fewer dashboards", name)
	}
	var s Snapshot
	if err := json.Unmarshal(src, &s); err != nil {
		why := cmp.Or(grafana.WrongType("", err), "it is not JSON")
		return Snapshot{}, fmt.Errorf("%s: not a snapshot: %s; write one with scaffold verify --snapshot", name, why)
	}
	if s.Version != snapshotVersion {
		return Snapshot{}, fmt.Errorf("%s: not a snapshot of version %d; write one with scaffold verify --snapshot FILE", name, snapshotVersion)
	}
	if s.Width != 0 && (s.Width < MinWidth || s.Width > MaxWidth) {
		return Snapshot{}, fmt.Errorf("%s: the width is %d pixels; it has to be %d to %d", name, s.Width, MinWidth, MaxWidth)
	}
	for i := range s.Results {
		s.Results[i].Result.Series = withoutNulls(s.Results[i].Result.Series)
	}
	return s, nil
}

// withoutNulls removes what JSON lists as null, from a matrix that was just decoded.
func withoutNulls(series model.Matrix) model.Matrix {
	series = slices.DeleteFunc(series, func(s *model.SampleStream) bool { return s == nil })
	for _, s := range series {
		s.Histograms = slices.DeleteFunc(s.Histograms, func(h model.SampleHistogramPair) bool { return h.Histogram == nil })
		for _, h := range s.Histograms {
			h.Histogram.Buckets = slices.DeleteFunc(h.Histogram.Buckets, func(b *model.HistogramBucket) bool { return b == nil })
		}
	}
	return series
}

// Write writes the snapshot as JSON.
func (s Snapshot) Write(w io.Writer) error {
	s.Version = snapshotVersion
	return json.NewEncoder(w).Encode(s)
}

// Recorder adds the results of a source to a snapshot.
type Recorder struct {
	source Source

	mutex   sync.Mutex
	entries []Entry
}

// Record returns a recorder of the results of a source.
func Record(source Source) *Recorder { return &Recorder{source: source} }

// Query runs a query and records the result. It is a [Source].
func (r *Recorder) Query(ctx context.Context, q Query) (Result, error) {
	a, err := r.source(ctx, q)
	recorded := a
	if err != nil {
		recorded.Error = err.Error()
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.entries = append(r.entries, Entry{q, recorded})
	return a, err
}

// Snapshot returns what was recorded, each query once and in a stable order. Of panels of different widths
// with the same query, it has the result with the most points.
func (r *Recorder) Snapshot(from, to time.Time) Snapshot {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	byKey := map[Query]Entry{}
	for _, e := range r.entries {
		key := e.Query.key()
		if before, ok := byKey[key]; !ok || e.Query.finer(before.Query) {
			byKey[key] = e
		}
	}
	s := Snapshot{Version: snapshotVersion, From: from, To: to}
	for _, key := range slices.SortedFunc(maps.Keys(byKey), compare) {
		s.Results = append(s.Results, byKey[key])
	}
	return s
}

// compare orders queries.
func compare(a, b Query) int {
	return cmp.Or(
		strings.Compare(a.Store, b.Store), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Expr, b.Expr),
		strings.Compare(a.Label, b.Label), strings.Compare(a.ProfileType, b.ProfileType), a.From.Compare(b.From), a.To.Compare(b.To),
	)
}

// key is a query without what depends on the width of a panel.
func (q Query) key() Query {
	q.Step, q.Limit = 0, 0
	q.From, q.To = q.From.UTC().Truncate(time.Second), q.To.UTC().Truncate(time.Second)
	return q
}

// finer reports whether a query has more points or lines than another one with the same key.
func (q Query) finer(than Query) bool {
	return q.Step < than.Step || q.Step == than.Step && q.Limit > than.Limit
}

// Source returns a source of the recorded results.
func (s Snapshot) Source() Source {
	results := make(map[Query]Result, len(s.Results))
	for _, e := range s.Results {
		e.Result.Step = e.Query.Step
		results[e.Query.key()] = e.Result
	}
	return func(_ context.Context, q Query) (Result, error) {
		a, ok := results[q.key()]
		switch {
		case !ok:
			return Result{}, fmt.Errorf("the snapshot has no result for %s; write a new one with scaffold verify --snapshot FILE", q)
		case a.Error != "":
			return Result{}, errors.New(cut(a.Error, maxReason))
		}
		return a, nil
	}
}

func (q Query) String() string {
	if q.Expr == "" {
		return string(q.Kind)
	}
	return q.Expr
}
