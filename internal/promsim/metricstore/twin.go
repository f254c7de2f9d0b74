package metricstore

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// Twin is a store with a second copy of its series, as if all of it had happened again later, under other labels.
// It copies no samples. Exemplars have no copy.
type Twin struct {
	*Store

	Later time.Duration
	// Label returns the labels of a copy. A series whose labels do not change has none.
	Label func(labels.Labels) labels.Labels
}

// Querier implements storage.Queryable.
func (t Twin) Querier(from, to int64) (storage.Querier, error) {
	later := t.Later.Milliseconds()
	return twinQuerier{querier{t.Store, from, to}, querier{t.Store, from - later, to - later}, t}, nil
}

type twinQuerier struct {
	querier
	copied querier
	twin   Twin
}

func (q twinQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	out := &twinSet{at: -1}
	for set := q.querier.Select(ctx, sorted, hints, ms...); set.Next(); {
		out.all = append(out.all, set.At())
	}
	for _, x := range q.matchingCopies(ms) {
		out.all = append(out.all, copied{view{x.series, q.copied.from, q.copied.to}, x.labels, q.twin.Later.Milliseconds()})
	}
	if sorted {
		slices.SortFunc(out.all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	}
	return out
}

func (q twinQuerier) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	values, _, err := q.querier.LabelValues(ctx, name, hints, ms...)
	for _, x := range q.matchingCopies(ms) {
		if v := x.labels.Get(name); v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values), nil, err
}

// relabeled is a series with the labels of its copy.
type relabeled struct {
	series *series
	labels labels.Labels
}

// matchingCopies returns the copies that match all matchers.
func (q twinQuerier) matchingCopies(ms []*labels.Matcher) []relabeled {
	q.store.mu.RLock()
	defer q.store.mu.RUnlock()
	var out []relabeled
	for _, x := range q.store.candidates(ms) {
		if l := q.twin.Label(x.labels); matches(l, ms) && !labels.Equal(l, x.labels) {
			out = append(out, relabeled{x, l})
		}
	}
	slices.SortFunc(out, func(a, b relabeled) int { return labels.Compare(a.labels, b.labels) })
	return out
}

type twinSet struct {
	all []storage.Series
	at  int
}

func (s *twinSet) Next() bool                      { s.at++; return s.at < len(s.all) }
func (s *twinSet) At() storage.Series              { return s.all[s.at] }
func (*twinSet) Err() error                        { return nil }
func (*twinSet) Warnings() annotations.Annotations { return nil }

// copied is a series under other labels, later.
type copied struct {
	view

	other labels.Labels
	later int64
}

func (c copied) Labels() labels.Labels { return c.other }

func (c copied) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	return &delayed{c.view.Iterator(nil), c.later}
}

// delayed moves the times of an iterator.
type delayed struct {
	chunkenc.Iterator

	later int64
}

func (d *delayed) Seek(t millis) chunkenc.ValueType { return d.Iterator.Seek(t - d.later) }
func (d *delayed) AtT() int64                       { return d.Iterator.AtT() + d.later }

func (d *delayed) At() (int64, float64) {
	t, v := d.Iterator.At()
	return t + d.later, v
}

func (d *delayed) AtHistogram(h *histogram.Histogram) (int64, *histogram.Histogram) {
	t, h := d.Iterator.AtHistogram(h)
	return t + d.later, h
}

func (d *delayed) AtFloatHistogram(h *histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	t, h := d.Iterator.AtFloatHistogram(h)
	return t + d.later, h
}
