// Package store stores orders in memory: each instance has its own, until it ends.
package store

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/observability-first/scaffold/examples/minimal/internal/order"
)

// MaxKeys bounds the memory of idempotency keys to 10 MB. The oldest key makes room.
const MaxKeys = 10_000

// Memory is a [order.Store] without a database. It is safe for concurrent use.
type Memory struct {
	mu    sync.RWMutex
	items []order.Order // sorted by id
	byKey map[string]*storedOrder
	keys  []*storedOrder // oldest first
}

// storedOrder is an order as the first request with the key created it.
type storedOrder struct {
	key     order.IdempotencyKey
	item    order.Order
	expires time.Time
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{byKey: map[string]*storedOrder{}} }

// Create implements [order.Store].
func (m *Memory) Create(_ context.Context, item order.Order, key order.IdempotencyKey, lifetime time.Duration) (order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if first := m.byKey[key.Value]; first != nil && now.Before(first.expires) {
		if key.BodyHash != first.key.BodyHash {
			return order.Order{}, order.KeyConflict()
		}
		return first.item, nil
	}
	if key.Value != "" {
		created := &storedOrder{key, item, now.Add(lifetime)}
		m.byKey[key.Value] = created
		m.keys = append(m.keys, created)
	}
	if len(m.keys) > MaxKeys {
		if oldest := m.keys[0]; m.byKey[oldest.key.Value] == oldest { // not used again since it expired
			delete(m.byKey, oldest.key.Value)
		}
		m.keys = m.keys[1:]
	}
	i, _ := m.find(item.ID)
	m.items = slices.Insert(m.items, i, item)
	return item, nil
}

// Get implements [order.Store].
func (m *Memory) Get(_ context.Context, id uuid.UUID) (order.Order, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, found := m.find(id)
	if !found {
		return order.Order{}, order.NotFound(id)
	}
	return m.items[i], nil
}

// List implements [order.Store].
func (m *Memory) List(_ context.Context, after uuid.UUID, limit int) ([]order.Order, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, found := m.find(after)
	if found {
		i++
	}
	return slices.Clone(m.items[i:min(i+limit, len(m.items))]), nil
}

// Update implements [order.Store].
func (m *Memory) Update(_ context.Context, change order.Order, version int64) (order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, err := m.findVersion(change.ID, version)
	if err != nil {
		return order.Order{}, err
	}
	item := &m.items[i]
	item.Name, item.UpdatedAt, item.Version = change.Name, change.UpdatedAt, item.Version+1
	return *item, nil
}

// Delete implements [order.Store].
func (m *Memory) Delete(_ context.Context, id uuid.UUID, version int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, err := m.findVersion(id, version)
	if err == nil {
		m.items = slices.Delete(m.items, i, i+1)
	}
	return err
}

func (m *Memory) findVersion(id uuid.UUID, version int64) (int, error) {
	i, found := m.find(id)
	if !found {
		return 0, order.NotFound(id)
	}
	if version != order.AnyVersion && m.items[i].Version != version {
		return 0, order.VersionConflict(id)
	}
	return i, nil
}

// find returns where the id is, or would be.
func (m *Memory) find(id uuid.UUID) (int, bool) {
	return slices.BinarySearchFunc(m.items, id, func(item order.Order, id uuid.UUID) int { return bytes.Compare(item.ID[:], id[:]) })
}
