package conformance

import (
	"cmp"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// sample is an input of both evaluators.
type sample struct {
	labels labels.Labels
	t      int64
	v      float64
	h      *histogram.FloatHistogram
}

const (
	scrape          = 15 * time.Second // interval of samples
	seriesPerMetric = 12               // maximum
)

// feed returns random samples, sorted by time, for every metric that the rules read and
// do not record. Some series have other labels than the rules select, and series start
// late, end, reappear, miss scrapes and are reset.
func feed(t *testing.T, groups []rulesim.Group, seed uint64, span time.Duration) []sample {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, seed))
	var out []sample
	wanted := inputs(t, groups)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		for _, l := range combinations(rnd, name, wanted[name]) {
			out = append(out, life(rnd, l, span)...)
		}
	}
	slices.SortStableFunc(out, func(a, b sample) int {
		return cmp.Or(cmp.Compare(a.t, b.t), labels.Compare(a.labels, b.labels))
	})
	return out
}

// inputs returns the metrics that rules read and do not record, with values for each
// label.
func inputs(t *testing.T, groups []rulesim.Group) map[string]map[string][]string {
	t.Helper()
	recorded := map[string]bool{"ALERTS": true, "ALERTS_FOR_STATE": true}
	out := map[string]map[string][]string{}
	grouping := map[string]bool{}
	for _, g := range groups {
		for _, r := range g.Rules {
			recorded[r.Name] = recorded[r.Name] || !r.IsAlert
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
			must(t, err)
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				switch n := node.(type) {
				case *parser.VectorSelector:
					addSelector(out, n.LabelMatchers)
				case *parser.AggregateExpr:
					for _, l := range n.Grouping {
						grouping[l] = !n.Without
					}
				}
				return nil
			})
		}
	}
	for name, byLabel := range out {
		if recorded[name] {
			delete(out, name)
			continue
		}
		for l := range grouping {
			if len(byLabel[l]) == 0 && l != "le" {
				byLabel[l] = []string{"a", "b"}
			}
		}
		byLabel["instance"] = []string{"0", "1", "2"}
		byLabel["zone"] = []string{"a", "b"}
		if _, ok := byLabel["job"]; ok {
			byLabel["job"] = append(byLabel["job"], "y")
		}
	}
	return out
}

// addSelector adds label values that a selector matches, and some that it does not.
func addSelector(metrics map[string]map[string][]string, ms []*labels.Matcher) {
	name := ""
	for _, m := range ms {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			name = m.Value
		}
	}
	if name == "" {
		return
	}
	if metrics[name] == nil {
		metrics[name] = map[string][]string{}
	}
	for _, m := range ms {
		if m.Name == model.MetricNameLabel {
			continue
		}
		values := strings.Split(strings.ReplaceAll(m.Value, "[+]", "+"), "|")
		if m.Type == labels.MatchNotEqual || m.Type == labels.MatchNotRegexp {
			values = append(values, "success")
		}
		for _, v := range values {
			if v != "" && !strings.ContainsAny(v, ".*[(") && !slices.Contains(metrics[name][m.Name], v) {
				metrics[name][m.Name] = append(metrics[name][m.Name], v)
			}
		}
	}
}

func combinations(rnd *rand.Rand, name string, byLabel map[string][]string) []labels.Labels {
	seen := map[string]labels.Labels{}
	for range 3 * seriesPerMetric {
		b := labels.NewBuilder(labels.FromStrings(model.MetricNameLabel, name))
		for _, l := range slices.Sorted(maps.Keys(byLabel)) {
			b.Set(l, byLabel[l][rnd.IntN(len(byLabel[l]))])
		}
		if len(seen) < seriesPerMetric {
			seen[b.Labels().String()] = b.Labels()
		}
	}
	out := slices.Collect(maps.Values(seen))
	slices.SortFunc(out, labels.Compare)
	return out
}

// life returns the samples of a series.
func life(rnd *rand.Rand, l labels.Labels, span time.Duration) []sample {
	name := l.Get(model.MetricNameLabel)
	s := &state{rnd: rnd, rate: []float64{0, 0.3, 5, 80}[rnd.IntN(4)], le: 1}
	if le, err := strconv.ParseFloat(l.Get("le"), 64); err == nil {
		s.le = math.Min(le, 10)
	}
	var out []sample
	from := time.Duration(rnd.Int64N(int64(scrape)))
	if rnd.IntN(4) == 0 {
		from += time.Duration(rnd.Int64N(int64(span / 2)))
	}
	alive := true
	for at := from; at < span; at += scrape {
		was := alive
		alive = alive && rnd.IntN(150) > 0 || !alive && rnd.IntN(20) == 0
		switch {
		case !alive && was:
			out = append(out, sample{labels: l, t: at.Milliseconds(), v: math.Float64frombits(value.StaleNaN)})
		case alive && rnd.IntN(40) > 0: // otherwise a missed scrape
			v, h := s.next(name)
			out = append(out, sample{l, at.Milliseconds(), v, h})
		}
	}
	return out
}

// state is the state from which the next sample of a series follows.
type state struct {
	rnd        *rand.Rand
	rate, v    float64
	le         float64
	cumulative []float64
}

func (s *state) next(name string) (float64, *histogram.FloatHistogram) {
	if s.rnd.IntN(200) == 0 { // a restart, with another rate
		s.v, s.cumulative, s.rate = 0, nil, []float64{0, 0.3, 5, 80}[s.rnd.IntN(4)]
	}
	switch {
	case strings.HasPrefix(name, "native_"):
		return 0, s.nextHistogram()
	case name == "up" || strings.HasSuffix(name, "_ready") || strings.HasSuffix(name, "_up"):
		return float64(min(s.rnd.IntN(20), 1)), nil
	case strings.HasSuffix(name, "_total"), strings.HasSuffix(name, "_bucket"), strings.HasSuffix(name, "_count"), strings.HasSuffix(name, "_sum"):
		s.v += math.Floor(s.rnd.Float64() * s.rate * s.le)
		return s.v, nil
	case s.rnd.IntN(6) == 0:
		s.v = math.Round(s.rnd.Float64()*100) / 10
	}
	return s.v, nil
}

// nextHistogram adds to a growing number of buckets.
func (s *state) nextHistogram() *histogram.FloatHistogram {
	for len(s.cumulative) < 3+s.rnd.IntN(4) {
		s.cumulative = append(s.cumulative, 0)
	}
	h := &histogram.FloatHistogram{Schema: 1, ZeroThreshold: 0.001, ZeroCount: 1, Count: 1}
	for i := range s.cumulative {
		s.cumulative[i] += float64(s.rnd.IntN(4))
		h.Count += s.cumulative[i]
		h.Sum += s.cumulative[i] * math.Pow(2, float64(i-1)/2)
	}
	h.PositiveSpans = []histogram.Span{{Offset: -1, Length: uint32(len(s.cumulative))}}
	h.PositiveBuckets = slices.Clone(s.cumulative)
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
