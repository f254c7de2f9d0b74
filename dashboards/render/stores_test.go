package render

import (
	"context"
	"encoding/json"
	"net/url"
	"testing"
	"time"
)

// page returns a store whose every response is the text, and the last address that was read.
func page(text string) (Store, *url.URL) {
	var last url.URL
	return Store{URL: "http://store/", Get: func(_ context.Context, address string) ([]byte, error) {
		u, err := url.Parse(address)
		if err == nil {
			last = *u
		}
		return []byte(text), err
	}}, &last
}

func TestNullsOfAStoreAreDropped(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind       Kind
		page, want string
	}{
		{Range, `{"status":"success","data":{"resultType":"matrix","result":[null,{"metric":{"job":"a"},"values":[[1,"2"]]}]}}`, `{"series":[{"metric":{"job":"a"},"values":[[1,"2"]]}]}`},
		{Range, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"histograms":[[2,{"count":"1","sum":"1","buckets":[null,[0,"1","2","1"]]}]]}]}}`, `{"series":[{"metric":{},"histograms":[[2,{"count":"1","sum":"1","buckets":[[0,"1","2","1"]]}]]}]}`},
		{Instant, `{"status":"success","data":{"resultType":"vector","result":[null]}}`, `{}`},
		{Exemplars, `{"status":"success","data":[null]}`, `{}`},
		{Alerts, `{"status":"success","data":null}`, `{}`},
	} {
		store, _ := page(tc.page)
		a, err := Stores{Prometheus: store}.Query(t.Context(), Query{Store: Prometheus, Kind: tc.kind, Expr: "up", From: end().Add(-time.Hour), To: end(), Step: time.Minute})
		if err != nil {
			t.Errorf("%s: %v", tc.page, err)
			continue
		}
		if got, err := json.Marshal(a); err != nil || string(got) != tc.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", tc.page, got, err, tc.want)
		}
	}
}

func TestStepOfARangeQuery(t *testing.T) {
	t.Parallel()
	for step, want := range map[time.Duration]string{15 * time.Second: "15", time.Hour: "3600", 100 * time.Millisecond: "0.1"} {
		store, last := page(`{"status":"success","data":{"result":[]}}`)
		if _, err := (Stores{Prometheus: store}).Query(t.Context(), Query{Store: Prometheus, Kind: Range, From: end().Add(-time.Hour), To: end(), Step: step}); err != nil {
			t.Fatal(err)
		}
		if got := last.Query().Get("step"); got != want {
			t.Errorf("%s: got %q, want %q", step, got, want)
		}
	}
}

func TestMetricQueryOfLokiIsAnError(t *testing.T) {
	t.Parallel()
	store, _ := page(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1790000000,"1"]]}]}}`)
	_, err := Stores{Loki: store}.Query(t.Context(), Query{Store: Loki, Kind: Logs, Expr: "count_over_time({a=\"b\"}[5m])"})
	if err == nil || err.Error() != "metric queries of Loki are not supported; use a query of log lines" {
		t.Errorf("got %v", err)
	}
}

// Each store has its own token, so a query must not be read with the reader of another store.
func TestStoresOfOneURLHaveTheirOwnReaders(t *testing.T) {
	t.Parallel()
	reader := func(name string) Store {
		return Store{URL: "http://gateway", Get: func(context.Context, string) ([]byte, error) {
			return json.Marshal(map[string]any{"status": "success", "data": []string{name}, "traces": []any{map[string]string{"traceID": name, "startTimeUnixNano": "1"}}})
		}}
	}
	stores := Stores{Prometheus: reader("prometheus"), Tempo: reader("tempo")}
	values, err := stores.Query(t.Context(), Query{Store: Prometheus, Kind: Values, Label: "job"})
	if err != nil || len(values.Values) != 1 || values.Values[0] != "prometheus" {
		t.Errorf("got %+v, %v", values, err)
	}
	traces, err := stores.Query(t.Context(), Query{Store: Tempo, Kind: Traces})
	if err != nil || len(traces.Traces) != 1 || traces.Traces[0].ID != "tempo" {
		t.Errorf("got %+v, %v", traces, err)
	}
}
