package httpserver_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Any handler can be observed. The routes of a chi router are known; those of an http.ServeMux
// are declared.
func ExampleObserver_Wrap() {
	tel, err := telemetry.New(telemetry.Options{Service: "shop", Stdout: io.Discard})
	if err != nil {
		panic(err)
	}
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: tel})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cart/{id}", func(w http.ResponseWriter, r *http.Request) {
		httpserver.WriteProblem(w, r, apierror.Unavailable("the stock system is unavailable").WithCause(errors.New("dial tcp: refused")))
	})
	handler, err := observer.Wrap(mux, httpserver.Routes("GET /cart/{id}"))
	if err != nil {
		panic(err)
	}
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/cart/7", http.NoBody))
	fmt.Println(rec.Code, rec.Header().Get("Content-Type"))
	fmt.Println(observer.Routes())
	// Output:
	// 503 application/problem+json
	// [GET /cart/{id}]
}
