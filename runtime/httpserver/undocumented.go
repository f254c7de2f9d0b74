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

// learned records which undocumented behavior the libraries have. Each saves allocations per
// request; each has a fallback.
type learned struct {
	spanKey   any  // key of the span in a context; nil if the trace API uses none
	afterFunc bool // package context calls AfterFunc of a parent
	routing   bool // chi records the route in a routing context that it finds in the request's context
}

func learn() learned { return learned{findSpanKey(), callsAfterFunc(), recordsRouting()} }

// findSpanKey returns the key of the span, so that a requestState can return its span for it.
// Without a key, the trace API creates the context of a request.
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

// callsAfterFunc reports whether a context from below needs no goroutine.
func callsAfterFunc() bool {
	l := &limit{Context: context.Background(), at: time.Now().Add(time.Hour), done: make(chan struct{})}
	_, cancel := context.WithCancel(l)
	defer cancel()
	return l.timer != nil
}

// below returns a context that ends with the limit. Package context calls AfterFunc instead of
// receiving from Done if the channel is not one of its own. All limits can therefore share a
// channel that is never closed. Without AfterFunc, each limit has its own channel.
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

// limit ends with the context of the incoming request, or at a deadline that a stream can lift. A
// deadline of package context cannot be moved, and derived contexts must end with
// DeadlineExceeded.
//
// It is the parent of the armed context only.
type limit struct {
	context.Context
	at     time.Time
	timer  *time.Timer
	passed atomic.Bool
	done   chan struct{}
}

// lift removes the deadline. A limit that has ended stays ended.
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

// recordsRouting reports whether chi records the route in a given routing context.
func recordsRouting() bool {
	routing, router := chi.NewRouteContext(), chi.NewRouter()
	router.Get("/{name}", func(http.ResponseWriter, *http.Request) {})
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/x"}}
	router.ServeHTTP(nil, r.WithContext(context.WithValue(context.Background(), chi.RouteCtxKey, routing)))
	return routing.RoutePattern() == "/{name}"
}

// beginRouting gives chi a routing context that can be read after chi returns. Contexts are
// pooled only where chi would do so, since a handler in front of the router may outlive the
// request. If chi does not record the route, [requestState.resolve] finds it.
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
