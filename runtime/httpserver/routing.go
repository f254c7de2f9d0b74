package httpserver

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// maxSetRoutes bounds the undeclared routes of SetRoute. It is half of the values
// that telemetry gives a label, so that paths that are set by mistake never take the
// place of declared routes.
const maxSetRoutes = 500

// SetRoute records the route of the request that ctx belongs to, as in
// "/orders/:id", for routers that the observing pass cannot see: those of gin, echo
// and gorilla/mux, and an http.ServeMux behind middleware. Call it in the first
// middleware, on the handler's goroutine. It takes patterns of http.ServeMux too.
//
// Set patterns and never paths. Routes that were not declared with [Routes] have no
// series before their first request, and those beyond the first 500 are unmatched.
// An empty route and contexts of other origin are ignored.
func SetRoute(ctx context.Context, route string) {
	x := stateOf(ctx)
	if x == nil {
		return
	}
	if route = fromPattern(route); route != "" {
		x.chosen.Store(x.observer.setSeries(methodLabel(x.request.Method), route))
	}
}

// setSeries returns the series of a route that the program set, or nil when there
// are too many.
func (o *Observer) setSeries(method, route string) *series {
	if s := o.table.lookup(method, route); s != nil {
		return s
	}
	if o.table.admit(route) {
		return o.table.add(routeKey{method, route}, seen)
	}
	o.crowded.Do(func() {
		o.log.LogAttrs(context.Background(), slog.LevelWarn, "too many routes were set, further ones are unmatched",
			slog.Int("limit", maxSetRoutes), slog.String(keyRoute, route),
			slog.String("advice", "set the router's pattern and not the path; declare all routes with httpserver.Routes"))
	})
	return nil
}

// admit reports whether an undeclared route has room. One route has as many series
// as there are methods.
func (t *routeTable) admit(route string) bool {
	if t.setIsFull.Load() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.set[route] {
		return true
	}
	if len(t.set) >= maxSetRoutes {
		t.setIsFull.Store(true)
		return false
	}
	t.set[strings.Clone(route)] = true
	return true
}

// routerOf returns the router that h is or, by its method Unwrap, is in front of. It
// is nil for a handler of another kind.
func routerOf(h http.Handler) http.Handler {
	for {
		switch h.(type) {
		case chi.Routes, *http.ServeMux:
			return h
		}
		front, ok := h.(interface{ Unwrap() http.Handler })
		if !ok {
			return nil
		}
		h = front.Unwrap()
	}
}

// series returns the series for a request that has its response: of the route that the
// router recorded, or of the one that it would have chosen where a middleware or the
// limiter responded before it. The latter is looked up only then.
//
// Routes that were not declared are added when they are first seen: routers record
// patterns, whose number the program bounds. What is not found below a mounted
// handler stays unmatched, or scans would dilute the error ratio of its prefix.
func (x *requestState) series(h *observed) *series {
	t, method := x.observer.table, methodLabel(x.request.Method)
	if s := t.procedure(x.request); s != nil {
		return s
	}
	if s := x.chosen.Load(); s != nil {
		return s
	}
	route := x.recorded()
	if route == "" || h.mounts[route] {
		route = x.resolve(h, route)
	}
	s := t.lookup(method, route)
	switch {
	case route == "" || s.isUndeclared() && isWildcard(route) && x.notFound():
		return t.add(routeKey{method, semconv.RouteUnmatched}, plain)
	case s == nil:
		return t.add(routeKey{method, route}, seen)
	}
	return s
}

// recorded is the pattern that the router recorded: of chi in its context, of
// http.ServeMux in the request. It is a prefix, as in "/admin/*", when the router
// that is mounted there did not get the request or found nothing.
func (x *requestState) recorded() string {
	if routing := x.routing.Load(); routing != nil && len(routing.RoutePatterns) > 0 {
		return normalize(routing.RoutePattern())
	}
	return fromPattern(x.request.Pattern)
}

// resolve returns the pattern that the router would choose, or the recorded one when
// it finds none below that: a middleware may have changed the path.
func (x *requestState) resolve(h *observed, recorded string) string {
	var route string
	switch router := h.router.(type) {
	case chi.Routes:
		route = x.observer.match(router, x.request)
	case *http.ServeMux:
		_, pattern := router.Handler(x.request)
		route = fromPattern(pattern)
	default:
		route = h.declared.names[x.observer.match(h.declared.router, x.request)]
	}
	if !strings.HasPrefix(route, strings.TrimSuffix(recorded, "*")) {
		return recorded
	}
	return route
}

// declaredRoutes match requests against the routes of [Routes], for handlers whose
// router cannot be seen.
type declaredRoutes struct {
	router *chi.Mux          // that handles nothing
	names  map[string]string // routes as they were declared, by chi's pattern
}

// declared returns the routes that were declared so far. A pattern that means nothing
// to chi has its series and is left out here: only its router can match it.
func (t *routeTable) declared() declaredRoutes {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := declaredRoutes{router: chi.NewRouter(), names: map[string]string{}}
	for _, key := range t.noted {
		d.add(key)
	}
	return d
}

func (d declaredRoutes) add(key routeKey) {
	defer func() { _ = recover() }() // chi panics at what it cannot read
	pattern := chiPattern(key.route)
	d.router.Method(key.method, pattern, http.NotFoundHandler())
	d.names[pattern] = key.route
}

// chiPattern spells the parameters of the common routers as chi does: ":id" of gin and
// echo, "*path" of gin, "{path...}" of http.ServeMux.
func chiPattern(route string) string {
	segments := strings.Split(route, "/")
	for i, s := range segments {
		switch {
		case strings.HasPrefix(s, ":"):
			segments[i] = "{" + s[1:] + "}"
		case strings.HasPrefix(s, "*"), strings.HasSuffix(s, "...}"):
			segments[i] = "*"
		}
	}
	return strings.Join(segments, "/")
}

// match finds the pattern of a request in a chi router and those mounted in it.
func (o *Observer) match(router chi.Routes, r *http.Request) string {
	path := requestPath(r)
	routing := o.routings.Get().(*chi.Context)
	defer o.routings.Put(routing)
	for _, method := range [2]string{r.Method, getFor(r.Method)} {
		routing.Reset()
		if method != "" && router.Match(routing, method, path) {
			return normalize(routing.RoutePattern())
		}
	}
	return ""
}

// requestPath is the path as chi matches it: escaped where it was sent escaped.
func requestPath(r *http.Request) string {
	if r.URL.RawPath != "" {
		return r.URL.RawPath
	}
	return r.URL.Path
}

// routePath is the path that a router has to match: what is left below a mount, or
// after a middleware of chi's changed it, and else the request's.
func routePath(r *http.Request) string {
	if routing := chi.RouteContext(r.Context()); routing != nil && routing.RoutePath != "" {
		return routing.RoutePath
	}
	return requestPath(r)
}

// serveHead makes the router look for a route for GET where it has none for HEAD.
// The request stays one for HEAD, so net/http leaves the body out. (GetHead of chi's
// middleware asks the outermost router also where this one is mounted.)
func serveHead(router *chi.Mux) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead && !router.Match(chi.NewRouteContext(), http.MethodHead, routePath(r)) {
				chi.RouteContext(r.Context()).RouteMethod = http.MethodGet
			}
			next.ServeHTTP(w, r)
		})
	}
}

// allowed lists the methods that are served at the request's path. Routers that are
// mounted in this one inherit its handler, so the whole path is matched first.
func allowed(router *chi.Mux, r *http.Request) []string {
	for _, path := range []string{requestPath(r), routePath(r)} {
		if methods := matching(router, path); len(methods) > 0 {
			return methods
		}
	}
	return nil
}

func matching(router *chi.Mux, path string) []string {
	var found []string
	for _, method := range methods() {
		if router.Match(chi.NewRouteContext(), method, path) ||
			method == http.MethodHead && slices.Contains(found, http.MethodGet) {
			found = append(found, method)
		}
	}
	return found
}

// getFor is the method whose handler serves requests of the given one, too, or "".
func getFor(method string) string {
	if method == http.MethodHead {
		return http.MethodGet
	}
	return ""
}

// lookup returns the series of a known route, or nil. A route for GET is known for
// HEAD, too, and has series for it from the first request on.
func (t *routeTable) lookup(method, route string) *series {
	known := *t.routes.Load()
	if s, ok := known[routeKey{method, route}]; ok {
		return s
	}
	if get, ok := known[routeKey{getFor(method), route}]; ok {
		return t.add(routeKey{method, route}, min(get.kind, plain))
	}
	return nil
}

func (s *series) isUndeclared() bool { return s == nil || s.kind == seen }

func isWildcard(route string) bool { return strings.HasSuffix(route, "/*") }

// notFound reports whether the response is 404 or 405.
func (x *requestState) notFound() bool {
	return x.recorder.status == http.StatusNotFound || x.recorder.status == http.StatusMethodNotAllowed
}

// methods are the methods of RFC 9110 and PATCH. GET is before HEAD.
func methods() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
	}
}

// methodLabel is the method as it is counted, so that a client cannot invent series.
func methodLabel(method string) string {
	if isKnown(method) {
		return method
	}
	return semconv.MethodOther
}

// warnUnmatched warns about the first request that succeeds without a route: rules
// exclude those, so a service whose routes are unknown would never alert. Responses
// to OPTIONS come from CORS middleware, which serves no route.
func (x *requestState) warnUnmatched(s *series, e ending) {
	if s.key.route != semconv.RouteUnmatched || e.outcome != semconv.OutcomeSuccess || s.key.method == http.MethodOptions {
		return
	}
	x.observer.unknown.Do(func() {
		x.observer.log.LogAttrs(x, slog.LevelWarn, "a successful request is unmatched, so objectives do not count it",
			slog.String(keyMethod, s.key.method), slog.String(keyPath, x.request.URL.Path),
			slog.String("advice", "call httpserver.SetRoute with the router's pattern in a middleware, or declare the route with httpserver.Routes"))
	})
}
