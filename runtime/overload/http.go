package overload

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Reject writes the response to a rejected request. The error is one of:
//
//   - an [apierror.Error] caused by a [Reason]
//   - an [apierror.Error] for a body that is too large or could not be read
//   - the context's error if the client disconnected while the request was queued
//   - [context.DeadlineExceeded] if the handler did not respond before the client's deadline
type Reject func(w http.ResponseWriter, r *http.Request, err error)

// Wrap returns a handler that limits the requests to next. Clients send the priority of a request
// in [semconv.HeaderPriority] and its timeout in the headers of [Timeout]. The request's context
// has both.
//
// A request whose response is a stream is admitted like others and releases its slot when the
// stream begins, since its duration is no latency. So does a request whose client does not read
// the response. The writers of httpserver report both. Other writers are wrapped, with one
// allocation, and report only streams.
//
// Slow clients hold no slot. A body of up to 64 KiB is read before its request takes a slot,
// within 16 MiB for all such bodies. A larger body, or one of unknown size over HTTP/2, needs a
// body permit (for 16 MiB of announced size in total) until its last byte has arrived or the
// request releases its slot. Both rely on the read deadlines of the server, which httpserver
// sets.
//
// If reject is nil, Wrap responds to rejected requests with a plain 503 and Retry-After.
func (l *Limiter) Wrap(next http.Handler, reject Reject) http.Handler {
	if l.config.Mode == ModeOff {
		return next
	}
	if reject == nil {
		reject = rejectPlainly
	}
	g := &guard{limiter: l, next: next, respond: reject, leave: l.releaseSlot}
	for p := Sheddable; p <= Critical; p++ {
		for r := ReasonLimit; r <= ReasonBodies; r++ {
			g.errs[p.index()][r.index()] = apierror.Unavailable("%s; try again later", r).WithCause(newRejection(p, r))
		}
	}
	return g
}

// guard is the handler that Wrap returns.
type guard struct {
	limiter *Limiter
	next    http.Handler
	respond Reject
	leave   func()                     // releases the slot of a request that continues
	errs    [priorities][reasons]error // by priority and reason, preallocated because rejecting must be cheap
}

// ServeHTTP implements [http.Handler]. A request without the headers of the limiter causes no
// allocation if the writer implements response.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	priority := Default
	if text, sent := single(r.Header, semconv.HeaderPriority); sent {
		priority = ParsePriority(text, g.limiter.config.TrustedPriority)
	}
	w, response := watched(w)
	if timeout, sent := Timeout(r.Header); sent && !isStream(r) {
		g.limiter.timeout(r.Context(), timeout)
		g.serveWithin(timeout, w, response, r, priority)
		return
	}
	g.serve(r.Context(), false, w, response, r, priority)
}

// serve serves the request if it is admitted.
func (g *guard) serve(ctx context.Context, other bool, w http.ResponseWriter, response response, r *http.Request, p Priority) {
	if !hasBody(r) || response.Streams() {
		g.serveArrived(ctx, other, w, response, r, p)
		return
	}
	if isSmall(r) {
		reserved, complete, err := g.limiter.bodies.buffer(r)
		defer g.limiter.bodies.buffered.Add(-reserved)
		if err != nil {
			g.respond(w, r, unreadable(err))
			return
		}
		if g.limiter.config.Mode == ModeEnforce && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			g.respond(w, r, errLate)
			return
		}
		if complete {
			g.serveArrived(ctx, other, w, response, r, p)
			return
		}
	}
	g.serveArriving(ctx, other, w, response, r, p)
}

// serveArrived serves a request without a body or whose body has arrived.
func (g *guard) serveArrived(ctx context.Context, other bool, w http.ResponseWriter, response response, r *http.Request, p Priority) {
	permit, err := g.limiter.Acquire(ctx, p)
	if err != nil {
		g.reject(w, r, p, err)
		return
	}
	response.OnRelease(g.leave)
	returned := false
	defer func() {
		if response.Keep() {
			g.settle(ctx, permit, returned)
		} else {
			g.limiter.back()
		}
	}()
	g.work(ctx, other, w, r, p)
	returned = true
}

// serveArriving serves a request whose body is still arriving. It has a body permit until the end
// of the body, and a slot while the handler does not wait for the body.
func (g *guard) serveArriving(ctx context.Context, other bool, w http.ResponseWriter, response response, r *http.Request, p Priority) {
	body, err := g.limiter.receive(ctx, r, p)
	if err != nil {
		g.reject(w, r, p, err)
		return
	}
	defer body.release()
	permit, err := g.limiter.Acquire(ctx, p)
	if err != nil {
		g.reject(w, r, p, err)
		return
	}
	body.permit = permit
	r.Body = body
	response.OnRelease(body.releaseSlot)
	returned := false
	defer func() {
		if permit, holds := body.end(); holds {
			g.settle(ctx, permit, returned)
		}
	}()
	g.work(ctx, other, w, r, p)
	returned = true
}

// reject responds to a request without a permit. For a [Reason] it passes the preallocated error,
// otherwise err unchanged.
func (g *guard) reject(w http.ResponseWriter, r *http.Request, p Priority, err error) {
	if reason, rejected := err.(Reason); rejected { //nolint:errorlint // Acquire wraps nothing
		err = g.errs[p.index()][reason.index()]
	}
	g.respond(w, r, err)
}

// settle releases the permit. The limit does not learn from a failed request, whose time is not
// that of the work. It does learn from a missed deadline, which is what overload looks like,
// unless the permit was acquired after the deadline, as for a late body, or the deadline was
// shorter than the latency objective.
func (g *guard) settle(ctx context.Context, permit Permit, returned bool) {
	err := ctx.Err() // read once, because it reads the clock
	if errors.Is(err, context.DeadlineExceeded) {
		deadline, _ := ctx.Deadline()
		if permit.admitted.After(deadline) {
			permit.Forget()
			return
		}
		permit.release(true, deadline.Sub(permit.came) >= g.limiter.objective)
		return
	}
	if !returned || g.limiter.failed(ctx) {
		permit.Forget()
		return
	}
	permit.release(err != nil, false)
}

// work runs the handler, with ctx if it is not the request's own context.
func (g *guard) work(ctx context.Context, other bool, w http.ResponseWriter, r *http.Request, p Priority) {
	if p != Default {
		ctx, other = WithPriority(ctx, p), true
	}
	if !other {
		g.next.ServeHTTP(w, r)
		return
	}
	inner := r.WithContext(ctx)
	// http.ServeMux records the route in the request that it gets.
	defer func() { r.Pattern = inner.Pattern }()
	g.next.ServeHTTP(w, inner)
}

// serveWithin serves with the client's deadline. If the handler returns after the deadline
// without a response, it responds with an error instead of an empty 200.
func (g *guard) serveWithin(timeout time.Duration, w http.ResponseWriter, response response, r *http.Request, p Priority) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	g.serve(ctx, true, w, response, r, p)
	if !response.Begun() && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		g.respond(w, r, context.DeadlineExceeded)
	}
}

// isStream reports whether the client asks for a stream. Proxies send a timeout with every
// request, which does not apply to streams.
func isStream(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 || r.Header.Get("Accept") == "text/event-stream" ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/connect+")
}

// RetryAfter returns a value for the Retry-After header: one to three seconds at random, so that
// rejected clients do not retry at the same time.
func RetryAfter() string { return strconv.Itoa(1 + rand.IntN(3)) }

func rejectPlainly(w http.ResponseWriter, _ *http.Request, err error) {
	e := apierror.From(err)
	if _, rejected := errors.AsType[Reason](err); rejected {
		w.Header().Set("Retry-After", RetryAfter())
	}
	http.Error(w, e.Message, e.Code.Status())
}
