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

// MaxNameLength is the maximum length of a name in characters, including surrounding white space.
const MaxNameLength = 200

// Order is a stored order; its name is normalized.
type Order struct {
	ID        uuid.UUID // version 7: sorts by time of creation
	Name      string
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int64 // from 1, increases with each change
}

// AnyVersion disables the version check of Update and Delete.
const AnyVersion = 0

// KeyLifetime is the time in which a repeated request returns the first result.
const KeyLifetime = 24 * time.Hour

// IdempotencyKey makes a create request idempotent. The zero value disables this.
type IdempotencyKey struct {
	Value    string // chosen by the client
	BodyHash [sha256.Size]byte
}

// Store stores orders. Methods fail with apierror.NotFound if the order does not exist.
// Implementations are safe for concurrent use.
type Store interface {
	// Create stores a new order. If the key was used within its lifetime, it stores nothing and
	// returns the order as it was created then, or [KeyConflict] if the body was another one.
	Create(ctx context.Context, order Order, key IdempotencyKey, lifetime time.Duration) (Order, error)
	Get(ctx context.Context, id uuid.UUID) (Order, error)
	// List returns up to limit orders that were created after the given one, oldest
	// first; uuid.Nil starts at the beginning.
	List(ctx context.Context, after uuid.UUID, limit int) ([]Order, error)
	// Update sets Name and UpdatedAt of the stored order with this ID and increments its version. It
	// fails with apierror.PreconditionFailed unless version is the stored version or AnyVersion.
	Update(ctx context.Context, order Order, version int64) (Order, error)
	// Delete removes the order. It checks the version like Update.
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
func (s *Service) Create(ctx context.Context, name string, key IdempotencyKey) (Order, error) {
	name, err := normalizeName(name)
	if err != nil {
		return Order{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Order{}, err
	}
	createdAt := now()
	return s.store.Create(ctx, Order{ID: id, Name: name, CreatedAt: createdAt, UpdatedAt: createdAt, Version: 1}, key, KeyLifetime)
}

// Get returns the order, or [NotFound].
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Order, error) {
	return s.store.Get(ctx, id)
}

// List returns up to limit orders after the given one, oldest first.
func (s *Service) List(ctx context.Context, after uuid.UUID, limit int) ([]Order, error) {
	return s.store.List(ctx, after, limit)
}

// Rename changes the name of an order at the version, or at [AnyVersion].
func (s *Service) Rename(ctx context.Context, id uuid.UUID, version int64, name string) (Order, error) {
	name, err := normalizeName(name)
	if err != nil {
		return Order{}, err
	}
	return s.store.Update(ctx, Order{ID: id, Name: name, UpdatedAt: now()}, version)
}

// now returns the current time in UTC, truncated to microseconds, the precision of many databases.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Delete removes an order at the version, or at [AnyVersion].
func (s *Service) Delete(ctx context.Context, id uuid.UUID, version int64) error {
	return s.store.Delete(ctx, id, version)
}

// NotFound is the error for an order that does not exist.
func NotFound(id uuid.UUID) error { return apierror.NotFound("order %s does not exist", id) }

// VersionConflict is the error for an order that is at another version than the caller read.
func VersionConflict(id uuid.UUID) error {
	return apierror.PreconditionFailed("order %s has changed since you read it; read it again", id)
}

// KeyConflict is the error for a key that was used with another body.
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
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl): // many databases store no NUL
		return "", invalidName("must be valid UTF-8 without control characters")
	case name == "":
		return "", invalidName("must not be blank")
	}
	return name, nil
}

func invalidName(message string) error {
	return apierror.Invalid("the order is not valid", apierror.Field{Location: "name", Message: message})
}
