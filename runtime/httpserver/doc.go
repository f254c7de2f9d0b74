// Package httpserver serves HTTP so that every request is seen once and whole.
//
// One observing pass surrounds any [http.Handler] (a chi router, http.ServeMux,
// a connect-go handler): it continues or begins the trace, bounds the body and
// the time, recovers panics, and writes span, metrics with exemplars and the
// access line from the same facts, so that the four never disagree.
//
// What counts as good and bad is decided here for the whole platform (see
// [Outcome]): rules and boards only read the result.
//
// Routes are the patterns that a router was given, never paths. Everything that
// matches no known route is one series, whatever an attacker asks for.
package httpserver
