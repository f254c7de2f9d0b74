package overload_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/observability-first/scaffold/runtime/overload"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// A limiter in front of any handler. The context has the priority of the request and the client's
// deadline.
func ExampleLimiter_Wrap() {
	limiter, err := overload.New(overload.Options{
		Config:  overload.Config{TrustedPriority: true},
		Metrics: telemetry.NewRegistry(telemetry.Classic),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := limiter.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, inTime := r.Context().Deadline()
		fmt.Fprintln(w, overload.PriorityOf(r.Context()), inTime)
	}), nil)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(semconv.HeaderPriority, semconv.PriorityCritical)
	r.Header.Set(semconv.HeaderTimeout, "250")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output: 200 critical true
}

// A limiter for work other than HTTP requests.
func ExampleLimiter_Acquire() {
	limiter, err := overload.New(overload.Options{
		Config: overload.Config{}, Metrics: telemetry.NewRegistry(telemetry.Classic),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	permit, err := limiter.Acquire(r.Context(), overload.Sheddable)
	if err != nil {
		fmt.Println("rejected:", err) // an overload.Reason
		return
	}
	defer permit.Release(false)
	fmt.Println("working")
	// Output: working
}
