package slo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Read is one metric that an objective counts.
type Read struct {
	Path     string // path in the specification, such as slos[0].indicator.ratio.bad
	Metric   string // without _bucket or _count if a bucket is read
	Matchers []*labels.Matcher
	GroupBy  []string // groupBy of the objective
	// Bound is the bound of the bucket, in the unit of the histogram; 0 for a counter.
	Bound     float64
	BoundPath string // path of the bound in the specification

	key string // within the indicator
}

// Selector returns the metric and matchers as PromQL, without a bucket.
func (r Read) Selector() string { return selector{r.Metric, r.Matchers}.String() }

// Series returns the name of the series: the metric, or its buckets.
func (r Read) Series() string {
	if r.Bound > 0 {
		return r.Metric + "_bucket"
	}
	return r.Metric
}

// Bucket returns the bucket as PromQL, with le in the spelling of OpenMetrics.
func (r Read) Bucket() string {
	le := strconv.FormatFloat(r.Bound, 'g', -1, 64)
	if !strings.ContainsAny(le, ".e") {
		le += ".0"
	}
	return selector{r.Metric + "_bucket", r.Matchers}.with(labels.MustNewMatcher(labels.MatchEqual, semconv.LabelLessOrEqual, le)).String()
}

// Reads lists the metrics that the objectives count, which must exist.
func (s Spec) Reads() []Read {
	s = s.WithDefaults()
	sc := newScope(s)
	var out []Read
	for i, o := range s.SLOs {
		for _, r := range sc.events(o).reads() {
			metric, bound := "ratio."+r.key, "ratio."+r.key
			switch {
			case o.Indicator.Availability != nil:
				metric, bound = "availability", "availability"
			case o.Indicator.Latency != nil:
				metric, bound = "latency.histogram", "latency.threshold"
			}
			at := fmt.Sprintf("slos[%d].indicator.", i)
			r.Path, r.BoundPath, r.GroupBy = at+metric, at+bound, o.GroupBy
			out = append(out, r)
		}
	}
	return out
}

func read(key string, s selector) Read {
	r := Read{key: key, Metric: s.metric, Matchers: s.matchers}
	base, isBucket := strings.CutSuffix(s.metric, "_bucket")
	for i, m := range s.matchers {
		if bound, spellings := oneBound(m); len(spellings) > 0 && isBucket && m.Name == semconv.LabelLessOrEqual {
			r.Metric, r.Matchers = base, slices.Delete(slices.Clone(s.matchers), i, i+1)
			r.Bound = bound
		}
	}
	return r
}

func (e countedEvents) reads() []Read { return []Read{read("total", e.total), read("bad", e.bad)} }
func (e goodEvents) reads() []Read    { return []Read{read("total", e.total), read("good", e.good)} }
func (e timedEvents) reads() []Read {
	return []Read{{Metric: e.histogram.metric, Matchers: e.histogram.matchers, Bound: e.bound}}
}
