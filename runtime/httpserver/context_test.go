package httpserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

func newTestObserver(t testing.TB, c Config) *Observer {
	t.Helper()
	tel, err := telemetry.New(telemetry.Options{Service: "x", Stdout: io.Discard, Config: telemetry.Config{Propagators: []string{"tracecontext", "baggage"}}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewObserver(Options{Telemetry: tel, Config: c})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// within runs the handler with a request timeout of one second.
func within(t *testing.T, ctx context.Context, handle func(context.Context)) *httptest.ResponseRecorder {
	t.Helper()
	with := func(r *http.Request) { *r = *r.WithContext(ctx) }
	return serveWithin(t, with, func(_ http.ResponseWriter, r *http.Request) { handle(r.Context()) })
}

// serveWithin is within for a handler that writes. change modifies the request first.
func serveWithin(t *testing.T, change func(*http.Request), handle http.HandlerFunc) *httptest.ResponseRecorder {
	t.Helper()
	return serve(t, newTestObserver(t, Config{RequestTimeout: time.Second}), change, handle)
}

func serve(t *testing.T, o *Observer, change func(*http.Request), handle http.Handler) *httptest.ResponseRecorder {
	t.Helper()
	h, err := o.Wrap(handle)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	if change != nil {
		change(r)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func TestDeadlineOfARequest(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(context.Context){
		"a handler waits for Done": func(ctx context.Context) { <-ctx.Done() },
		"nothing calls Done":       func(context.Context) { time.Sleep(2 * time.Second) },
		"a derived context waits":  func(ctx context.Context) { below, stop := context.WithCancel(ctx); defer stop(); <-below.Done() },
		"a longer timeout below does not extend it": func(ctx context.Context) {
			below, stop := context.WithTimeout(ctx, time.Hour)
			defer stop()
			<-below.Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rec := within(t, t.Context(), func(ctx context.Context) {
					if limit, ok := ctx.Deadline(); !ok || time.Until(limit) != time.Second {
						t.Errorf("the deadline is %v", limit)
					}
					if ctx.Err() != nil || context.Cause(ctx) != nil {
						t.Error("it has passed at once")
					}
					wait(ctx)
					for range 2 {
						if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
							t.Errorf("afterwards it is %v because of %v", ctx.Err(), context.Cause(ctx))
						}
					}
				})
				if rec.Code != http.StatusGatewayTimeout {
					t.Errorf("without a response, the status is %d", rec.Code)
				}
			})
		})
	}
}

// A request that asks for a stream still has the deadline.
func TestStreamRequestHeaderKeepsTheDeadline(t *testing.T) {
	t.Parallel()
	for _, header := range [][2]string{{"Upgrade", "websocket"}, {"Accept", eventStream}, {"Content-Type", connectStream + "json"}} {
		t.Run(header[0], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rec := serveWithin(t, func(r *http.Request) { r.Header.Set(header[0], header[1]) }, func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
				})
				if rec.Code != http.StatusGatewayTimeout {
					t.Errorf("without a response, the status is %d", rec.Code)
				}
			})
		})
	}
}

// A stream has no deadline, whether its client asked for one or not, and neither have contexts
// derived before it began.
func TestAStreamOutlivesTheDeadline(t *testing.T) {
	t.Parallel()
	begin := func(status int, contentType string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
		}
	}
	for name, stream := range map[string]func(http.ResponseWriter){
		"server-sent events":  begin(http.StatusOK, eventStream+"; charset=utf-8"),
		"a stream of connect": begin(http.StatusOK, connectStream+"json"),
		"an upgrade":          begin(http.StatusSwitchingProtocols, ""),
		"a first write": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", eventStream)
			_, _ = io.WriteString(w, "data: 1\n\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				serveWithin(t, nil, func(w http.ResponseWriter, r *http.Request) {
					before, stop := context.WithCancel(r.Context())
					defer stop()
					stream(w)
					after, stopAfter := context.WithCancel(r.Context())
					defer stopAfter()
					time.Sleep(time.Hour)
					for _, ctx := range []context.Context{r.Context(), before, after} {
						if _, limited := ctx.Deadline(); limited || ctx.Err() != nil {
							t.Errorf("a stream ended: %v", ctx.Err())
						}
					}
				})
			})
		})
	}
}

// A stream that begins after the deadline does not revive the context.
func TestPassedDeadlineStaysPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		serveWithin(t, nil, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.Header().Set("Content-Type", eventStream)
			w.WriteHeader(http.StatusOK)
			if !errors.Is(r.Context().Err(), context.DeadlineExceeded) {
				t.Errorf("it is %v", r.Context().Err())
			}
		})
	})
}

// A stream ends when its client disconnects.
func TestAStreamEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		caller, leave := context.WithCancel(t.Context())
		with := func(r *http.Request) { *r = *r.WithContext(caller) }
		serveWithin(t, with, func(w http.ResponseWriter, r *http.Request) {
			below, stop := context.WithCancel(r.Context())
			defer stop()
			w.Header().Set("Content-Type", eventStream)
			w.WriteHeader(http.StatusOK)
			leave()
			<-below.Done()
			if !errors.Is(below.Err(), context.Canceled) || !errors.Is(r.Context().Err(), context.Canceled) {
				t.Errorf("it is %v, below %v", r.Context().Err(), below.Err())
			}
		})
	})
}

// Err never changes its value, even if the deadline passes later.
func TestErrNeverChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("left")
		caller, leave := context.WithCancelCause(t.Context())
		within(t, caller, func(ctx context.Context) {
			leave(cause)
			for range 2 {
				if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), cause) {
					t.Errorf("it is %v because of %v", ctx.Err(), context.Cause(ctx))
				}
				time.Sleep(2 * time.Second)
			}
		})
	})
}

func TestEarlierParentDeadlineApplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		above, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		within(t, above, func(ctx context.Context) {
			if limit, _ := ctx.Deadline(); time.Until(limit) != time.Millisecond {
				t.Errorf("the deadline is in %s", time.Until(limit))
			}
			<-ctx.Done()
		})
	})
}

// The context ends with the request, whether Done was called before or after.
func TestTheContextEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(context.Context){
		"Done before": func(ctx context.Context) { ctx.Done() },
		"Done after":  func(context.Context) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var kept context.Context
			within(t, context.Background(), func(ctx context.Context) {
				kept = ctx //nolint:fatcontext // as a careless handler keeps it
				ask(ctx)
			})
			<-kept.Done()
			if !errors.Is(kept.Err(), context.Canceled) {
				t.Errorf("it ended with %v", kept.Err())
			}
		})
	}
}

// Derived contexts need no goroutine.
func TestDerivedContextsNeedNoGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		within(t, t.Context(), func(ctx context.Context) {
			below, stop := context.WithCancel(ctx)
			defer stop()
			// Package context adopts a child if Done is the channel of the context that Value
			// returns. Otherwise it starts a goroutine.
			if d := stateOf(below).armed.Load(); d == nil || d.Done() != ctx.Done() {
				t.Error("Done is not the channel of the context that Value returns")
			}
		})
	})
}

// parseTraceparent agrees with the propagator.
func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
		"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02", "", "00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseTraceparent(text)
		carrier := propagation.MapCarrier{"traceparent": text}
		want := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		if ok && !got.Equal(want) {
			t.Errorf("%q is %+v, the propagator reads %+v", text, got, want)
		}
		if !ok && want.IsValid() && len(text) == traceparentLength && text[:2] == "00" {
			t.Errorf("%q is rejected, the propagator reads %+v", text, want)
		}
	})
}
