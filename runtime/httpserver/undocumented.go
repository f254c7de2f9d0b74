package httpserver

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/trace"
)

// learned records which undocumented behaviour the libraries have. Each saves allocations of
// every request; without it a fallback is used.
type learned struct {
	spanKey   any  // key under which the trace API asks a context for its span; nil if it asks for none
	afterFunc bool // package context calls AfterFunc of a parent that has it
	routing   bool // chi records the route in a routing context that it finds in the request's
}

func learn() learned { return learned{findSpanKey(), callsAfterFunc(), recordsRouting()} }

// findSpanKey finds the key, so that a requestState can return it. Without one the context
// of a request is one that the trace API made.
func findSpanKey() any {
	spy := &keySpy{Context: context.Background()}
	trace.SpanFromContext(spy)
	return spy.key
}

type keySpy struct {
	context.Context
	key any
}

// Value implements [context.Context].
func (s *keySpy) Value(key any) any {
	s.key = key
	return nil
}

// callsAfterFunc says whether below needs no goroutine.
func callsAfterFunc() bool {
	l := &limit{Context: context.Background(), at: time.Now().Add(time.Hour), done: make(chan struct{})}
	_, cancel := context.WithCancel(l)
	defer cancel()
	return l.timer != nil
}

// below returns a context that ends with the limit. A channel that is not a context's own is
// what makes the library call AfterFunc instead of receiving from it, so that all requests can
// have the same one, which is never closed. Without that call the limit has a channel of its own.
func (o *Observer) below(l *limit) (context.Context, context.CancelFunc) {
	if o.learned.afterFunc {
		l.done = o.never
		return context.WithCancel(l)
	}
	l.done = make(chan struct{})
	stop := l.AfterFunc(sync.OnceFunc(func() { close(l.done) }))
	ctx, cancel := context.WithCancel(struct{ context.Context }{l})
	return ctx, func() {
		stop()
		cancel()
	}
}

// limit ends with the context that the request came with, or at a time that a
// stream can lift. A deadline of the library cannot be moved, and whatever is
// derived from ours must end with the error of one.
//
// It is the parent of the armed context and of nothing else.
type limit struct {
	context.Context
	at     time.Time
	timer  *time.Timer
	passed atomic.Bool
	done   chan struct{}
}

// lift forgets the time. What is over already stays over.
func (l *limit) lift() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// Deadline implements [context.Context].
func (l *limit) Deadline() (time.Time, bool) { return l.at, true }

// Done implements [context.Context].
func (l *limit) Done() <-chan struct{} { return l.done }

// Err implements [context.Context].
func (l *limit) Err() error {
	if l.passed.Load() {
		return context.DeadlineExceeded
	}
	return l.Context.Err()
}

// AfterFunc is called once, when the deadline is armed.
func (l *limit) AfterFunc(f func()) (stop func() bool) {
	forget := context.AfterFunc(l.Context, f)
	l.timer = time.AfterFunc(time.Until(l.at), func() {
		l.passed.Store(true)
		f()
	})
	return func() bool {
		l.timer.Stop()
		return forget()
	}
}

// recordsRouting says whether chi records the route for us.
func recordsRouting() bool {
	routing, router := chi.NewRouteContext(), chi.NewRouter()
	router.Get("/{name}", func(http.ResponseWriter, *http.Request) {})
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/x"}}
	router.ServeHTTP(nil, r.WithContext(context.WithValue(context.Background(), chi.RouteCtxKey, routing)))
	return routing.RoutePattern() == "/{name}"
}

// beginRouting gives chi a routing context of ours, which can be read after it
// returned. Contexts are reused as chi reuses them, and only where it would:
// a handler between us and the router may outlive the request. Where chi does not record the
// route for us, [requestState.resolve] matches it again.
func (x *requestState) beginRouting(router http.Handler) {
	routes, ok := router.(chi.Routes)
	if !ok || !x.observer.learned.routing {
		return
	}
	routing := x.observer.routings.Get().(*chi.Context)
	routing.Reset()
	routing.Routes = routes
	x.routing.Store(routing)
	x.pooled = true
}

func (x *requestState) endRouting() {
	if x.pooled && x.panic == nil {
		x.observer.routings.Put(x.routing.Load())
	}
}
