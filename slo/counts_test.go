package slo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Each query counts only the events of its environment.
func TestCountsOfRawSeries(t *testing.T) {
	t.Parallel()
	counts := mustCompile(t, generated).Counts()
	if len(counts) != 2 || counts[0].Objective != "availability" || counts[1].Objective != "latency" {
		t.Fatalf("got %+v; want the two objectives without groupBy", counts)
	}
	if got := counts[0].Burns; len(got) != 4 || got[0].String() != `OrdersAvailabilityErrorBudgetBurn{long="1h"}` || got[0].Burn.Threshold.RatString() != "9/625" {
		t.Errorf("got %+v; want four pairs, the first at 0.0144", got)
	}
	// Ten requests per second: one fails, and a third of the others is slow. In staging all
	// fail.
	store := metricstore.New()
	add := func(environment, metric, outcome string, rate float64, more ...string) {
		t.Helper()
		l := map[string]string{
			"__name__": metric, "job": "orders", "instance": environment,
			"deployment_environment_name": environment, "outcome": outcome,
		}
		for i := 0; i < len(more); i += 2 {
			l[more[i]] = more[i+1]
		}
		series := synthetic.Series{Every: 15 * time.Second, Last: 2 * time.Hour, Exists: func(time.Duration) bool { return true }, Read: synthetic.Steady(rate).Count}
		if err := store.Generate(labels.FromMap(l), series.Generator()); err != nil {
			t.Fatal(err)
		}
	}
	add("prod", semconv.HTTPServerRoutedRequests, semconv.OutcomeSuccess, 9)
	add("prod", semconv.HTTPServerRoutedRequests, semconv.OutcomeServerError, 1)
	add("prod", semconv.HTTPServerRoutedRequestDuration+"_count", semconv.OutcomeSuccess, 9)
	add("prod", semconv.HTTPServerRoutedRequestDuration+"_bucket", semconv.OutcomeSuccess, 6, "le", "1.0")
	add("staging", semconv.HTTPServerRoutedRequests, semconv.OutcomeServerError, 100)

	for _, want := range []struct {
		query string
		value float64
	}{
		{counts[0].Total, 36000}, {counts[0].Bad, 3600}, {counts[1].Total, 32400}, {counts[1].Bad, 10800},
	} {
		query := strings.NewReplacer("$window", "1h", "$environment", "prod").Replace(want.query)
		if got := ask(t, store, query, time.Unix(0, 0).Add(90*time.Minute)); got < want.value*0.99 || got > want.value*1.01 {
			t.Errorf("%s\nreturns %v, want %v", query, got, want.value)
		}
	}
}

func ask(t *testing.T, store *metricstore.Store, query string, at time.Time) float64 {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: newParser()})
	q, err := engine.NewInstantQuery(t.Context(), store, nil, query, at)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer q.Close()
	vector, err := q.Exec(t.Context()).Vector()
	if err != nil || len(vector) != 1 {
		t.Fatalf("%s returns %v (%v), want one number", query, vector, err)
	}
	return vector[0].F
}

func TestCountsOmitObjectivesWithoutBurnAlerts(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, variants(t)["an objective below every page"])
	for _, c := range rules.Counts() {
		for _, b := range c.Burns {
			if ratio, _ := b.Burn.Threshold.Float64(); ratio >= 1 {
				t.Errorf("%s fires above %v", b, ratio)
			}
		}
	}
}
