package metricstore

import (
	"context"
	"slices"
	"sort"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// Querier implements storage.Queryable. It may return stored series without samples between the bounds, and
// generated samples beyond them; the engine skips both. Generated series that end before or start after the
// bounds are left out, because the engine would visit each of their steps.
func (s *Store) Querier(from, to int64) (storage.Querier, error) { return querier{s, from, to}, nil }

type querier struct {
	store    *Store
	from, to int64
}

// Close does nothing.
func (querier) Close() error { return nil }

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	outside := func(x *series) bool { return x.gen != nil && (x.gen.Last < q.from || x.gen.First > q.to) }
	return &seriesSet{querier: q, all: slices.DeleteFunc(q.store.matching(ms), outside), at: -1}
}

func (q querier) LabelValues(_ context.Context, name string, _ *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	seen := map[string]bool{}
	for _, x := range q.store.matching(ms) {
		if v := x.labels.Get(name); v != "" {
			seen[v] = true
		}
	}
	return sortedKeys(seen), nil, nil
}

func (q querier) LabelNames(_ context.Context, _ *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	seen := map[string]bool{}
	for _, x := range q.store.matching(ms) {
		x.labels.Range(func(l labels.Label) { seen[l.Name] = true })
	}
	return sortedKeys(seen), nil, nil
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// matching returns the series that match all matchers, sorted by labels: the engine's results depend on the
// order.
func (s *Store) matching(ms []*labels.Matcher) []*series {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*series
	for _, x := range s.candidates(ms) {
		if matches(x.labels, ms) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	return out
}

// candidates returns the series of the metric that the matchers name, or all series.
func (s *Store) candidates(ms []*labels.Matcher) []*series {
	for _, m := range ms {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return s.byName[m.Value]
		}
	}
	var all []*series
	for _, xs := range s.byName {
		all = append(all, xs...)
	}
	return all
}

func matches(l labels.Labels, ms []*labels.Matcher) bool {
	for _, m := range ms {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

type seriesSet struct {
	querier

	all []*series
	at  int
}

func (s *seriesSet) Next() bool                      { s.at++; return s.at < len(s.all) }
func (s *seriesSet) At() storage.Series              { return view{s.all[s.at], s.from, s.to} }
func (*seriesSet) Err() error                        { return nil }
func (*seriesSet) Warnings() annotations.Annotations { return nil }

// view is a series between two times.
type view struct {
	series   *series
	from, to int64
}

// Labels and Iterator implement storage.Series.
func (v view) Labels() labels.Labels { return v.series.labels }

func (v view) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	if v.series.gen != nil {
		return newGenerated(v.series.gen)
	}
	return &stored{chunks: v.series.snapshot(v.from, v.to), at: -1}
}

// stored iterates over chunks. Seek skips whole chunks by their first time.
type stored struct {
	chunks []chunk
	at     int
	it     chunkenc.Iterator
	err    error
}

func (s *stored) Next() chunkenc.ValueType {
	for {
		if s.it != nil {
			if v := s.it.Next(); v != chunkenc.ValNone {
				return v
			}
			if s.err = s.it.Err(); s.err != nil {
				return chunkenc.ValNone
			}
		}
		if s.at+1 >= len(s.chunks) {
			return chunkenc.ValNone
		}
		s.open(s.at + 1)
	}
}

func (s *stored) open(i int) {
	s.at = i
	s.it = s.chunks[i].data.Iterator(s.it)
}

func (s *stored) Seek(t millis) chunkenc.ValueType {
	from := max(s.at, 0)
	if from >= len(s.chunks) {
		return chunkenc.ValNone
	}
	// Only the last chunk that starts at or before t can contain t.
	ahead := sort.Search(len(s.chunks)-from, func(i int) bool { return s.chunks[from+i].min > t })
	if i := from + ahead - 1; i > s.at {
		s.open(i)
	}
	if s.it == nil {
		s.open(0)
	}
	if v := s.it.Seek(t); v != chunkenc.ValNone {
		return v
	}
	return s.Next()
}

func (s *stored) At() (int64, float64) { return s.it.At() }
func (s *stored) AtT() int64           { return s.it.AtT() }
func (s *stored) AtST() int64          { return 0 }
func (s *stored) Err() error           { return s.err }

func (s *stored) AtHistogram(h *histogram.Histogram) (int64, *histogram.Histogram) {
	return s.it.AtHistogram(h)
}

func (s *stored) AtFloatHistogram(h *histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return s.it.AtFloatHistogram(h)
}

// floatsOnly implements the histogram methods of iterators without histograms.
type floatsOnly struct{}

func (floatsOnly) AtHistogram(*histogram.Histogram) (int64, *histogram.Histogram) { return 0, nil }
func (floatsOnly) AtFloatHistogram(*histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return 0, nil
}
func (floatsOnly) AtST() int64 { return 0 }
func (floatsOnly) Err() error  { return nil }

// millis is a time in milliseconds since the epoch. The separate name shows vet that Seek is not the method
// of io.Seeker.
type millis = int64
