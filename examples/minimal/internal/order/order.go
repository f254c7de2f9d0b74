// Package order holds the rules of an order. It does not import net/http or the store.
package order

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/observability-first/scaffold/runtime/apierror"
)

// MaxNameLength is in characters, and includes white space around the name.
const MaxNameLength = 200

// Order is a stored order; its name is normalized.
type Order struct {
	ID        uuid.UUID // version 7: sorts by time of creation
	Name      string
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64 // from 1, increases with each change
}

// AnyVersion stands for every version of an order.
const AnyVersion = 0

// KeyLifetime is how long the store keeps a key: longer than any client retries a
// request. Stripe uses the same time.
const KeyLifetime = 24 * time.Hour

// Key makes a create request idempotent. The zero Key disables this.
type Key struct {
	Value    string            // chosen by the client
	Request  [sha256.Size]byte // hash of the request
	Lifetime time.Duration     // from the insert by the clock of the store; set by [Service.Create]
}

// Store stores orders. Methods return an apierror.NotFound if the order does not
// exist, and an apierror.PreconditionFailed if the version is not the current one.
// Implementations are safe for concurrent use.
type Store interface {
	// Create stores a new order. When the key was used before, it stores nothing and
	// returns the order as it was created then, or [KeyConflict] for another request.
	Create(ctx context.Context, order Order, key Key) (Order, error)
	Get(ctx context.Context, id uuid.UUID) (Order, error)
	// List returns up to limit orders that were created after the given one, oldest
	// first; uuid.Nil starts at the beginning.
	List(ctx context.Context, after uuid.UUID, limit int) ([]Order, error)
	// Update sets Name and UpdatedAt of the order with the same ID if it is at that version,
	// and returns it at the next one.
	Update(ctx context.Context, order Order, version int64) (Order, error)
	// Delete removes the order if it is at that version.
	Delete(ctx context.Context, id uuid.UUID, version int64) error
}

// Service implements the operations on orders.
type Service struct {
	store Store
}

// NewService returns a Service on the store.
func NewService(store Store) *Service { return &Service{store} }

// Create creates an order. Requests with the same key create one order and
// all return it as it was created, even when it has been changed or deleted since.
func (s *Service) Create(ctx context.Context, name string, key Key) (Order, error) {
	name, err := normalizeName(name)
	if err != nil {
		return Order{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Order{}, err
	}
	createdAt := now()
	key.Lifetime = KeyLifetime
	return s.store.Create(ctx, Order{ID: id, Name: name, CreatedAt: createdAt, UpdatedAt: createdAt, Version: 1}, key)
}

// Get returns the order, or [NotFound].
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Order, error) {
	return s.store.Get(ctx, id)
}

// List returns up to limit orders after the given one, oldest first.
func (s *Service) List(ctx context.Context, after uuid.UUID, limit int) ([]Order, error) {
	return s.store.List(ctx, after, limit)
}

// Rename changes the name of an order if it is at that version.
func (s *Service) Rename(ctx context.Context, id uuid.UUID, version int64, name string) (Order, error) {
	name, err := normalizeName(name)
	if err != nil {
		return Order{}, err
	}
	return s.store.Update(ctx, Order{ID: id, Name: name, UpdatedAt: now()}, version)
}

// now is the time in microseconds, the precision of PostgreSQL: responses and store agree.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Delete removes an order if it is at that version.
func (s *Service) Delete(ctx context.Context, id uuid.UUID, version int64) error {
	return s.store.Delete(ctx, id, version)
}

// NotFound is the error for an order that does not exist.
func NotFound(id uuid.UUID) error { return apierror.NotFound("order %s does not exist", id) }

// VersionConflict is the error for an order that is at another version than the caller read.
func VersionConflict(id uuid.UUID) error {
	return apierror.PreconditionFailed("order %s has changed since you read it; read it again", id)
}

// KeyConflict is the error for a key that was used for another request.
func KeyConflict() error {
	return apierror.Invalid("the idempotency key was used for another request",
		apierror.Field{Location: "key", Message: "must be a new key for a new request"})
}

// normalizeName returns the name without white space around it, or an error if it is invalid.
func normalizeName(name string) (string, error) {
	long := utf8.RuneCountInString(name) > MaxNameLength
	name = strings.TrimSpace(name)
	switch {
	case long:
		return "", invalidName(fmt.Sprintf("must be at most %d characters long", MaxNameLength))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl): // PostgreSQL stores no NUL
		return "", invalidName("must be valid UTF-8 without control characters")
	case name == "":
		return "", invalidName("must not be blank")
	}
	return name, nil
}

func invalidName(message string) error {
	return apierror.Invalid("the order is not valid", apierror.Field{Location: "name", Message: message})
}
