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

// requestState is one request while it is answered. It is the one thing that
// observing a request without a body allocates: the request's context (context.go), the
// span of a request that is not sampled (span.go) and the writer (writer.go)
// are parts of it. It is never reused, because contexts outlive their requests.
type requestState struct {
	observer *Observer
	started  time.Time
	request  *http.Request // with this state as its context
	recorder recorder
	id       [1]string // of the request, in the form of a header's value

	// The trace.
	span     trace.Span
	ids      idSpan       // is span, unless the request is sampled
	parentID trace.SpanID // of the caller's span, or zero

	// The context.
	base    context.Context // as the request arrived, with what the caller sent along
	arming  sync.Mutex
	armed   atomic.Pointer[deadline]
	routing atomic.Pointer[chi.Context]
	chosen  atomic.Pointer[series] // by SetRoute

	body    *requestBody          // nil without one
	failure atomic.Pointer[error] // error that the response reports
	panic   *panicked

	// Small fields are together: the whole fits into 320 bytes, a size of Go's allocator.
	timeout    atomic.Int32 // of the client in milliseconds, as sent in its header; 0 without one
	registered atomic.Int32 // in transfers
	endless    atomic.Bool  // the answer is a stream, which has no deadline
	ended      atomic.Bool
	shed       atomic.Bool
	callersID  bool // id is the caller's, else the trace's
	pooled     bool // routing goes back when the request ends
}

// panicked is a panic of the handler.
type panicked struct {
	value  any
	stack  string
	cutOff bool // the connection must not be used again
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

// foresee takes the deadline from procedures that are streams: declared as such, or
// called as such by connect's protocol. Their answer may begin when the caller's half
// is over, so it cannot be asked. Of all others only the answer tells: a header must
// not lead past the deadline.
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

// first is Get for a name that is canonical already, without making it so again.
func first(h http.Header, canonical string) string {
	if values := h[canonical]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// end settles the answer, observes it and, where the connection must be cut,
// goes on panicking as net/http wants it.
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

// beginTransfer notes, during a stop, that a read from the client or a write to it begins.
func (x *requestState) beginTransfer() {
	if x.observer.draining.Load() {
		x.observer.transfers.add(x)
	}
}

// respondToUnwritten answers for a handler that returned without writing: after our
// deadline with a 504, else as net/http does, with an empty 200.
func (x *requestState) respondToUnwritten(cause error) {
	switch {
	case cause == nil:
		x.recorder.WriteHeader(http.StatusOK)
	case errors.Is(cause, context.DeadlineExceeded):
		WriteProblem(&x.recorder, x.request, cause)
	}
}

// stackSize bounds the stack that is kept of a panic. The top of it, which is
// what matters, has some forty frames in 8 KiB.
const stackSize = 8 << 10

// panicked logs the panic and answers it with a 500 where nothing was written.
// Otherwise the connection is cut, so that the caller does not take half an
// answer for a whole one.
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
		WriteProblem(&x.recorder, x.request, apierror.New(apierror.CodeInternal, "something went wrong on our side"))
	}
}

// isUnwritten reports a panic about a response that could not be written. Frameworks and
// proxies, such as httputil.ReverseProxy, have no other way to end a handler whose
// client is gone.
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

// isAbort says whether the handler itself asked for the connection to be cut.
func isAbort(recovered any) bool {
	err, ok := recovered.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// withoutObjective is the latency objective assumed for a service without one. Without it, a
// client timeout of 1 ms would count as a server error.
const withoutObjective = 100 * time.Millisecond

// RecordTimeout records how long the client of this context's request waits, as sent in its header.
func RecordTimeout(ctx context.Context, timeout time.Duration) {
	if x := stateOf(ctx); x != nil {
		x.timeout.Store(int32(min(max(timeout.Milliseconds(), 1), math.MaxInt32)))
	}
}

// impatient reports whether the client left the service less time than the latency objective:
// of the time until its deadline, what was not spent waiting for its body. Such a client causes
// the 504 or the rejection that it gets. Where the request timeout is hardly longer than the
// objective, half of it is enough, or every 504 would be the client's.
func (x *requestState) impatient(now time.Time) bool {
	own, timeout := x.observer.config.RequestTimeout, time.Duration(x.timeout.Load())*time.Millisecond
	if timeout == 0 && x.endless.Load() {
		return false
	}
	limit := min(own, cmp.Or(timeout, own))
	return limit-x.body.waited(now) < min(cmp.Or(x.observer.opts.SlowAfter, withoutObjective), own/2)
}

// MarkShed says that the request of this context was refused to protect the
// others. Whatever refuses load calls it, so that the refusal is counted apart
// from failures. Contexts of other origin are left alone.
func MarkShed(ctx context.Context) {
	if x := stateOf(ctx); x != nil {
		x.shed.Store(true)
	}
}

// Failed reports whether the request of this context has been answered with a status of
// 500 or above. Call it on the handler's goroutine once the handler has returned. It is
// false for a context of other origin.
func Failed(ctx context.Context) bool {
	x := stateOf(ctx)
	return x != nil && x.recorder.status >= http.StatusInternalServerError
}

// stateOf returns the request that the context belongs to, or nil.
func stateOf(ctx context.Context) *requestState {
	x, _ := ctx.Value(stateKey{}).(*requestState)
	return x
}
