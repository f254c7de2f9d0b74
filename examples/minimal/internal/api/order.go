package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/observability-first/scaffold/runtime/apierror"

	"github.com/observability-first/scaffold/examples/minimal/internal/order"
)

// orderBody is an order as callers read it.
type orderBody struct {
	ID        uuid.UUID `json:"id" format:"uuid" doc:"Sorts by time of creation"`
	Name      string    `json:"name" doc:"What people call it"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Version   int64     `json:"version" doc:"Rises with each change"`
}

// orderFields is what callers write.
type orderFields struct {
	Name string `json:"name" minLength:"1" maxLength:"200" doc:"What people call it" example:"First order"`
}

type orderAnswer struct {
	ETag string `header:"ETag" doc:"Version to send back in If-Match"`
	Body orderBody
}

type handlers struct{ orders *order.Service }

type createInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" pattern:"^[ -~]*$" patternDescription:"printable ASCII" doc:"Requests with the same key create one order. A key lasts for 24 hours; the same key with another body gets 422"`
	Body           orderFields
}

type createAnswer struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag" doc:"Version to send back in If-Match"`
	Body     orderBody
}

func (h handlers) create(ctx context.Context, in *createInput) (*createAnswer, error) {
	hash, err := digest(in.Body)
	if err != nil {
		return nil, err
	}
	created, err := h.orders.Create(ctx, in.Body.Name, order.Key{Value: in.IdempotencyKey, Request: hash})
	if err != nil {
		return nil, err
	}
	return &createAnswer{
		Location: "/v1/orders/" + created.ID.String(),
		ETag:     etag(created.Version),
		Body:     body(created),
	}, nil
}

type listInput struct {
	Cursor string `query:"cursor" doc:"The next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

type listAnswer struct {
	Body struct {
		Items      []orderBody `json:"items"`
		NextCursor string      `json:"next_cursor,omitempty" doc:"Absent on the last page"`
	}
}

func (h handlers) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	after, err := readCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	// One more than asked for tells whether a page follows.
	page, err := h.orders.List(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &listAnswer{}
	if len(page) > in.Limit {
		page = page[:in.Limit]
		out.Body.NextCursor = page[in.Limit-1].ID.String()
	}
	out.Body.Items = make([]orderBody, len(page))
	for i, item := range page {
		out.Body.Items[i] = body(item)
	}
	return out, nil
}

type getInput struct {
	ID string `path:"id" format:"uuid"`
}

func (h handlers) get(ctx context.Context, in *getInput) (*orderAnswer, error) {
	id, err := readID(in.ID)
	if err != nil {
		return nil, err
	}
	found, err := h.orders.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return answer(found), nil
}

type updateInput struct {
	ID      string `path:"id" format:"uuid"`
	IfMatch string `header:"If-Match" doc:"ETag of the version that you change; any when *"`
	Body    orderFields
}

func (h handlers) update(ctx context.Context, in *updateInput) (*orderAnswer, error) {
	if in.IfMatch == "" {
		return nil, apierror.New(apierror.CodePreconditionNeeded, "send the ETag that you read as If-Match, or * for any version")
	}
	id, err := readID(in.ID)
	if err != nil {
		return nil, err
	}
	version, err := readETag(in.IfMatch)
	if err != nil {
		return nil, err
	}
	updated, err := h.orders.Rename(ctx, id, version, in.Body.Name)
	if err != nil {
		return nil, err
	}
	return answer(updated), nil
}

type removeInput struct {
	ID      string `path:"id" format:"uuid"`
	IfMatch string `header:"If-Match" doc:"ETag of the version that you delete; any when * or absent"`
}

func (h handlers) remove(ctx context.Context, in *removeInput) (*struct{}, error) {
	id, err := readID(in.ID)
	if err != nil {
		return nil, err
	}
	version, err := readETag(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, h.orders.Delete(ctx, id, version)
}

func answer(item order.Order) *orderAnswer {
	return &orderAnswer{ETag: etag(item.Version), Body: body(item)}
}

func body(item order.Order) orderBody { return orderBody(item) }
