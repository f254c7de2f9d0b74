package runtime

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
)

// protected puts the limiter in front of the service's handler. Probes and the
// rest of the admin listener do not pass it: an overloaded service is not a dead
// one.
func (s *Service) protected(h http.Handler) http.Handler {
	guarded := s.limiter.Wrap(h, func(w http.ResponseWriter, r *http.Request, err error) {
		if !errors.Is(err, context.DeadlineExceeded) { // which the handler was asked about
			findRoute(h, r)
		}
		if _, refused := errors.AsType[overload.Reason](err); refused {
			httpserver.MarkShed(r.Context())
			w.Header().Set("Retry-After", overload.RetryAfter())
		}
		httpserver.WriteProblem(w, r, err)
	})
	if routes, ok := h.(chi.Routes); ok {
		return guardedRouter{routes, guarded}
	}
	return guarded
}

// guardedRouter still tells its routes.
type guardedRouter struct {
	router
	http.Handler
}

// router is chi.Routes by another name: embedded under its own, the field would
// hide the method Routes.
type router = chi.Routes

var _ chi.Routes = guardedRouter{}

// findRoute notes the route that the request would have taken, so that its
// refusal counts against that route.
func findRoute(h http.Handler, r *http.Request) {
	switch served := h.(type) {
	case chi.Routes:
		path := r.URL.RawPath
		if path == "" {
			path = r.URL.Path
		}
		if route := chi.RouteContext(r.Context()); route != nil {
			served.Match(route, r.Method, path)
		}
	case *http.ServeMux:
		_, r.Pattern = served.Handler(r)
	}
}

// followMemoryLimit makes the container's memory the limit of the garbage
// collector, which is also what the limiter holds requests against.
func (s *Service) followMemoryLimit() {
	limit, err := overload.SetMemoryLimit(s.settings.Overload.MemoryRatio)
	switch {
	case err == nil:
		s.Logger().Info("memory limit follows the container", "bytes", limit)
	case !errors.Is(err, overload.ErrNoMemoryLimit):
		s.Logger().Warn("memory is not limited", "error", err)
	}
}
