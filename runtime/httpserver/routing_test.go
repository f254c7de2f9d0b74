package httpserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

func respond(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// denied is a middleware that responds itself.
func denied(status int) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler { return respond(status) }
}

// rewriting replaces the path in place, as some middleware does.
func rewriting(path string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = path
			next.ServeHTTP(w, r)
		})
	}
}

// copying passes on a copy of the request, as middleware that adds to the context does.
func copying(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r.WithContext(r.Context())) })
}

func declare(patterns ...string) []httpserver.Option {
	return []httpserver.Option{httpserver.Routes(patterns...)}
}

// admin is a router with middleware, to be mounted.
func admin(middleware ...func(http.Handler) http.Handler) *chi.Mux {
	r := chi.NewRouter()
	r.Use(middleware...)
	r.Get("/", respond(http.StatusNoContent))
	r.Get("/users/{id}", respond(http.StatusNoContent))
	return r
}

func mounted(pattern string, h http.Handler) *chi.Mux {
	r := httpserver.NewRouter()
	r.Mount(pattern, h)
	return r
}

func muxOf(pattern string, h http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle(pattern, h)
	return mux
}

// A response of middleware counts for the route that the router would have chosen, or for the
// prefix of the mounted handler.
func TestRouteOfMiddlewareResponses(t *testing.T) {
	t.Parallel()
	const unavailable = http.StatusServiceUnavailable
	rooted := httpserver.NewRouter()
	rooted.Use(denied(unavailable))
	rooted.Mount("/admin", admin())
	deep := mounted("/api", mounted("/admin", admin(denied(unavailable))))
	grouped := chi.NewRouter()
	grouped.Group(func(r chi.Router) {
		r.Use(denied(unavailable))
		r.Get("/orders/{id}", respond(http.StatusNoContent))
	})

	for name, tc := range map[string]struct {
		handler      http.Handler
		options      []httpserver.Option
		method, path string
		route        string
		outcome      string
	}{
		"middleware of the root router":                  {handler: rooted, path: "/admin/users/7", route: "/admin/users/{id}"},
		"middleware of a group":                          {handler: grouped, path: "/orders/7", route: "/orders/{id}"},
		"middleware of a mounted router":                 {handler: mounted("/admin", admin(denied(unavailable))), path: "/admin/users/7", route: "/admin/users/{id}"},
		"the same at the mount point":                    {handler: mounted("/admin", admin(denied(unavailable))), path: "/admin", route: "/admin"},
		"the same with an escaped path":                  {handler: mounted("/admin", admin(denied(unavailable))), path: "/admin/users/a%2Fb", route: "/admin/users/{id}"},
		"the same mounted twice":                         {handler: deep, path: "/api/admin/users/7", route: "/api/admin/users/{id}"},
		"an unknown path below a mounted router":         {handler: mounted("/admin", admin(denied(unavailable))), path: "/admin/nope", route: "/admin/*"},
		"an unknown path below a twice mounted router":   {handler: deep, path: "/api/admin/nope", route: "/api/admin/*"},
		"an unknown method below a mounted router":       {handler: mounted("/admin", admin(denied(unavailable))), method: "DELETE", path: "/admin/users/7", route: "/admin/*"},
		"a path that middleware rewrote":                 {handler: mounted("/admin", admin(rewriting("/x"), denied(unavailable))), path: "/admin/users/7", route: "/admin/*"},
		"a mounted handler of another kind":              {handler: mounted("/ui", respond(unavailable)), path: "/ui/page", route: "/ui/*"},
		"a mounted ServeMux":                             {handler: mounted("/ui", muxOf("GET /ui/{page}", respond(unavailable))), path: "/ui/home", route: "/ui/*"},
		"a mounted handler without its prefix":           {handler: mounted("/ui", http.StripPrefix("/ui", respond(unavailable))), path: "/ui/page", route: "/ui/*"},
		"a chi router behind middleware":                 {handler: copying(mounted("/admin", admin())), path: "/admin/users/7", route: "/admin/users/{id}", outcome: semconv.OutcomeSuccess},
		"a chi router behind middleware that responds":   {handler: copying(mounted("/admin", admin(denied(unavailable)))), path: "/admin/users/7", route: "/admin/*"},
		"a declared path":                                {handler: denied(unavailable)(nil), options: declare("GET /ping"), path: "/ping", route: "/ping"},
		"a declared pattern of ServeMux":                 {handler: respond(unavailable), options: declare("GET /a/{id}", "GET /b/{path...}"), path: "/b/c/d", route: "/b/{path...}"},
		"a declared ServeMux behind middleware":          {handler: copying(muxOf("GET /a/{id}", respond(unavailable))), options: declare("GET /a/{id}"), path: "/a/7", route: "/a/{id}"},
		"a declared root":                                {handler: respond(unavailable), options: declare("GET /{$}"), path: "/", route: "/"},
		"a declared pattern of gin":                      {handler: respond(unavailable), options: declare("GET /a/:id", "GET /b/*path"), path: "/a/7", route: "/a/:id"},
		"a declared wildcard of gin":                     {handler: respond(unavailable), options: declare("GET /a/:id", "GET /b/*path"), path: "/b/c/d", route: "/b/*path"},
		"a declared pattern of gorilla":                  {handler: respond(unavailable), options: declare("GET /a/{id:[0-9]+}"), path: "/a/7", route: "/a/{id:[0-9]+}"},
		"a pattern that does not match":                  {handler: respond(unavailable), options: declare("GET /a/{id:[0-9]+}", "GET /{a}/{a}"), path: "/a/b", route: semconv.RouteUnmatched},
		"HEAD of a declared route":                       {handler: respond(unavailable), options: declare("GET /a/:id"), method: "HEAD", path: "/a/7", route: "/a/:id"},
		"another method of a declared one":               {handler: respond(unavailable), options: declare("GET /a/:id"), method: "POST", path: "/a/7", route: semconv.RouteUnmatched},
		"a path that was not found stays unmatched":      {handler: mounted("/admin", admin()), path: "/admin/nope", route: semconv.RouteUnmatched, outcome: semconv.OutcomeClientError},
		"a method that is not allowed stays unmatched":   {handler: mounted("/admin", admin()), method: "DELETE", path: "/admin/users/7", route: semconv.RouteUnmatched, outcome: semconv.OutcomeClientError},
		"not found in a mounted handler stays unmatched": {handler: mounted("/ui", http.NewServeMux()), path: "/ui/nope", route: semconv.RouteUnmatched, outcome: semconv.OutcomeClientError},
		"an unknown path at the root stays unmatched":    {handler: rooted, path: "/nope", route: semconv.RouteUnmatched},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.method == "" {
				tc.method = http.MethodGet
			}
			if tc.outcome == "" {
				tc.outcome = semconv.OutcomeServerError
			}
			p := newPass(t, telemetry.Sampling{}, tc.handler, tc.options...)
			p.serve(httptest.NewRequest(tc.method, tc.path, http.NoBody))
			p.wantOnly(prometheus.Labels{semconv.LabelMethod: tc.method, semconv.LabelRoute: tc.route, semconv.LabelOutcome: tc.outcome})
		})
	}
}

// wantOnly fails unless exactly one request with these labels was counted.
func (p *pass) wantOnly(labels prometheus.Labels) {
	p.t.Helper()
	if n, all := p.count(semconv.HTTPServerRequests, labels), p.count(semconv.HTTPServerRequests, nil); n != 1 || all != 1 {
		p.t.Errorf("%v counts %v of %v requests, want 1 of 1\n%s", labels, n, all, p.counted())
	}
}

// counted lists the series of requests that are not zero.
func (p *pass) counted() string {
	families, err := p.telemetry.Metrics().Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	var list []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == semconv.HTTPServerRequests && m.GetCounter().GetValue() > 0 {
				list = append(list, fmt.Sprint(m.GetLabel(), m.GetCounter().GetValue()))
			}
		}
	}
	return strings.Join(list, "\n")
}

// Requests that a mounted handler serves and those that middleware responds to have the same
// labels, in either order.
func TestPrefixDoesNotHideRoutes(t *testing.T) {
	t.Parallel()
	deny := false
	p := newPass(t, telemetry.Sampling{}, mounted("/admin", admin(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if deny {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		})
	})))
	p.get("/admin/users/7")
	deny = true
	p.get("/admin/nope")
	p.get("/admin/users/7")
	for route, want := range map[string]float64{"/admin/users/{id}": 2, "/admin/*": 1} {
		if n := p.count(semconv.HTTPServerRequests, prometheus.Labels{semconv.LabelRoute: route}); n != want {
			t.Errorf("%s counts %v requests, want %v\n%s", route, n, want, p.counted())
		}
	}
}

func TestSetRoute(t *testing.T) {
	t.Parallel()
	setting := func(route string) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { httpserver.SetRoute(r.Context(), route) })
	}
	for name, tc := range map[string]struct {
		handler http.Handler
		options []httpserver.Option
		route   string
	}{
		"a route is counted":                       {handler: setting("/orders/:id"), route: "/orders/:id"},
		"a declared route is counted":              {handler: setting("/orders/:id"), options: declare("GET /orders/:id"), route: "/orders/:id"},
		"method and host of a pattern are removed": {handler: setting("GET example.com/orders/{id}"), route: "/orders/{id}"},
		"a copy of the request is counted":         {handler: copying(setting("/orders/:id")), route: "/orders/:id"},
		"a set route overrides the mount":          {handler: mounted("/", setting("/orders/:id")), route: "/orders/:id"},
		"no route is unmatched":                    {handler: setting(""), route: semconv.RouteUnmatched},
		"a route without a slash is unmatched":     {handler: setting("orders"), route: semconv.RouteUnmatched},
		"ServeMux behind middleware": {handler: copying(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			muxOf("GET /orders/{id}", respond(http.StatusOK)).ServeHTTP(w, r)
			httpserver.SetRoute(r.Context(), r.Pattern)
		})), route: "/orders/{id}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPass(t, telemetry.Sampling{}, tc.handler, tc.options...)
			p.get("/orders/7")
			p.wantOnly(prometheus.Labels{semconv.LabelRoute: tc.route})
		})
	}
	httpserver.SetRoute(t.Context(), "/orders/:id") // a context without a request: no effect
}

// Paths that are set as routes create a limited number of series and one warning. Declared routes
// keep their series.
func TestSetRouteIsBounded(t *testing.T) {
	t.Parallel()
	p := newPass(t, telemetry.Sampling{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		httpserver.SetRoute(r.Context(), r.URL.Path)
	}), httpserver.Routes("GET /declared"))
	const paths = 2000
	for i := range paths {
		p.get(fmt.Sprintf("/orders/%d", i))
	}
	p.get("/declared")
	p.get("/orders/0")
	if n := len(p.observer.Routes()); n > 600 {
		t.Errorf("%d paths made %d routes", paths, n)
	}
	for route, want := range map[string]float64{"/declared": 1, "/orders/0": 2} {
		if n := p.count(semconv.HTTPServerRequests, prometheus.Labels{semconv.LabelRoute: route}); n != want {
			t.Errorf("%s counts %v requests, want %v", route, n, want)
		}
	}
	if n := p.count(semconv.HTTPServerRequests, prometheus.Labels{semconv.LabelRoute: semconv.RouteUnmatched}); n == 0 {
		t.Error("no request is unmatched")
	}
	if n := strings.Count(p.said(), "too many routes"); n != 1 {
		t.Errorf("%d warnings, want 1", n)
	}
}

// The first successful request without a route is reported.
func TestSuccessfulUnmatchedRequestIsWarnedAboutOnce(t *testing.T) {
	t.Parallel()
	p := newPass(t, telemetry.Sampling{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/nope" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	p.get("/nope")
	p.serve(httptest.NewRequest(http.MethodOptions, "/orders/7", http.NoBody))
	for range 3 {
		p.serve(httptest.NewRequest(http.MethodPost, "/orders/7", http.NoBody))
	}
	said := p.said()
	if n := strings.Count(said, "successful request without a route"); n != 1 {
		t.Errorf("%d lines, want 1:\n%s", n, said)
	}
	for _, part := range []string{`"level":"WARN"`, `"http_request_method":"POST"`, `"url_path":"/orders/7"`, "httpserver.SetRoute"} {
		if !strings.Contains(said, part) {
			t.Errorf("the warning does not have %s:\n%s", part, said)
		}
	}
}

// A response to an unsupported method lists the supported ones.
func TestMethodNotAllowed(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/orders", respond(http.StatusOK))
	router.Post("/orders", respond(http.StatusCreated))
	router.Delete("/orders/{id}", respond(http.StatusNoContent))
	nested := chi.NewRouter()
	nested.Put("/{id}", respond(http.StatusNoContent))
	router.Mount("/items", nested)
	stripped := httpserver.NewRouter()
	stripped.Post("/orders", respond(http.StatusNoContent))
	router.Mount("/v2", http.StripPrefix("/v2", stripped))
	deep := httpserver.NewRouter()
	deep.Patch("/{id}", respond(http.StatusNoContent))
	outer := chi.NewRouter()
	outer.Mount("/api", deep)
	router.Mount("/outer", outer)
	p := newPass(t, telemetry.Sampling{}, router)
	for name, tc := range map[string]struct{ method, path, allow string }{
		"a route":                    {http.MethodDelete, "/orders", "GET, HEAD, POST"},
		"an unknown path":            {"BREW", "/teapots", ""},
		"a route without GET":        {http.MethodGet, "/orders/7", "DELETE"},
		"HEAD without GET":           {http.MethodHead, "/orders/7", "DELETE"},
		"an unknown method":          {"BREW", "/orders", "GET, HEAD, POST"},
		"a mounted router":           {http.MethodGet, "/items/7", "PUT"},
		"a mount without its prefix": {http.MethodGet, "/v2/orders", "POST"},
		"a mount below another":      {http.MethodGet, "/outer/api/7", "PATCH"},
		"an escaped path":            {http.MethodGet, "/items/a%2Fb", "PUT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := p.serve(httptest.NewRequest(tc.method, tc.path, http.NoBody))
			want := http.StatusMethodNotAllowed
			if tc.allow == "" {
				want = http.StatusNotFound
			}
			if res.Code != want || res.Header().Get("Allow") != tc.allow {
				t.Errorf("%d with Allow %q, want %d with %q", res.Code, res.Header().Get("Allow"), want, tc.allow)
			}
			if res.Header().Get("Content-Type") != httpserver.ProblemType {
				t.Errorf("Content-Type %q", res.Header().Get("Content-Type"))
			}
		})
	}
}

// A route for GET serves HEAD without a body and counts it for the same route. A handler for HEAD
// has precedence.
func TestHeadOfAGetRoute(t *testing.T) {
	t.Parallel()
	special := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Special", "yes") }
	body := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "an order") }
	build := func() *chi.Mux {
		r := httpserver.NewRouter()
		r.Get("/orders/{id}", body)
		r.Get("/special", body)
		r.Head("/special", special)
		return r
	}
	router, plain := build(), chi.NewRouter()
	router.Mount("/nested", build())
	plain.Mount("/plain", build())
	router.Mount("/deep", plain)
	svc := serve(t, router, nil)
	for path, tc := range map[string]struct{ route, special string }{
		"/orders/7":            {"/orders/{id}", ""},
		"/special":             {"/special", "yes"},
		"/nested/orders/7":     {"/nested/orders/{id}", ""},
		"/nested/special":      {"/nested/special", "yes"},
		"/deep/plain/orders/7": {"/deep/plain/orders/{id}", ""},
		"/deep/plain/special":  {"/deep/plain/special", "yes"},
	} {
		res, text := do(t, http.MethodHead, svc.URL+path, "")
		if res.StatusCode != http.StatusOK || text != "" || res.Header.Get("X-Special") != tc.special {
			t.Errorf("%s: %d %q with X-Special %q, want 200 without a body and %q", path, res.StatusCode, text, res.Header.Get("X-Special"), tc.special)
		}
		counted(t, svc, http.MethodHead, tc.route, semconv.OutcomeSuccess, 1)
	}
	if res, _ := do(t, http.MethodHead, svc.URL+"/nope", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown path: %d", res.StatusCode)
	}
	counted(t, svc, http.MethodHead, semconv.RouteUnmatched, semconv.OutcomeClientError, 1)
}

// A HEAD request for a stream ends when the stream begins: its context is canceled, and the
// connection serves the next request.
func TestHeadOfAStreamEnds(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	returned := make(chan struct{})
	router.Get("/events", func(w http.ResponseWriter, r *http.Request) {
		defer close(returned)
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	router.Get("/orders", respond(http.StatusOK))
	svc := serve(t, router, nil)
	if res, _ := do(t, http.MethodHead, svc.URL+"/events", ""); res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	select {
	case <-returned:
	case <-time.After(servicetest.Timeout):
		t.Fatal("the handler waits for a client that has its response")
	}
	counted(t, svc, http.MethodHead, "/events", semconv.OutcomeSuccess, 1)
	svc.WaitMetric(semconv.HTTPServerStreamDuration, map[string]string{semconv.LabelRoute: "/events"}, 1)
}
