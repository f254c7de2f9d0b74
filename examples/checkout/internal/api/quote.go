package api

import (
	"net/http"

	"github.com/observability-first/scaffold/runtime/httpserver"

	"github.com/observability-first/scaffold/examples/checkout/internal/quote"
)

// quoteRequest is the JSON body of a request for a price.
type quoteRequest struct {
	Items []quoteItem `json:"items"`
}

type quoteItem struct {
	UnitCents int64 `json:"unit_cents"`
	Quantity  int64 `json:"quantity"`
}

// quoteResponse is a price in JSON.
type quoteResponse struct {
	ItemsCents    int64 `json:"items_cents"`
	ShippingCents int64 `json:"shipping_cents"`
	TotalCents    int64 `json:"total_cents"`
}

// price computes the price of a cart. It stores nothing, so it also works without the database.
func price(w http.ResponseWriter, r *http.Request) error {
	in, err := httpserver.ReadJSON[quoteRequest](r)
	if err != nil {
		return err
	}
	items := make([]quote.Item, 0, len(in.Items))
	for _, item := range in.Items {
		items = append(items, quote.Item(item))
	}
	q, err := quote.Of(items)
	if err != nil {
		return withRequestLocations(err)
	}
	return httpserver.WriteJSON(w, http.StatusOK, quoteResponse{ItemsCents: q.Items, ShippingCents: q.Shipping, TotalCents: q.Total()})
}
