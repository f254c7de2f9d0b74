package metricstore_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// buckets returns a histogram with one bucket for each count, starting at bucket first.
func buckets(first int32, counts ...float64) *histogram.FloatHistogram {
	h := &histogram.FloatHistogram{
		Schema: 3, ZeroThreshold: 1e-9,
		PositiveSpans:   []histogram.Span{{Offset: first, Length: uint32(len(counts))}},
		PositiveBuckets: counts,
	}
	for _, c := range counts {
		h.Count += c
		h.Sum += c * 1.5
	}
	return h
}

func histograms(t *testing.T, s *metricstore.Store, name string) (times []int64, all []*histogram.FloatHistogram) {
	t.Helper()
	it := one(t, s, name).Iterator(nil)
	for v := it.Next(); v != chunkenc.ValNone; v = it.Next() {
		if v != chunkenc.ValFloatHistogram {
			t.Fatalf("at %d is a %s", it.AtT(), v)
		}
		at, h := it.AtFloatHistogram(nil)
		times, all = append(times, at), append(all, h)
	}
	must(t, it.Err())
	return times, all
}

func TestHistogramsWithAnyBucketsAreReadBack(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	l := labels.FromStrings("__name__", "h")
	rnd := rand.New(rand.NewPCG(3, 3))
	var want []*histogram.FloatHistogram
	counts := []float64{1}
	for i := range 500 {
		switch rnd.IntN(20) {
		case 0:
			counts = append(counts, 0) // a new bucket
		case 1:
			counts = []float64{1} // a restart
		}
		counts[rnd.IntN(len(counts))] += float64(rnd.IntN(5))
		h := buckets(rnd.Int32N(2), append([]float64(nil), counts...)...)
		want = append(want, h.Copy())
		must(t, s.AppendHistogram(l, int64(i), h))
		h.PositiveBuckets[0] = -1 // the store has a copy
	}
	_, got := histograms(t, s, "h")
	if len(got) != len(want) {
		t.Fatalf("%d histograms, want %d", len(got), len(want))
	}
	for i := range want {
		if !got[i].Copy().Compact(0).Equals(want[i].Compact(0)) {
			t.Errorf("histogram %d: got %s, want %s", i, got[i], want[i])
		}
	}
}

func TestAppendHistogramErrors(t *testing.T) {
	t.Parallel()
	l := labels.FromStrings("__name__", "h")
	for _, tc := range []struct {
		name string
		t    int64
		h    *histogram.FloatHistogram
		want error
	}{
		{"a newer one is added", 11, buckets(0, 1, 3), nil},
		{"another layout is added", 11, buckets(2, 1, 3), nil},
		{"a duplicate is ignored", 10, buckets(0, 1, 2), nil},
		{"an older one is out of order", 9, buckets(0, 1), metricstore.ErrOutOfOrder},
		{"another one at the same time is rejected", 10, buckets(0, 2, 2), metricstore.ErrDuplicate},
		{"buckets that no span describes", 11, &histogram.FloatHistogram{PositiveBuckets: []float64{1}}, histogram.ErrHistogramSpansBucketsMismatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := metricstore.New()
			must(t, s.AppendHistogram(l, 10, buckets(0, 1, 2)))
			if got := s.AppendHistogram(l, tc.t, tc.h); !errors.Is(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestSeriesCanMixValuesAndHistograms(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	l := labels.FromStrings("__name__", "h")
	must(t, s.Append(l, 1, 1))
	must(t, s.AppendHistogram(l, 2, buckets(0, 1)))
	if err := s.Append(l, 2, 1); !errors.Is(err, metricstore.ErrDuplicate) {
		t.Errorf("a value in place of a histogram: %v", err)
	}
	must(t, s.Append(l, 3, 3))
	it := one(t, s, "h").Iterator(nil)
	var got []chunkenc.ValueType
	for v := it.Next(); v != chunkenc.ValNone; v = it.Next() {
		got = append(got, v)
	}
	if diff := cmp.Diff([]chunkenc.ValueType{chunkenc.ValFloat, chunkenc.ValFloatHistogram, chunkenc.ValFloat}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHistogramIsMarkedStaleOnce(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	l := labels.FromStrings("__name__", "h")
	must(t, s.AppendHistogram(l, 1, buckets(0, 1)))
	must(t, s.MarkStale(l, 2))
	must(t, s.MarkStale(l, 3))
	times, all := histograms(t, s, "h")
	if len(all) != 2 || times[1] != 2 || !value.IsStaleNaN(all[1].Sum) {
		t.Errorf("got %v at %v, want an end at 2", all, times)
	}
}

func TestExemplars(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	for _, name := range []string{"a", "b"} {
		must(t, s.Append(labels.FromStrings("__name__", name), 1, 1))
	}
	a := labels.FromStrings("__name__", "a")
	trace := func(id string, v float64, at int64, hasTs bool) exemplar.Exemplar {
		return exemplar.Exemplar{Labels: labels.FromStrings("trace_id", id), Value: v, Ts: at, HasTs: hasTs}
	}
	must(t, s.AppendExemplar(a, trace("1", 1, 10, false)))
	must(t, s.AppendExemplar(a, trace("1", 1, 20, false))) // a duplicate
	must(t, s.AppendExemplar(a, trace("2", 1, 20, true)))
	must(t, s.AppendExemplar(labels.FromStrings("__name__", "b"), trace("3", 1, 15, true)))
	long := trace("123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890x", 1, 30, true)
	for _, tc := range []struct {
		name string
		l    labels.Labels
		e    exemplar.Exemplar
		want error
	}{
		{"of a series that does not exist", labels.FromStrings("__name__", "c"), trace("1", 1, 1, true), metricstore.ErrNoSeries},
		{"older than the newest", a, trace("4", 1, 19, true), metricstore.ErrOutOfOrder},
		{"longer than OpenMetrics allows", a, long, metricstore.ErrExemplarLabels},
	} {
		if err := s.AppendExemplar(tc.l, tc.e); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
	for _, tc := range []struct {
		name     string
		from, to int64
		ms       [][]*labels.Matcher
		want     []string
	}{
		{"all", 0, 100, nil, []string{"a 10", "a 20", "b 15"}},
		{"a span, inclusive", 10, 15, nil, []string{"a 10", "b 15"}},
		{"one series", 0, 100, [][]*labels.Matcher{{eq("__name__", "a")}}, []string{"a 10", "a 20"}},
		{"either of two, each once", 15, 20, [][]*labels.Matcher{{eq("__name__", "a")}, {eq("__name__", "b")}, {eq("__name__", "a")}}, []string{"a 20", "b 15"}},
		{"none", 0, 9, nil, nil},
	} {
		q, err := s.ExemplarQuerier(t.Context())
		must(t, err)
		found, err := q.Select(tc.from, tc.to, tc.ms...)
		must(t, err)
		var got []string
		for _, r := range found {
			for _, e := range r.Exemplars {
				got = append(got, r.SeriesLabels.Get("__name__")+" "+string(rune('0'+e.Ts/10))+string(rune('0'+e.Ts%10)))
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

func TestExemplarsPerSeriesAreLimited(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	l := labels.FromStrings("__name__", "a")
	must(t, s.Append(l, 1, 1))
	var full int
	for i := range int64(1000) {
		must(t, s.AppendExemplar(l, exemplar.Exemplar{Ts: i, HasTs: true}))
		if i == 63 {
			full = s.Stats().Bytes
		}
	}
	got := s.Exemplars(0, math.MaxInt64)
	if n := len(got[0].Exemplars); n != 64 || got[0].Exemplars[0].Ts != 936 {
		t.Errorf("%d exemplars from %d on, want the last 64", n, got[0].Exemplars[0].Ts)
	}
	if s.Stats().Bytes != full {
		t.Errorf("%d bytes, and %d with a full ring", s.Stats().Bytes, full)
	}
}
