package httpserver

import (
	"context"
	"time"

	"github.com/go-chi/chi/v5"
)

// requestState is the context of its request. That saves the allocations of contexts for span,
// route and deadline. chi finds its routing context here and does not copy the request.
var _ context.Context = (*requestState)(nil)

type stateKey struct{}

// Value implements [context.Context].
func (x *requestState) Value(key any) any {
	switch key {
	case chi.RouteCtxKey:
		if x.observer.learned.routing {
			return x.route()
		}
	case stateKey{}:
		return x
	case x.observer.learned.spanKey:
		return x.span
	}
	if d := x.armed.Load(); d != nil {
		return d.Value(key)
	}
	return x.base.Value(key)
}

// route returns the routing context. It is created on first use: only chi needs one.
func (x *requestState) route() *chi.Context {
	if routing := x.routing.Load(); routing != nil {
		return routing
	}
	x.routing.CompareAndSwap(nil, chi.NewRouteContext())
	return x.routing.Load()
}

// Deadline implements [context.Context]. A stream has no deadline of the server.
func (x *requestState) Deadline() (time.Time, bool) {
	if x.endless.Load() {
		return x.base.Deadline()
	}
	own := x.started.Add(x.observer.config.RequestTimeout)
	if given, ok := x.base.Deadline(); ok && given.Before(own) {
		return given, true
	}
	return own, true
}

// Done implements [context.Context]. The timer is created on first use.
func (x *requestState) Done() <-chan struct{} { return x.arm().Done() }

// Err implements [context.Context].
func (x *requestState) Err() error {
	if d := x.armed.Load(); d != nil {
		return d.Err()
	}
	if x.base.Err() == nil && !x.ended.Load() && !x.lateAt(time.Now()) {
		return nil
	}
	// From now on the armed context has the error, so that it never changes.
	return x.arm().Err()
}

func (x *requestState) lateAt(now time.Time) bool {
	limit, limited := x.Deadline()
	return limited && !now.Before(limit)
}

// causeAt is context.Cause for the given time.
func (x *requestState) causeAt(now time.Time) error {
	if x.armed.Load() == nil && x.base.Err() == nil && !x.lateAt(now) {
		return nil
	}
	return context.Cause(x)
}

// lift removes the deadline of a stream. A deadline that has passed stays passed.
func (x *requestState) lift() {
	x.arming.Lock()
	defer x.arming.Unlock()
	x.endless.Store(true)
	if d := x.armed.Load(); d != nil {
		d.limit.lift()
	}
}

// deadline is the context that a handler waits for.
type deadline struct {
	context.Context
	cancel context.CancelFunc
	limit  limit // without a timer if there is nothing to lift
}

func (x *requestState) arm() *deadline {
	if d := x.armed.Load(); d != nil {
		return d
	}
	x.arming.Lock()
	defer x.arming.Unlock()
	if d := x.armed.Load(); d != nil {
		return d
	}
	d := x.newDeadline(time.Now())
	if x.ended.Load() {
		d.cancel()
	}
	x.armed.Store(d)
	return d
}

func (x *requestState) newDeadline(now time.Time) *deadline {
	d := &deadline{}
	at, limited := x.Deadline()
	switch {
	case !limited:
		d.Context, d.cancel = context.WithCancel(x.base)
	case x.base.Err() != nil || !now.Before(at):
		d.Context, d.cancel = context.WithDeadline(x.base, at)
	default:
		d.limit.Context, d.limit.at = x.base, at
		d.Context, d.cancel = x.observer.below(&d.limit)
	}
	return d
}

// release ends the context and stops what the handler left running.
func (x *requestState) release() {
	x.arming.Lock()
	defer x.arming.Unlock()
	x.ended.Store(true)
	if d := x.armed.Load(); d != nil {
		d.cancel()
		d.limit.lift() // a context that has ended does not stop its timer
	}
}
