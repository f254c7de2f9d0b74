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

// maxSetRoutes limits the undeclared routes of SetRoute. It is half of the label limit of package
// telemetry, so that paths that are set by mistake never displace declared routes.
const maxSetRoutes = 500

// SetRoute records the route of the request that ctx belongs to, such as "/orders/:id". Use it
// for routers that the [Observer] cannot see: gin, echo, gorilla/mux, and an http.ServeMux behind
// middleware. Call it in the first middleware, on the handler's goroutine. It also accepts
// patterns of http.ServeMux.
//
// Set the router's pattern, never the path. Routes that were not declared with [Routes] have no
// series before their first request. After 500 of them, further ones count as unmatched. SetRoute
// ignores an empty route and a context without a request of this package.
func SetRoute(ctx context.Context, route string) {
	x := stateOf(ctx)
	if x == nil {
		return
	}
	if route = fromPattern(route); route != "" {
		x.chosen.Store(x.observer.setSeries(methodLabel(x.request.Method), route))
	}
}

// setSeries returns the series of a route that the program set, or nil if there are too many.
func (o *Observer) setSeries(method, route string) *series {
	if s := o.table.lookup(method, route); s != nil {
		return s
	}
	if o.table.admit(route) {
		return o.table.add(routeKey{method, route}, seen)
	}
	o.crowded.Do(func() {
		o.log.LogAttrs(context.Background(), slog.LevelWarn, "too many routes set; further routes are unmatched",
			slog.Int("limit", maxSetRoutes), slog.String(keyRoute, route),
			slog.String("advice", "set the router's pattern instead of the path; declare all routes with httpserver.Routes"))
	})
	return nil
}

// admit reports whether there is room for an undeclared route. A route has one series per method.
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

// routerOf returns the router that h is, or that h returns from its method Unwrap. It returns nil
// for other handlers.
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

// series returns the series of a request after its response: those of the route that the router
// recorded. If a middleware or the limiter responded first, it looks up the route that the router
// would have chosen.
//
// Undeclared routes are added when first seen, since the program limits the number of patterns.
// Requests that a mounted handler does not find stay unmatched. Otherwise scans would dilute the
// error ratio of its prefix.
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

// recorded returns the pattern that the router recorded: chi in its context, http.ServeMux in the
// request. It is a prefix, such as "/admin/*", if the router mounted there did not get the
// request or found no route.
func (x *requestState) recorded() string {
	if routing := x.routing.Load(); routing != nil && len(routing.RoutePatterns) > 0 {
		return normalize(routing.RoutePattern())
	}
	return fromPattern(x.request.Pattern)
}

// resolve returns the pattern that the router would choose. If the router finds none, it returns
// the recorded one: a middleware may have changed the path.
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

// declaredRoutes match requests against the routes of [Routes], for handlers without a known
// router.
type declaredRoutes struct {
	router *chi.Mux          // has no handlers
	names  map[string]string // declared routes by chi pattern
}

// declared returns the routes declared so far. It omits patterns that chi cannot parse. Those
// have series, but only their router can match them.
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
	defer func() { _ = recover() }() // chi panics if it cannot parse a pattern
	pattern := chiPattern(key.route)
	d.router.Method(key.method, pattern, http.NotFoundHandler())
	d.names[pattern] = key.route
}

// chiPattern converts parameters to chi's syntax: ":id" of gin and echo, "*path" of gin,
// "{path...}" of http.ServeMux.
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

// match returns the pattern of a request in a chi router and the routers mounted in it.
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

// requestPath returns the path that chi matches: escaped if it was sent escaped.
func requestPath(r *http.Request) string {
	if r.URL.RawPath != "" {
		return r.URL.RawPath
	}
	return r.URL.Path
}

// routePath returns the path that a router has to match: the rest below a mount, the path that a
// chi middleware set, or the request's path.
func routePath(r *http.Request) string {
	if routing := chi.RouteContext(r.Context()); routing != nil && routing.RoutePath != "" {
		return routing.RoutePath
	}
	return requestPath(r)
}

// serveHead routes HEAD requests to the handler for GET if there is none for HEAD. The request
// keeps its method, so net/http omits the body. (chi's middleware GetHead asks the outermost
// router even if this one is mounted.)
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

// allowed lists the methods that are served at the request's path. Mounted routers inherit its
// handler, so the whole path is matched first.
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

// getFor returns the method whose handler also serves the given method, or "".
func getFor(method string) string {
	if method == http.MethodHead {
		return http.MethodGet
	}
	return ""
}

// lookup returns the series of a known route, or nil. A route for GET also serves HEAD, and has
// series for HEAD from the first request.
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

// methodLabel returns the label value of a method. A client cannot create series.
func methodLabel(method string) string {
	if isKnown(method) {
		return method
	}
	return semconv.MethodOther
}

// warnUnmatched warns about the first successful request without a route. Rules exclude unmatched
// requests, so a service with unknown routes would never alert. Responses to OPTIONS are
// excluded: they come from CORS middleware.
func (x *requestState) warnUnmatched(s *series, e ending) {
	if s.key.route != semconv.RouteUnmatched || e.outcome != semconv.OutcomeSuccess || s.key.method == http.MethodOptions {
		return
	}
	x.observer.unknown.Do(func() {
		x.observer.log.LogAttrs(x, slog.LevelWarn, "successful request without a route is not counted by objectives",
			slog.String(keyMethod, s.key.method), slog.String(keyPath, x.request.URL.Path),
			slog.String("advice", "call httpserver.SetRoute with the router's pattern in a middleware, or declare the route with httpserver.Routes"))
	})
}
