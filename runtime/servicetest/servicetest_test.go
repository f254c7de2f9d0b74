package servicetest_test

import (
	"net/http"
	"testing"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// A request is visible in every signal, and the service exits on a signal.
func TestARequestIsReadBackFromEverySignal(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, runtime.Info{Name: "hello"}, runtime.Defaults{}, hello, "TRACE_RATIO=1", "ACCESS_LOG=all")
	res, err := http.Get(svc.URL + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "GET /hello" })
	if span.Failed || span.ParentID != "" || span.TraceID == "" || span.Resource["service.name"] != "hello" {
		t.Errorf("got %+v", span)
	}
	line := svc.WaitLog(func(l servicetest.Line) bool { return l["trace_id"] == span.TraceID })
	if line["level"] != "INFO" {
		t.Errorf("got %v", line)
	}
	labels := map[string]string{semconv.LabelRoute: "/hello", semconv.LabelOutcome: semconv.OutcomeSuccess}
	svc.WaitMetric(semconv.HTTPServerRequests, labels, 1)
	if sum, found := svc.Metric(semconv.HTTPServerRequests, map[string]string{semconv.LabelRoute: "/nowhere"}); found {
		t.Errorf("an unknown route counts %v", sum)
	}
	if status := svc.Stop(); status != 0 || svc.Stderr() != "" {
		t.Errorf("exit code %d, stderr %q", status, svc.Stderr())
	}
}
