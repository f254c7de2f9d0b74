package queryapi_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/queryapi"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

const rules = `groups:
- name: g
  rules:
  - alert: Down
    expr: up{job="b"} == 0
    labels: {severity: critical}
  - alert: Waiting
    expr: up == 1
    for: 1h
`

// prometheus returns a store of two targets, an exemplar and a native histogram, at a time.
func prometheus(t *testing.T) (*queryapi.Prometheus, time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	store := metricstore.New()
	up := func(job string) labels.Labels { return labels.FromStrings("__name__", "up", "job", job) }
	latency := labels.FromStrings("__name__", "latency_bucket", "le", "1")
	native := &histogram.FloatHistogram{
		Schema: 0, Count: 3, Sum: 4, ZeroThreshold: 0.001, PositiveSpans: []histogram.Span{{Offset: 1, Length: 2}}, PositiveBuckets: []float64{1, 2},
	}
	for at := now.Add(-time.Minute); !at.After(now); at = at.Add(15 * time.Second) {
		ms := at.UnixMilli()
		for err := range errorsOf(
			store.Append(up("a"), ms, 1), store.Append(up("b"), ms, 0), store.Append(latency, ms, 4),
			store.AppendHistogram(labels.FromStrings("__name__", "duration"), ms, native),
		) {
			t.Fatal(err)
		}
	}
	for i, value := range []float64{.5, math.NaN(), math.Inf(1)} { // JSON has no NaN, and no infinity
		one := exemplar.Exemplar{Labels: labels.FromStrings("trace_id", "t"), Value: value, Ts: now.Add(time.Duration(i)*time.Millisecond - time.Second).UnixMilli(), HasTs: true}
		if err := store.AppendExemplar(latency, one); err != nil {
			t.Fatal(err)
		}
	}
	groups, err := rulesim.Load("rules.yaml", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	evaluator, err := rulesim.New(store, groups, rulesim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := evaluator.Run(t.Context(), now.Add(-time.Minute), now); err != nil {
		t.Fatal(err)
	}
	return &queryapi.Prometheus{Store: store, Rules: evaluator}, now
}

func errorsOf(list ...error) func(func(error) bool) {
	return func(yield func(error) bool) {
		for _, err := range list {
			if err != nil && !yield(err) {
				return
			}
		}
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	p, now := prometheus(t)
	for _, tc := range []struct {
		kind        render.Kind
		expr, label string
		want        string
	}{
		{render.Range, "up + 1", "", `{"series":[{"metric":{"job":"a"},"values":[[1795867170,"2"],[1795867200,"2"]]},{"metric":{"job":"b"},"values":[[1795867170,"1"],[1795867200,"1"]]}]}`},
		{render.Instant, "sum(up)", "", `{"series":[{"metric":{},"values":[[1795867200,"1"]]}]}`},
		{render.Values, "up", "job", `{"values":["a","b"]}`},
		{render.Values, "", "le", `{"values":["1"]}`},
		{render.Exemplars, "rate(latency_bucket[1m])", "", `{"exemplars":[{"time":"2026-11-28T11:59:59Z","value":0.5,"labels":{"trace_id":"t"}}]}`},
		{render.Alerts, "", "", `{"alerts":[{"name":"Down","state":"firing","since":"2026-11-28T11:59:00Z","labels":{"alertname":"Down","job":"b","severity":"critical"}},{"name":"Waiting","state":"pending","since":"2026-11-28T11:59:00Z","labels":{"alertname":"Waiting","job":"a"}}]}`},
		{render.Range, "duration", "", `{"series":[{"metric":{"__name__":"duration"},"histograms":[[1795867170,{"count":"3","sum":"4","buckets":[[0,"1","2","1"],[0,"2","4","2"]]}],[1795867200,{"count":"3","sum":"4","buckets":[[0,"1","2","1"],[0,"2","4","2"]]}]]}]}`},
	} {
		a, err := p.Query(t.Context(), render.Query{Store: render.Prometheus, Kind: tc.kind, Expr: tc.expr, Label: tc.label, From: now.Add(-30 * time.Second), To: now, Step: 30 * time.Second})
		if err != nil {
			t.Errorf("%s %s: %v", tc.kind, tc.expr, err)
			continue
		}
		if got, err := json.Marshal(a); err != nil || string(got) != tc.want {
			t.Errorf("%s %s: %v\n got %s\nwant %s", tc.kind, tc.expr, err, got, tc.want)
		}
	}
}

func TestQueryRejects(t *testing.T) {
	t.Parallel()
	p, now := prometheus(t)
	for _, q := range []render.Query{
		{Store: render.Prometheus, Kind: render.Logs}, {Store: render.Prometheus, Kind: render.Values, Expr: "sum(up)", Label: "job"},
		{Store: render.Prometheus, Kind: render.Instant, Expr: "sum("}, {Store: render.Prometheus, Kind: render.Exemplars, Expr: "("},
	} {
		q.From, q.To, q.Step = now.Add(-time.Minute), now, time.Minute
		if a, err := p.Query(t.Context(), q); err == nil {
			t.Errorf("%+v: %+v", q.Kind, a)
		}
	}
	if _, err := p.Query(t.Context(), render.Query{Store: render.Loki}); !errors.Is(err, render.ErrNoStore) {
		t.Errorf("got %v", err)
	}
}
