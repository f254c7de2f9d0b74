// Package api maps HTTP requests to the domain: routes, the JSON of requests and
// responses, and the locations of errors in requests.
package api

import (
	"net/http"

	"github.com/observability-first/scaffold/runtime/httpserver"

	openapi "github.com/observability-first/scaffold/examples/checkout/api"
	"github.com/observability-first/scaffold/examples/checkout/internal/checkout"
)

// Routes returns the handler of all routes. api/openapi.json describes them.
func Routes(checkouts *checkout.Service) http.Handler {
	h := handlers{checkouts}
	router := httpserver.NewRouter()
	router.Post("/v1/checkouts", httpserver.Handle(h.create))
	router.Get("/v1/checkouts", httpserver.Handle(h.list))
	router.Get("/v1/checkouts/{id}", httpserver.Handle(h.get))
	router.Put("/v1/checkouts/{id}", httpserver.Handle(h.update))
	router.Delete("/v1/checkouts/{id}", httpserver.Handle(h.delete))
	router.Post("/v1/quotes", httpserver.Handle(price))
	router.Get("/openapi.json", document)
	return router
}

func document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	_, _ = w.Write(openapi.Document) // httpserver counts a client that closed the connection
}
