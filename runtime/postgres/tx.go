package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/trace"
)

// A transaction with a conflict is tried up to maxTries times. The maximum wait doubles from
// firstWait, and the wait is random up to that, so that the same transactions do not conflict
// again. Five tries wait at most 150 ms.
const (
	maxTries  = 5
	firstWait = 10 * time.Millisecond
)

// InTx runs fn in a transaction. It commits if fn returns nil, and rolls back if fn returns an
// error or panics. After a serialization failure or a deadlock, it runs fn again in a new
// transaction, so fn must have no other side effects. The zero TxOptions mean the server's
// default isolation.
func (db *DB) InTx(ctx context.Context, opts pgx.TxOptions, fn func(pgx.Tx) error) error {
	for try := 1; ; try++ {
		err := db.once(ctx, opts, fn)
		if try == maxTries || !repeatable(err) {
			return err
		}
		trace.SpanFromContext(ctx).AddEvent("transaction retried")
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
		// This has no effect after a commit. The context may have ended, and the connection
		// should stay usable.
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
