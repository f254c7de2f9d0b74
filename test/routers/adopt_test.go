package routers

import (
	"context"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/mux"
	echov4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// The README of the runtime contains these functions, without the router in their
// names. internal/testkit/archtest compares them.

func ordersGin() http.Handler {
	r := gin.New()
	r.Use(func(c *gin.Context) { httpserver.SetRoute(c.Request.Context(), c.FullPath()) })
	r.Use(authorizeGin)
	r.GET("/v1/orders/:id", getOrderGin)
	return r
}

func ordersEcho() http.Handler {
	r := echo.New()
	r.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			httpserver.SetRoute(c.Request().Context(), c.Path())
			return next(c)
		}
	})
	r.Use(authorizeEcho)
	r.GET("/v1/orders/:id", getOrderEcho)
	return r
}

func ordersGorilla() http.Handler {
	r := mux.NewRouter()
	r.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route, _ := mux.CurrentRoute(r).GetPathTemplate()
			httpserver.SetRoute(r.Context(), route)
			next.ServeHTTP(w, r)
		})
	})
	r.Use(authorizeGorilla)
	r.HandleFunc("/v1/orders/{id}", getOrderGorilla).Methods(http.MethodGet)
	return r
}

func runGin(ctx context.Context, svc *runtime.Service) error {
	svc.Handle(ordersGin(), httpserver.Routes("GET /v1/orders/:id"))
	return svc.Run(ctx)
}

func runEcho(ctx context.Context, svc *runtime.Service) error {
	svc.Handle(ordersEcho(), httpserver.Routes("GET /v1/orders/:id"))
	return svc.Run(ctx)
}

func runGorilla(ctx context.Context, svc *runtime.Service) error {
	svc.Handle(ordersGorilla(), httpserver.Routes("GET /v1/orders/{id}"))
	return svc.Run(ctx)
}

// runEchoV4 differs from runEcho only in the type of the context.
func runEchoV4(ctx context.Context, svc *runtime.Service) error {
	r := echov4.New()
	r.Use(func(next echov4.HandlerFunc) echov4.HandlerFunc {
		return func(c echov4.Context) error {
			httpserver.SetRoute(c.Request().Context(), c.Path())
			return next(c)
		}
	})
	r.Use(func(next echov4.HandlerFunc) echov4.HandlerFunc {
		return func(c echov4.Context) error {
			if denied(c.Request()) {
				return c.NoContent(http.StatusServiceUnavailable)
			}
			return next(c)
		}
	})
	r.GET("/v1/orders/:id", func(c echov4.Context) error { return c.NoContent(http.StatusNoContent) })
	svc.Handle(r, httpserver.Routes("GET /v1/orders/:id"))
	return svc.Run(ctx)
}

// denied reports whether the middleware rejects the request.
func denied(r *http.Request) bool { return r.Header.Get("X-Deny") != "" }

func authorizeGin(c *gin.Context) {
	if denied(c.Request) {
		c.AbortWithStatus(http.StatusServiceUnavailable)
	}
}

func authorizeEcho(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		if denied(c.Request()) {
			return c.NoContent(http.StatusServiceUnavailable)
		}
		return next(c)
	}
}

func authorizeGorilla(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if denied(r) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func getOrderGin(c *gin.Context)                             { c.Status(http.StatusNoContent) }
func getOrderEcho(c *echo.Context) error                     { return c.NoContent(http.StatusNoContent) }
func getOrderGorilla(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// With the SetRoute middleware, requests count under the route of each router, even
// if a later middleware responds. Unknown paths count as unmatched.
func TestRoutersWithOneLine(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for name, tc := range map[string]struct {
		run   func(context.Context, *runtime.Service) error
		route string
	}{
		"gin":         {runGin, "/v1/orders/:id"},
		"echo":        {runEcho, "/v1/orders/:id"},
		"echo v4":     {runEchoV4, "/v1/orders/:id"},
		"gorilla/mux": {runGorilla, "/v1/orders/{id}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := servicetest.Start(t, runtime.Info{Name: "orders"}, runtime.Defaults{}, tc.run)
			get(t, svc.URL+"/v1/orders/7")
			get(t, svc.URL+"/v1/orders/8", "X-Deny", "yes")
			get(t, svc.URL+"/nope/7")
			svc.WaitSpan(func(s servicetest.Span) bool { return s.Name == "GET "+tc.route })
			for _, want := range []struct {
				route, outcome string
				n              float64
			}{
				{tc.route, semconv.OutcomeSuccess, 1},
				{tc.route, semconv.OutcomeServerError, 1},
				{tc.route, semconv.OutcomeClientError, 0},
				{semconv.RouteUnmatched, semconv.OutcomeClientError, 1},
			} {
				svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{semconv.LabelRoute: want.route, semconv.LabelOutcome: want.outcome}, want.n)
			}
			if status := svc.Stop(); status != 0 {
				t.Errorf("exit code %d, want 0", status)
			}
		})
	}
}

// Without the SetRoute middleware, all requests count as unmatched, and a warning
// contains the line to add.
func TestRoutersWithoutTheLine(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, runtime.Info{Name: "orders"}, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		r := gin.New()
		r.GET("/v1/orders/:id", getOrderGin)
		svc.Handle(r)
		return svc.Run(ctx)
	})
	get(t, svc.URL+"/v1/orders/7")
	svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{semconv.LabelRoute: semconv.RouteUnmatched}, 1)
	line := svc.WaitLog(func(l servicetest.Line) bool { return l["url_path"] == "/v1/orders/7" && l["level"] == "WARN" })
	if line["advice"] == nil {
		t.Errorf("the warning has no advice: %v", line)
	}
}

// Declared routes count without the SetRoute middleware, also for requests that are
// rejected before the router.
func TestRoutersWithDeclaredRoutes(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, runtime.Info{Name: "orders"}, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		r := gin.New()
		r.GET("/v1/orders/:id", getOrderGin)
		svc.Handle(authorizeGorilla(r), httpserver.Routes("GET /v1/orders/:id"))
		return svc.Run(ctx)
	})
	get(t, svc.URL+"/v1/orders/7")
	get(t, svc.URL+"/v1/orders/7", "X-Deny", "yes")
	for _, outcome := range []string{semconv.OutcomeSuccess, semconv.OutcomeServerError} {
		svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{semconv.LabelRoute: "/v1/orders/:id", semconv.LabelOutcome: outcome}, 1)
	}
}

func get(t *testing.T, url string, header ...string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}
