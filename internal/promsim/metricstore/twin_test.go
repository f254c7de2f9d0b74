package metricstore_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// The copies have other labels and later times. A series whose labels do not change has no copy.
func TestTwin(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	prod, shared := labels.FromStrings("__name__", "up", "env", "prod"), labels.FromStrings("__name__", "objective")
	native := labels.FromStrings("__name__", "native", "env", "prod")
	for i := range int64(3) {
		for _, err := range []error{store.Append(prod, 1000*i, float64(i)), store.Append(shared, 1000*i, 9), store.AppendHistogram(native, 1000*i, &histogram.FloatHistogram{Count: float64(i)})} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	twin := metricstore.Twin{Store: store, Later: 10 * time.Second, Label: func(l labels.Labels) labels.Labels {
		if l.Get("env") == "" {
			return l
		}
		return labels.NewBuilder(l).Set("env", "staging").Labels()
	}}
	for _, tc := range []struct {
		name, env string // env is empty without a matcher
		want      []string
	}{
		{"up", "", []string{"prod 0:0 1000:1 2000:2", "staging 10000:0 11000:1 12000:2"}},
		{"up", "prod", []string{"prod 0:0 1000:1 2000:2"}},
		{"up", "staging", []string{"staging 10000:0 11000:1 12000:2"}},
		{"up", "test", nil},
		{"objective", "", []string{" 0:9 1000:9 2000:9"}},
		{"native", "staging", []string{"staging 10000:0 11000:1 12000:2"}},
	} {
		q, err := twin.Querier(math.MinInt32, math.MaxInt32)
		if err != nil {
			t.Fatal(err)
		}
		ms := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", tc.name)}
		if tc.env != "" {
			ms = append(ms, labels.MustNewMatcher(labels.MatchEqual, "env", tc.env))
		}
		var got []string
		for set := q.Select(t.Context(), true, nil, ms...); set.Next(); {
			got = append(got, set.At().Labels().Get("env")+samplesOf(set.At().Iterator(nil)))
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s of %q: got %q, want %q", tc.name, tc.env, got, tc.want)
		}
		if values, _, err := q.LabelValues(t.Context(), "env", nil, ms[0]); err != nil || tc.name == "up" && !slices.Equal(values, []string{"prod", "staging"}) {
			t.Errorf("got the values %q, %v", values, err)
		}
	}
}

func samplesOf(it chunkenc.Iterator) string {
	var out strings.Builder
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		if kind == chunkenc.ValFloat {
			at, v := it.At()
			fmt.Fprintf(&out, " %d:%g", at, v)
			continue
		}
		at, h := it.AtFloatHistogram(nil)
		fmt.Fprintf(&out, " %d:%g", at, h.Count)
	}
	return out.String()
}

// Seek finds the first sample of a copy at or after a time.
func TestTwinSeeks(t *testing.T) {
	t.Parallel()
	store := metricstore.New()
	for i := range int64(500) {
		if err := store.Append(labels.FromStrings("__name__", "up", "env", "prod"), 1000*i, float64(i)); err != nil {
			t.Fatal(err)
		}
	}
	twin := metricstore.Twin{Store: store, Later: time.Minute, Label: func(l labels.Labels) labels.Labels { return labels.NewBuilder(l).Set("env", "b").Labels() }}
	q, err := twin.Querier(0, math.MaxInt32)
	if err != nil {
		t.Fatal(err)
	}
	set := q.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "env", "b"))
	if !set.Next() {
		t.Fatal("no copy")
	}
	it := set.At().Iterator(nil)
	if it.Seek(360_500) != chunkenc.ValFloat || it.AtT() != 361_000 {
		t.Errorf("got %d", it.AtT())
	}
}
