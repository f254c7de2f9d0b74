package runtime

import (
	"errors"
	"net/http"
	"time"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
)

// withoutObjective stands for the latency objective of a service that has none, as in
// httpserver.
const withoutObjective = 100 * time.Millisecond

// protected puts the limiter in front of the service's handler. Probes and the
// rest of the admin listener do not pass it: an overloaded service is not a dead
// one.
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

// guarded is the limiter in front of a handler.
type guarded struct {
	http.Handler
	next http.Handler
}

// Unwrap lets httpserver find the router behind the limiter.
func (g guarded) Unwrap() http.Handler { return g.next }

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
