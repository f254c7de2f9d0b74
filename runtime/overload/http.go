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

// Reject writes the response to a request that was not let in. The error is an
// [apierror.Error] caused by a [Reason], one for a body that is too large or could not be read, the
// context's when the client left while the request waited, or
// [context.DeadlineExceeded] when the handler did not respond until the client's deadline.
type Reject func(w http.ResponseWriter, r *http.Request, err error)

// Wrap returns next behind the limiter. Requests say with [semconv.HeaderPriority]
// how important they are and with the headers of [Timeout] how long they are
// waited for; both end up in the context, and so in what the handler calls.
//
// A request that is answered with a stream, whether it asked for one or not, is
// let in like the others, and leaves its place when the stream begins: its length is
// no latency. A request whose client does not read the response leaves it, too.
// Writers that report both, such as those of httpserver, are asked. Any other is
// wrapped, for one allocation; then only streams are noticed.
//
// Slow clients hold no place. A body of up to 64 KiB is read before its request takes
// one, within 16 MiB for all such bodies. A larger one, or one of unknown size over
// HTTP/2, takes a body permit (16 MiB of announced size at a time) until its last byte
// has arrived or the request leaves its place. Both rely on the read deadlines of the server; httpserver sets them.
//
// Without refuse, refusals are plain 503 answers with Retry-After.
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

// guard is the limiter in front of a handler.
type guard struct {
	limiter *Limiter
	next    http.Handler
	respond Reject
	leave   func()                     // gives back a place whose request goes on
	errs    [priorities][reasons]error // by priority and reason, made once because rejecting must be cheap
}

// ServeHTTP implements [http.Handler]. A request without headers for it passes
// without an allocation where the writer tells of streams.
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

// serve passes the request on when it is let in.
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

// serveArrived passes on a request that waits for nothing from its client.
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

// serveArriving passes on a request whose body is still to come. It holds a body permit
// until then, and its place while the handler does not wait for the body.
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

// reject responds to a request that got no permit. For a [Reason] it passes the error that
// Wrap made in advance; any other error, such as that of a client that left, passes unchanged.
func (g *guard) reject(w http.ResponseWriter, r *http.Request, p Priority, err error) {
	if reason, rejected := err.(Reason); rejected { //nolint:errorlint // Acquire wraps nothing
		err = g.errs[p.index()][reason.index()]
	}
	g.respond(w, r, err)
}

// settle gives the permit back. The limit does not learn from a failed request, because its
// time is not that of the work. A missed deadline is different, because it is what an overload
// looks like. It does not lower the limit if the permit was given only after the deadline, as
// for a body that arrived too late, or if the deadline was shorter than the latency objective.
func (g *guard) settle(ctx context.Context, permit Permit, returned bool) {
	err := ctx.Err() // reads the clock
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

// work runs the handler, with the context when that is not the request's own.
func (g *guard) work(ctx context.Context, other bool, w http.ResponseWriter, r *http.Request, p Priority) {
	if p != Default {
		ctx, other = WithPriority(ctx, p), true
	}
	if !other {
		g.next.ServeHTTP(w, r)
		return
	}
	inner := r.WithContext(ctx)
	// http.ServeMux says in the request that it was given which route it chose.
	defer func() { r.Pattern = inner.Pattern }()
	g.next.ServeHTTP(w, inner)
}

// serveWithin serves with the caller's deadline. A handler that gave up at it
// without a word is answered for: an empty 200 would be a lie.
func (g *guard) serveWithin(timeout time.Duration, w http.ResponseWriter, response response, r *http.Request, p Priority) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	g.serve(ctx, true, w, response, r, p)
	if !response.Begun() && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		g.respond(w, r, context.DeadlineExceeded)
	}
}

// isStream says whether the caller asks for an answer that lasts. Proxies write
// how long they wait for any answer into every request, and do not mean the length of
// a stream.
func isStream(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 || r.Header.Get("Accept") == "text/event-stream" ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/connect+")
}

// RetryAfter is a value for the header of a refusal: one to three seconds, drawn
// by lot, so that those who were refused together do not come back together.
func RetryAfter() string { return strconv.Itoa(1 + rand.IntN(3)) }

func rejectPlainly(w http.ResponseWriter, _ *http.Request, err error) {
	e := apierror.From(err)
	if _, rejected := errors.AsType[Reason](err); rejected {
		w.Header().Set("Retry-After", RetryAfter())
	}
	http.Error(w, e.Message, e.Code.Status())
}
