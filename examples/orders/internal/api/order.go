package api

import (
	"net/http"
	"time"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/httpserver"

	"github.com/observability-first/scaffold/examples/orders/internal/order"
)

// orderRequest is the JSON body of a create or update request.
type orderRequest struct {
	Name string `json:"name"`
}

// orderResponse is an order in JSON.
type orderResponse struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Version   int64     `json:"version"`
}

type listResponse struct {
	Items      []orderResponse `json:"items"`
	NextCursor string          `json:"next_cursor,omitempty"` // empty on the last page
}

type handlers struct{ orders *order.Service }

func (h handlers) create(w http.ResponseWriter, r *http.Request) error {
	value, errKey := readIdempotencyKey(r)
	in, errBody := httpserver.ReadJSON[orderRequest](r)
	if err := apierror.Join(errKey, errBody); err != nil {
		return err
	}
	key, err := withBodyHash(value, in)
	if err != nil {
		return err
	}
	created, err := h.orders.Create(r.Context(), in.Name, key)
	if err != nil {
		return withRequestLocations(err)
	}
	w.Header().Set("Location", "/v1/orders/"+created.ID.String())
	return writeOrder(w, http.StatusCreated, created)
}

func (h handlers) list(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit, errLimit := readLimit(query)
	after, errCursor := readCursor(query)
	if err := apierror.Join(errLimit, errCursor); err != nil {
		return err
	}
	page, err := h.orders.List(r.Context(), after, limit+1) // one more shows whether a page follows
	if err != nil {
		return err
	}
	out := listResponse{Items: []orderResponse{}}
	if len(page) > limit {
		page = page[:limit]
		out.NextCursor = page[limit-1].ID.String()
	}
	for _, item := range page {
		out.Items = append(out.Items, newOrderResponse(item))
	}
	return httpserver.WriteJSON(w, http.StatusOK, out)
}

func (h handlers) get(w http.ResponseWriter, r *http.Request) error {
	id, err := readID(r)
	if err != nil {
		return err
	}
	found, err := h.orders.Get(r.Context(), id)
	if err != nil {
		return err
	}
	return writeOrder(w, http.StatusOK, found)
}

func (h handlers) update(w http.ResponseWriter, r *http.Request) error {
	id, errID := readID(r)
	version, errVersion := requireIfMatch(r)
	in, errBody := httpserver.ReadJSON[orderRequest](r)
	if err := apierror.Join(errID, errVersion, errBody); err != nil {
		return err
	}
	updated, err := h.orders.Rename(r.Context(), id, version, in.Name)
	if err != nil {
		return withRequestLocations(err)
	}
	return writeOrder(w, http.StatusOK, updated)
}

func (h handlers) delete(w http.ResponseWriter, r *http.Request) error {
	id, errID := readID(r)
	version, errVersion := readIfMatch(r)
	if err := apierror.Join(errID, errVersion); err != nil {
		return err
	}
	if err := h.orders.Delete(r.Context(), id, version); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func writeOrder(w http.ResponseWriter, status int, item order.Order) error {
	w.Header().Set("ETag", etag(item.Version))
	return httpserver.WriteJSON(w, status, newOrderResponse(item))
}

func newOrderResponse(item order.Order) orderResponse {
	return orderResponse{
		ID:        item.ID.String(),
		Name:      item.Name,
		CreatedAt: item.CreatedAt,
		UpdatedAt: item.UpdatedAt,
		Version:   item.Version,
	}
}
