// Command handlers sends in-process requests to the handlers of examples/minimal or to handlers by hand on chi
// and encoding/json. It is built inside of examples/minimal with go build -overlay.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/observability-first/scaffold/runtime/apierror"

	"github.com/observability-first/scaffold/examples/minimal/internal/api"
	"github.com/observability-first/scaffold/examples/minimal/internal/order"
	"github.com/observability-first/scaffold/examples/minimal/internal/store"
)

func main() {
	byHand := flag.Bool("by-hand", false, "use the handlers of this file")
	name := flag.String("request", "get", "get, list, create or invalid")
	n := flag.Int("n", 0, "number of requests; 0 prints the response of one request")
	flag.Parse()
	orders := order.NewService(store.NewMemory())
	handler := api.Routes(orders)
	if *byHand {
		handler = routes(orders)
	}
	id := fill(orders)
	if *n == 0 {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, request(*name, id))
		fmt.Printf("%d %q %q %t\n%s\n", rec.Code, rec.Header().Get("Content-Type"), rec.Header().Get("ETag"), rec.Header().Get("Location") != "", rec.Body)
		return
	}
	w := &sink{header: http.Header{}}
	for range *n {
		clear(w.header)
		handler.ServeHTTP(w, request(*name, id))
	}
}

// fill creates ten orders and returns the id of the first.
func fill(orders *order.Service) uuid.UUID {
	var first uuid.UUID
	for i := range 10 {
		created, err := orders.Create(context.Background(), "Order "+strconv.Itoa(i), order.IdempotencyKey{})
		if err != nil {
			panic(err)
		}
		if i == 0 {
			first = created.ID
		}
	}
	return first
}

// sink drops the response.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

func request(name string, id uuid.UUID) *http.Request {
	method, path, body := http.MethodGet, "/v1/orders", ""
	switch name {
	case "get":
		path += "/" + id.String()
	case "list":
	case "create":
		method, body = http.MethodPost, `{"name":"Order"}`
	case "invalid":
		method, body = http.MethodPost, `{"nmae":"Order"}`
	default:
		panic("unknown request " + name)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// Handlers by hand, with the same responses.

type orderResponse struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Version   int64     `json:"version"`
}

type listResponse struct {
	Items      []orderResponse `json:"items"`
	NextCursor string          `json:"next_cursor,omitempty"`
}

type problem struct {
	Title  string           `json:"title"`
	Status int              `json:"status"`
	Detail string           `json:"detail,omitempty"`
	Code   apierror.Code    `json:"code"`
	Errors []apierror.Field `json:"errors,omitempty"`
}

type handlers struct{ orders *order.Service }

func routes(orders *order.Service) http.Handler {
	h := handlers{orders}
	router := chi.NewRouter()
	router.Post("/v1/orders", h.create)
	router.Get("/v1/orders", h.list)
	router.Get("/v1/orders/{id}", h.get)
	return router
}

func (h handlers) create(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		fail(w, apierror.New(apierror.CodeUnsupported, "unsupported content type; send application/json"))
		return
	}
	name, err := readName(r)
	if err != nil {
		fail(w, err)
		return
	}
	var key order.IdempotencyKey
	if value := r.Header.Get("Idempotency-Key"); value != "" {
		key = order.IdempotencyKey{Value: value, BodyHash: sha256.Sum256([]byte(name))}
	}
	created, err := h.orders.Create(r.Context(), name, key)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Location", "/v1/orders/"+created.ID.String())
	writeOrder(w, http.StatusCreated, created)
}

// readName decodes the members of the body one by one, so that the error lists all invalid ones.
func readName(r *http.Request) (string, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	var members map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&members); err != nil {
		return "", apierror.New(apierror.CodeMalformed, "the request body is not valid JSON")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return "", apierror.New(apierror.CodeMalformed, "the request body is not valid JSON")
	}
	var name string
	var wrong []apierror.Field
	if text, ok := members["name"]; !ok {
		wrong = append(wrong, apierror.Field{Location: "body.name", Message: "the member is missing"})
	} else if json.Unmarshal(text, &name) != nil {
		wrong = append(wrong, apierror.Field{Location: "body.name", Message: "must be a string"})
	}
	for member := range members {
		if member != "name" {
			wrong = append(wrong, apierror.Field{Location: "body." + member, Message: "the member is unknown"})
		}
	}
	if len(wrong) > 0 {
		return "", apierror.Invalid("the request body is not valid", wrong...)
	}
	return name, nil
}

func (h handlers) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit := 20
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			fail(w, apierror.Invalid("the request is not valid", apierror.Field{Location: "query.limit", Message: "must be an integer from 1 to 100"}))
			return
		}
		limit = n
	}
	var after uuid.UUID
	if text := query.Get("cursor"); text != "" {
		id, err := uuid.Parse(text)
		if err != nil {
			fail(w, apierror.Invalid("the request is not valid", apierror.Field{Location: "query.cursor", Message: "must be next_cursor of the previous page"}))
			return
		}
		after = id
	}
	page, err := h.orders.List(r.Context(), after, limit+1)
	if err != nil {
		fail(w, err)
		return
	}
	out := listResponse{Items: []orderResponse{}}
	if len(page) > limit {
		page = page[:limit]
		out.NextCursor = page[limit-1].ID.String()
	}
	for _, item := range page {
		out.Items = append(out.Items, newOrderResponse(item))
	}
	writeJSON(w, http.StatusOK, "application/json", out)
}

func (h handlers) get(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(chi.URLParam(r, "id"))
	if err != nil {
		fail(w, apierror.Invalid("the request is not valid", apierror.Field{Location: "path.id", Message: "must be a UUID"}))
		return
	}
	found, err := h.orders.Get(r.Context(), id)
	if err != nil {
		fail(w, err)
		return
	}
	writeOrder(w, http.StatusOK, found)
}

func writeOrder(w http.ResponseWriter, status int, item order.Order) {
	w.Header().Set("ETag", strconv.Quote(strconv.FormatInt(item.Version, 10)))
	writeJSON(w, status, "application/json", newOrderResponse(item))
}

func newOrderResponse(item order.Order) orderResponse {
	return orderResponse{item.ID.String(), item.Name, item.CreatedAt, item.UpdatedAt, item.Version}
}

func fail(w http.ResponseWriter, err error) {
	e := apierror.From(err)
	status := e.Code.Status()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	writeJSON(w, status, "application/problem+json", problem{http.StatusText(status), status, e.Message, e.Code, e.Fields})
}

func writeJSON(w http.ResponseWriter, status int, contentType string, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
