package postgres

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var errRule = errors.New("an order needs an item")

func TestATransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t), MaxConns: 1}) // a connection that is not released is noticed immediately
	g.exec(t, "CREATE TABLE words (word text)")
	insert := func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "INSERT INTO words VALUES ('one')")
		return err
	}

	if err := g.InTx(t.Context(), pgx.TxOptions{}, insert); err != nil {
		t.Error(err)
	}
	err := g.InTx(t.Context(), pgx.TxOptions{}, func(tx pgx.Tx) error { return errors.Join(insert(tx), errRule) })
	if !errors.Is(err, errRule) {
		t.Errorf("got %v, want the function's own error", err)
	}
	func() {
		defer func() {
			if p := recover(); p != "bug" {
				t.Errorf("got panic %v, want the function's own", p)
			}
		}()
		_ = g.InTx(t.Context(), pgx.TxOptions{}, func(tx pgx.Tx) error { _ = insert(tx); panic("bug") })
	}()
	left, cancel := context.WithCancel(t.Context())
	err = g.InTx(left, pgx.TxOptions{}, func(tx pgx.Tx) error { cancel(); return insert(tx) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled call got %v, want canceled", err)
	}
	if got, want := g.number(t, "SELECT count(*)::int FROM words"), 1; got != want {
		t.Errorf("got %d rows, want %d", got, want)
	}
}

func TestConflictingTransactionsAreTriedAgain(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t)})
	g.exec(t, "CREATE TABLE counter AS SELECT 0 AS n")
	const writers, rounds = 3, 5
	var wg sync.WaitGroup
	var mu sync.Mutex
	succeeded := 0
	for range writers {
		wg.Go(func() {
			for range rounds {
				err := countUp(t.Context(), g.DB)
				if err != nil && !repeatable(err) {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					succeeded++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if got := g.number(t, "SELECT n FROM counter"); got != succeeded || succeeded == 0 {
		t.Errorf("got %d, want one for each of the %d transactions that succeeded", got, succeeded)
	}
}

func TestTriesEnd(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t)})
	for code, want := range map[string]int{"40001": maxTries, "40P01": maxTries, "23505": 1, "40002": 1} {
		tries := 0
		err := g.InTx(t.Context(), pgx.TxOptions{}, func(pgx.Tx) error {
			tries++
			return &pgconn.PgError{Code: code}
		})
		if tries != want || err == nil {
			t.Errorf("%s gave %d tries and %v, want %d", code, tries, err, want)
		}
	}
	tries := 0
	if err := g.InTx(t.Context(), pgx.TxOptions{}, func(pgx.Tx) error {
		if tries++; tries == 1 {
			return &pgconn.PgError{Code: "40001"}
		}
		return nil
	}); err != nil || tries != 2 {
		t.Errorf("got %v after %d tries, want success with the second", err, tries)
	}
	ctx, cancel := context.WithCancel(t.Context())
	tries = 0
	_ = g.InTx(ctx, pgx.TxOptions{}, func(pgx.Tx) error { tries++; cancel(); return &pgconn.PgError{Code: "40001"} })
	if tries > 2 {
		t.Errorf("got %d tries for a canceled call", tries)
	}
}
