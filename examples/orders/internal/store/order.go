// Package store stores orders in PostgreSQL.
package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/postgres"

	"github.com/observability-first/scaffold/examples/orders/internal/order"
)

// Store is a [order.Store] on PostgreSQL. It is safe for concurrent use.
type Store struct{ db *postgres.DB }

// New returns a store on the database.
func New(db *postgres.DB) *Store { return &Store{db} }

const columns = "id, name, created_at, updated_at, version"

// storedOrder is an order as it was created, stored as JSON with its idempotency key.
type storedOrder struct {
	ID        uuid.UUID `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Version   int64     `json:"version"`
}

// Create implements [order.Store].
func (s *Store) Create(ctx context.Context, item order.Order, key order.IdempotencyKey, lifetime time.Duration) (order.Order, error) {
	if key.Value != "" {
		return s.createOnce(ctx, item, key, lifetime)
	}
	_, err := s.db.Exec(ctx, `INSERT INTO orders (`+columns+`) VALUES ($1, $2, $3, $4, $5)`,
		item.ID, item.Name, item.CreatedAt, item.UpdatedAt, item.Version)
	if err != nil {
		return order.Order{}, fmt.Errorf("insert order: %w", err)
	}
	return item, nil
}

// createOnce inserts the order and its idempotency key in one statement. A concurrent request
// with the same key waits for the first one to commit. An expired key is replaced.
func (s *Store) createOnce(ctx context.Context, item order.Order, key order.IdempotencyKey, lifetime time.Duration) (order.Order, error) {
	inserted, err := s.db.Exec(ctx, `
		WITH claimed_key AS (
			INSERT INTO order_idempotency_keys AS existing (key, body_hash, created_order, expires_at)
			VALUES ($6, $7, $8, now() + $9::interval)
			ON CONFLICT (key) DO UPDATE
			SET body_hash = excluded.body_hash, created_order = excluded.created_order, expires_at = excluded.expires_at
			WHERE existing.expires_at <= now()
			RETURNING key
		)
		INSERT INTO orders (`+columns+`) SELECT $1, $2, $3, $4, $5 FROM claimed_key`,
		item.ID, item.Name, item.CreatedAt, item.UpdatedAt, item.Version,
		key.Value, key.BodyHash[:], storedOrder(item), lifetime)
	if err != nil {
		return order.Order{}, fmt.Errorf("insert order and idempotency key: %w", err)
	}
	if inserted.RowsAffected() == 1 {
		return item, nil
	}
	return s.replay(ctx, key)
}

// replay returns the order that an earlier request with the key created.
func (s *Store) replay(ctx context.Context, key order.IdempotencyKey) (order.Order, error) {
	var hash []byte
	var found storedOrder
	err := s.db.QueryRow(ctx, `SELECT body_hash, created_order FROM order_idempotency_keys WHERE key = $1`, key.Value).Scan(&hash, &found)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // deleted since the insert
		return order.Order{}, apierror.Conflict("the idempotency key has just expired; send the request again")
	case err != nil:
		return order.Order{}, fmt.Errorf("get idempotency key: %w", err)
	case !bytes.Equal(hash, key.BodyHash[:]):
		return order.Order{}, order.KeyConflict()
	}
	return order.Order(found), nil
}

// DeleteExpiredKeysPeriodically deletes expired keys every minute until ctx ends. It logs errors: the next pass deletes the rest.
func (s *Store) DeleteExpiredKeysPeriodically(ctx context.Context, logger *slog.Logger) error {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := s.DeleteExpiredKeys(ctx); err != nil && ctx.Err() == nil {
				logger.WarnContext(ctx, "expired idempotency keys not deleted; the next attempt is in a minute", "error", err)
			}
		}
	}
}

// DeleteExpiredKeys deletes in short statements. Instances may run it concurrently: each skips rows that another deletes.
func (s *Store) DeleteExpiredKeys(ctx context.Context) error {
	const batch = 1000
	for {
		deleted, err := s.db.Exec(ctx, `
			DELETE FROM order_idempotency_keys WHERE key IN (
				SELECT key FROM order_idempotency_keys WHERE expires_at <= now()
				ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
			)`, batch)
		if err != nil {
			return fmt.Errorf("delete expired idempotency keys: %w", err)
		}
		if deleted.RowsAffected() < batch {
			return nil
		}
	}
}

// Get implements [order.Store].
func (s *Store) Get(ctx context.Context, id uuid.UUID) (order.Order, error) {
	found, err := scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM orders WHERE id = $1`, id))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return order.Order{}, order.NotFound(id)
	case err != nil:
		return order.Order{}, fmt.Errorf("get order: %w", err)
	}
	return found, nil
}

// List implements [order.Store].
func (s *Store) List(ctx context.Context, after uuid.UUID, limit int) ([]order.Order, error) {
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM orders WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (order.Order, error) { return scan(row) })
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	return page, nil
}

// Update implements [order.Store].
func (s *Store) Update(ctx context.Context, change order.Order, version int64) (order.Order, error) {
	updated, err := scan(s.db.QueryRow(ctx, `
		UPDATE orders SET name = $2, updated_at = $3, version = version + 1
		WHERE id = $1 AND ($4::bigint = $5 OR version = $4) RETURNING `+columns,
		change.ID, change.Name, change.UpdatedAt, version, order.AnyVersion))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return order.Order{}, s.notFoundOrConflict(ctx, change.ID)
	case err != nil:
		return order.Order{}, fmt.Errorf("update order: %w", err)
	}
	return updated, nil
}

// Delete implements [order.Store].
func (s *Store) Delete(ctx context.Context, id uuid.UUID, version int64) error {
	deleted, err := s.db.Exec(ctx, `DELETE FROM orders WHERE id = $1 AND ($2::bigint = $3 OR version = $2)`, id, version, order.AnyVersion)
	if err != nil {
		return fmt.Errorf("delete order: %w", err)
	}
	if deleted.RowsAffected() == 0 {
		return s.notFoundOrConflict(ctx, id)
	}
	return nil
}

// notFoundOrConflict returns the error for a statement that matched no row.
func (s *Store) notFoundOrConflict(ctx context.Context, id uuid.UUID) error {
	if _, err := s.Get(ctx, id); err != nil {
		return err
	}
	return order.VersionConflict(id)
}

func scan(row pgx.Row) (order.Order, error) {
	var item order.Order
	if err := row.Scan(&item.ID, &item.Name, &item.CreatedAt, &item.UpdatedAt, &item.Version); err != nil {
		return order.Order{}, err
	}
	item.CreatedAt, item.UpdatedAt = item.CreatedAt.UTC(), item.UpdatedAt.UTC()
	return item, nil
}
