package conformance

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

const externalURL = "http://prometheus.test/"

// ruleDirectories returns the generated rule files by directory. Files of a directory
// use recorded series of each other.
func ruleDirectories(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, pattern := range []string{"../../examples/*/observability/rules/*.rules.yaml", "../../slo/testdata/*/*.rules.yaml"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		for _, f := range files {
			service := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(f)), "../../")
			out[service] = append(out[service], f)
		}
	}
	if len(out) < 4 {
		t.Fatalf("found rules in %v, want at least 4 directories", out)
	}
	return out
}

func TestRulesRecordWhatPrometheusRecords(t *testing.T) {
	t.Parallel()
	directories := ruleDirectories(t)
	directories["difficult rules"] = []string{"testdata/nasty.rules.yaml"}
	for name, files := range directories {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				compare(t, files, seed+1, 100*time.Minute)
			})
		}
	}
}

// compare evaluates files with both evaluators while samples arrive, and then compares
// all samples.
func compare(t *testing.T, files []string, seed uint64, span time.Duration) {
	t.Helper()
	var groups []rulesim.Group
	for _, f := range files {
		data, err := os.ReadFile(f)
		must(t, err)
		more, err := rulesim.Load(f, data)
		must(t, err)
		groups = append(groups, more...)
	}
	us, them := newOurs(t, groups), newTheirs(t, groups, files)
	samples := feed(t, groups, seed, span)
	for at := time.Duration(0); at < span; at += 5 * time.Second { // divides every interval
		for len(samples) > 0 && samples[0].t <= at.Milliseconds() {
			us.append(t, samples[0])
			them.append(t, samples[0])
			samples = samples[1:]
		}
		us.eval(t, at)
		them.eval(t, at)
	}
	if diff := cmp.Diff(them.failures, us.failures); diff != "" {
		t.Errorf("failed evaluations differ (- Prometheus, + ours):\n%s", diff)
	}
	want, got := dump(t, sorted{them.db}), dump(t, us.store)
	n, recorded, alerts := 0, 0, 0
	for series, samples := range want {
		n += len(samples)
		switch {
		case strings.Contains(series, `__name__="ALERTS`):
			alerts += len(samples)
		case strings.Contains(series, ":"):
			recorded += len(samples)
		}
		if diff := cmp.Diff(samples, got[series]); diff != "" {
			t.Errorf("samples of %s differ (- Prometheus, + ours):\n%s", series, first(diff))
		}
	}
	for series := range got {
		if _, ok := want[series]; !ok {
			t.Errorf("only our evaluator records %s", series)
		}
	}
	t.Logf("compared %d samples: %d recorded, %d of alerts; %d evaluations failed in both evaluators", n, recorded, alerts, len(them.failures))
	if recorded < 1000 || alerts < 100 {
		t.Errorf("compared %d recorded samples and %d of alerts, want at least 1000 and 100", recorded, alerts)
	}
}

func first(diff string) string {
	const readable = 600
	return diff[:min(len(diff), readable)]
}

// ours is our evaluator and store.
type ours struct {
	store    *metricstore.Store
	ev       *rulesim.Evaluator
	failures []string
}

func newOurs(t *testing.T, groups []rulesim.Group) *ours {
	t.Helper()
	o := &ours{store: metricstore.New()}
	ev, err := rulesim.New(o.store, groups, rulesim.Options{
		ExternalURL: externalURL, Annotate: true, Substep: substep,
		Failed: func(err error) bool {
			// Template errors are not failures: both write them as text.
			if _, after, ok := strings.Cut(err.Error(), ": group "); ok {
				group, rest, _ := strings.Cut(after, ": rule ")
				rule, rest, _ := strings.Cut(rest, " at ")
				o.failures = append(o.failures, group+" "+rule+" "+rest[:len("1970-01-01T00:00:00Z")])
			}
			return true
		},
	})
	must(t, err)
	o.ev = ev
	return o
}

const substep = time.Minute

func (o *ours) append(t *testing.T, s sample) {
	t.Helper()
	if s.h != nil {
		must(t, o.store.AppendHistogram(s.labels, s.t, s.h))
		return
	}
	must(t, o.store.Append(s.labels, s.t, s.v))
}

func (o *ours) eval(t *testing.T, at time.Duration) {
	t.Helper()
	now := time.Unix(0, 0).Add(at)
	must(t, o.ev.Run(t.Context(), now, now.Add(1)))
}

// theirs is the rules package and the database of Prometheus.
type theirs struct {
	db       *teststorage.TestStorage
	groups   []*rules.Group
	failures []string
}

func newTheirs(t *testing.T, order []rulesim.Group, files []string) *theirs {
	t.Helper()
	db := teststorage.New(t)
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: rulesim.DefaultMaxSamples, Timeout: rulesim.DefaultQueryTimeout, LookbackDelta: 5 * time.Minute,
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: p,
		NoStepSubqueryIntervalFn: func(int64) int64 { return substep.Milliseconds() },
	})
	external, err := url.Parse(externalURL)
	must(t, err)
	m := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(engine, sorted{db}), AppendableV2: db, Context: t.Context(), ExternalURL: external, Parser: p,
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
	})
	loaded, problems := m.LoadGroups(rulesim.DefaultInterval, labels.EmptyLabels(), externalURL, nil, false, files...)
	for _, err := range problems {
		t.Fatal(err)
	}
	out := &theirs{db: db}
	for _, g := range order { // groups use series of earlier groups
		group := loaded[rules.GroupKey(g.File, g.Name)]
		for _, r := range group.AlertingRules() {
			r.SetRestored(true) // otherwise it writes no series
		}
		out.groups = append(out.groups, group)
	}
	return out
}

func (o *theirs) append(t *testing.T, s sample) {
	t.Helper()
	app := o.db.AppenderV2(t.Context())
	_, err := app.Append(0, s.labels, 0, s.t, s.v, nil, copied(s.h), storage.AppendV2Options{})
	must(t, err)
	must(t, app.Commit())
}

// copied returns a copy for the database, which may modify the histogram.
func copied(h *histogram.FloatHistogram) *histogram.FloatHistogram {
	if h == nil {
		return nil
	}
	return h.Copy()
}

func (o *theirs) eval(t *testing.T, at time.Duration) {
	t.Helper()
	now := time.Unix(0, 0).Add(at).UTC()
	for _, g := range o.groups {
		if at%g.Interval() != 0 {
			continue
		}
		g.Eval(t.Context(), now)
		for _, r := range g.Rules() {
			if r.LastError() != nil {
				o.failures = append(o.failures, g.Name()+" "+r.Name()+" "+now.Format(time.RFC3339))
			}
		}
	}
}

// sorted requests series sorted by labels, because sums of floating-point numbers depend
// on the order.
type sorted struct{ storage.Queryable }

func (s sorted) Querier(from, to int64) (storage.Querier, error) {
	q, err := s.Queryable.Querier(from, to)
	return sortedQuerier{q}, err
}

type sortedQuerier struct{ storage.Querier }

func (q sortedQuerier) Select(ctx context.Context, _ bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	return q.Querier.Select(ctx, true, hints, ms...)
}

// dump returns every sample of every series, with the bits of floats.
func dump(t *testing.T, from storage.Queryable) map[string][]string {
	t.Helper()
	q, err := from.Querier(math.MinInt64, math.MaxInt64)
	must(t, err)
	defer func() { must(t, q.Close()) }()
	set := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchNotEqual, model.MetricNameLabel, ""))
	out := map[string][]string{}
	for set.Next() {
		series := set.At()
		var all []string
		it := series.Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind == chunkenc.ValFloat {
				at, v := it.At()
				all = append(all, fmt.Sprintf("%d %x %v", at, math.Float64bits(v), v))
				continue
			}
			at, h := it.AtFloatHistogram(nil)
			all = append(all, fmt.Sprintf("%d %x %s", at, math.Float64bits(h.Sum), h.Copy().Compact(0)))
		}
		must(t, it.Err())
		out[series.Labels().String()] = all
	}
	must(t, set.Err())
	return out
}
