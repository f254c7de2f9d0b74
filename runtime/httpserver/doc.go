// Package httpserver serves HTTP so that every request is seen once and whole.
//
// One observing pass surrounds any [http.Handler] (a chi router, http.ServeMux,
// a connect-go handler): it continues or begins the trace, bounds the body and
// the time, recovers panics, and writes span, metrics with exemplars and the
// access line from the same facts, so that the four never disagree.
//
// The pass allocates one struct a request, which is its context, writer and body
// at once. Whether the request is sampled is decided before anything is spent on
// a span; one that is not carries ids all the same, for log lines and for calls
// to other services. What it costs over a bare router is a gate in the tests.
//
// What counts as good and bad is decided here for the whole platform (see
// [Outcome]): rules and dashboards only read the result.
//
// Routes are the patterns that a router was given, never paths. Everything that
// matches no known route is one series, whatever an attacker asks for. [Routes]
// declares those of a handler that cannot list its own, [SetRoute] passes on what a
// router keeps to itself, [Procedures] declares those that are called by RPC.
//
// A request that a middleware responds to counts for the route that the router would
// have chosen. Where only a mounted handler knows its routes, its requests count for
// its prefix, as in "/admin/*".
//
// The length of a request with both Content-Length and Transfer-Encoding is that of
// its chunks, and its connection stays open. RFC 9112, section 6.1, requires closing
// it, but net/http removes Content-Length before a handler runs. Do not put a proxy in
// front of the service that uses Content-Length there; the common ones reject such
// requests.
package httpserver
