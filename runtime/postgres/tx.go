package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/trace"
)

// A transaction that lost to another one is tried again up to maxTries times in
// all. Waits double from firstWait and are drawn evenly from zero up to that, so
// that the losers do not meet again. Five tries wait 150 ms at most, which a
// request can bear; a transaction that loses five times needs another design.
const (
	maxTries  = 5
	firstWait = 10 * time.Millisecond
)

// InTx runs fn in a transaction: it commits when fn returns nil, and rolls back
// when fn returns an error or panics. When the server asks for another try (a
// serialization failure or a deadlock), fn runs again in a new transaction, so
// it must not do anything else that lasts. The zero TxOptions mean the server's
// default isolation.
func (db *DB) InTx(ctx context.Context, opts pgx.TxOptions, fn func(pgx.Tx) error) error {
	for try := 1; ; try++ {
		err := db.once(ctx, opts, fn)
		if try == maxTries || !repeatable(err) {
			return err
		}
		trace.SpanFromContext(ctx).AddEvent("transaction is tried again")
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(firstWait << (try - 1))):
		}
	}
}

func (db *DB) once(ctx context.Context, opts pgx.TxOptions, fn func(pgx.Tx) error) (err error) {
	tx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	defer func() {
		// After a commit this does nothing. The caller may have left, and the
		// connection is worth keeping.
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.cfg.AcquireTimeout)
		defer cancel()
		if failed := tx.Rollback(limited); failed != nil && !errors.Is(failed, pgx.ErrTxClosed) && err != nil {
			err = errors.Join(err, failed)
		}
	}()
	if err := fn(tx); err != nil {
		return db.explain(ctx, err)
	}
	return db.explain(ctx, tx.Commit(ctx))
}
