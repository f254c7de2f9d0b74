package runtime_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpclient"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// occupied is a service whose only slot is taken.
func occupied(t *testing.T, handler func(http.HandlerFunc) http.Handler, options ...httpserver.Option) *servicetest.Service {
	t.Helper()
	release, entered := make(chan struct{}), make(chan struct{})
	h := handler(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	})
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.Handle(h, options...)
		return svc.Run(ctx)
	}, "OVERLOAD_MIN_LIMIT=1", "OVERLOAD_INITIAL_LIMIT=1", "OVERLOAD_MAX_LIMIT=1", "OVERLOAD_QUEUE_WAIT=1ms")
	var first sync.WaitGroup
	first.Go(func() {
		if status, _, _ := fetch(t, svc.URL+"/orders/1"); status != http.StatusOK {
			t.Errorf("the admitted request got %d", status)
		}
	})
	t.Cleanup(first.Wait)
	t.Cleanup(func() { close(release) })
	<-entered
	return svc
}

func fetch(t *testing.T, url string, header ...string) (int, http.Header, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Error(err)
		return 0, nil, nil
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, nil, nil
	}
	defer resp.Body.Close()
	var body map[string]any
	_ = json.NewDecoder(resp.Body).Decode(&body) // some responses have no body
	return resp.StatusCode, resp.Header, body
}

// A stream releases its slot when it begins, even if it was not requested, and outlives the
// request timeout.
func TestStreamIsNotInFlight(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	router := httpserver.NewRouter()
	router.Get("/tokens", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		if _, limited := r.Context().Deadline(); limited {
			t.Error("the stream has a deadline")
		}
		<-end
	})
	router.Get("/orders", func(http.ResponseWriter, *http.Request) {})
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.Handle(router)
		return svc.Run(ctx)
	}, "OVERLOAD_MIN_LIMIT=1", "OVERLOAD_INITIAL_LIMIT=1", "OVERLOAD_MAX_LIMIT=1", "OVERLOAD_QUEUE_WAIT=1ms")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, svc.URL+"/tokens", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	defer close(end)
	if status, _, _ := fetch(t, svc.URL+"/orders"); status != http.StatusOK {
		t.Errorf("during a stream, the status is %d", status)
	}
}

// A rejection has problem details and Retry-After. It is counted as shed on its route, for any
// router, and does not affect probes.
func TestRejectedRequestIsShedOnItsRoute(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler func(http.HandlerFunc) http.Handler
		options []httpserver.Option
	}{
		"chi": {handler: func(h http.HandlerFunc) http.Handler {
			router, sub := httpserver.NewRouter(), httpserver.NewRouter()
			sub.Get("/{id}", h)
			router.Mount("/orders", sub)
			return router
		}},
		"http.ServeMux": {func(h http.HandlerFunc) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("GET /orders/{id}", h)
			return mux
		}, []httpserver.Option{httpserver.Routes("GET /orders/{id}")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := occupied(t, tc.handler, tc.options...)
			for _, header := range [][]string{{}, {semconv.HeaderTimeout, "5000"}} {
				status, got, body := fetch(t, svc.URL+"/orders/2", header...)
				if status != http.StatusServiceUnavailable || got.Get("Content-Type") != httpserver.ProblemType {
					t.Errorf("%d %v", status, got)
				}
				if after := got.Get("Retry-After"); !slices.Contains([]string{"1", "2", "3"}, after) {
					t.Errorf("Retry-After: %q", after)
				}
				if detail, _ := body["detail"].(string); body["code"] != "unavailable" || !strings.Contains(detail, "try again") {
					t.Errorf("the problem is %v", body)
				}
			}
			svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{
				semconv.LabelRoute: "/orders/{id}", semconv.LabelOutcome: semconv.OutcomeShed,
			}, 2)
			svc.WaitMetric(semconv.RuntimeOverloadShed, map[string]string{semconv.LabelReason: semconv.ShedLimit}, 2)
			svc.WaitMetric(semconv.RuntimeOverloadInFlight, nil, 1)
			svc.WaitLog(func(l servicetest.Line) bool {
				return l["msg"] == "request shed" && l[semconv.LabelReason] == semconv.ShedLimit && l[semconv.LabelPriority] == semconv.PriorityDefault
			})
			for _, probe := range []string{"/livez", "/readyz", "/metrics"} {
				if status, _, _ := fetch(t, svc.AdminURL+probe); status != http.StatusOK {
					t.Errorf("%s: status %d while the service is full", probe, status)
				}
			}
		})
	}
}

// The route is known even if the limiter passes on a copy of the request.
func TestARequestWithADeadlineKeepsItsRoute(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /orders/{id}", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		svc.Handle(mux, httpserver.Routes("GET /orders/{id}"))
		return svc.Run(ctx)
	})
	status, _, body := fetch(t, svc.URL+"/orders/1", semconv.HeaderTimeout, "20", semconv.HeaderPriority, semconv.PrioritySheddable)
	if status != http.StatusGatewayTimeout || body["code"] != "deadline_exceeded" {
		t.Errorf("%d %v", status, body)
	}
	svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{
		semconv.LabelRoute: "/orders/{id}", semconv.LabelOutcome: semconv.OutcomeClientError,
	}, 1)
}

func TestInvalidLimitsAreRejected(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ value, want string }{
		"OVERLOAD_QUEUE_WAIT":        {"2m", "0s to 1m"},
		"OVERLOAD_QUEUE":             {"0", "1 or more"},
		"OVERLOAD_MIN_LIMIT":         {"5000", "OVERLOAD_MAX_LIMIT=1000"},
		"OVERLOAD_MEMORY_SHED_RATIO": {"80", "0 to 1"},
		"OVERLOAD_TRUSTED_PRIORITY":  {"internal", "true or false"},
		"HTTP_REQUEST_TIMEOUT":       {"-1s", "1ms or more"},
		"OVERLOAD_INITIAL_LIMIT":     {"2000", "from OVERLOAD_MIN_LIMIT=4 to OVERLOAD_MAX_LIMIT=1000"},
		"OVERLOAD_MEMORY_RATIO":      {"-0.1", "0 to 1"},
		"OVERLOAD_MAX_LIMIT":         {"-5", "1 or more"},
		"OVERLOAD_MODE":              {"perhaps", "enforce, observe or off"},
	} {
		status, _, stderr := execute(t, nil, map[string]string{name: tc.value}, simple)
		if status != 64 || !strings.Contains(stderr, name) || !strings.Contains(stderr, tc.want) {
			t.Errorf("%s=%s: status %d, %s", name, tc.value, status, stderr)
		}
	}
}

// Deadline and priority of a client are passed on to other services.
func TestDeadlineAndPriorityPassThrough(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	behind := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	t.Cleanup(behind.Close)
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		client, err := httpclient.New(httpclient.Options{Telemetry: svc.Telemetry()})
		if err != nil {
			return err
		}
		router := httpserver.NewRouter()
		router.Get("/", func(w http.ResponseWriter, r *http.Request) {
			out, err := http.NewRequestWithContext(r.Context(), http.MethodGet, behind.URL, http.NoBody)
			if err != nil {
				httpserver.WriteProblem(w, r, err)
				return
			}
			resp, err := client.Do(out)
			if err != nil {
				httpserver.WriteProblem(w, r, err)
				return
			}
			_ = resp.Body.Close()
		})
		svc.Handle(router)
		return svc.Run(ctx)
	}, "OVERLOAD_TRUSTED_PRIORITY=true")
	status, _, _ := fetch(t, svc.URL, semconv.HeaderGRPCTimeout, "8S", semconv.HeaderPriority, semconv.PriorityCritical)
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	h := <-seen
	left, err := strconv.Atoi(h.Get(semconv.HeaderTimeout))
	if err != nil || left <= 0 || left > 8000 {
		t.Errorf("the other service got a timeout of %q ms", h.Get(semconv.HeaderTimeout))
	}
	if got := h.Get(semconv.HeaderPriority); got != semconv.PriorityCritical {
		t.Errorf("the other service got the priority %q", got)
	}
}
