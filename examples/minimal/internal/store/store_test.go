package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/observability-first/scaffold/runtime/fault"

	"github.com/observability-first/scaffold/examples/minimal/internal/order"
	"github.com/observability-first/scaffold/examples/minimal/internal/store"
)

func open(t *testing.T) order.Store {
	t.Helper()
	return store.NewMemory()
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

func code(err error) fault.Code {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Code
	}
	return ""
}

func TestStoreKeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	s, want := open(t), fresh(t, "kept")
	created, err := s.Create(t.Context(), want, "key")
	if err != nil || created != want {
		t.Fatalf("create: got %+v, %v; want %+v", created, err, want)
	}
	if got, err := s.Get(t.Context(), want.ID); err != nil || got != want {
		t.Errorf("get: got %+v, %v; want %+v", got, err, want)
	}
	if again, err := s.Create(t.Context(), fresh(t, "kept"), "key"); err != nil || again != want {
		t.Errorf("create with a used key: got %+v, %v; want the first", again, err)
	}
}

func TestStoreRefusesOldVersions(t *testing.T) {
	t.Parallel()
	s, first := open(t), fresh(t, "first")
	if _, err := s.Create(t.Context(), first, ""); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Name, second.Version = "second", 2
	if err := s.Update(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), second); code(err) != fault.CodePreconditionFailed {
		t.Errorf("update of an old version: %v", err)
	}
	if err := s.Delete(t.Context(), first.ID, 1); code(err) != fault.CodePreconditionFailed {
		t.Errorf("delete of an old version: %v", err)
	}
	if err := s.Delete(t.Context(), first.ID, 2); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := s.Get(t.Context(), first.ID); code(err) != fault.CodeNotFound {
		t.Errorf("get after delete: %v", err)
	}
	if err := s.Update(t.Context(), second); code(err) != fault.CodeNotFound {
		t.Errorf("update after delete: %v", err)
	}
}

func TestStoreListsInOrderOfCreation(t *testing.T) {
	t.Parallel()
	s := open(t)
	var ids []uuid.UUID
	for _, name := range []string{"a", "b", "c"} {
		item := fresh(t, name)
		if _, err := s.Create(t.Context(), item, ""); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, item.ID)
	}
	page, err := s.List(t.Context(), ids[0], 1)
	if err != nil || len(page) != 1 || page[0].ID != ids[1] {
		t.Errorf("one after the first: got %+v, %v", page, err)
	}
	rest, err := s.List(t.Context(), uuid.Nil, 10)
	if err != nil || len(rest) != len(ids) {
		t.Errorf("all: got %d, %v; want %d", len(rest), err, len(ids))
	}
}
