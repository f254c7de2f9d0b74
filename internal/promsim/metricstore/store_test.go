package metricstore_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

type sample struct {
	T int64
	V float64
}

func TestAppendErrors(t *testing.T) {
	t.Parallel()
	l := labels.FromStrings("__name__", "m", "a", "1")
	for _, tc := range []struct {
		name string
		l    labels.Labels
		t    int64
		v    float64
		want error
	}{
		{"a newer sample is added", l, 11, 5, nil},
		{"a duplicate sample is ignored", l, 10, 1, nil},
		{"an older sample is out of order", l, 9, 1, metricstore.ErrOutOfOrder},
		{"another value at the same time is rejected", l, 10, 2, metricstore.ErrDuplicate},
		{"a series needs a name", labels.FromStrings("a", "1"), 10, 1, metricstore.ErrNoName},
		{"a generated series rejects samples", labels.FromStrings("__name__", "g"), 10, 1, metricstore.ErrGenerated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := metricstore.New()
			must(t, s.Append(l, 10, 1))
			must(t, s.Generate(labels.FromStrings("__name__", "g"), ramp()))
			if got := s.Append(tc.l, tc.t, tc.v); !errors.Is(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestGenerateRejectsInvalidGenerators(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	l := labels.FromStrings("__name__", "m")
	for name, g := range map[string]metricstore.Generator{
		"no step":  {Value: func(int64) float64 { return 0 }},
		"no value": {Step: 1},
	} {
		if err := s.Generate(l, g); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	must(t, s.Generate(l, ramp()))
	if err := s.Generate(l, ramp()); !errors.Is(err, metricstore.ErrExists) {
		t.Errorf("got %v, want %v", err, metricstore.ErrExists)
	}
}

func TestStoredAndGeneratedSeriesReadTheSame(t *testing.T) {
	t.Parallel()
	gen := metricstore.Generator{
		First: 700, Last: 700 + 999*15_000, Step: 15_000,
		Value:   func(t int64) float64 { return math.Floor(float64(t) / 3e4) },
		Missing: func(t int64) bool { return t%7 == 3 },
	}
	s := metricstore.New()
	must(t, s.Generate(labels.FromStrings("__name__", "generated"), gen))
	var want []sample
	for at := gen.First; at <= gen.Last; at += gen.Step {
		if !gen.Missing(at) {
			want = append(want, sample{at, gen.Value(at)})
			must(t, s.Append(labels.FromStrings("__name__", "stored"), at, gen.Value(at)))
		}
	}
	for _, name := range []string{"stored", "generated"} {
		if diff := cmp.Diff(want, read(t, one(t, s, name))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		seekEverywhere(t, one(t, s, name), want)
	}
}

// seekEverywhere seeks forward in random steps and compares the results with a search in the plain samples.
func seekEverywhere(t *testing.T, x storage.Series, want []sample) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		it := x.Iterator(nil)
		target, i := int64(-1), 0
		for {
			target += rnd.Int64N(1 + 1<<rnd.IntN(23))
			for i < len(want) && want[i].T < target {
				i++
			}
			got := it.Seek(target)
			if i == len(want) {
				if got != chunkenc.ValNone {
					t.Fatalf("seek %d beyond the end found %d", target, it.AtT())
				}
				break
			}
			if at, v := it.At(); got != chunkenc.ValFloat || (sample{at, v}) != want[i] {
				t.Fatalf("seek %d: got %v %v, want %v", target, at, v, want[i])
			}
			if rnd.IntN(3) == 0 {
				if i++; it.Next() == chunkenc.ValNone {
					break
				}
				if it.AtT() != want[i].T {
					t.Fatalf("next after seek: got %d, want %d", it.AtT(), want[i].T)
				}
			}
		}
	}
}

func TestSelectFindsByNameAndByLabels(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	for _, l := range [][]string{{"up", "a"}, {"up", "b"}, {"down", "a"}} {
		must(t, s.Append(labels.FromStrings("__name__", l[0], "job", l[1]), 1, 1))
	}
	for _, tc := range []struct {
		name string
		ms   []*labels.Matcher
		want []string
	}{
		{"one metric, sorted", []*labels.Matcher{eq("__name__", "up")}, []string{`{__name__="up", job="a"}`, `{__name__="up", job="b"}`}},
		{"a metric and a label", []*labels.Matcher{eq("job", "b"), eq("__name__", "up")}, []string{`{__name__="up", job="b"}`}},
		{"a label of any metric", []*labels.Matcher{eq("job", "a")}, []string{`{__name__="down", job="a"}`, `{__name__="up", job="a"}`}},
		{"a missing label is empty", []*labels.Matcher{eq("__name__", "up"), eq("env", "")}, []string{`{__name__="up", job="a"}`, `{__name__="up", job="b"}`}},
		{"nothing", []*labels.Matcher{eq("__name__", "sideways")}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, x := range selected(t, s, tc.ms...) {
				got = append(got, x.Labels().String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLabelNamesAndValues(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	must(t, s.Append(labels.FromStrings("__name__", "up", "job", "b"), 1, 1))
	must(t, s.Append(labels.FromStrings("__name__", "up", "job", "a"), 1, 1))
	q, _ := s.Querier(0, 0)
	values, _, _ := q.LabelValues(t.Context(), "job", nil, eq("__name__", "up"))
	names, _, _ := q.LabelNames(t.Context(), nil)
	if diff := cmp.Diff([][]string{{"a", "b"}, {"__name__", "job"}}, [][]string{values, names}); diff != "" {
		t.Error(diff)
	}
}

func TestQuerierReadsOnlyItsRange(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	l := labels.FromStrings("__name__", "m")
	for i := range int64(1000) {
		must(t, s.Append(l, i, 1))
	}
	q, err := s.Querier(500, 510)
	must(t, err)
	set := q.Select(t.Context(), true, nil, eq("__name__", "m"))
	set.Next()
	got := read(t, set.At())
	// Whole chunks are read; the engine skips the rest.
	if len(got) > 240 || got[0].T > 500 || got[len(got)-1].T < 510 {
		t.Errorf("%d samples from %d to %d", len(got), got[0].T, got[len(got)-1].T)
	}
}

func TestMarkStaleEndsALiveSeriesOnce(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	l := labels.FromStrings("__name__", "m")
	must(t, s.MarkStale(l, 5))
	must(t, s.Append(l, 10, 1))
	must(t, s.MarkStale(l, 20))
	must(t, s.MarkStale(l, 30))
	got := read(t, one(t, s, "m"))
	if len(got) != 2 || got[1].T != 20 || !value.IsStaleNaN(got[1].V) {
		t.Errorf("got %v, want a sample at 10 and a stale marker at 20", got)
	}
}

func TestBytesAreCounted(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	l := labels.FromStrings("__name__", "m")
	for i := range int64(10_000) {
		must(t, s.Append(l, i*15_000, float64(i)))
	}
	got := s.Stats()
	if got.Series != 1 || got.Samples != 10_000 {
		t.Errorf("got %+v, want 1 series of 10000 samples", got)
	}
	// Plain samples are 16 bytes each; a regular counter compresses to less than a quarter.
	if got.Bytes < 10_000 || got.Bytes > 40_000 {
		t.Errorf("%d bytes for 10000 samples", got.Bytes)
	}
}

func TestConcurrentReadersAndWriters(t *testing.T) {
	t.Parallel()
	s := metricstore.New()
	l := labels.FromStrings("__name__", "m")
	must(t, s.Append(l, 0, 0))
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range int64(2_000) {
			if err := s.Append(l, i+1, float64(i+1)); err != nil {
				t.Error(err)
			}
		}
	})
	for range 4 {
		wg.Go(func() {
			for range 100 {
				for i, got := range read(t, one(t, s, "m")) {
					if got.T != int64(i) || got.V != float64(i) {
						t.Errorf("sample %d is %v", i, got)
					}
				}
			}
		})
	}
	wg.Wait()
}

// FuzzAppend compares the store with a plain list of samples.
func FuzzAppend(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0, 255})
	f.Add([]byte{3}) // before the epoch
	f.Fuzz(func(t *testing.T, steps []byte) {
		s := metricstore.New()
		l := labels.FromStrings("__name__", "m")
		var want []sample
		at := int64(0)
		for _, b := range steps {
			at += int64(b) - 20
			v := float64(b) * 1.1
			err := s.Append(l, at, v)
			if n := len(want); n == 0 || at > want[n-1].T {
				want = append(want, sample{at, v})
				must(t, err)
			} else {
				at = want[n-1].T
			}
		}
		if len(want) == 0 {
			return
		}
		if diff := cmp.Diff(want, read(t, one(t, s, "m"))); diff != "" {
			t.Error(diff)
		}
	})
}

func ramp() metricstore.Generator {
	return metricstore.Generator{Last: 100, Step: 10, Value: func(t int64) float64 { return float64(t) }}
}

func eq(name, v string) *labels.Matcher { return labels.MustNewMatcher(labels.MatchEqual, name, v) }

func selected(t testing.TB, s *metricstore.Store, ms ...*labels.Matcher) []storage.Series {
	t.Helper()
	q, err := s.Querier(math.MinInt64, math.MaxInt64)
	must(t, err)
	defer func() { must(t, q.Close()) }()
	set := q.Select(context.Background(), true, nil, ms...)
	var out []storage.Series
	for set.Next() {
		out = append(out, set.At())
	}
	must(t, set.Err())
	return out
}

func one(t testing.TB, s *metricstore.Store, name string) storage.Series {
	t.Helper()
	xs := selected(t, s, eq("__name__", name))
	if len(xs) != 1 {
		t.Fatalf("%d series of %s", len(xs), name)
	}
	return xs[0]
}

func read(t testing.TB, x storage.Series) []sample {
	t.Helper()
	var out []sample
	it := x.Iterator(nil)
	for it.Next() == chunkenc.ValFloat {
		at, v := it.At()
		out = append(out, sample{at, v})
	}
	must(t, it.Err())
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
