package servicetest_test //nolint:testableexamples // it needs the t of a test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// hello is the run function of the service under test.
func hello(ctx context.Context, svc *runtime.Service) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	svc.Handle(mux, httpserver.Routes("GET /hello"))
	return svc.Run(ctx)
}

func ExampleStart() {
	var t *testing.T // the test
	svc := servicetest.Start(t, runtime.Info{Name: "hello"}, runtime.Defaults{}, hello, "TRACE_RATIO=1")
	res, err := http.Get(svc.URL + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "GET /hello" })
	if span.Failed {
		t.Errorf("the span has the status %q", span.StatusMessage)
	}
}
