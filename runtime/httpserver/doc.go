// Package httpserver serves HTTP and observes every request once.
//
// An [Observer] is middleware around any [http.Handler], such as a chi router, an http.ServeMux
// or a connect-go handler. It continues or starts the trace, limits time and body, recovers
// panics, and writes span, metrics with exemplars and access line from the same data, so that
// they always agree.
//
// The observer makes one allocation for a request without a body: its context, writer and
// unsampled span. It makes the sampling decision before it starts a span. Unsampled requests also
// have trace and span ids, for log lines and outgoing calls. Tests limit the cost compared to a
// bare router.
//
// The outcome of a request is decided in this package; rules and dashboards only read it.
//
// The route of a request is the router's pattern, never the path. All requests without a known
// route share one series. [Routes] declares the routes of a handler that cannot list them,
// [SetRoute] records the route that another router chose, and [Procedures] declares RPC
// procedures.
//
// A request that a middleware responds to counts for the route that the router would have chosen.
// Requests to a mounted handler whose routes are unknown count for its prefix, such as
// "/admin/*".
//
// For a request with both Content-Length and Transfer-Encoding, the chunks determine the length,
// and the connection stays open. RFC 9112, section 6.1, requires closing it, but net/http removes
// Content-Length before a handler runs. Do not use a proxy that prefers Content-Length; the
// common ones reject such requests.
package httpserver
