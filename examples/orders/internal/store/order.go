// Package store keeps orders in PostgreSQL.
package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/observability-first/scaffold/runtime/postgres"

	"github.com/observability-first/scaffold/examples/orders/internal/order"
)

// Store is a [order.Store] on PostgreSQL. It is safe for concurrent use.
type Store struct{ db *postgres.DB }

// New returns a store on the database.
func New(db *postgres.DB) *Store { return &Store{db} }

const columns = "id, name, created_at, updated_at, version"

// Create implements [order.Store].
func (s *Store) Create(ctx context.Context, item order.Order, key string) (order.Order, error) {
	rows, err := s.db.Query(ctx, `
		INSERT INTO orders (id, name, created_at, updated_at, version, idempotency_key)
		VALUES ($1, $2, $3, $4, $5, NULLIF($6, ''))
		ON CONFLICT (idempotency_key) DO NOTHING
		RETURNING `+columns,
		item.ID, item.Name, item.CreatedAt, item.UpdatedAt, item.Version, key)
	if err != nil {
		return order.Order{}, err
	}
	created, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) { // the key was used before
		return s.byKey(ctx, key)
	}
	return created, err
}

func (s *Store) byKey(ctx context.Context, key string) (order.Order, error) {
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM orders WHERE idempotency_key = $1`, key)
	if err != nil {
		return order.Order{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scan)
}

// Get implements [order.Store].
func (s *Store) Get(ctx context.Context, id uuid.UUID) (order.Order, error) {
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM orders WHERE id = $1`, id)
	if err != nil {
		return order.Order{}, err
	}
	found, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return order.Order{}, order.Missing(id)
	}
	return found, err
}

// List implements [order.Store].
func (s *Store) List(ctx context.Context, after uuid.UUID, limit int) ([]order.Order, error) {
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM orders WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// Update implements [order.Store].
func (s *Store) Update(ctx context.Context, item order.Order) error {
	tag, err := s.db.Exec(ctx, `
		UPDATE orders SET name = $2, updated_at = $3, version = $4
		WHERE id = $1 AND version = $4 - 1`,
		item.ID, item.Name, item.UpdatedAt, item.Version)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return s.untouched(ctx, item.ID)
	}
	return nil
}

// Delete implements [order.Store].
func (s *Store) Delete(ctx context.Context, id uuid.UUID, version int64) error {
	tag, err := s.db.Exec(ctx, `DELETE FROM orders WHERE id = $1 AND ($2 = 0 OR version = $2)`, id, version)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return s.untouched(ctx, id)
	}
	return nil
}

// untouched says why a statement changed nothing: no such order, or another version.
func (s *Store) untouched(ctx context.Context, id uuid.UUID) error {
	if _, err := s.Get(ctx, id); err != nil {
		return err
	}
	return order.Changed(id)
}

func scan(row pgx.CollectableRow) (order.Order, error) {
	var item order.Order
	err := row.Scan(&item.ID, &item.Name, &item.CreatedAt, &item.UpdatedAt, &item.Version)
	item.CreatedAt, item.UpdatedAt = item.CreatedAt.UTC(), item.UpdatedAt.UTC()
	return item, err
}
