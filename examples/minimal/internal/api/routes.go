// Package api maps HTTP requests to the domain: routes, the JSON of requests and
// responses, and the locations of errors in requests.
package api

import (
	"net/http"

	"github.com/observability-first/scaffold/runtime/httpserver"

	openapi "github.com/observability-first/scaffold/examples/minimal/api"
	"github.com/observability-first/scaffold/examples/minimal/internal/order"
)

// Routes returns the handler of all routes. api/openapi.json describes them.
func Routes(orders *order.Service) http.Handler {
	h := handlers{orders}
	router := httpserver.NewRouter()
	router.Post("/v1/orders", httpserver.Handle(h.create))
	router.Get("/v1/orders", httpserver.Handle(h.list))
	router.Get("/v1/orders/{id}", httpserver.Handle(h.get))
	router.Put("/v1/orders/{id}", httpserver.Handle(h.update))
	router.Delete("/v1/orders/{id}", httpserver.Handle(h.delete))
	router.Get("/openapi.json", document)
	return router
}

func document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	_, _ = w.Write(openapi.Document) // httpserver counts a client that closed the connection
}
