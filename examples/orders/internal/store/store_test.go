package store_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/postgres/storetest"

	"github.com/observability-first/scaffold/examples/orders/internal/order"
	"github.com/observability-first/scaffold/examples/orders/internal/store"
	"github.com/observability-first/scaffold/examples/orders/migrations"
)

func open(t *testing.T) order.Store {
	t.Helper()
	return store.New(storetest.Open(t, migrations.FS))
}

func fresh(t *testing.T, name string) order.Order {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	return order.Order{ID: id, Name: name, CreatedAt: now, UpdatedAt: now, Version: 1}
}

func renamed(item order.Order, name string) order.Order {
	item.Name = name
	return item
}

const lifetime = time.Hour // of a key; a key with -lifetime has expired

func keyOf(key, body string) order.IdempotencyKey {
	return order.IdempotencyKey{Value: key, BodyHash: sha256.Sum256([]byte(body))}
}

func code(err error) apierror.Code {
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestStoreReturnsWhatWasCreated(t *testing.T) {
	t.Parallel()
	s, want := open(t), fresh(t, "kept")
	created, err := s.Create(t.Context(), want, keyOf("", ""), lifetime)
	if err != nil || created != want {
		t.Fatalf("create: got %+v, %v; want %+v", created, err, want)
	}
	if got, err := s.Get(t.Context(), want.ID); err != nil || got != want {
		t.Errorf("get: got %+v, %v; want %+v", got, err, want)
	}
}

func TestStoreCreatesOnceForEachKey(t *testing.T) {
	t.Parallel()
	s, first, key := open(t), fresh(t, "first"), keyOf("key", "first")
	createAgain := func(after string) {
		t.Helper()
		if again, err := s.Create(t.Context(), fresh(t, "first"), key, lifetime); err != nil || again != first {
			t.Errorf("repeated after %s: got %+v, %v; want %+v", after, again, err, first)
		}
	}
	if _, err := s.Create(t.Context(), first, key, lifetime); err != nil {
		t.Fatal(err)
	}
	createAgain("create")
	if _, err := s.Update(t.Context(), renamed(first, "second"), first.Version); err != nil {
		t.Fatal(err)
	}
	createAgain("update")
	if err := s.Delete(t.Context(), first.ID, order.AnyVersion); err != nil {
		t.Fatal(err)
	}
	createAgain("delete")
	if _, err := s.Create(t.Context(), fresh(t, "other"), keyOf("key", "other"), lifetime); code(err) != apierror.CodeInvalid {
		t.Errorf("another request with the key: %v, want invalid", err)
	}
	if all, err := s.List(t.Context(), uuid.Nil, 10); err != nil || len(all) != 0 {
		t.Errorf("repeated requests created %+v, %v", all, err)
	}
}

func TestStoreCreatesOnceForParallelRequests(t *testing.T) {
	t.Parallel()
	createInParallel(t, open(t), keyOf("key", "first"), uuid.Nil)
}

func TestStoreCreatesOnceForParallelRequestsWithAnExpiredKey(t *testing.T) {
	t.Parallel()
	s, before, key := open(t), fresh(t, "before"), keyOf("key", "first")
	if _, err := s.Create(t.Context(), before, key, -lifetime); err != nil {
		t.Fatal(err)
	}
	createInParallel(t, s, key, before.ID)
}

// createInParallel checks that concurrent requests with one key create one order after the id.
func createInParallel(t *testing.T, s order.Store, key order.IdempotencyKey, after uuid.UUID) {
	t.Helper()
	created := make(chan uuid.UUID)
	const requests = 16
	for range requests {
		item := fresh(t, "first")
		go func() {
			got, err := s.Create(t.Context(), item, key, lifetime)
			if err != nil {
				t.Errorf("create: %v", err)
			}
			created <- got.ID
		}()
	}
	ids := map[uuid.UUID]bool{}
	for range requests {
		ids[<-created] = true
	}
	if all, err := s.List(t.Context(), after, 10); err != nil || len(all) != 1 || len(ids) != 1 || !ids[all[0].ID] {
		t.Errorf("%d requests with one key returned %d ids and stored %+v, %v; want one", requests, len(ids), all, err)
	}
}

func TestStoreTreatsExpiredKeysAsUnused(t *testing.T) {
	t.Parallel()
	s, key, otherKey := open(t), keyOf("key", "body"), keyOf("key", "another body")
	create := func(item, want order.Order, key order.IdempotencyKey, lifetime time.Duration) {
		t.Helper()
		if got, err := s.Create(t.Context(), item, key, lifetime); err != nil || got != want {
			t.Errorf("create: got %+v, %v; want %+v", got, err, want)
		}
	}
	first, second, third := fresh(t, "first"), fresh(t, "second"), fresh(t, "third")
	create(first, first, key, -lifetime)
	create(second, second, key, -lifetime)
	create(third, third, otherKey, lifetime)
	create(fresh(t, "repeated"), third, otherKey, lifetime)
}

func TestDeleteExpiredKeysKeepsOtherKeys(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, migrations.FS)
	s, first, key := store.New(db), fresh(t, "first"), keyOf("key", "first")
	if _, err := s.Create(t.Context(), first, key, lifetime); err != nil {
		t.Fatal(err)
	}
	_, err := db.Exec(t.Context(), `
		INSERT INTO order_idempotency_keys (key, body_hash, created_order, expires_at)
		SELECT 'expired ' || n, '', '{}', now() - interval '1 second' FROM generate_series(1, 2500) AS n`)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteExpiredKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	var keys int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM order_idempotency_keys`).Scan(&keys); err != nil || keys != 1 {
		t.Errorf("%d keys are left, %v; want one", keys, err)
	}
	if again, err := s.Create(t.Context(), fresh(t, "again"), key, lifetime); err != nil || again != first {
		t.Errorf("create: got %+v, %v; want %+v", again, err, first)
	}
}

func TestStoreRejectsOldVersions(t *testing.T) {
	t.Parallel()
	s, first := open(t), fresh(t, "first")
	if _, err := s.Create(t.Context(), first, keyOf("", ""), lifetime); err != nil {
		t.Fatal(err)
	}
	want := renamed(first, "second")
	want.Version = 2
	if got, err := s.Update(t.Context(), renamed(first, "second"), 1); err != nil || got != want {
		t.Errorf("update: got %+v, %v; want %+v", got, err, want)
	}
	if got, err := s.Get(t.Context(), first.ID); err != nil || got != want {
		t.Errorf("get: got %+v, %v; want %+v", got, err, want)
	}
	if _, err := s.Update(t.Context(), renamed(first, "third"), 1); code(err) != apierror.CodePreconditionFailed {
		t.Errorf("update of an old version: %v", err)
	}
	if err := s.Delete(t.Context(), first.ID, 1); code(err) != apierror.CodePreconditionFailed {
		t.Errorf("delete of an old version: %v", err)
	}
	if err := s.Delete(t.Context(), first.ID, 2); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := s.Get(t.Context(), first.ID); code(err) != apierror.CodeNotFound {
		t.Errorf("get after delete: %v", err)
	}
	if _, err := s.Update(t.Context(), renamed(first, "third"), order.AnyVersion); code(err) != apierror.CodeNotFound {
		t.Errorf("update after delete: %v", err)
	}
}

func TestParallelUpdatesOfAnyVersionAllSucceed(t *testing.T) {
	t.Parallel()
	s, first := open(t), fresh(t, "first")
	if _, err := s.Create(t.Context(), first, keyOf("", ""), lifetime); err != nil {
		t.Fatal(err)
	}
	const updates = 16
	var running sync.WaitGroup
	for range updates {
		running.Go(func() {
			if _, err := s.Update(t.Context(), renamed(first, "next"), order.AnyVersion); err != nil {
				t.Errorf("update: %v", err)
			}
		})
	}
	running.Wait()
	if got, err := s.Get(t.Context(), first.ID); err != nil || got.Version != 1+updates {
		t.Errorf("got %+v, %v; want version %d", got, err, 1+updates)
	}
}

func TestStoreListsInOrderOfCreation(t *testing.T) {
	t.Parallel()
	s := open(t)
	var want []order.Order
	for _, name := range []string{"a", "b", "c"} {
		item := fresh(t, name)
		if _, err := s.Create(t.Context(), item, keyOf("", ""), lifetime); err != nil {
			t.Fatal(err)
		}
		want = append(want, item)
	}
	if page, err := s.List(t.Context(), want[0].ID, 1); err != nil || !slices.Equal(page, want[1:2]) {
		t.Errorf("one after the first: got %+v, %v; want %+v", page, err, want[1:2])
	}
	if all, err := s.List(t.Context(), uuid.Nil, 10); err != nil || !slices.Equal(all, want) {
		t.Errorf("all: got %+v, %v; want %+v", all, err, want)
	}
}
