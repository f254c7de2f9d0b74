package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

type text = wrapperspb.StringValue

// Procedures of the tested service.
const (
	say    = "/echo.v1.EchoService/Say"
	repeat = "/echo.v1.EchoService/Repeat"
)

// echo returns the value of the request, and for some values an error.
func echo() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(say, connect.NewUnaryHandler(say, func(_ context.Context, r *connect.Request[text]) (*connect.Response[text], error) {
		return connect.NewResponse(r.Msg), failure(r.Msg.GetValue())
	}))
	mux.Handle(repeat, connect.NewServerStreamHandler(repeat, func(_ context.Context, r *connect.Request[text], s *connect.ServerStream[text]) error {
		if err := s.Send(r.Msg); err != nil {
			return err
		}
		return failure(r.Msg.GetValue())
	}))
	router := httpserver.NewRouter()
	router.Mount("/echo.v1.EchoService/", mux)
	return router
}

// failure returns the error of a request with the value.
func failure(value string) error {
	switch value {
	case "unavailable":
		return connect.NewError(connect.CodeUnavailable, errors.New("injected error"))
	case "denied":
		return connect.NewError(connect.CodePermissionDenied, errors.New("injected error"))
	}
	return nil
}

// Unary and streaming calls of a connect-go service count with the right outcome in
// every protocol, if the service mounts its handler and declares its procedures.
func TestConnectProceduresAreObserved(t *testing.T) {
	protocols := map[string][]connect.ClientOption{
		"connect":  nil,
		"gRPC":     {connect.WithGRPC()},
		"gRPC-Web": {connect.WithGRPCWeb()},
	}
	outcomes := map[string]string{
		"hello": semconv.OutcomeSuccess, "unavailable": semconv.OutcomeServerError, "denied": semconv.OutcomeClientError,
	}
	for name, options := range protocols {
		for value, outcome := range outcomes {
			t.Run(name+" "+value, func(t *testing.T) {
				t.Parallel()
				tel, url, client := observedEcho(t)
				call := connect.NewClient[text, text](client, url+say, options...)
				if _, err := call.CallUnary(t.Context(), connect.NewRequest(&text{Value: value})); (err != nil) != (outcome != semconv.OutcomeSuccess) {
					t.Errorf("the call returned %v, want outcome %s", err, outcome)
				}
				streamed := connect.NewClient[text, text](client, url+repeat, options...)
				stream, err := streamed.CallServerStream(t.Context(), connect.NewRequest(&text{Value: value}))
				if err != nil {
					t.Fatal(err)
				}
				for stream.Receive() {
					if stream.Msg().GetValue() != value {
						t.Errorf("received %q, want %q", stream.Msg().GetValue(), value)
					}
				}
				if err := stream.Close(); err != nil {
					t.Error(err)
				}
				for _, procedure := range []string{say, repeat} {
					waitCount(t, tel, procedure, outcome)
				}
			})
		}
	}
}

// observedEcho serves echo over HTTP/2, which gRPC requires.
func observedEcho(t *testing.T) (*telemetry.Telemetry, string, *http.Client) {
	t.Helper()
	tel, err := telemetry.New(telemetry.Options{Service: "echo", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := observer.Wrap(echo(), httpserver.Procedures(say), httpserver.Streams(repeat))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return tel, server.URL, server.Client()
}

// waitCount waits until the procedure was counted once, with the outcome. The count
// follows the response.
func waitCount(t *testing.T, tel *telemetry.Telemetry, procedure, outcome string) {
	t.Helper()
	deadline, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	for {
		counts := map[string]float64{}
		families, err := tel.Metrics().Gather()
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == semconv.HTTPServerRequests && labelOf(m, semconv.LabelRoute) == procedure {
					counts[labelOf(m, semconv.LabelOutcome)] += m.GetCounter().GetValue()
					total += m.GetCounter().GetValue()
				}
			}
		}
		if total == 1 && counts[outcome] == 1 {
			return
		}
		if total > 0 || deadline.Err() != nil {
			t.Fatalf("outcomes of %s: %v, want one %s", procedure, counts, outcome)
		}
	}
}

func labelOf(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
