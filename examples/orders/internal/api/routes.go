// Package api is the service as its callers see it: routes, request and
// response types, and nothing of the domain's rules.
package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/observability-first/scaffold/runtime/httpserver"

	"github.com/observability-first/scaffold/examples/orders/internal/order"
)

// Routes is every route of the service.
func Routes(orders *order.Service) http.Handler {
	router := httpserver.NewRouter()
	api := humachi.New(router.With(readable, httpserver.StrictJSON, onlyJSON), config())
	h := handlers{orders}

	huma.Register(api, operation("create-order", "POST /v1/orders", http.StatusCreated, "Create an order"), h.create)
	huma.Register(api, operation("list-orders", "GET /v1/orders", http.StatusOK, "List orders"), h.list)
	huma.Register(api, operation("get-order", "GET /v1/orders/{id}", http.StatusOK, "Get an order"), h.get)
	huma.Register(api, operation("update-order", "PUT /v1/orders/{id}", http.StatusOK, "Update an order"), h.update)
	require(api.OpenAPI().Paths["/v1/orders/{id}"].Put, "If-Match")
	huma.Register(api, operation("delete-order", "DELETE /v1/orders/{id}", http.StatusNoContent, "Delete an order"), h.remove)
	router.Get("/openapi.json", document(api))
	return router
}
