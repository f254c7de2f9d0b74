package exposition_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/runtime/declared"
)

const list = `{"status":"success","data":["__name__","wait_seconds_bucket","jobs_total","0.5","1","1.0","+Inf"]}`

func TestPrometheusReadsDetailedMetrics(t *testing.T) {
	t.Parallel()
	get := func(_ context.Context, address string) ([]byte, error) {
		switch {
		case strings.Contains(address, "__name__/values"):
			return []byte(`{"status":"success","data":["wait_seconds_bucket","jobs_total","other"]}`), nil
		case strings.Contains(address, "/label/le/values"):
			return []byte(list), nil
		}
		return []byte(`{"status":"success","data":["__name__","le","queue"]}`), nil
	}
	got, err := exposition.Prometheus{Address: "http://p.test/prefix/", Get: get}.Metrics(t.Context(), []string{"wait_seconds", "jobs_total"})
	if err != nil {
		t.Fatal(err)
	}
	want := exposition.Declared(declared.Signals{Metrics: []declared.Metric{
		{Name: "wait_seconds_bucket"},
		{Name: "wait_seconds", Type: "histogram", Labels: []string{"queue"}, Bounds: []float64{0.5, 1}},
		{Name: "jobs_total", Labels: []string{"le", "queue"}},
		{Name: "other"},
	}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOtherServersAreRejected(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"<html>", "", `{"status":"error","error":"too many"}`, `{"data":["a"]}`} {
		_, err := exposition.Prometheus{Address: "http://p.test", Get: func(context.Context, string) ([]byte, error) { return []byte(answer), nil }}.Metrics(t.Context(), nil)
		if !errors.Is(err, exposition.ErrNoServer) {
			t.Errorf("%q: got %v, want ErrNoServer", answer, err)
		}
	}
}

// The help may differ between versions of a program.
func TestTypesAreThoseThatAllTargetsDeclare(t *testing.T) {
	t.Parallel()
	const metadata = `{"status":"success","data":{
		"jobs":[{"type":"counter","unit":"","help":"Jobs."},{"type":"counter","unit":"","help":"Number of jobs."}],
		"odd":[{"type":"gauge","unit":"","help":"Odd."},{"type":"counter","unit":"","help":"Odd."}],
		"wait":[{"type":"gauge","unit":"seconds","help":"Wait."},{"type":"gauge","unit":"","help":"Wait."}],
		"none":[]}}`
	got, err := exposition.Prometheus{Address: "http://p.test", Get: func(context.Context, string) ([]byte, error) { return []byte(metadata), nil }}.
		Types(t.Context(), []string{"jobs_total"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exposition.Declared(declared.Signals{Metrics: []declared.Metric{{Name: "jobs_total", Type: "counter"}}}).Metrics, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzPrometheus(f *testing.F) {
	f.Add(list)
	f.Add(`{"status":"success","data":null}`)
	f.Fuzz(func(t *testing.T, answer string) {
		signals, err := exposition.Prometheus{Address: "http://p.test", Get: func(context.Context, string) ([]byte, error) { return []byte(answer), nil }}.
			Metrics(t.Context(), []string{"wait_seconds", "jobs_total"})
		if err != nil && len(signals.Metrics) > 0 {
			t.Errorf("%d metrics beside the error %v", len(signals.Metrics), err)
		}
	})
}
