package metricstore_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

func numbered(i int) labels.Labels {
	return labels.FromStrings("__name__", "http_server_requests_total", "instance", "127.0.0.1:8080", "job", "orders", "n", strconv.Itoa(i))
}

func TestOldestSamplesAreEvictedFirst(t *testing.T) {
	t.Parallel()
	const limit = 50_000
	s := metricstore.NewWithLimit(limit)
	ended := labels.FromStrings("__name__", "ended")
	must(t, s.Append(ended, 1, 1))
	const last = 20_000
	for at := int64(2); at <= last; at++ {
		for i := range 4 {
			if at%int64(1+i*10) == 0 { // series of very different density
				must(t, s.Append(numbered(i), at, float64(at*at)))
			}
		}
		if got := s.Stats().Bytes; got > limit {
			t.Fatalf("at %d: %d bytes, more than %d", at, got, limit)
		}
	}
	got := s.Stats()
	if got.EvictedSamples == 0 || got.EvictedBytes == 0 || got.Series != 4 {
		t.Fatalf("got %+v, want evictions and 4 series left", got)
	}
	if xs := selected(t, s, eq("__name__", "ended")); len(xs) != 0 {
		t.Error("a series that ended at the beginning is still there")
	}
	held, oldest := 0, int64(last)
	for i := range 4 {
		for _, x := range selected(t, s, eq("n", strconv.Itoa(i))) {
			samples := read(t, x)
			held += len(samples)
			oldest = min(oldest, samples[0].T)
			// Nothing newer than the newest evicted sample is missing.
			step := int64(1 + i*10)
			if first := got.EvictedUntil/step*step + step; samples[0].T > first {
				t.Errorf("series %d begins at %d, although nothing after %d was evicted", i, samples[0].T, got.EvictedUntil)
			}
		}
	}
	if held != got.Samples || oldest != got.Oldest {
		t.Errorf("%d samples from %d on, counted as %+v", held, oldest, got)
	}
}

func TestTooSmallStoreKeepsTheChunkBeingWritten(t *testing.T) {
	t.Parallel()
	s := metricstore.NewWithLimit(1)
	for i := range 10 {
		must(t, s.Append(numbered(i), int64(i), 1))
		if got := s.Stats(); got.Series != 1 || got.Samples != 1 || got.EvictedSamples != i || got.Oldest != int64(i) {
			t.Fatalf("after %d series: %+v", i+1, got)
		}
	}
}

func TestReaderKeepsEvictedSamples(t *testing.T) {
	t.Parallel()
	s := metricstore.NewWithLimit(20_000)
	must(t, s.Append(numbered(0), 0, 0))
	it := one(t, s, "http_server_requests_total").Iterator(nil)
	for at := range int64(10_000) {
		must(t, s.Append(numbered(1), at+1, float64(at)))
	}
	if it.Next() != chunkenc.ValFloat || it.AtT() != 0 {
		t.Error("the sample is gone from under the reader")
	}
	if it.Next() != chunkenc.ValNone || it.Err() != nil {
		t.Errorf("more than one sample, or %v", it.Err())
	}
}

// fill appends samples of a service with some series for some seconds: half of the series rarely change, four
// in ten always count, and one in ten is a fraction that differs in each scrape.
func fill(t testing.TB, s *metricstore.Store, series, seconds int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 1))
	all, values := make([]labels.Labels, series), make([]float64, series)
	for i := range all {
		all[i] = numbered(i)
	}
	for at := range seconds {
		for i, l := range all {
			switch kind := i % 10; {
			case kind == 0:
				values[i] += rnd.Float64()
			case kind < 5 || rnd.IntN(20) == 0:
				values[i] += float64(rnd.IntN(20))
			}
			must(t, s.Append(l, int64(at)*1000, values[i]))
		}
	}
}
