package main

import (
	"context"
	"net/http"
	"testing"

	"connectrpc.com/connect"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// runConnect is the function run in the README of the runtime; internal/testkit/archtest
// compares them.
func runConnect(ctx context.Context, svc *runtime.Service) error {
	svc.Handle(echo(), httpserver.Procedures("/echo.v1.EchoService/Say"), httpserver.Streams("/echo.v1.EchoService/Repeat"))
	return svc.Run(ctx)
}

// A connect-go service is observed from a request through a listener to a clean shutdown.
func TestAdoptionOfConnect(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, runtime.Info{Name: "echo"}, runtime.Defaults{}, runConnect)
	call := connect.NewClient[text, text](http.DefaultClient, svc.URL+say)
	res, err := call.CallUnary(t.Context(), connect.NewRequest(&text{Value: "hello"}))
	if err != nil || res.Msg.GetValue() != "hello" {
		t.Fatalf("the call returned %v, %v, want \"hello\"", res, err)
	}
	span := svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "POST "+say })
	svc.WaitLog(func(l servicetest.Line) bool { return l["trace_id"] == span.TraceID })
	svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{
		semconv.LabelRoute: say, semconv.LabelOutcome: semconv.OutcomeSuccess,
	}, 1)
	if status := svc.Stop(); status != 0 {
		t.Errorf("exit code %d, want 0", status)
	}
}
