// Package store keeps orders in memory: they are gone when the process ends, and
// each replica has its own. Replace it before the second replica starts.
package store

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/observability-first/scaffold/examples/minimal/internal/order"
)

// MaxKeys bounds the memory that idempotency keys take, 10 MB with the longest
// keys and names. The key that expires first is forgotten first.
const MaxKeys = 10_000

// Memory is a [order.Store] without a database. It is safe for concurrent use.
type Memory struct {
	mu    sync.RWMutex
	byID  map[uuid.UUID]order.Order
	byKey map[string]creation
	keys  []string // of byKey, the first to expire first
}

// creation is what the first request with a key created.
type creation struct {
	key  order.Key
	item order.Order
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{byID: map[uuid.UUID]order.Order{}, byKey: map[string]creation{}}
}

// Create implements [order.Store].
func (m *Memory) Create(_ context.Context, item order.Order, key order.Key) (order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if key.Value != "" {
		m.forgetExpired(time.Now())
		if first, used := m.byKey[key.Value]; used {
			return first.repeated(key)
		}
		m.remember(creation{key, item})
	}
	m.byID[item.ID] = item
	return item, nil
}

func (c creation) repeated(key order.Key) (order.Order, error) {
	if key.Request != c.key.Request {
		return order.Order{}, order.KeyReused()
	}
	return c.item, nil
}

// remember inserts the key behind those that expire before it. Parallel requests
// do not arrive in that order.
func (m *Memory) remember(c creation) {
	if len(m.keys) == MaxKeys {
		m.forgetFirst()
	}
	at := sort.Search(len(m.keys), func(i int) bool { return m.byKey[m.keys[i]].key.Expires.After(c.key.Expires) })
	m.keys = slices.Insert(m.keys, at, c.key.Value)
	m.byKey[c.key.Value] = c
}

func (m *Memory) forgetExpired(now time.Time) {
	for len(m.keys) > 0 && !now.Before(m.byKey[m.keys[0]].key.Expires) {
		m.forgetFirst()
	}
}

// forgetFirst drops the key that expires first.
func (m *Memory) forgetFirst() {
	delete(m.byKey, m.keys[0])
	m.keys = m.keys[1:]
}

// Get implements [order.Store].
func (m *Memory) Get(_ context.Context, id uuid.UUID) (order.Order, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	item, found := m.byID[id]
	if !found {
		return order.Order{}, order.Missing(id)
	}
	return item, nil
}

// List implements [order.Store].
func (m *Memory) List(_ context.Context, after uuid.UUID, limit int) ([]order.Order, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	page := []order.Order{} // sorted, and never longer than the limit and one
	for id, item := range m.byID {
		if bytes.Compare(id[:], after[:]) <= 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(page, id, func(a order.Order, id uuid.UUID) int { return bytes.Compare(a.ID[:], id[:]) })
		page = slices.Insert(page, at, item)
		page = page[:min(limit, len(page))]
	}
	return page, nil
}

// Update implements [order.Store].
func (m *Memory) Update(_ context.Context, item order.Order) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.at(item.ID, item.Version-1); err != nil {
		return err
	}
	m.byID[item.ID] = item
	return nil
}

// Delete implements [order.Store].
func (m *Memory) Delete(_ context.Context, id uuid.UUID, version int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.at(id, version); err != nil {
		return err
	}
	delete(m.byID, id)
	return nil
}

// at says whether the order is at the version; 0 means any.
func (m *Memory) at(id uuid.UUID, version int64) error {
	current, found := m.byID[id]
	switch {
	case !found:
		return order.Missing(id)
	case version != 0 && current.Version != version:
		return order.Changed(id)
	}
	return nil
}
