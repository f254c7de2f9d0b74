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

// ruleDirectories are those with generated rules; every directory is one service, whose
// files read each other's records.
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
		t.Fatalf("only %v", out)
	}
	return out
}

func TestRulesRecordWhatPrometheusRecords(t *testing.T) {
	t.Parallel()
	directories := ruleDirectories(t)
	directories["nasty"] = []string{"testdata/nasty.rules.yaml"}
	for name, files := range directories {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				compare(t, files, seed+1, 100*time.Minute)
			})
		}
	}
}

// compare evaluates files on both sides while samples arrive, and then holds
// every sample of one side to the other.
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
		t.Errorf("rules that fail (- Prometheus, + ours):\n%s", diff)
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
			t.Errorf("%s (- Prometheus, + ours):\n%s", series, first(diff))
		}
	}
	for series := range got {
		if _, ok := want[series]; !ok {
			t.Errorf("Prometheus does not record %s", series)
		}
	}
	t.Logf("%d samples equal: %d recorded, %d about alerts; %d evaluations failed on both sides", n, recorded, alerts, len(them.failures))
	if recorded < 1000 || alerts < 100 {
		t.Errorf("only %d recorded samples and %d about alerts were compared", recorded, alerts)
	}
}

func first(diff string) string {
	const readable = 600
	return diff[:min(len(diff), readable)]
}

// ours is our evaluator, run one evaluation at a time.
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
			// A template that fails is a text in both.
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

// theirs is package rules on the database of Prometheus.
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
	for _, g := range order { // a map has no order, and groups read each other
		group := loaded[rules.GroupKey(g.File, g.Name)]
		for _, r := range group.AlertingRules() {
			r.SetRestored(true) // else it writes no series
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

// copied is for the database, which may change the layout of what it gets.
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

// sorted asks for series in the order of their labels, which the database only
// gives on demand: sums of floating-point numbers depend on it.
type sorted struct{ storage.Queryable }

func (s sorted) Querier(from, to int64) (storage.Querier, error) {
	q, err := s.Queryable.Querier(from, to)
	return sortedQuerier{q}, err
}

type sortedQuerier struct{ storage.Querier }

func (q sortedQuerier) Select(ctx context.Context, _ bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	return q.Querier.Select(ctx, true, hints, ms...)
}

// dump writes down every sample of every series, to the bit.
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
