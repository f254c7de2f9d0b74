package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/observability-first/scaffold/runtime/apierror"
)

var errNotStarted = errors.New("postgres: used before the service started; use it in a handler or a worker, not in run")

// Ping checks the connection to the database.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, db.cfg.QueryTimeout)
	defer cancel()
	return db.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error { return pool.Ping(ctx) })
}

// Exec executes a statement that returns no rows.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	err = db.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		tag, err = pool.Exec(ctx, sql, args...)
		return err
	})
	return tag, err
}

// Query executes a statement that returns rows. The connection is in use until they are closed.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (rows pgx.Rows, err error) {
	err = db.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		rows, err = pool.Query(ctx, sql, args...) //nolint:sqlclosecheck // the caller closes them
		return err
	})
	if err != nil {
		return rows, err
	}
	return watchedRows{rows, func(err error) error { return db.explain(ctx, err) }}, nil
}

// QueryRow executes a statement that returns a row. The connection is in use until Scan. Without
// a row, Scan returns [pgx.ErrNoRows].
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := db.Query(ctx, sql, args...)
	return row{rows, err}
}

// row is the first of its rows.
type row struct {
	rows pgx.Rows
	err  error
}

// Scan implements [pgx.Row].
func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		return cmp.Or(r.rows.Err(), pgx.ErrNoRows)
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// BeginTx begins a transaction. [DB.InTx] also ends it.
func (db *DB) BeginTx(ctx context.Context, opts pgx.TxOptions) (tx pgx.Tx, err error) {
	err = db.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		tx, err = pool.BeginTx(ctx, opts)
		return err
	})
	return tx, err
}

// SendBatch sends several statements in one round trip. Close the results.
func (db *DB) SendBatch(ctx context.Context, batch *pgx.Batch) (results pgx.BatchResults) {
	err := db.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		results = pool.SendBatch(ctx, batch)
		return nil
	})
	if err != nil {
		return failedBatch{err}
	}
	return results
}

// CopyFrom inserts rows in bulk and returns their number.
func (db *DB) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (n int64, err error) {
	err = db.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		n, err = pool.CopyFrom(ctx, table, columns, source)
		return err
	})
	return n, err
}

// Pool returns the pool of pgx, or nil before the start.
func (db *DB) Pool() *pgxpool.Pool { return db.pool.Load() }

// do runs a call on the pool. If the call got no connection or lost it, and its own context has
// not ended, the error is an API error.
func (db *DB) do(ctx context.Context, run func(context.Context, *pgxpool.Pool) error) error {
	pool := db.pool.Load()
	if pool == nil {
		return errNotStarted
	}
	var acquired outcome
	err := run(context.WithValue(ctx, outcomeKey{}, &acquired), pool)
	if acquired.err == nil {
		return db.explain(ctx, err)
	}
	if ctx.Err() != nil {
		return acquired.err
	}
	return db.unavailable(pool.Stat().AcquiredConns(), acquired.err)
}

// unavailable returns the error of a call that got no connection while inUse were in use. Its
// cause has the details.
func (db *DB) unavailable(inUse int32, err error) error {
	const noneFree, unreachable = "no database connection is available; try again later", "the database is unavailable"
	pg, rejected := errors.AsType[*pgconn.PgError](err)
	switch {
	case rejected && pg.Code == tooManyConnections:
		return apierror.Unavailable(noneFree).WithCause(fmt.Errorf("the database rejects more connections: %w", pg))
	case rejected && pg.Code == noDatabase:
		return apierror.Unavailable(unreachable).WithCause(
			fmt.Errorf("the server has no database %q; create it with %s, or correct POSTGRES_URL: %w", db.poolConfig.ConnConfig.Database, db.createCommand(), pg))
	case refused(err):
		return apierror.Unavailable(unreachable).WithCause(fmt.Errorf("no connection to %s: %w; check POSTGRES_URL", db.where(), pg))
	case !errors.Is(err, context.DeadlineExceeded):
		// The text of pgx around these does not fit on /readyz.
		if dial, ok := errors.AsType[*net.OpError](err); ok {
			err = dial
		} else if lookup, ok := errors.AsType[*net.DNSError](err); ok {
			err = lookup
		}
		return apierror.Unavailable(unreachable).WithCause(fmt.Errorf("no connection to %s: %w", db.where(), err))
	case inUse >= db.cfg.MaxConns:
		return apierror.Unavailable(noneFree).WithCause(
			fmt.Errorf("all %d connections are in use and none became free within %s; see POSTGRES_MAX_CONNS: %w", inUse, db.cfg.AcquireTimeout, err))
	}
	return apierror.Unavailable(unreachable).WithCause(fmt.Errorf("no connection to %s within %s: %w", db.where(), db.cfg.AcquireTimeout, err))
}

// createCommand returns the command line that creates the database with PostgreSQL's own client.
func (db *DB) createCommand() string {
	c := db.poolConfig.ConnConfig
	return fmt.Sprintf("createdb -h %s -p %d -U %s %s", c.Host, c.Port, c.User, c.Database)
}

// explain converts a lost connection, pending migrations, and text that the database cannot store
// to API errors. It returns other errors unchanged, and all errors after the context ended.
func (db *DB) explain(ctx context.Context, err error) error {
	if _, known := errors.AsType[*apierror.Error](err); err == nil || known || ctx.Err() != nil {
		return err
	}
	switch {
	case lost(err):
		return apierror.Unavailable("the database is unavailable").WithCause(fmt.Errorf("the connection to %s was lost: %w", db.where(), err))
	case db.migrations != nil && !db.current.Load() && undefined(err):
		return apierror.Unavailable("the database schema is not up to date").WithCause(err)
	case unstorable(err):
		return apierror.Invalid("the request has a character that cannot be stored; send valid UTF-8 without NUL").WithCause(err)
	}
	return err
}

// watchedRows explain the error that ended them.
type watchedRows struct {
	pgx.Rows
	explain func(error) error
}

// Err implements [pgx.Rows].
func (r watchedRows) Err() error { return r.explain(r.Rows.Err()) }

type failedBatch struct{ err error }

func (b failedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, b.err }
func (b failedBatch) Query() (pgx.Rows, error)         { return nil, b.err }
func (b failedBatch) QueryRow() pgx.Row                { return row{nil, b.err} }
func (b failedBatch) Close() error                     { return b.err }
func (failedBatch) Tx() pgx.Tx                         { return nil }
