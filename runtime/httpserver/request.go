package httpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// requestState is the state of one request. It is the only allocation for a request without a
// body: the request's context (context.go), the span of an unsampled request (span.go) and the
// writer (writer.go) are parts of it. It is never reused, because contexts outlive their
// requests.
type requestState struct {
	observer *Observer
	started  time.Time
	request  *http.Request // its context is this state
	recorder recorder
	id       [1]string // request id, as a header value

	// The trace.
	span     trace.Span
	ids      idSpan       // the span, unless the request is sampled
	parentID trace.SpanID // the caller's span, or zero

	// The context.
	base    context.Context // context of the incoming request, with baggage
	arming  sync.Mutex
	armed   atomic.Pointer[deadline]
	routing atomic.Pointer[chi.Context]
	chosen  atomic.Pointer[series] // set by SetRoute

	body    *requestBody          // nil without a body
	failure atomic.Pointer[error] // error in the response
	panic   *panicked

	// Small fields are together, so that the size is 320 bytes, a size class of Go's allocator.
	timeout    atomic.Int32 // client timeout in milliseconds, from its header; 0 without one
	registered atomic.Int32 // in transfers
	endless    atomic.Bool  // the response is a stream, which has no deadline
	ended      atomic.Bool
	shed       atomic.Bool
	callersID  bool // id is the caller's, else the trace id
	pooled     bool // routing returns to the pool when the request ends
}

type panicked struct {
	value  any
	stack  string
	cutOff bool // the connection must not be reused
}

func (o *Observer) begin(w http.ResponseWriter, r *http.Request, router http.Handler) *requestState {
	o.metrics.active.Add(1)
	x := &requestState{observer: o, started: time.Now()}
	x.recorder.ResponseWriter, x.recorder.state = w, x
	x.foresee(r)
	x.beginTrace(r)
	x.beginRouting(router)
	x.setRequestID(r)

	x.request = r.WithContext(x)
	if x.request.Body != nil && x.request.Body != http.NoBody {
		x.body = &requestBody{state: x, source: x.request.Body}
		x.request.Body = x.body
	}
	return x
}

// foresee removes the deadline of streaming procedures: those declared as such, or called as such
// by connect's protocol. Their response may begin only after the request stream ends. For other
// streams the response decides: a request header must not remove the deadline.
func (x *requestState) foresee(r *http.Request) {
	called := x.observer.table.procedure(r)
	if called == nil {
		return
	}
	x.recorder.streams = called.kind == streamProcedure
	if x.recorder.streams || strings.HasPrefix(first(r.Header, "Content-Type"), connectStream) {
		x.endless.Store(true)
		x.recorder.liftDeadlines()
	}
}

// first returns the first value of a header whose name is canonical.
func first(h http.Header, canonical string) string {
	if values := h[canonical]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// end completes the response and observes it. It panics again if the connection must be closed,
// as net/http expects.
func (x *requestState) end(recovered any, h *observed) {
	defer x.observer.metrics.active.Add(-1)
	defer x.release()
	x.recorder.endWrite()
	x.observer.transfers.remove(x)
	s := x.series(h)
	unwritten := x.isUnwritten(recovered)
	if unwritten {
		recovered, x.panic = nil, &panicked{value: recovered, cutOff: true}
	}
	if recovered != nil {
		x.panicked(recovered, s)
	}
	ended := time.Now()
	cause := x.causeAt(ended)
	if recovered == nil && x.recorder.status == 0 && !x.recorder.hijacked {
		x.respondToUnwritten(cause)
	}
	cut := x.observer.cut.Load()
	if cut {
		x.failure.Store(&errCut)
	}
	e := facts{
		status:    int(x.recorder.status),
		panicked:  recovered != nil,
		truncated: unwritten || x.recorder.truncated(x.request.Method),
		shed:      x.shed.Load(),
		rpcCode:   x.rpcCode(s),
		cause:     cause,
		writeErr:  x.recorder.err,
		bodyErr:   x.body.failed(),
		stopping:  x.observer.stopping.Load(),
		cut:       cut,
		impatient: x.impatient(ended),
		late:      x.recorder.late || x.recorder.begun > x.observer.config.writeTimeout() && x.request.ProtoMajor != 1,
	}.outcome()
	x.observe(s, e, ended.Sub(x.started))
	x.warnUnmatched(s, e)
	x.endRouting()
	if x.panic != nil && x.panic.cutOff {
		panic(http.ErrAbortHandler)
	}
}

// beginTransfer registers the request as a transfer during a shutdown. It is called when a read
// from the client or a write to it begins.
func (x *requestState) beginTransfer() {
	if x.observer.draining.Load() {
		x.observer.transfers.add(x)
	}
}

// respondToUnwritten responds for a handler that wrote nothing: with 504 after the deadline, else
// with an empty 200, as net/http does.
func (x *requestState) respondToUnwritten(cause error) {
	switch {
	case cause == nil:
		x.recorder.WriteHeader(http.StatusOK)
	case errors.Is(cause, context.DeadlineExceeded):
		WriteProblem(&x.recorder, x.request, cause)
	}
}

// stackSize limits the recorded stack of a panic. 8 KiB has about forty frames.
const stackSize = 8 << 10

// panicked logs the panic and responds with 500 if nothing was written. Otherwise the connection
// is closed, so that the client does not take a partial response as complete.
func (x *requestState) panicked(recovered any, s *series) {
	x.observer.metrics.panics.WithLabelValues(s.key.route).Inc()
	aborted := isAbort(recovered)
	x.panic = &panicked{value: recovered, cutOff: aborted || x.recorder.status != 0 || x.recorder.hijacked}
	if !aborted {
		stack := make([]byte, stackSize)
		x.panic.stack = string(stack[:goruntime.Stack(stack, false)])
		x.observer.log.LogAttrs(x, slog.LevelError, "handler panicked",
			slog.Any("panic", recovered), slog.String(keyRoute, s.key.route), slog.String("stack", x.panic.stack))
	}
	if !x.panic.cutOff {
		WriteProblem(&x.recorder, x.request, apierror.New(apierror.CodeInternal, "internal error"))
	}
}

// isUnwritten reports a panic after a failed write of the response. Frameworks and proxies, such
// as httputil.ReverseProxy, end a handler with it when the client has disconnected.
func (x *requestState) isUnwritten(recovered any) bool {
	err := x.recorder.err
	switch {
	case recovered == nil || misused(err):
		return false
	case isAbort(recovered):
		return err != nil || errors.Is(x.causeAt(time.Now()), context.Canceled)
	}
	return err != nil && strings.Contains(fmt.Sprint(recovered), err.Error())
}

// isAbort reports whether the handler asked to close the connection.
func isAbort(recovered any) bool {
	err, ok := recovered.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// withoutObjective is the latency objective of a service without one. Without it, a client
// timeout of 1 ms would count as a server error.
const withoutObjective = 100 * time.Millisecond

// RecordTimeout records the timeout that the client of ctx's request sent in its header.
func RecordTimeout(ctx context.Context, timeout time.Duration) {
	if x := stateOf(ctx); x != nil {
		x.timeout.Store(int32(min(max(timeout.Milliseconds(), 1), math.MaxInt32)))
	}
}

// impatient reports whether the client left the service less time than the latency objective: the
// time until its deadline without the wait for its body. Such a client causes its own 504 or
// rejection. If the request timeout is hardly longer than the objective, half of the timeout
// counts instead, or every 504 would be the client's.
func (x *requestState) impatient(now time.Time) bool {
	own, timeout := x.observer.config.RequestTimeout, time.Duration(x.timeout.Load())*time.Millisecond
	if timeout == 0 && x.endless.Load() {
		return false
	}
	limit := min(own, cmp.Or(timeout, own))
	return limit-x.body.waited(now) < min(cmp.Or(x.observer.opts.SlowAfter, withoutObjective), own/2)
}

// MarkShed records that the request of ctx was rejected to protect other requests, so that it
// counts as shed and not as failed. Call it in every load shedder. It does nothing for a context
// without a request of this package.
func MarkShed(ctx context.Context) {
	if x := stateOf(ctx); x != nil {
		x.shed.Store(true)
	}
}

// Failed reports whether the response to the request of ctx has a status of 500 or above. Call it
// on the handler's goroutine after the handler has returned. It returns false for a context
// without a request of this package.
func Failed(ctx context.Context) bool {
	x := stateOf(ctx)
	return x != nil && x.recorder.status >= http.StatusInternalServerError
}

func stateOf(ctx context.Context) *requestState {
	x, _ := ctx.Value(stateKey{}).(*requestState)
	return x
}
