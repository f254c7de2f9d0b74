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

// FaultsCompiledIn says whether callers can make the server fail on purpose.
const FaultsCompiledIn = true

// faultHeader asks for a fault, as in "error", "shed", "panic", "delay=300ms" or "cpu=30ms".
const faultHeader = "Scaffold-Fault"

// maxFaultDelay bounds what a caller can ask for.
const maxFaultDelay = 10 * time.Second

var errOnPurpose = errors.New("a fault that the caller asked for")

// withFaults lets a caller decide how a request ends. The handler runs all the
// same, with an answer that nobody sees, so that the router has chosen the route.
func withFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, value, _ := strings.Cut(r.Header.Get(faultHeader), "=")
		switch kind {
		case "":
			next.ServeHTTP(w, r)
		case "delay":
			delay(r.Context(), value)
			next.ServeHTTP(w, r)
		case "cpu":
			compute(r.Context(), value)
			next.ServeHTTP(w, r)
		case "error":
			next.ServeHTTP(discard{}, r)
			WriteProblem(w, r, apierror.New(apierror.CodeInternal, "this request fails on purpose").WithCause(errOnPurpose))
		case "shed":
			next.ServeHTTP(discard{}, r)
			MarkShed(r.Context())
			WriteProblem(w, r, apierror.New(apierror.CodeUnavailable, "this request is shed on purpose"))
		case "panic":
			next.ServeHTTP(discard{}, r)
			panic(errOnPurpose)
		default:
			WriteProblem(w, r, apierror.New(apierror.CodeInvalid, "Scaffold-Fault is error, shed, panic, delay=300ms or cpu=30ms"))
		}
	})
}

func delay(ctx context.Context, text string) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return
	}
	timer := time.NewTimer(min(d, maxFaultDelay))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// compute keeps a CPU busy.
func compute(ctx context.Context, text string) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return
	}
	for began := time.Now(); time.Since(began) < min(d, maxFaultDelay) && ctx.Err() == nil; {
	}
}

// discard is an answer that nobody sees.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
