package declared_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/observability-first/scaffold/runtime/declared"
)

func TestJSONHasOneLinePerRouteAndMetric(t *testing.T) {
	t.Parallel()
	signals := declared.Signals{
		Service: "orders",
		Routes:  []string{"GET /v1/orders", "POST /v1/orders"},
		Metrics: []declared.Metric{
			{Name: "orders_total", Type: declared.Counter, Help: "Orders <new> & paid.", Labels: []string{}},
			{Name: "orders_age_seconds", Type: declared.Histogram, Unit: "seconds", Help: "Age.", Labels: []string{"a", "b"}, Bounds: []float64{0.5, 1}},
		},
	}
	got, err := signals.JSON()
	const want = `{
  "service": "orders",
  "routes": [
    "GET /v1/orders",
    "POST /v1/orders"
  ],
  "metrics": [
    {"name":"orders_total","type":"counter","help":"Orders <new> & paid.","labels":[]},
    {"name":"orders_age_seconds","type":"histogram","unit":"seconds","help":"Age.","labels":["a","b"],"bounds":[0.5,1]}
  ]
}
`
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	var back declared.Signals
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, signals) {
		t.Errorf("got %v, want %v", back, signals)
	}
}

func TestJSONOfAServiceWithoutRoutesIsValid(t *testing.T) {
	t.Parallel()
	got, err := declared.Signals{Service: "worker"}.JSON()
	if err != nil || !json.Valid(got) {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestJSONRejectsABoundThatIsNoNumber(t *testing.T) {
	t.Parallel()
	signals := declared.Signals{Metrics: []declared.Metric{{Name: "a", Bounds: []float64{math.NaN()}}}}
	if _, err := signals.JSON(); err == nil {
		t.Error("NaN was encoded")
	}
}
