package httpserver

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// scope is the instrumentation scope of spans.
const scope = "github.com/observability-first/scaffold/runtime/httpserver"

// Observer is the middleware that observes requests. A process needs one. It is safe for
// concurrent use.
type Observer struct {
	opts      Options
	config    Config
	telemetry *telemetry.Telemetry
	log       *slog.Logger
	tracer    trace.Tracer
	silent    silentSpan
	learned   learned
	callers   callers
	metrics   *metrics
	table     *routeTable

	never     chan struct{} // never closed; see below
	routings  sync.Pool     // of *chi.Context
	scratches sync.Pool     // of *scratch

	slowReaders slowReaders
	transfers   transfers
	draining    atomic.Bool // responses ask clients to close the connection
	full        func() bool // whether there are too many connections to keep; nil for never
	stopping    atomic.Bool // a shutdown that timed out closes all connections
	cut         atomic.Bool // a shutdown closes all connections because only transfers are left
	doubled     sync.Once   // warned about a second instrumentation
	unknown     sync.Once   // warned about a successful request without a route
	crowded     sync.Once   // warned about too many routes of SetRoute
	headers     throttle    // of warnings about headers that are too large
}

// NewObserver returns an Observer and registers its metrics.
func NewObserver(opts Options) (*Observer, error) {
	if opts.Telemetry == nil {
		return nil, errors.New("Options.Telemetry is nil; create one with telemetry.New")
	}
	opts.Config = opts.Config.withDefaults()
	m, err := newMetrics(opts.Telemetry.Metrics(), opts.Bounds, opts.Config.Histograms)
	if err != nil {
		return nil, err
	}
	table := newRouteTable(m)
	if err := opts.Telemetry.Metrics().Register(newRouted(table, bounds(opts.Bounds), opts.Telemetry.Metrics().Histograms() == telemetry.Native)); err != nil {
		return nil, err
	}
	o := &Observer{
		opts:      opts,
		config:    opts.Config,
		telemetry: opts.Telemetry,
		log:       opts.Telemetry.Logger(),
		tracer:    opts.Telemetry.TracerProvider().Tracer(scope),
		learned:   learn(),
		callers:   newCallers(opts.Telemetry.Propagator()),
		metrics:   m,
		table:     table,
		never:     make(chan struct{}),
		routings:  sync.Pool{New: func() any { return chi.NewRouteContext() }},
		scratches: sync.Pool{New: func() any { return newScratch() }},
	}
	o.silent = silentSpan{noop.Span{}, o}
	return o, nil
}

// Wrap returns a handler that observes every request and calls next. It declares the routes of a
// chi router. Use [Routes] and [SetRoute] for other routers, and [Procedures] for connect-go. A
// handler in front of a router returns the router from a method Unwrap() http.Handler.
//
// Wrap returns an error for a nil handler and for a handler that it has already wrapped.
func (o *Observer) Wrap(next http.Handler, options ...Option) (http.Handler, error) {
	if next == nil {
		return nil, errors.New("the handler is nil; pass a router, such as httpserver.NewRouter()")
	}
	if _, twice := next.(*observed); twice {
		return nil, errors.New("the handler is already observed; wrap it only once")
	}
	router, mounts := routerOf(next), map[string]bool{}
	if routes, ok := router.(chi.Routes); ok {
		o.table.walk(routes, "", mounts)
	}
	for _, option := range options {
		if err := option(o.table); err != nil {
			return nil, err
		}
	}
	return &observed{observer: o, next: withFaults(next), router: router, mounts: mounts, declared: o.table.declared()}, nil
}

// closes reports whether responses ask clients to close the connection.
func (o *Observer) closes() bool { return o.draining.Load() || o.full != nil && o.full() }

// atBound reports whether there are as many requests in flight as connections allowed. Over
// HTTP/2 this limits the memory of all requests; over HTTP/1 each request has a connection.
func (o *Observer) atBound() bool {
	most := o.metrics.maxConnections.Load()
	return most > 0 && o.metrics.active.Load() >= most
}

// Routes returns the known routes, such as "GET /v1/orders/{id}", sorted.
func (o *Observer) Routes() []string { return o.table.list() }

// observed is a handler whose requests are observed.
type observed struct {
	observer *Observer
	next     http.Handler
	router   http.Handler    // chi.Routes or *http.ServeMux; nil when next is neither
	mounts   map[string]bool // patterns of chi routers mounted in router
	declared declaredRoutes  // known routes if router is nil
}

// ServeHTTP implements [http.Handler].
func (h *observed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch o := h.observer; {
	case isTooLarge(r):
		reject(w, r, http.StatusRequestHeaderFieldsTooLarge)
		o.countRejected(r.Method, r.RemoteAddr)
		return
	case r.ProtoMajor != 1 && o.atBound():
		reject(w, r, http.StatusServiceUnavailable)
		o.metrics.requests.WithLabelValues(r.Method, semconv.RouteUnmatched, semconv.OutcomeShed).Inc()
		return
	}
	x := h.observer.begin(w, r, h.router)
	defer func() { x.end(recover(), h) }()
	h.next.ServeHTTP(wrap(&x.recorder), x.request)
}
