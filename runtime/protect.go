package runtime

import (
	"errors"
	"net/http"
	"time"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
)

// withoutObjective is the latency objective of a service without one, as in httpserver.
const withoutObjective = 100 * time.Millisecond

// protected adds the limiter to the service's handler. Requests to the admin listener are not
// limited: an overloaded service must not fail its probes.
func (s *Service) protected(h http.Handler) http.Handler {
	limited := s.limiter.Wrap(h, func(w http.ResponseWriter, r *http.Request, err error) {
		if _, rejected := errors.AsType[overload.Reason](err); rejected {
			httpserver.MarkShed(r.Context())
			w.Header().Set("Retry-After", overload.RetryAfter())
		}
		httpserver.WriteProblem(w, r, err)
	})
	return guarded{limited, h}
}

type guarded struct {
	http.Handler
	next http.Handler
}

// Unwrap lets httpserver find the router behind the limiter.
func (g guarded) Unwrap() http.Handler { return g.next }

// followMemoryLimit sets GOMEMLIMIT from the container's memory limit. The limiter uses it, too.
func (s *Service) followMemoryLimit() {
	limit, err := overload.SetMemoryLimit(s.settings.Overload.MemoryRatio)
	switch {
	case err == nil:
		s.Logger().Info("GOMEMLIMIT set from the container's memory limit", "bytes", limit)
	case !errors.Is(err, overload.ErrNoMemoryLimit):
		s.Logger().Warn("GOMEMLIMIT not set", "error", err)
	}
}
