package httpserver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	goruntime "runtime"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/fault"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// scope names this package as the instrumentation that made a span.
const scope = "github.com/observability-first/scaffold/runtime/httpserver"

// Observer is the observing pass. One serves a whole process; it is safe for
// concurrent use.
type Observer struct {
	opts       Options
	config     Config
	telemetry  *telemetry.Telemetry
	log        *slog.Logger
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	metrics    *metrics
	table      *routeTable

	draining atomic.Bool // answers ask the caller to close
	stopping atomic.Bool // connections are being cut
}

// NewObserver declares the server's metrics. It starts nothing.
func NewObserver(opts Options) (*Observer, error) {
	m, err := newMetrics(opts.Telemetry.Metrics(), opts.Bounds)
	if err != nil {
		return nil, err
	}
	return &Observer{
		opts:       opts,
		config:     opts.Config.withDefaults(),
		telemetry:  opts.Telemetry,
		log:        opts.Telemetry.Logger(),
		tracer:     opts.Telemetry.TracerProvider().Tracer(scope),
		propagator: opts.Telemetry.Propagator(),
		metrics:    m,
		table:      newRouteTable(m),
	}, nil
}

// Wrap returns next with every request observed. The routes of a chi router are
// declared from its own list; use [Routes] for handlers that have none.
func (o *Observer) Wrap(next http.Handler, options ...Option) (http.Handler, error) {
	if router, ok := next.(chi.Routes); ok {
		o.table.walk(router, "")
	}
	for _, option := range options {
		if err := option(o.table); err != nil {
			return nil, err
		}
	}
	routes, _ := next.(chi.Routes)
	next = withFaults(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := o.begin(w, r, routes)
		defer func() { x.end(recover()) }()
		next.ServeHTTP(x.writer, x.request)
	}), nil
}

// Routes lists the known routes as "GET /v1/orders/{id}", sorted.
func (o *Observer) Routes() []string { return o.table.list() }

// exchange is one request while it is answered.
type exchange struct {
	observer *Observer
	started  time.Time
	parent   context.Context // with the caller's span, without ours
	request  *http.Request   // with our context
	recorder recorder
	writer   http.ResponseWriter
	route    *chi.Context
	span     trace.Span
	cancel   context.CancelFunc
	id       string // request id
	shed     atomic.Bool
	failure  atomic.Pointer[error] // what the answer was made of, for log and span
	cutOff   bool                  // the connection must not be used again
}

// requestContext answers for the values that an exchange adds, in one
// allocation. chi finds its routing context here and needs no copy of the
// request; the route it chose can be read after it returned.
type requestContext struct {
	context.Context
	exchange *exchange
}

type exchangeKey struct{}

// Value implements [context.Context].
func (c *requestContext) Value(key any) any {
	switch key {
	case chi.RouteCtxKey:
		return c.exchange.route
	case exchangeKey{}:
		return c.exchange
	}
	return c.Context.Value(key)
}

func (o *Observer) begin(w http.ResponseWriter, r *http.Request, routes chi.Routes) *exchange {
	o.metrics.active.Inc()
	x := &exchange{observer: o, started: time.Now(), route: chi.NewRouteContext()}
	x.route.Routes = routes
	x.recorder = recorder{ResponseWriter: w, closing: o.draining.Load}
	x.writer = wrap(&x.recorder)

	ctx := r.Context()
	x.cancel = func() {}
	if !asksForStream(r) {
		ctx, x.cancel = context.WithTimeout(ctx, o.config.RequestTimeout)
	}
	x.parent = o.propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
	ctx, x.span = o.tracer.Start(x.parent, r.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(x.started))
	x.id = requestID(r, x.span.SpanContext())
	w.Header().Set(requestIDHeader, x.id)

	x.request = r.WithContext(&requestContext{ctx, x})
	if x.request.Body != nil && x.request.Body != http.NoBody {
		// The unwrapped writer lets net/http close the connection of a sender
		// that would go on and on.
		x.request.Body = http.MaxBytesReader(w, x.request.Body, o.config.BodyLimit)
	}
	return x
}

// asksForStream says whether the answer may last: such requests have no
// deadline.
func asksForStream(r *http.Request) bool {
	return r.Header.Get("Upgrade") != "" || r.Header.Get("Accept") == "text/event-stream"
}

// end settles the answer, observes it and, where the connection must be cut,
// goes on panicking as net/http wants it.
func (x *exchange) end(recovered any) {
	defer x.observer.metrics.active.Dec()
	defer x.cancel()
	s := x.observer.table.find(x.request, x.route)
	if recovered != nil {
		x.panicked(recovered, s)
	}
	ctx := x.request.Context()
	if recovered == nil && x.recorder.status == 0 && !x.recorder.hijacked {
		x.answerSilence(ctx)
	}
	e := facts{
		status:    x.recorder.status,
		panicked:  recovered != nil,
		truncated: x.recorder.truncated(x.request.Method),
		shed:      x.shed.Load(),
		cause:     context.Cause(ctx),
		writeErr:  x.recorder.err,
		stopping:  x.observer.stopping.Load(),
	}.outcome()
	x.observe(s, e, time.Since(x.started))
	if recovered != nil && x.cutOff {
		panic(http.ErrAbortHandler)
	}
}

// answerSilence answers for a handler that returned without writing: after our
// deadline with a 504, else as net/http does, with an empty 200.
func (x *exchange) answerSilence(ctx context.Context) {
	switch ctx.Err() {
	case nil:
		x.recorder.WriteHeader(http.StatusOK)
	case context.DeadlineExceeded:
		WriteProblem(&x.recorder, x.request, ctx.Err())
	}
}

// panicked logs the panic and answers it with a 500 where nothing was written.
// Otherwise the connection is cut, so that the caller does not take half an
// answer for a whole one.
func (x *exchange) panicked(recovered any, s *series) {
	x.observer.metrics.panics.WithLabelValues(s.key.route).Inc()
	aborted := isAbort(recovered)
	x.cutOff = aborted || x.recorder.status != 0 || x.recorder.hijacked
	if !aborted {
		stack := make([]byte, 8<<10)
		stack = stack[:goruntime.Stack(stack, false)]
		x.observer.log.LogAttrs(x.request.Context(), slog.LevelError, "handler panicked",
			slog.Any("panic", recovered), slog.String(keyRoute, s.key.route), slog.String("stack", string(stack)))
	}
	if !x.cutOff {
		WriteProblem(&x.recorder, x.request, fault.New(fault.CodeInternal, "something went wrong on our side"))
	}
}

// isAbort says whether the handler itself asked for the connection to be cut.
func isAbort(recovered any) bool {
	err, ok := recovered.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// MarkShed says that the request of this context was refused to protect the
// others. Whatever refuses load calls it, so that the refusal is counted apart
// from failures. Contexts of other origin are left alone.
func MarkShed(ctx context.Context) {
	if x := exchangeOf(ctx); x != nil {
		x.shed.Store(true)
	}
}

// exchangeOf returns the request that the context belongs to, or nil.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}
