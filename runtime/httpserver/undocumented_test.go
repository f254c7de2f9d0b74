package httpserver

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/trace"
)

// If this test fails after an update of a library, each request costs more allocations or a
// goroutine. No request fails.
func TestUndocumentedBehaviorOfLibraries(t *testing.T) {
	t.Parallel()
	if got := learn(); got.spanKey == nil || !got.afterFunc || !got.routing {
		t.Errorf("learned %+v", got)
	}
}

// unlearned is an observer without undocumented behavior of the libraries.
func unlearned(t *testing.T) *Observer {
	t.Helper()
	o := newTestObserver(t, Config{RequestTimeout: time.Second})
	o.learned = learned{}
	return o
}

func TestTheSpanIsFoundWithoutItsKey(t *testing.T) {
	t.Parallel()
	serve(t, unlearned(t), nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if sc := trace.SpanContextFromContext(r.Context()); !sc.IsValid() || !sc.Equal(stateOf(r.Context()).ids.SpanContext()) {
			t.Errorf("the context has the span %v", sc)
		}
	}))
}

func TestContextsEndWithoutAfterFunc(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		during func(w http.ResponseWriter, leave func())
		want   error
	}{
		"at the deadline":             {func(http.ResponseWriter, func()) {}, context.DeadlineExceeded},
		"when the client disconnects": {func(_ http.ResponseWriter, leave func()) { leave() }, context.Canceled},
		"never while it lasts":        {func(w http.ResponseWriter, _ func()) { startStream(w) }, nil},
		"when the client of a stream disconnects": {func(w http.ResponseWriter, leave func()) {
			startStream(w)
			leave()
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				caller, leave := context.WithCancel(t.Context())
				defer leave()
				with := func(r *http.Request) { *r = *r.WithContext(caller) }
				var kept context.Context
				serve(t, unlearned(t), with, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					kept = r.Context() //nolint:fatcontext // looked at after the request
					below, stop := context.WithCancel(r.Context())
					defer stop()
					tc.during(w, leave)
					time.Sleep(time.Hour)
					if !errors.Is(r.Context().Err(), tc.want) || !errors.Is(below.Err(), tc.want) {
						t.Errorf("it ended with %v, below with %v; want %v", r.Context().Err(), below.Err(), tc.want)
					}
				}))
				if <-kept.Done(); kept.Err() == nil {
					t.Error("the context outlives the request")
				}
			})
		})
	}
}

func startStream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", eventStream)
	w.WriteHeader(http.StatusOK)
}

func TestRoutesAreFoundWithoutARoutingContext(t *testing.T) {
	t.Parallel()
	o, router := unlearned(t), chi.NewRouter()
	var x *requestState
	router.Get("/v1/orders/{id}", func(_ http.ResponseWriter, r *http.Request) {
		x = stateOf(r.Context())
		if id := chi.URLParam(r, "id"); id != "7" {
			t.Errorf("the parameter is %q", id)
		}
	})
	serve(t, o, func(r *http.Request) { r.URL.Path = "/v1/orders/7" }, router)
	if x == nil {
		t.Fatal("the handler was not called")
	}
	if got := x.series(&observed{observer: o, router: router}).key.route; got != "/v1/orders/{id}" {
		t.Errorf("the route is %q", got)
	}
}
