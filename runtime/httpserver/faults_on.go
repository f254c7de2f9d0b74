//go:build scaffold_faults

package httpserver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// FaultsCompiledIn reports whether fault injection is compiled in.
const FaultsCompiledIn = true

// faultHeader requests a fault: "error", "shed", "panic", "delay=300ms" or "cpu=30ms".
const faultHeader = "Scaffold-Fault"

// maxFault limits the injected delay and CPU time.
const maxFault = 10 * time.Second

var errOnPurpose = errors.New("injected fault")

// withFaults injects the fault that the caller requests. The handler runs in any case, so that
// the router chooses the route. Its response is discarded if the fault has its own.
func withFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, value, _ := strings.Cut(r.Header.Get(faultHeader), "=")
		d, err := time.ParseDuration(value)
		d = min(d, maxFault)
		switch {
		case kind == "":
			next.ServeHTTP(w, r)
		case kind == "delay" && err == nil:
			wait(r.Context(), d)
			next.ServeHTTP(w, r)
		case kind == "cpu" && err == nil:
			useCPU(r.Context(), d)
			next.ServeHTTP(w, r)
		case kind == "error":
			next.ServeHTTP(discard{}, r)
			WriteProblem(w, r, apierror.New(apierror.CodeInternal, "injected error").WithCause(errOnPurpose))
		case kind == "shed":
			next.ServeHTTP(discard{}, r)
			MarkShed(r.Context())
			WriteProblem(w, r, apierror.New(apierror.CodeUnavailable, "injected load shedding"))
		case kind == "panic":
			next.ServeHTTP(discard{}, r)
			panic(errOnPurpose)
		default:
			WriteProblem(w, r, apierror.New(apierror.CodeInvalid, "invalid Scaffold-Fault; send error, shed, panic, delay=300ms or cpu=30ms"))
		}
	})
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func useCPU(ctx context.Context, d time.Duration) {
	for began := time.Now(); time.Since(began) < d && ctx.Err() == nil; {
	}
}

// discard is a response that is not sent.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
